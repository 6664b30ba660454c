"""Searches of items, changes of items and counts per month, for the collections that are served."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import cast
from uuid import UUID

import orjson

from chronotile.catalog.items.candidates import MAX_MATCHED
from chronotile.catalog.items.cursors import is_number, seal, unseal, what_is_searched
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.errors import (
    MAX_SHOWN,
    IndexIncomplete,
    InvalidParameter,
    LimitExceeded,
    SearchNotSupported,
    SourceAway,
    SourceUnavailable,
    UnknownItem,
)
from chronotile.core.model.items import ChangePage, FoundItem, ItemPage, ItemSearch, Unanswered
from chronotile.core.model.types import Instant
from chronotile.pipeline.services import Services


def items_of(services: Services) -> ItemIndex:
    """Return the index of items.

    Raises:
        SourceUnavailable: The application has no index, or its database does not respond.
    """
    index = services.reader_caches.items
    if index is None:
        raise SourceUnavailable("this server has no index of items")
    return cast(ItemIndex, index)


def live_names(services: Services) -> tuple[str, ...]:
    """Return the ids of live collections, whose searches go to other catalogues.

    A collection has no layers until its first item is found, which may happen later in some processes than in others.
    """
    return () if services.live_items is None else services.live_items.names


def listed_collections(services: Services) -> frozenset[str]:
    """Return the collections whose items are listed: served ones, and those whose files are unreachable."""
    unavailable = services.catalogue.wholly_unavailable.difference(services.elsewhere)
    return frozenset(unavailable.union(services.catalogue.whole_collections))


def being_filled(names: Collection[str], services: Services) -> tuple[str, ...]:
    """Return the collections whose first pass has not ended, sorted.

    Raises:
        SourceUnavailable: The index does not respond.
    """
    index = items_of(services)
    return tuple(name for name in sorted(set(names) - set(live_names(services))) if not index.state(name).is_filled)


def require_filled(names: Collection[str], services: Services) -> None:
    """Check that the first pass of collections has ended; empty `names` mean all served ones.

    Raises:
        IndexIncomplete: A first pass has not ended.
        SourceUnavailable: The index does not respond.
    """
    served = services.catalogue.whole_collections
    filling = being_filled(served & set(names) if names else served, services)
    if filling:
        raise IndexIncomplete(f"the items of {', '.join(filling)[:MAX_SHOWN]} are being listed; try again later")


def find_item(collection: str, id_: str, services: Services) -> FoundItem:
    """Return an item; one of a live collection in the version that was found last.

    Raises:
        UnknownLayer: The collection does not exist.
        UnknownItem: The item does not exist.
        IndexIncomplete: The item does not exist yet; the first pass has not ended.
        SourceUnavailable: The index does not respond, or the source of the collection is unreachable.
        RemoteWaitRefused: Another catalogue must be requested, but this thread must not wait for it.
    """
    is_live = collection in live_names(services)
    if not is_live and collection not in listed_collections(services):  # before the index can show hidden items
        _require_items(collection, services)
    item = items_of(services).find(collection, id_)
    if item is None and not is_live:
        _require_items(collection, services)
    if item is None and services.live_items is not None and is_live:
        try:
            item = services.live_items.find(collection, id_)
        except SourceUnavailable as error:
            raise SourceAway(f"collection {collection}: {error.message}") from error
    if item is None:
        require_filled((collection,), services)
        raise unknown_item(collection, id_)
    return item


def _require_items(collection: str, services: Services) -> None:
    # Raises errors of `find_item`.
    if services.catalogue.collection(collection).is_partial:
        raise UnknownItem(f"collection {collection} has no items", locator="item")


def indexed_item(collection: str, id_: str, services: Services) -> FoundItem:
    """Return an item of a configured collection, which may have no layers yet.

    Raises:
        UnknownItem: The item is not in the index.
        SourceUnavailable: The index does not respond.
    """
    item = items_of(services).find(collection, id_)
    if item is None:
        raise unknown_item(collection, id_)
    return item


def unknown_item(collection: str, id_: str) -> UnknownItem:
    """Return the error for a missing item."""
    return UnknownItem(f"collection {collection} has no item {id_[:MAX_SHOWN]!r}", locator="item")


def find_product(product: UUID, services: Services) -> FoundItem:
    """Return the item of a product.

    Raises:
        UnknownItem: No collection that is served has this product.
        IndexIncomplete: No collection has it yet; a first pass has not ended.
        SourceUnavailable: The index does not respond.
    """
    served = listed_collections(services) | set(live_names(services))
    item = items_of(services).find_product(product, among=served)
    if item is None:
        require_filled((), services)
        raise UnknownItem(f"product {product} is not known", locator="id")
    return item


DEFAULT_LIMIT = 100


def changes_since(
    cursor: str | None,
    services: Services,
    *,
    collections: Collection[str] = (),
    limit: int = DEFAULT_LIMIT,
    without_first_fill: bool = False,
) -> ChangePage:
    """Return changes of items of collections that are served, in the order of the changes.

    An item that changed several times is only in the page of its last change. A client that reads page after page
    misses no change: the cursor of the last page continues from there at any later time.

    Args:
        cursor: Cursor of the previous page; `None` returns no changes, and the present cursor.
        services: The services with the index.
        collections: Ids of collections; empty means all.
        limit: Maximum number of changes.
        without_first_fill: Whether changes during the first pass of a collection are skipped.

    Raises:
        InvalidParameter: The cursor or the limit is invalid.
        CursorExpired: The cursor is too old: removals after it are not stored any more.
        SourceUnavailable: The index does not respond.
    """
    among = _followed_collections(services, collections)
    return items_of(services).changes_after(cursor, limit=limit, among=among, without_first_fill=without_first_fill)


def collections_being_filled(services: Services, *, collections: Collection[str] = ()) -> tuple[str, ...]:
    """Return the ids of the collections whose first pass has not ended, sorted.

    Args:
        services: The services with the index.
        collections: Ids of collections; empty means all.

    Raises:
        SourceUnavailable: The index does not respond.
    """
    return being_filled(_followed_collections(services, collections), services)


def _followed_collections(services: Services, collections: Collection[str]) -> set[str]:
    """Return the collections whose changes are listed, even while a source is unreachable."""
    catalogue = services.catalogue
    served = catalogue.whole_collections | catalogue.wholly_unavailable
    return set(served & set(collections) if collections else served)


def newest_items(collection: str, services: Services, *, limit: int) -> tuple[FoundItem, ...]:
    """Return the items of a collection that were added or replaced last, newest first.

    Raises:
        UnknownLayer: The collection does not exist.
        IndexIncomplete: The first pass has not ended.
        SourceUnavailable: The index does not respond.
    """
    _require_items(collection, services)
    require_filled((collection,), services)
    return items_of(services).newest(collection, limit)


# Searches of items.

NOT_COUNTED = "its items are in the catalogue of others (mode: live), and are not counted"


def search_items(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items of collections that are served.

    Args:
        search: The search; collections that are not served have no items.
        services: The services with the index.

    Raises:
        InvalidParameter: A value of the search is invalid.
        SourceUnavailable: The index does not respond, or the only catalogue that has the collections.
        RemoteWaitRefused: Another catalogue must be requested, but this thread must not wait for it.
    """
    live = _filter_names(live_names(services), search)
    unanswered = list_unanswered(search, services)  # before the search, as the last items may be added during it
    page = federated_page(search, live, services) if live else search_index(search, services)
    if not unanswered:
        return page
    page = replace(page, unanswered=(*page.unanswered, *unanswered))
    partial = {answer.collection for answer in unanswered if answer.is_partial}
    return replace(page, matched=None) if being_filled(partial, services) else page


