"""The index of items as far as it is served: one item, the changes of items, and what is found elsewhere too."""

from collections.abc import Collection
from typing import cast
from uuid import UUID

from chronotile.catalog.items.index import ItemIndex
from chronotile.errors import MAX_SHOWN, IndexIncomplete, SourceAway, SourceUnavailable, UnknownItem
from chronotile.model.items import ChangePage, FoundItem
from chronotile.pipeline.services import Services


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
    away = set(services.catalogue.away.values()).difference(services.elsewhere)
    return frozenset(away.union(services.catalogue.collections_by_id))


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
    served = services.catalogue.collections_by_id.keys()
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
        AsksElsewhere: A catalogue of others has to be requested, which this thread may not.
    """
    found = items_of(services).find(collection, id_)
    if collection not in live_names(services) and (found is None or collection not in listed_collections(services)):
        services.catalogue.collection(collection)
    if found is None and services.live_items is not None and collection in live_names(services):
        try:
            found = services.live_items.find(collection, id_)
        except SourceUnavailable as error:
            raise SourceAway(f"collection {collection}: {error.message}") from error
    if found is None:
        require_filled((collection,), services)
        raise unknown_item(collection, id_)
    return found


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
    found = items_of(services).find_product(product)
    if found is None:
        require_filled((), services)
    served = listed_collections(services) | set(live_names(services))
    if found is None or found.collection not in served:
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
    among = _followed(services, collections)
    return items_of(services).changes_after(cursor, limit=limit, among=among, without_first_fill=without_first_fill)


def collections_being_filled(services: Services, *, collections: Collection[str] = ()) -> tuple[str, ...]:
    """Return the ids of the collections over whose source no pass has ended yet, sorted.

    Args:
        services: With the index.
        collections: Ids of those that are looked at; empty: all.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    return being_filled(_followed(services, collections), services)


def _followed(services: Services, collections: Collection[str]) -> set[str]:
    """The collections whose changes are told: whoever follows them misses none while a source is away."""
    catalogue = services.catalogue
    served = catalogue.collections_by_id.keys() | set(catalogue.away.values())
    return served & set(collections) if collections else served


def newest_items(collection: str, services: Services, *, limit: int) -> tuple[FoundItem, ...]:
    """Return the items of a collection that were added or replaced last; of those put together the latest first.

    Raises:
        UnknownLayer: There is no such collection.
        IndexIncomplete: Its items are not all known yet.
        SourceUnavailable: The index does not answer.
    """
    id_ = services.catalogue.collection(collection).id
    require_filled((id_,), services)
    return items_of(services).newest(id_, limit)
