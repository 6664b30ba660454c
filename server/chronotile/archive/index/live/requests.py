"""A search of items as the request of a STAC API."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import cql2
import orjson
import shapely

from chronotile.archive.index.apis import ApiSearch, Request
from chronotile.archive.index.core_search import CoreSearch, core_search
from chronotile.archive.index.source import ItemRules, matches
from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.items.cql2.columns import PropertyColumns
from chronotile.catalog.items.cql2.document_filter import DocumentFilter, cut_boxes
from chronotile.catalog.items.cql2.translate import meeting, translate
from chronotile.catalog.items.cql2.tree import all_of, check_filter, join_filters, negate_filter
from chronotile.catalog.items.search import MAX_IDS
from chronotile.core.errors import InvalidParameter, SearchNotSupported
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, ONE_NS, TimeSpan, format_instant
from chronotile.core.model.types import Instant, Json

# Translation of a search's conditions for the API of one collection, which may name the collection differently.

COLLECTION = "collection"


def decide_collection(filter_: Mapping[str, Any], collection: str) -> Json | bool:
    """Evaluate the conditions on `collection`; return the rest of the filter, or true or false if nothing is left.

    Raises:
        InvalidParameter: The filter is not valid for searches of items.
        SearchNotSupported: It compares `collection` with another property.
    """
    translate(check_filter(filter_), PropertyColumns("sqlite"))
    return _decide(filter_, collection)


class DocumentCheck:
    """A filter that is applied to single STAC items.

    Args:
        filter_: CQL2 JSON.

    Raises:
        SearchNotSupported: The filter cannot be applied to single items.
    """

    def __init__(self, filter_: Json) -> None:
        self._expression = _parse_filter(cut_boxes(filter_))

    def __call__(self, document: Json) -> bool:
        """Return whether an item matches; False if it lacks a compared property."""
        return matches(self._expression, document)


def _parse_filter(filter_: Json) -> cql2.Expr:
    try:
        return cql2.parse_json(orjson.dumps(filter_).decode())
    except (cql2.ParseError, cql2.ValidationError, ValueError, TypeError) as error:
        raise SearchNotSupported("filter has a condition that the API cannot compare", locator="filter") from error


def _decide(node: Any, collection: str) -> Json | bool:  # noqa: ANN401 -- JSON
    if isinstance(node, bool):
        return node
    name, arguments = node.get("op"), node.get("args", [node])  # a property alone is true or false
    if name in {"and", "or"}:
        return join_filters(name, [_decide(argument, collection) for argument in arguments])
    if name == "not":
        return negate_filter(_decide(arguments[0], collection))
    names = set(_properties(arguments))
    if COLLECTION not in names:
        return dict(node)
    if names != {COLLECTION} or name is None:
        raise SearchNotSupported("filter compares collection with another property", locator="filter")
    return DocumentFilter(node).holds({COLLECTION: collection})


def _properties(node: Any) -> Iterator[str]:  # noqa: ANN401 -- JSON
    """Yield the properties in arguments; `check_filter` has limited their depth."""
    if isinstance(node, list | tuple):
        for argument in node:
            yield from _properties(argument)
    elif isinstance(node, Mapping):
        name = node.get("property")
        if isinstance(name, str):
            yield name.removeprefix("properties.")
        yield from _properties(node.get("args"))


NEWEST = (("datetime", True),)
PLAIN = {"id", "collection"}
"""Members of an item outside its properties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRequest:
    """The requests to an API for a search."""

    first: Request
    """Request of the first page."""
    page: int
    """Items per page."""
    check: DocumentCheck | None = None
    """Checks the conditions that the API does not support; `None`: it supports all."""
    is_exact: bool = True
    """Whether the API counts exactly the matches of the search and the configured filter."""


