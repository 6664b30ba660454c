"""Searches of items: which were observed where and when, how many in each month; the index as far as it is served."""

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
from chronotile.pipeline.services import LivePage, Services


def items_of(services: Services) -> ItemIndex:
    """Return the index of items.

    Raises:
        SourceUnavailable: The application has none, or its database does not answer.
    """
    found = services.reader_caches.items
    if found is None:
        raise SourceUnavailable("this server has no index of items")
    return cast(ItemIndex, found)


def live_names(services: Services) -> tuple[str, ...]:
    """Return the ids of collections that the catalogues of others are searched for.

    One of which nothing was found before has no layers yet, in some of several processes longer than in others.
    """
    return () if services.live_items is None else services.live_items.names


def listed_collections(services: Services) -> frozenset[str]:
    """Return the collections whose items are listed: those that are served, and those whose files are away."""
    unavailable = services.catalogue.wholly_unavailable.difference(services.elsewhere)
    return frozenset(unavailable.union(services.catalogue.whole_collections))


def being_filled(names: Collection[str], services: Services) -> tuple[str, ...]:
    """Return those of some collections over whose source no pass has ended yet, sorted.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    index = items_of(services)
    return tuple(each for each in sorted(set(names) - set(live_names(services))) if not index.state(each).is_filled)


def require_filled(names: Collection[str], services: Services) -> None:
    """Check that a first pass over the sources of collections has ended; none: of all that are served.

    Raises:
        IndexIncomplete: One has not.
        SourceUnavailable: The index does not answer.
    """
    served = services.catalogue.whole_collections
    found = being_filled(served & set(names) if names else served, services)
    if found:
        raise IndexIncomplete(f"the items of {', '.join(found)[:MAX_SHOWN]} are being listed; try again later")


def find_item(collection: str, id_: str, services: Services) -> FoundItem:
    """Return the item of a collection that has an id, of a catalogue of others as it was when it was found last.

    Raises:
        UnknownLayer: There is no such collection.
        UnknownItem: It has no such item.
        IndexIncomplete: It has none so far.
        SourceUnavailable: The index does not answer, or the source of the collection is away.
        RemoteWaitRefused: A catalogue of others has to be requested, which this thread may not.
    """
    is_live = collection in live_names(services)
    if not is_live and collection not in listed_collections(services):  # before the index shows what is hidden
        _require_items(collection, services)
    found = items_of(services).find(collection, id_)
    if found is None and not is_live:
        _require_items(collection, services)
    if found is None and services.live_items is not None and is_live:
        try:
            found = services.live_items.find(collection, id_)
        except SourceUnavailable as error:
            raise SourceAway(f"collection {collection}: {error.message}") from error
    if found is None:
        require_filled((collection,), services)
        raise unknown_item(collection, id_)
    return found


def _require_items(collection: str, services: Services) -> None:
    # Errors are those of `find_item`.
    if services.catalogue.collection(collection).is_partial:
        raise UnknownItem(f"collection {collection} has no items", locator="item")


def indexed_item(collection: str, id_: str, services: Services) -> FoundItem:
    """Return the item of a configured collection that has an id; it may be the first, which has no layers yet.

    Raises:
        UnknownItem: The index has no such item.
        SourceUnavailable: The index does not answer.
    """
    found = items_of(services).find(collection, id_)
    if found is None:
        raise unknown_item(collection, id_)
    return found


def unknown_item(collection: str, id_: str) -> UnknownItem:
    """Return the error about an item that is not there."""
    return UnknownItem(f"collection {collection} has no item {id_[:MAX_SHOWN]!r}", locator="item")


def find_product(product: UUID, services: Services) -> FoundItem:
    """Return the item of a product.

    Raises:
        UnknownItem: No collection that is served has one of this id.
        IndexIncomplete: None has so far.
        SourceUnavailable: The index does not answer.
    """
    served = listed_collections(services) | set(live_names(services))
    found = items_of(services).find_product(product, among=served)
    if found is None:
        require_filled((), services)
        raise UnknownItem(f"product {product} is not known", locator="id")
    return found


DEFAULT_LIMIT = 100


def changes_since(
    cursor: str | None,
    services: Services,
    *,
    collections: Collection[str] = (),
    limit: int = DEFAULT_LIMIT,
    without_first_fill: bool = False,
) -> ChangePage:
    """Return changes of items of collections that are served, in the order in which they were made.

    An item that changed more than once is in the page of its last change alone. A client that reads page after page
    misses none: the cursor of a last page goes on from there at any later time.

    Args:
        cursor: Of the page before; `None`: no changes, but the cursor of now.
        services: With the index.
        collections: Ids of those whose changes are wanted; empty: of all.
        limit: How many at most.
        without_first_fill: Whether changes made before a first pass over a collection's source ended are left out.

    Raises:
        InvalidParameter: The cursor or the limit is not accepted.
        CursorExpired: The cursor is so old that not all removed items are known.
        SourceUnavailable: The index does not answer.
    """
    among = _followed_collections(services, collections)
    return items_of(services).changes_after(cursor, limit=limit, among=among, without_first_fill=without_first_fill)


def collections_being_filled(services: Services, *, collections: Collection[str] = ()) -> tuple[str, ...]:
    """Return the ids of the collections over whose source no pass has ended yet, sorted.

    Args:
        services: With the index.
        collections: Ids of those that are looked at; empty: all.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    return being_filled(_followed_collections(services, collections), services)


