"""Selected members of items (fields extension)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.types import Json

MAX_FIELDS = 200
ALWAYS = ("type", "stac_version", "id", "collection")
DEFAULT = (*ALWAYS, "geometry", "bbox", "links", "assets", "properties.datetime")
"""Members of a valid item, returned if a request names no field."""


@dataclass(frozen=True, slots=True)
class FieldSelection:
    """The members of items that a request selects, as paths such as `properties.eo:cloud_cover`."""

    included: tuple[str, ...] | None
    """`None` includes all members."""
    excluded: tuple[str, ...]
    """Removed paths. A path that is also included stays; included paths below a removed path stay too."""

    def select(self, document: Json) -> Json:
        """Return the selected members of an item; `document` may be changed."""
        chosen = document if self.included is None else _select(document, (*ALWAYS, *self.included))
        excluded = [path for path in self.excluded if path not in (self.included or ())]
        restored = [path for path in self.included or () if any(path.startswith(f"{parent}.") for parent in excluded)]
        restored_members = _select(chosen, restored)
        for path in excluded:
            _remove(chosen, path)
        return _merge(chosen, restored_members)


def fields_of_text(text: str) -> FieldSelection:
    """Return the selection of a text such as `+a,b,-c`; an empty text selects `DEFAULT`.

    Raises:
        InvalidParameter: The text has more than `MAX_FIELDS` names.
    """
    names = [name.strip() for name in text.split(",")]
    included = [name.removeprefix("+").strip() for name in names if name and not name.startswith("-")]
    excluded = [name[1:].strip() for name in names if name.startswith("-")]
    return _fields(None if not included and excluded else included, excluded)


def fields_of_json(value: object) -> FieldSelection:
    """Return the selection of an object with `include` and `exclude`.

    With only `exclude`, all other members are included. A missing, empty or null `include` otherwise selects `DEFAULT`.

    Raises:
        InvalidParameter: The value is not such an object, or has more than `MAX_FIELDS` names.
    """
    if not isinstance(value, dict):
        raise InvalidParameter("fields must be an object with the lists include and exclude", locator="fields")
    included, excluded = _name_list(value, "include"), _name_list(value, "exclude")
    return _fields(None if "include" not in value and excluded else included, excluded)


def _name_list(value: Mapping[str, object], name: str) -> list[str]:
    names = [] if value.get(name) is None else value[name]
    if not isinstance(names, list) or not all(isinstance(entry, str) for entry in names):
        raise InvalidParameter(f"{name} of fields must be a list of names", locator="fields")
    return names


def _fields(included: Sequence[str] | None, excluded: Sequence[str]) -> FieldSelection:
    """Return a selection; `included` is `None` for all members, and empty for `DEFAULT`."""
    chosen = None if included is None else included or [path for path in DEFAULT if path not in excluded]
    selection = FieldSelection(None if chosen is None else tuple(chosen), tuple(excluded))
    if len(selection.included or ()) + len(selection.excluded) > MAX_FIELDS:
        raise InvalidParameter(f"fields has more than {MAX_FIELDS} names", locator="fields")
    return selection


def _select(document: Json, paths: Iterable[str]) -> Json:
    chosen: Json = {}
    for path in paths:
        _select_path(document, path, chosen)
    return chosen


def _select_path(document: Json, path: str, chosen: Json) -> None:
    if path in document:
        chosen[path] = document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if not dot or not isinstance(inner, dict):
        return
    selected: Json = {}
    _select_path(inner, rest, selected)
    if selected:
        chosen[name] = _merge(chosen.get(name, {}), selected)


def _remove(document: Json, path: str) -> None:
    if path in document:
        del document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if dot and isinstance(inner, dict):
        document[name] = inner = dict(inner)
        _remove(inner, rest)


def _merge(first: Json, second: Json) -> Json:
    merged = dict(first)
    for name, value in second.items():
        current = merged.get(name)
        merged[name] = _merge(current, value) if isinstance(current, dict) and isinstance(value, dict) else value
    return merged
