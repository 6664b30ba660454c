"""Searches of collections, in pages (collection search extension)."""

from dataclasses import dataclass

from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.offered import Offered
from chronotile.errors import InvalidParameter
from chronotile.model.grid import BBox
from chronotile.model.items import boxes_of
from chronotile.model.time.instants import TimeSpan
from chronotile.protocols.common.openapi import WHOLE
from chronotile.protocols.common.query.kvp import Kvp, integer
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, text
from chronotile.protocols.stac.collections import collection_document, page_link
from chronotile.protocols.stac.context import JSON_TYPE, Json, StacContext, link, stac_collections
from chronotile.protocols.stac.extents import box_of, is_within
from chronotile.protocols.stac.params import BBOX, CURSOR, DATETIME

DEFAULT_COLLECTIONS = 100
MOST_COLLECTIONS = 1000
MOST_TERMS = 20


def _limit(given: str) -> int:
    value = integer(given, locator="limit", least=1)
    return min(value, MOST_COLLECTIONS)


Q = text("q", "Words, of which with commas between them any has to be in title, description, keywords or id")
LIMIT: Parameter[int] = custom(
    "limit",
    f"Collections of a page; more than {MOST_COLLECTIONS} are {MOST_COLLECTIONS}",
    _limit,
    schema={**WHOLE, "minimum": 1, "default": DEFAULT_COLLECTIONS},
    default=DEFAULT_COLLECTIONS,
)
OF_COLLECTIONS: tuple[Parameter[object], ...] = (BBOX, DATETIME, Q, LIMIT, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSearch:
    """Which collections are requested."""

    box: BBox | None
    span: TimeSpan | None
    terms: tuple[str, ...]
    """In lower case; empty: any."""
    limit: int
    cursor: str | None
    """The id of the last collection of the page before."""

    def takes(self, offered: Offered) -> bool:
        """Return whether a collection is one of them."""
        return self._is_there(offered) and self._is_then(offered) and self._says(offered)

    def _is_there(self, offered: Offered) -> bool:
        if self.box is None:
            return True
        own = list(boxes_of(box_of(offered)))
        return any(_meet(one, other) for one in search_boxes(self.box) for other in own)

    def _is_then(self, offered: Offered) -> bool:
        return self.span is None or is_within(offered, self.span)

    def _says(self, offered: Offered) -> bool:
        texts = (offered.id, *offered.title.values(), *offered.abstract.values(), *offered.keywords)
        return not self.terms or any(term in each.lower() for each in texts for term in self.terms)


def collection_search_of(query: Kvp) -> CollectionSearch:
    """Return the search that a query requests.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling((*names_of(OF_COLLECTIONS), "lang"))
    terms = tuple(each.strip().lower() for each in (Q.given(query) or "").split(",") if each.strip())
    if len(terms) > MOST_TERMS:
        raise InvalidParameter(f"q has {len(terms)} words; at most {MOST_TERMS} are accepted", locator="q")
    return CollectionSearch(
        box=BBOX.given(query),
        span=DATETIME.given(query),
        terms=terms,
        limit=LIMIT.of(query),
        cursor=CURSOR.given(query),
    )


def collections_document(search: CollectionSearch, query: dict[str, str], context: StacContext) -> Json:
    """Return a page of collections; `query` is that of the request."""
    found = [each for each in stac_collections(context) if search.takes(each)]
    start = _start(found, search.cursor)
    page = found[start : start + search.limit]
    path = f"{context.root}/collections"
    links = [page_link("self", path, query), context.root_link, link("parent", context.root, JSON_TYPE)]
    if start + search.limit < len(found):
        links.append({**page_link("next", path, {**query, "cursor": page[-1].id}), "method": "GET"})
    return {
        "collections": [collection_document(each, context) for each in page],
        "links": links,
        "numberMatched": len(found),
        "numberReturned": len(page),
    }


def _start(found: list[Offered], cursor: str | None) -> int:
    if cursor is None:
        return 0
    ids = [each.id for each in found]
    if cursor not in ids:
        raise InvalidParameter("cursor is not that of a page of this search", locator="cursor")
    return ids.index(cursor) + 1


def _meet(one: BBox, other: BBox) -> bool:
    """Whether two boxes share a point."""
    return one.xmin <= other.xmax and other.xmin <= one.xmax and one.ymin <= other.ymax and other.ymin <= one.ymax
