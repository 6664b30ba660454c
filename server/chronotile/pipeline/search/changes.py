"""Changes: items that were added, replaced or removed."""

from collections.abc import Collection

from chronotile.model.items import ChangePage, FoundItem
from chronotile.pipeline.search.served_index import items_of
from chronotile.pipeline.services import Services

DEFAULT_LIMIT = 100


def changes_since(
    cursor: str | None, services: Services, *, collections: Collection[str] = (), limit: int = DEFAULT_LIMIT
) -> ChangePage:
    """Return changes of items of collections that are served, in the order in which they were made.

    An item that changed more than once is in the page of its last change alone. A client that reads page after page
    misses none: the cursor of a last page goes on from there at any later time.

    Args:
        cursor: Of the page before; `None`: no changes, but the cursor of now.
        services: With the index.
        collections: Ids of those whose changes are wanted; empty: of all.
        limit: How many at most.

    Raises:
        InvalidParameter: The cursor or the limit is not accepted.
        CursorExpired: The cursor is so old that not all removed items are known.
        SourceUnavailable: The index does not answer.
    """
    catalogue = services.catalogue
    # Whoever follows them misses nothing that changes while a source is away.
    served = catalogue.collections_by_id.keys() | set(catalogue.away.values())
    among = served & set(collections) if collections else served
    return items_of(services).changes_after(cursor, limit=limit, among=among)


def newest_items(collection: str, services: Services, *, limit: int) -> tuple[FoundItem, ...]:
    """Return the items of a collection that were added or replaced last; of those put together the latest first.

    Raises:
        UnknownLayer: There is no such collection.
        SourceUnavailable: The index does not answer.
    """
    return items_of(services).newest(services.catalogue.collection(collection).id, limit)