def search_index(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items in the index only; for live collections, the items that were found earlier.

    Has the arguments and errors of `search_items`.
    """
    return items_of(services).search(search, among=listed_collections(services))


def list_unanswered(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return the collections whose items a search may lack.

    Raises:
        SourceUnavailable: The index does not respond.
    """
    unavailable = _away(search, services)
    names = {answer.collection for answer in unavailable}
    partial = (answer for answer in not_whole(search.collections, services) if answer.collection not in names)
    return (*unavailable, *partial)


def count_by_month(search: ItemSearch, services: Services) -> tuple[tuple[Instant, int], ...]:
    """Return months (UTC) and the number of items that begin in them, ascending; months without items are missing.

    Args:
        search: The search; its limit, order and cursor are ignored.
        services: The services with the index; live collections are not counted.

    Raises:
        InvalidParameter: A value of the search is invalid.
        SourceUnavailable: The index does not respond.
    """
    return items_of(services).count_by_month(search, among=counted_collections(services))


def not_counted(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return the collections of a search whose items are not counted.

    Raises:
        InvalidParameter: No collection of the search is counted.
    """
    live = _filter_names(live_names(services), search)
    if live and search.collections and not counted_collections(services).intersection(search.collections):
        raise InvalidParameter(f"{live[0]} is not counted: {NOT_COUNTED}", locator="collections")
    return tuple(Unanswered(collection=name, reason=NOT_COUNTED) for name in live)


def counted_collections(services: Services) -> frozenset[str]:
    """Return the collections that are completely in the index."""
    return listed_collections(services) - set(live_names(services))


def _filter_names(names: tuple[str, ...], search: ItemSearch) -> tuple[str, ...]:
    return tuple(name for name in names if not search.collections or name in search.collections)


def not_whole(names: Collection[str], services: Services) -> tuple[Unanswered, ...]:
    """Return collections whose items are still being added to the index; empty `names` mean all.

    Raises:
        SourceUnavailable: The index does not respond.
    """
    index, served = items_of(services), services.catalogue.whole_collections
    among = counted_collections(services) & (set(names) if names else served)
    return tuple(
        Unanswered(collection=name, reason="its source was not yet read completely", is_partial=True)
        for name in sorted(among)
        if not index.state(name).is_whole
    )


def _away(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return configured collections without items in the index because their source was never open."""
    index, unavailable = items_of(services), sorted(services.catalogue.wholly_unavailable - set(live_names(services)))
    return tuple(
        Unanswered(collection=name, reason="its source cannot be read now")
        for name in unavailable
        if (not search.collections or name in search.collections) and index.extent(name) is None
    )


# One search over several sources: the index, then other catalogues.
#
# Answers of sources are concatenated. Sorting them would need the first items of all sources before the first answer.

INDEX = ""
"""Name of the index among the sources of a search."""
PARTS = 3
MAX_SKIPPED = 250
"""Maximum number of items of other catalogues that a search may skip; they are requested with the page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _PageStart:
    """Start of a page."""

    source: str
    at: str | None
    """Cursor of the source."""
    matched: int | None
    """Number of matching items in earlier sources; `None` if it is unavailable."""

    def text(self, search: ItemSearch) -> str:
        """Return the cursor of the search."""
        return seal(orjson.dumps([self.source, self.at, self.matched]), what_is_searched(search))


def federated_page(search: ItemSearch, live: Sequence[str], services: Services) -> ItemPage:
    """Return a page of a search over live collections, and the index if other collections are searched too.

    Args:
        search: The search.
        live: Ids of live collections, in the order in which they follow the index.
        services: The services with the index and the live collections.

    Raises:
        InvalidParameter: A value of the search is invalid, or the only source does not support it.
        LimitExceeded: Too many items of other catalogues would be skipped.
        SourceUnavailable: The index or the only other source does not respond.
        RemoteWaitRefused: A catalogue must be requested, but this thread must not wait for it.
    """
    if search.skip:
        return _page_after_skipped(search, live, services)
    sources = [*([INDEX] if _is_index_searched(search, live, services) else []), *live]
    return _page_from(_place(search, sources), search, sources, services)


def _page_from(place: _PageStart, search: ItemSearch, sources: Sequence[str], services: Services) -> ItemPage:
    """Return the page that starts at a place, from one or more sources."""
    items, unanswered = list[FoundItem](), list[Unanswered]()
    failure: SourceUnavailable | SearchNotSupported | None = None
    following: _PageStart | None = None
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
    """Return the page after skipped items, which the index skips by its keys, and other catalogues as part of the page.

    Raises:
        LimitExceeded: Too many items of other catalogues would be skipped.
    """
    indexed: int | None = 0
    if _is_index_searched(search, live, services):
        indexed = _part(INDEX, replace(search, skip=0, limit=1), None, services).matched
    if indexed is None or indexed > search.skip:
        return _page_from(_place(search, [INDEX]), search, [INDEX, *live], services)
    remaining, max_skipped = search.skip - indexed, MAX_SKIPPED
    if remaining <= max_skipped:
        place = _PageStart(source=live[0], at=None, matched=indexed)
        page = _page_from(place, replace(search, skip=0, limit=remaining + search.limit), live, services)
        if page.next is None or len(page.items) > remaining:
            return replace(page, items=page.items[remaining:])
        max_skipped = max(len(page.items) - 1, 0)
    raise LimitExceeded(
        "items to skip",
        allowed=indexed + max_skipped,
        needed=search.skip,
        alternative="follow the link to the next page, which goes on without such a limit",
        locator="skip",
    )


def _part(source: str, search: ItemSearch, at: str | None, services: Services) -> ItemPage:
    if source == INDEX:
        indexed = listed_collections(services) - set(live_names(services))
        return items_of(services).search(replace(search, cursor=at), among=indexed)
    assert services.live_items is not None  # noqa: S101 -- only live collections have other sources
    return services.live_items.page(source, search, at=at)


def _is_index_searched(search: ItemSearch, live: Sequence[str], services: Services) -> bool:
    # Whether a collection in the index is searched.
    served = listed_collections(services) - set(live_names(services))
    return bool(served.intersection(search.collections)) if search.collections else bool(served) or not live


def _place(search: ItemSearch, sources: Sequence[str]) -> _PageStart:
    """Return the start of the page of a search.

    Raises:
        InvalidParameter: The cursor does not belong to this search.
    """
    if search.cursor is None:
        return _PageStart(source=sources[0], at=None, matched=0)
    refused = InvalidParameter("cursor does not belong to a page of this search", locator="cursor")
    parts = unseal(search.cursor, what_is_searched(search), refused)
    if not (isinstance(parts, list) and len(parts) == PARTS):
        raise refused
    source, at, matched = parts
    if source not in sources or not isinstance(at, str | None) or not (matched is None or is_number(matched)):
        raise refused
    if not 0 <= (matched or 0) <= MAX_MATCHED:
        raise refused
    return _PageStart(source=source, at=at, matched=matched)


def _sum(before: int | None, more: int | None) -> int | None:
    total = None if before is None or more is None else before + more
    return None if total is None or total > MAX_MATCHED else total
