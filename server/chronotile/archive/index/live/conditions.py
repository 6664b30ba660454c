"""Conditions of a search as the API of one collection takes them, which knows the collection by another id."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cql2
import orjson

from chronotile.archive.index.documents import Json
from chronotile.catalog.items.cql2.columns import Columns
from chronotile.catalog.items.cql2.evaluate import DocumentFilter, with_cut_boxes
from chronotile.catalog.items.cql2.translate import translate
from chronotile.catalog.items.cql2.tree import checked
from chronotile.errors import InvalidParameter, SearchNotSupported

COLLECTION = "collection"


def of_collection(filter_: Mapping[str, Any], collection: str) -> Json | bool:
    """Return a filter with what it says of `collection` decided; true or false where nothing else is left.

    Raises:
        InvalidParameter: It is none that searches of items accept.
        SearchNotSupported: It compares `collection` with another property.
    """
    translate(checked(filter_), Columns("sqlite"))
    return _decided(filter_, collection)


def with_geometry(geometry: Mapping[str, Any]) -> Json:
    """Return the condition that footprints meet a geometry.

    Raises:
        InvalidParameter: It is none.
    """
    condition: Json = {"op": "s_intersects", "args": [{"property": "geometry"}, dict(geometry)]}
    try:
        translate(checked(condition), Columns("sqlite"))
    except InvalidParameter as error:
        raise InvalidParameter(error.message.replace("filter", "geometry", 1), locator="geometry") from error
    return condition


def all_of(clauses: Sequence[Json]) -> Json | None:
    """Return the filter that is true where all of some are."""
    if not clauses:
        return None
    return clauses[0] if len(clauses) == 1 else {"op": "and", "args": list(clauses)}


def text_of(filter_: Json) -> str:
    """Return a filter in CQL2 text.

    Raises:
        SearchNotSupported: It cannot be written as such.
    """
    return _parsed(filter_).to_text()


class DocumentCheck:
    """A filter that STAC items are held against one by one.

    Args:
        filter_: CQL2 JSON.

    Raises:
        SearchNotSupported: Items cannot be held against it.
    """

    def __init__(self, filter_: Json) -> None:
        self._expression = _parsed(with_cut_boxes(filter_))

    def __call__(self, document: Json) -> bool:
        """Return whether an item matches; one that lacks a property it is compared by does not."""
        try:
            return bool(self._expression.matches(document))
        except Exception:  # noqa: BLE001 -- the library's one error of expressions without a result
            return False


def _parsed(filter_: Json) -> cql2.Expr:
    try:
        return cql2.parse_json(orjson.dumps(filter_).decode())
    except (cql2.ParseError, cql2.ValidationError, ValueError, TypeError) as error:
        raise SearchNotSupported("filter has a condition that the API cannot compare", locator="filter") from error


def _decided(node: Any, collection: str) -> Json | bool:  # noqa: ANN401 -- JSON
    if isinstance(node, bool):
        return node
    name, arguments = node.get("op"), node.get("args", [node])  # a property alone is true or false
    if name in {"and", "or"}:
        return _joined(name, [_decided(each, collection) for each in arguments])
    if name == "not":
        part = _decided(arguments[0], collection)
        return not part if isinstance(part, bool) else {"op": "not", "args": [part]}
    named = set(_properties(arguments))
    if COLLECTION not in named:
        return dict(node)
    if named != {COLLECTION} or name is None:
        raise SearchNotSupported("filter compares collection with another property", locator="filter")
    return DocumentFilter(node).holds({COLLECTION: collection})


def _joined(name: str, parts: Sequence[Json | bool]) -> Json | bool:
    decisive = name == "or"
    if any(part is decisive for part in parts):
        return decisive
    left = [part for part in parts if not isinstance(part, bool)]
    if not left:
        return not decisive
    return left[0] if len(left) == 1 else {"op": name, "args": left}


def _properties(node: Any) -> Iterator[str]:  # noqa: ANN401 -- JSON
    """The properties that arguments name; `checked` has bounded their depth."""
    if isinstance(node, list | tuple):
        for each in node:
            yield from _properties(each)
    elif isinstance(node, Mapping):
        name = node.get("property")
        if isinstance(name, str):
            yield name.removeprefix("properties.")
        yield from _properties(node.get("args"))
