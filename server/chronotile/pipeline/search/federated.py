"""One search over several sources: the index, and the catalogues of others. Their answers follow one another.

They are never merged by sorting: that would need the first items of all of them before the first one of the answer.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import orjson

from chronotile.catalog.items.cursors import is_number, sealed, unsealed, what_is_searched
from chronotile.catalog.items.search import MOST_MATCHED
from chronotile.errors import InvalidParameter, LimitExceeded, SearchNotSupported, SourceUnavailable
from chronotile.model.items import FoundItem, ItemPage, ItemSearch, Unanswered
from chronotile.pipeline.live_items import LivePage
from chronotile.pipeline.search.served_index import items_of, listed_collections, live_names
from chronotile.pipeline.services import Services

INDEX = ""
"""The name of the index among the sources of a search."""
PARTS = 3
MOST_SKIPPED = 250
"""Items of other catalogues that a search may skip, which are requested with one page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where a page begins."""

    source: str
    at: str | None
    """In the words of the source."""
    matched: int | None
    """How many match in the sources before; `None`: that is not known."""

    def text(self, search: ItemSearch) -> str:
        """Return it as the cursor of a search."""
        return sealed(orjson.dumps([self.source, self.at, self.matched]), what_is_searched(search))


def federated_page(search: ItemSearch, live: Sequence[str], services: Services) -> ItemPage:
    """Return a page of a search over collections that other catalogues are searched for, and perhaps the index.

    Args:
        search: What is looked for.
        live: Ids of such collections, in the order in which they follow the index.
        services: With both.

    Raises:
        InvalidParameter: A value of the search is not accepted; or the only source cannot do what it needs.
        LimitExceeded: Too many items of other catalogues are to be skipped.
        SourceUnavailable: The index does not answer, or the only other source.
        AsksElsewhere: A catalogue has to be requested, which this thread may not.
    """
    if search.skip:
        return _page_after_skipped(search, live, services)
    sources = [*([INDEX] if _is_index_searched(search, live, services) else []), *live]
    return _page_from(_place(search, sources), search, sources, services)


def _page_from(place: _Place, search: ItemSearch, sources: Sequence[str], services: Services) -> ItemPage:
    """A page that begins at a place, in one of the sources or several."""
    items, unanswered = list[FoundItem](), list[Unanswered]()
    failure: SourceUnavailable | SearchNotSupported | None = None
    following: _Place | None = None
    last, has_answer = "", False
    for source in sources[sources.index(place.source) :]:
        place = place if place.source == source else replace(place, source=source, at=None)
        if len(items) == search.limit:
            following = place
            break
        last = source
        try:
            page = _part(source, replace(search, limit=search.limit - len(items)), place.at, services)
        except (SourceUnavailable, SearchNotSupported) as error:
            if source == INDEX:
                raise
            failure = error
            unanswered.append(Unanswered(collection=source, reason=error.message))
            place = replace(place, matched=None)
            continue
        has_answer = True
        items += page.items
        place = replace(place, matched=_sum(place.matched, page.matched))
        if page.next is not None:
            before = None if place.matched is None or page.matched is None else place.matched - page.matched
            following = replace(place, at=page.next, matched=before)
            break
    if failure is not None and not has_answer:
        raise type(failure)(f"collection {last}: {failure.message}", locator=failure.locator) from failure
    return ItemPage(
        items=tuple(items),
        next=None if following is None else following.text(search),
        matched=place.matched if last == sources[-1] else None,
        unanswered=tuple(unanswered),
    )


def _page_after_skipped(search: ItemSearch, live: Sequence[str], services: Services) -> ItemPage:
    """The page after those that are skipped: of the index by their keys, of other catalogues with one page.

    Raises:
        LimitExceeded: They are in the catalogues of others, and too many.
    """
    indexed: int | None = 0
    if _is_index_searched(search, live, services):
        indexed = _part(INDEX, replace(search, skip=0, limit=1), None, services).matched
    if indexed is None or indexed > search.skip:
        return _page_from(_place(search, [INDEX]), search, [INDEX, *live], services)
    left, wanted, search = search.skip - indexed, search.skip, replace(search, skip=0)
    place, unanswered = _Place(source=live[0], at=None, matched=indexed), dict[Unanswered, None]()
    if 0 < left <= MOST_SKIPPED:
        page = _page_from(place, replace(search, limit=left), live, services)
        unanswered = dict.fromkeys(page.unanswered)
        if page.next is None or not page.items:
            return replace(page, items=(), next=None)
        left -= len(page.items)
        place = _place(replace(search, cursor=page.next), live)
    if left > 0:
        raise LimitExceeded(
            "items to skip",
            allowed=wanted - left if left < wanted - indexed else indexed + MOST_SKIPPED,
            needed=wanted,
            alternative="follow the link to the next page, which goes on without such a limit",
            locator="skip",
        )
    page = _page_from(place, search, live, services)
    return replace(page, unanswered=tuple(unanswered | dict.fromkeys(page.unanswered)))


def _part(source: str, search: ItemSearch, at: str | None, services: Services) -> ItemPage | LivePage:
    if source == INDEX:
        indexed = listed_collections(services) - set(live_names(services))
        return items_of(services).search(replace(search, cursor=at), among=indexed)
    assert services.live_items is not None  # noqa: S101 -- or there was no such source
    return services.live_items.page(source, search, at=at)


def _is_index_searched(search: ItemSearch, live: Sequence[str], services: Services) -> bool:
    """Whether a collection is searched that is not live."""
    served = listed_collections(services) - set(live_names(services))
    return bool(served.intersection(search.collections)) if search.collections else bool(served) or not live


def _place(search: ItemSearch, sources: Sequence[str]) -> _Place:
    """Where the page of a search begins.

    Raises:
        InvalidParameter: Its cursor is not of this search.
    """
    if search.cursor is None:
        return _Place(source=sources[0], at=None, matched=0)
    refused = InvalidParameter("cursor is not that of a page of this search", locator="cursor")
    found = unsealed(search.cursor, what_is_searched(search), refused)
    if not (isinstance(found, list) and len(found) == PARTS):
        raise refused
    source, at, matched = found
    if source not in sources or not isinstance(at, str | None) or not (matched is None or is_number(matched)):
        raise refused
    if not 0 <= (matched or 0) <= MOST_MATCHED:
        raise refused
    return _Place(source=source, at=at, matched=matched)


def _sum(before: int | None, more: int | None) -> int | None:
    total = None if before is None or more is None else before + more
    return None if total is None or total > MOST_MATCHED else total
