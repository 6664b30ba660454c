"""One item, by its id or by that of its product."""

from uuid import UUID

from chronotile.errors import MAX_SHOWN, SourceAway, SourceUnavailable, UnknownItem
from chronotile.model.items import FoundItem
from chronotile.pipeline.search.served_index import items_of, listed_collections, live_names, require_filled
from chronotile.pipeline.services import Services


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
