"""A search of items as the request of a STAC API."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

import orjson
import shapely

from chronotile.archive.index.apis import ApiSearch, Request
from chronotile.archive.index.core_search import CoreSearch, core_search
from chronotile.archive.index.documents import Json
from chronotile.archive.index.live.conditions import DocumentCheck, all_of, of_collection, text_of, with_geometry
from chronotile.archive.index.rules import ItemRules
from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.items.search import MOST_IDS
from chronotile.errors import InvalidParameter, SearchNotSupported
from chronotile.model.grid import BBox
from chronotile.model.items import ItemSearch
from chronotile.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, ONE_NS, Instant, TimeSpan, format_instant

PAGE = 250
"""Items of a page of an API, at most."""
NEWEST = (("datetime", True),)
PLAIN = {"id", "collection"}
"""Members of items outside of their properties."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRequest:
    """What an API is requested for a search."""

    first: Request
    """The first page."""
    check: DocumentCheck | None = None
    """What is left to compare here; `None`: the API does all of it."""
    is_exact: bool = True
    """Whether the number of matches of the API is that of the search, with the configured filter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """The parts of a request, which a body and a query spell differently."""

    page: int
    collection: str | None
    boxes: tuple[BBox, ...]
    geometry: Mapping[str, Any] | None
    datetime: str | None
    ids: tuple[str, ...]
    sort: tuple[tuple[str, bool], ...]
    filter: Json | None
    query: Mapping[str, Json] = field(default_factory=dict)


def live_request(
    api: ApiSearch, rules: ItemRules, search: ItemSearch, collection: str, *, page: int
) -> LiveRequest | None:
    """Return what an API is requested for a search of one collection; `None`: nothing can match.

    Args:
        api: How it is requested.
        rules: The configured filter always holds, too.
        search: What is looked for.
        collection: Its id here.
        page: Items of a page.

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
        place = with_geometry(search.geometry)
        clauses += [place] if api.is_of_items else []
    whole = all_of([*own, *clauses])
    found = CoreSearch() if api.filters is not None else core_search(whole)
    is_placed = bool(boxes) or search.geometry is not None
    parts = _Parts(
        page=page,
        collection=api.collection,
        boxes=boxes if is_placed and not api.is_of_items else boxes or _around(found.intersects),
        geometry=None if api.is_of_items else search.geometry,
        datetime=found.datetime if search.span is None else _interval(search.span),
        ids=search.ids,
        sort=(search.sort or NEWEST) if api.has_sort else (),
        filter=whole if api.filters is not None else None,
        query=found.query if api.has_query else {},
    )
    left = None if api.filters is not None else all_of(clauses)
    return LiveRequest(
        first=_posted(api.href, parts) if api.is_post else _got(api.href, parts),
        check=None if left is None else DocumentCheck(left),
        is_exact=api.filters is not None or whole is None,
    )


def item_request(api: ApiSearch, id_: str) -> Request:
    """Return the request of one item of an API without a search."""
    parts = urlsplit(api.href)
    return Request(href=parts._replace(path=f"{parts.path.rstrip('/')}/{quote(id_, safe='')}", query="").geturl())


def _check(api: ApiSearch, search: ItemSearch) -> None:
    if len(search.ids) > MOST_IDS:
        raise InvalidParameter(f"ids has {len(search.ids)} ids; at most {MOST_IDS} are accepted", locator="ids")
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


def _around(geometry: Json | None) -> tuple[BBox, ...]:
    """The box of a geometry: not all APIs take geometries in a query."""
    return () if geometry is None else (BBox(*shapely.from_geojson(orjson.dumps(geometry)).bounds),)


def _box(boxes: tuple[BBox, ...]) -> list[float]:
    """One box, whose west is greater than its east across the antimeridian."""
    return [boxes[0].xmin, boxes[0].ymin, boxes[-1].xmax, boxes[0].ymax]


def _posted(href: str, parts: _Parts) -> Request:
    body: Json = {"limit": parts.page}
    body |= {} if parts.collection is None else {"collections": [parts.collection]}
    body |= {"bbox": _box(parts.boxes)} if parts.boxes else {}
    body |= {} if parts.geometry is None else {"intersects": dict(parts.geometry)}
    body |= {} if parts.datetime is None else {"datetime": parts.datetime}
    body |= {"ids": list(parts.ids)} if parts.ids else {}
    body |= {"query": dict(parts.query)} if parts.query else {}
    body |= {} if parts.filter is None else {"filter-lang": "cql2-json", "filter": parts.filter}
    if parts.sort:
        body["sortby"] = [
            {"field": _field(name), "direction": "desc" if is_descending else "asc"}
            for name, is_descending in parts.sort
        ]
    return Request(href=href, body=body)


def _got(href: str, parts: _Parts) -> Request:
    query = [*parse_qsl(urlsplit(href).query), *_pairs(parts)]
    return Request(href=urlsplit(href)._replace(query=urlencode(query, quote_via=quote)).geturl())


def _pairs(parts: _Parts) -> Iterator[tuple[str, str]]:
    yield "limit", str(parts.page)
    if parts.collection is not None:
        yield "collections", parts.collection
    if parts.boxes:
        yield "bbox", ",".join(f"{each:.10g}" for each in _box(parts.boxes))
    if parts.geometry is not None:
        yield "intersects", orjson.dumps(dict(parts.geometry)).decode()
    if parts.datetime is not None:
        yield "datetime", parts.datetime
    if parts.ids:
        yield "ids", ",".join(parts.ids)
    if parts.query:
        yield "query", orjson.dumps(dict(parts.query)).decode()
    if parts.filter is not None:
        yield "filter-lang", "cql2-text"
        yield "filter", text_of(parts.filter)
    if parts.sort:
        yield "sortby", ",".join(f"{'-' if down else '+'}{_field(name)}" for name, down in parts.sort)


def _field(name: str) -> str:
    return name if name in PLAIN else f"properties.{name}"