def _followed_collections(services: Services, collections: Collection[str]) -> set[str]:
    """The collections whose changes are told: whoever follows them misses none while a source is away."""
    catalogue = services.catalogue
    served = catalogue.whole_collections | catalogue.wholly_unavailable
    return set(served & set(collections) if collections else served)


def newest_items(collection: str, services: Services, *, limit: int) -> tuple[FoundItem, ...]:
    """Return the items of a collection that were added or replaced last; of those put together the latest first.

    Raises:
        UnknownLayer: There is no such collection.
        IndexIncomplete: Its items are not all known yet.
        SourceUnavailable: The index does not answer.
    """
    _require_items(collection, services)
    require_filled((collection,), services)
    return items_of(services).newest(collection, limit)


# Searches of items.

NOT_COUNTED = "its items are in the catalogue of others (mode: live), and are not counted"


def search_items(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items of collections that are served.

    Args:
        search: What is looked for; names of collections that are not served find nothing.
        services: With the index.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer, or the catalogue of others in which all of the collections are.
        RemoteWaitRefused: Such a catalogue has to be requested, which this thread may not.
    """
    live = _filter_names(live_names(services), search)
    unanswered = list_unanswered(search, services)  # before the search, during which the last items may be added
    page = federated_page(search, live, services) if live else search_index(search, services)
    if not unanswered:
        return page
    page = replace(page, unanswered=(*page.unanswered, *unanswered))
    partial = {each.collection for each in unanswered if each.is_partial}
    return replace(page, matched=None) if being_filled(partial, services) else page


def search_index(search: ItemSearch, services: Services) -> ItemPage:
    """Return a page of the items in the index alone; of catalogues of others those that were found before.

    Arguments and errors are those of `search_items`.
    """
    return items_of(services).search(search, among=listed_collections(services))


def list_unanswered(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return the collections of which a search lacks items.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    unavailable = _away(search, services)
    named = {each.collection for each in unavailable}
    return (*unavailable, *(each for each in not_whole(search.collections, services) if each.collection not in named))


def count_by_month(search: ItemSearch, services: Services) -> tuple[tuple[Instant, int], ...]:
    """Return the months (UTC) in which items begin and how many do, ascending; months without items are missing.

    Args:
        search: What is looked for; its limit, order and cursor do not matter.
        services: With the index; collections that are not in it as a whole are not counted.

    Raises:
        InvalidParameter: A value of the search is not accepted.
        SourceUnavailable: The index does not answer.
    """
    return items_of(services).count_by_month(search, among=counted_collections(services))


def not_counted(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """Return the collections of a search whose items are not counted.

    Raises:
        InvalidParameter: They are all that it names.
    """
    live = _filter_names(live_names(services), search)
    if live and search.collections and not counted_collections(services).intersection(search.collections):
        raise InvalidParameter(f"{live[0]} is not counted: {NOT_COUNTED}", locator="collections")
    return tuple(Unanswered(collection=each, reason=NOT_COUNTED) for each in live)


def counted_collections(services: Services) -> frozenset[str]:
    """Return the collections that are in the index as a whole."""
    return listed_collections(services) - set(live_names(services))


def _filter_names(names: tuple[str, ...], search: ItemSearch) -> tuple[str, ...]:
    return tuple(each for each in names if not search.collections or each in search.collections)


def not_whole(names: Collection[str], services: Services) -> tuple[Unanswered, ...]:
    """Return those of some collections, or of all, of which the index lacks items, as it is being filled.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    index, served = items_of(services), services.catalogue.whole_collections
    among = counted_collections(services) & (set(names) if names else served)
    return tuple(
        Unanswered(collection=each, reason="its source was not yet read completely", is_partial=True)
        for each in sorted(among)
        if not index.state(each).is_whole
    )


def _away(search: ItemSearch, services: Services) -> tuple[Unanswered, ...]:
    """The collections that are configured and of which the index has nothing, as their source was never open."""
    index, unavailable = items_of(services), sorted(services.catalogue.wholly_unavailable - set(live_names(services)))
    return tuple(
        Unanswered(collection=each, reason="its source cannot be read now")
        for each in unavailable
        if (not search.collections or each in search.collections) and index.extent(each) is None
    )


# One search over several sources: the index, and the catalogues of others. Their answers follow one another.
#
# They are never merged by sorting: that would need the first items of all of them before the first one of the answer.

INDEX = ""
"""The name of the index among the sources of a search."""
PARTS = 3
MAX_SKIPPED = 250
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
        return seal(orjson.dumps([self.source, self.at, self.matched]), what_is_searched(search))


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
        RemoteWaitRefused: A catalogue has to be requested, which this thread may not.
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
    """The page after those that are skipped: of the index by their keys, of other catalogues as a part of the page.

    Raises:
        LimitExceeded: They are in the catalogues of others, and too many.
    """
    indexed: int | None = 0
    if _is_index_searched(search, live, services):
        indexed = _part(INDEX, replace(search, skip=0, limit=1), None, services).matched
    if indexed is None or indexed > search.skip:
        return _page_from(_place(search, [INDEX]), search, [INDEX, *live], services)
    left, most = search.skip - indexed, MAX_SKIPPED
    if left <= most:
        place = _Place(source=live[0], at=None, matched=indexed)
        page = _page_from(place, replace(search, skip=0, limit=left + search.limit), live, services)
        if page.next is None or len(page.items) > left:
            return replace(page, items=page.items[left:])
        most = max(len(page.items) - 1, 0)
    raise LimitExceeded(
        "items to skip",
        allowed=indexed + most,
        needed=search.skip,
        alternative="follow the link to the next page, which goes on without such a limit",
        locator="skip",
    )


def _part(source: str, search: ItemSearch, at: str | None, services: Services) -> ItemPage | LivePage:
    if source == INDEX:
        indexed = listed_collections(services) - set(live_names(services))
        return items_of(services).search(replace(search, cursor=at), among=indexed)
    assert services.live_items is not None  # noqa: S101 -- or there was no such source
    return services.live_items.page(source, search, at=at)


def _is_index_searched(search: ItemSearch, live: Sequence[str], services: Services) -> bool:
    # Whether a collection is searched that is not live.
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
    found = unseal(search.cursor, what_is_searched(search), refused)
    if not (isinstance(found, list) and len(found) == PARTS):
        raise refused
    source, at, matched = found
    if source not in sources or not isinstance(at, str | None) or not (matched is None or is_number(matched)):
        raise refused
    if not 0 <= (matched or 0) <= MAX_MATCHED:
        raise refused
    return _Place(source=source, at=at, matched=matched)


def _sum(before: int | None, more: int | None) -> int | None:
    total = None if before is None or more is None else before + more
    return None if total is None or total > MAX_MATCHED else total