def live_request(
    api: ApiSearch, rules: ItemRules, search: ItemSearch, collection: str, *, most: int
) -> LiveRequest | None:
    """Return the requests to an API for a search of one collection; `None` if nothing can match.

    Args:
        api: The search of the API.
        rules: Rules with the configured filter, which always applies.
        search: The search.
        collection: Id of the collection in this archive.
        most: Maximum number of items per page; used in full if items are checked here, so that some match.

    Raises:
        SearchNotSupported: The API does not support the search.
        InvalidParameter: A value of the search is invalid.
    """
    _check(api, search)
    decided = None if search.filter is None else decide_collection(search.filter, collection)
    boxes = () if search.bbox is None else search_boxes(search.bbox)
    if decided is False or (search.bbox is not None and not boxes):
        return None
    filters = [] if rules.filter is None else [rules.filter.to_json()]
    clauses = [decided] if isinstance(decided, dict) else []
    if search.geometry is not None:
        area_filter = meeting(dict(search.geometry), PropertyColumns("sqlite"))
        clauses += [dict(area_filter)] if api.is_of_items else []
    whole = all_of([*filters, *clauses])
    core = CoreSearch() if api.filters is not None else core_search(whole)
    unchecked = None if api.filters is not None else all_of(clauses)
    page = min(search.limit, most) if unchecked is None else most
    if core.intersects is not None and not boxes and (search.geometry is None or api.is_of_items):
        # Not all APIs accept geometries in a query.
        boxes = (BBox(*shapely.from_geojson(orjson.dumps(core.intersects)).bounds),)
    sort = (search.sort or NEWEST) if api.has_sort else ()
    keys = [{"field": _field(name), "direction": "desc" if is_falling else "asc"} for name, is_falling in sort]
    passed_on, language = whole if api.filters is not None else None, "cql2-json" if api.is_post else "cql2-text"
    members: dict[str, Any] = {
        "limit": page,
        "collections": None if api.collection is None else [api.collection],
        # One box, whose west is greater than its east across the antimeridian.
        "bbox": [boxes[0].xmin, boxes[0].ymin, boxes[-1].xmax, boxes[0].ymax] if boxes else None,
        "intersects": None if api.is_of_items or search.geometry is None else dict(search.geometry),
        "datetime": core.datetime if search.span is None else _interval(search.span),
        "ids": list(search.ids) or None,
        "query": dict(core.query) or None if api.has_query else None,
        "filter-lang": None if passed_on is None else language,
        "filter": passed_on,
        "sortby": keys or None,
    }
    members = {name: value for name, value in members.items() if value is not None}
    return LiveRequest(
        first=Request(href=api.href, body=members) if api.is_post else _get_request(api.href, members),
        page=page,
        check=None if unchecked is None else DocumentCheck(unchecked),
        is_exact=api.filters is not None or whole is None,
    )


def item_request(api: ApiSearch, id_: str) -> Request:
    """Return the request of one item of an API without a search."""
    parts = urlsplit(api.href)
    return Request(href=parts._replace(path=f"{parts.path.rstrip('/')}/{quote(id_, safe='')}", query="").geturl())


def _check(api: ApiSearch, search: ItemSearch) -> None:
    if len(search.ids) > MAX_IDS:
        raise InvalidParameter(f"ids has {len(search.ids)} ids; at most {MAX_IDS} are accepted", locator="ids")
    if search.sort and not api.has_sort:
        raise SearchNotSupported("sortby is not accepted: the API of the collection does not sort", locator="sortby")
    if search.ids and api.is_of_items:
        raise SearchNotSupported("ids is not accepted: the API of the collection has no search", locator="ids")
    if not api.is_post and any("," in x for x in search.ids):
        raise SearchNotSupported("ids with commas are not accepted by the API of the collection", locator="ids")


def _interval(span: TimeSpan) -> str:
    """Return a time span as a closed interval in microseconds, because not all APIs read finer times."""
    end: Instant = span.end + -ONE_NS
    last: Instant = end.astype("datetime64[us]").astype("datetime64[ns]")
    first = ".." if span.start <= DISTANT_PAST else format_instant(span.start)
    return f"{first}/{'..' if span.end >= DISTANT_FUTURE else format_instant(max(last, span.start))}"


_AS_TEXT: Mapping[str, Callable[[Any], str]] = {
    "collections": ",".join,
    "bbox": lambda box: ",".join(f"{b:.10g}" for b in box),
    "intersects": lambda geometry: orjson.dumps(geometry).decode(),
    "ids": ",".join,
    "query": lambda query: orjson.dumps(query).decode(),
    "filter": lambda filter_: _parse_filter(filter_).to_text(),
    "sortby": lambda keys: ",".join(f"{'-' if k['direction'] == 'desc' else '+'}{k['field']}" for k in keys),
}
"""Conversions of members of a body to text of a query."""


def _get_request(href: str, members: Mapping[str, Any]) -> Request:
    pairs = ((name, _AS_TEXT.get(name, str)(value)) for name, value in members.items())
    query = [*parse_qsl(urlsplit(href).query), *pairs]
    return Request(href=urlsplit(href)._replace(query=urlencode(query, quote_via=quote)).geturl())


def _field(name: str) -> str:
    return name if name in PLAIN else f"properties.{name}"
