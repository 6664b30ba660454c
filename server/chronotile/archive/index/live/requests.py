"""A search of items as the request of a STAC API."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import cql2
import orjson
import shapely

from chronotile.archive.index.apis import ApiSearch, CoreSearch, Request, core_search
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

# Conditions of a search as the API of one collection takes them, which knows the collection by another id.

COLLECTION = "collection"


def of_collection(filter_: Mapping[str, Any], collection: str) -> Json | bool:
    """Return a filter with what it says of `collection` decided; true or false where nothing else is left.

    Raises:
        InvalidParameter: It is none that searches of items accept.
        SearchNotSupported: It compares `collection` with another property.
    """
    translate(check_filter(filter_), PropertyColumns("sqlite"))
    return _decided(filter_, collection)


class DocumentCheck:
    """A filter that STAC items are held against one by one.

    Args:
        filter_: CQL2 JSON.

    Raises:
        SearchNotSupported: Items cannot be held against it.
    """

    def __init__(self, filter_: Json) -> None:
        self._expression = _parsed(cut_boxes(filter_))

    def __call__(self, document: Json) -> bool:
        """Return whether an item matches; one that lacks a property it is compared by does not."""
        return matches(self._expression, document)


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
        return join_filters(name, [_decided(each, collection) for each in arguments])
    if name == "not":
        return negate_filter(_decided(arguments[0], collection))
    named = set(_properties(arguments))
    if COLLECTION not in named:
        return dict(node)
    if named != {COLLECTION} or name is None:
        raise SearchNotSupported("filter compares collection with another property", locator="filter")
    return DocumentFilter(node).holds({COLLECTION: collection})


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


PAGES = (250, 100, 10)
"""Items of a page of an API, at most: of the first kind, and where APIs refuse as many."""
NEWEST = (("datetime", True),)
PLAIN = {"id", "collection"}
"""Members of items outside of their properties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRequest:
    """What an API is requested for a search."""

    first: Request
    """The first page."""
    page: int
    """Items of a page."""
    check: DocumentCheck | None = None
    """What is left to compare here; `None`: the API does all of it."""
    is_exact: bool = True
    """Whether the number of matches of the API is that of the search, with the configured filter."""


def live_request(
    api: ApiSearch, rules: ItemRules, search: ItemSearch, collection: str, *, most: int
) -> LiveRequest | None:
    """Return what an API is requested for a search of one collection; `None`: nothing can match.

    Args:
        api: How it is requested.
        rules: The configured filter always holds, too.
        search: What is looked for.
        collection: Its id here.
        most: Items of a page, at most; as many where they are compared here, so that some match.

    Raises:
        SearchNotSupported: The API cannot do it.
        InvalidParameter: A value of the search is not accepted.
    """
    _check(api, search)
    wanted = None if search.filter is None else of_collection(search.filter, collection)
    boxes = () if search.bbox is None else search_boxes(search.bbox)
    if wanted is False or (search.bbox is not None and not boxes):
        return None
    own = [] if rules.filter is None else [rules.filter.to_json()]
    clauses = [wanted] if isinstance(wanted, dict) else []
    if search.geometry is not None:
        place = meeting(dict(search.geometry), PropertyColumns("sqlite"))
        clauses += [dict(place)] if api.is_of_items else []
    whole = all_of([*own, *clauses])
    found = CoreSearch() if api.filters is not None else core_search(whole)
    left = None if api.filters is not None else all_of(clauses)
    page = min(search.limit, most) if left is None else most
    if found.intersects is not None and not boxes and (search.geometry is None or api.is_of_items):
        # Not all APIs take geometries in a query.
        boxes = (BBox(*shapely.from_geojson(orjson.dumps(found.intersects)).bounds),)
    sort = (search.sort or NEWEST) if api.has_sort else ()
    keys = [{"field": _field(name), "direction": "desc" if is_falling else "asc"} for name, is_falling in sort]
    passed_on, language = whole if api.filters is not None else None, "cql2-json" if api.is_post else "cql2-text"
    members: dict[str, Any] = {
        "limit": page,
        "collections": None if api.collection is None else [api.collection],
        # One box, whose west is greater than its east across the antimeridian.
        "bbox": [boxes[0].xmin, boxes[0].ymin, boxes[-1].xmax, boxes[0].ymax] if boxes else None,
        "intersects": None if api.is_of_items or search.geometry is None else dict(search.geometry),
        "datetime": found.datetime if search.span is None else _interval(search.span),
        "ids": list(search.ids) or None,
        "query": dict(found.query) or None if api.has_query else None,
        "filter-lang": None if passed_on is None else language,
        "filter": passed_on,
        "sortby": keys or None,
    }
    members = {name: value for name, value in members.items() if value is not None}
    return LiveRequest(
        first=Request(href=api.href, body=members) if api.is_post else _got(api.href, members),
        page=page,
        check=None if left is None else DocumentCheck(left),
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
    if not api.is_post and any("," in each for each in search.ids):
        raise SearchNotSupported("ids with commas are not accepted by the API of the collection", locator="ids")


def _interval(span: TimeSpan) -> str:
    """A span as a closed interval, to a microsecond: finer times are not read by all."""
    end: Instant = span.end + -ONE_NS
    last: Instant = end.astype("datetime64[us]").astype("datetime64[ns]")
    first = ".." if span.start <= DISTANT_PAST else format_instant(span.start)
    return f"{first}/{'..' if span.end >= DISTANT_FUTURE else format_instant(max(last, span.start))}"


_AS_TEXT: Mapping[str, Callable[[Any], str]] = {
    "collections": ",".join,
    "bbox": lambda box: ",".join(f"{each:.10g}" for each in box),
    "intersects": lambda geometry: orjson.dumps(geometry).decode(),
    "ids": ",".join,
    "query": lambda query: orjson.dumps(query).decode(),
    "filter": lambda filter_: _parsed(filter_).to_text(),
    "sortby": lambda keys: ",".join(f"{'-' if each['direction'] == 'desc' else '+'}{each['field']}" for each in keys),
}
"""Members of a body as a query has them."""


def _got(href: str, members: Mapping[str, Any]) -> Request:
    pairs = ((name, _AS_TEXT.get(name, str)(value)) for name, value in members.items())
    query = [*parse_qsl(urlsplit(href).query), *pairs]
    return Request(href=urlsplit(href)._replace(query=urlencode(query, quote_via=quote)).geturl())


def _field(name: str) -> str:
    return name if name in PLAIN else f"properties.{name}"
