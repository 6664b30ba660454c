"""Which members of items a page has (fields extension)."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from chronotile.errors import InvalidParameter

MOST_FIELDS = 200
ALWAYS = ("type", "stac_version", "id", "collection")
DEFAULT = (*ALWAYS, "geometry", "bbox", "links", "assets", "properties.datetime")
"""Of a request that names no field: what makes a valid item."""

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fields:
    """Members by their paths, such as `properties.eo:cloud_cover`."""

    included: tuple[str, ...] | None
    """`None`: all."""
    excluded: tuple[str, ...]
    """Unless they are included by the same path, or a longer one."""

    def of(self, document: Json) -> Json:
        """Return what is left of an item; `document` may be changed."""
        chosen = document if self.included is None else _chosen(document, (*ALWAYS, *self.included))
        excluded = [each for each in self.excluded if each not in (self.included or ())]
        kept = [each for each in self.included or () if any(each.startswith(f"{out}.") for out in excluded)]
        again = _chosen(chosen, kept)
        for path in excluded:
            _remove(chosen, path)
        return _merged(chosen, again)


def fields_of_text(text: str) -> Fields:
    """Return the fields of `+a,b,-c`; of an empty text the default.

    Raises:
        InvalidParameter: There are too many.
    """
    names = [each.strip() for each in text.split(",")]
    included = [each.removeprefix("+").strip() for each in names if each and not each.startswith("-")]
    excluded = [each[1:].strip() for each in names if each.startswith("-")]
    if not included and excluded:
        return _checked(None, excluded)
    return _checked(included or _default(excluded), excluded)


def fields_of_json(value: object) -> Fields:
    """Return the fields of an object with `include` and `exclude`.

    Without `include` all fields are included; with an empty one or null, as clients write for none, the default.

    Raises:
        InvalidParameter: It is no such object, or has too many.
    """
    if not isinstance(value, dict):
        raise InvalidParameter("fields must be an object with the lists include and exclude", locator="fields")
    included, excluded = _names(value, "include"), _names(value, "exclude")
    if "include" not in value and excluded:
        return _checked(None, excluded)
    return _checked(included or _default(excluded), excluded)


def _default(excluded: Collection[str]) -> list[str]:
    return [each for each in DEFAULT if each not in excluded]


def _names(value: Mapping[str, object], name: str) -> list[str]:
    names = value.get(name)
    if names is None:
        return []
    if not isinstance(names, list) or not all(isinstance(each, str) for each in names):
        raise InvalidParameter(f"{name} of fields must be a list of names", locator="fields")
    return names


def _checked(included: Iterable[str] | None, excluded: Iterable[str]) -> Fields:
    found = Fields(None if included is None else tuple(included), tuple(excluded))
    if len(found.included or ()) + len(found.excluded) > MOST_FIELDS:
        raise InvalidParameter(f"fields has more than {MOST_FIELDS} names", locator="fields")
    return found


def _chosen(document: Json, paths: Iterable[str]) -> Json:
    chosen: Json = {}
    for path in paths:
        _choose(document, path, chosen)
    return chosen


def _choose(document: Json, path: str, chosen: Json) -> None:
    if path in document:
        chosen[path] = document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if not dot or not isinstance(inner, dict):
        return
    within: Json = {}
    _choose(inner, rest, within)
    if within:
        chosen[name] = _merged(chosen.get(name, {}), within)


def _remove(document: Json, path: str) -> None:
    if path in document:
        del document[path]
        return
    name, dot, rest = path.partition(".")
    inner = document.get(name)
    if dot and isinstance(inner, dict):
        document[name] = inner = dict(inner)
        _remove(inner, rest)


def _merged(first: Json, second: Json) -> Json:
    merged = dict(first)
    for name, value in second.items():
        known = merged.get(name)
        merged[name] = _merged(known, value) if isinstance(known, dict) and isinstance(value, dict) else value
    return merged
