"""Searches of collections (collection search extension)."""

from dataclasses import dataclass
from urllib.parse import urlencode

import numpy as np

from chronotile.catalog.items.cells import search_boxes
from chronotile.catalog.offered import OfferedCollection
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import BBox, boxes_of
from chronotile.core.model.time.instants import DISTANT_FUTURE, DISTANT_PAST, TimeSpan
from chronotile.core.model.types import Json
from chronotile.protocols.catalogue.stac.collections import collection_document
from chronotile.protocols.catalogue.stac.context import JSON_TYPE, StacContext
from chronotile.protocols.catalogue.stac.params import CURSOR, DATETIME
from chronotile.protocols.common.extent import box_of
from chronotile.protocols.common.item_collections import item_collections
from chronotile.protocols.common.links import link
from chronotile.protocols.common.query.box import BBOX
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, names_of, text, whole_up_to

DEFAULT_COLLECTIONS = 100
MAX_COLLECTIONS = 1000
MAX_TERMS = 20


Q = text("q", "Words separated by commas; a collection matches if title, description, keywords or id has any of them")
LIMIT = whole_up_to("limit", "Collections of a page", most=MAX_COLLECTIONS, default=DEFAULT_COLLECTIONS)
OF_COLLECTIONS: tuple[Parameter[object], ...] = (BBOX, DATETIME, Q, LIMIT, CURSOR)


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionSearch:
    """A requested page of collections."""

    box: BBox | None
    span: TimeSpan | None
    terms: tuple[str, ...]
    """Words in lower case; a collection needs one of them. Empty matches all collections."""
    limit: int
    cursor: str | None
    """Id of the last collection of the previous page."""

    def takes(self, offered: OfferedCollection) -> bool:
        """Return whether a collection matches."""
        is_then = self.span is None or _is_within(offered, self.span)
        return is_then and self._meets_box(offered) and self._has_term(offered)

    def _meets_box(self, offered: OfferedCollection) -> bool:
        if self.box is None:
            return True
        boxes = list(boxes_of(box_of(offered)))
        return any(_meet(one, other) for one in search_boxes(self.box) for other in boxes)

    def _has_term(self, offered: OfferedCollection) -> bool:
        texts = (offered.id, *offered.title.values(), *offered.abstract.values(), *offered.keywords)
        return not self.terms or any(term in text.lower() for text in texts for term in self.terms)


def collection_search_of(query: Kvp) -> CollectionSearch:
    """Return the search of a query.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    query.check_spelling((*names_of(OF_COLLECTIONS), "lang"))
    terms = tuple(term.strip().lower() for term in (Q.optional(query) or "").split(",") if term.strip())
    if len(terms) > MAX_TERMS:
        raise InvalidParameter(f"q has {len(terms)} words; at most {MAX_TERMS} are accepted", locator="q")
    return CollectionSearch(
        box=BBOX.optional(query),
        span=DATETIME.optional(query),
        terms=terms,
        limit=LIMIT.value(query),
        cursor=CURSOR.optional(query),
    )


def collections_document(search: CollectionSearch, query: dict[str, str], context: StacContext) -> Json:
    """Return a page of collections; `query` is repeated in links to this page and the next."""
    matches = [offered for offered in item_collections(context.services) if search.takes(offered)]
    start = _start(matches, search.cursor)
    page = matches[start : start + search.limit]
    path = f"{context.root}/collections"
    self_link = link("self", f"{path}?{urlencode(query)}" if query else path, JSON_TYPE)
    links = [self_link, context.root_link, link("parent", context.root, JSON_TYPE)]
    if start + search.limit < len(matches):
        following = f"{path}?{urlencode({**query, 'cursor': page[-1].id})}"
        links.append({**link("next", following, JSON_TYPE), "method": "GET"})
    return {
        "collections": [collection_document(offered, context) for offered in page],
        "links": links,
        "numberMatched": len(matches),
        "numberReturned": len(page),
    }


def _start(matches: list[OfferedCollection], cursor: str | None) -> int:
    if cursor is None:
        return 0
    ids = [offered.id for offered in matches]
    if cursor not in ids:
        raise InvalidParameter("cursor does not belong to a page of this search", locator="cursor")
    return ids.index(cursor) + 1


def _meet(one: BBox, other: BBox) -> bool:
    # Boxes that only share an edge meet.
    return one.xmin <= other.xmax and other.xmin <= one.xmax and one.ymin <= other.ymax and other.ymin <= one.ymax


def _is_within(offered: OfferedCollection, span: TimeSpan) -> bool:
    """Return whether a collection may have data within a span; true without times."""
    extent = offered.collection.stated
    if extent is not None:
        first, last = extent.first or DISTANT_PAST, extent.last or DISTANT_FUTURE
        return bool(first < span.end and last >= span.start)
    times = offered.times
    return len(times) == 0 or bool(times.starts[0] < span.end and np.max(times.ends) > span.start)
