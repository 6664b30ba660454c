"""Changes: items that were added, replaced or removed."""

from collections.abc import Collection

from chronotile.model.items import ChangePage, FoundItem
from chronotile.pipeline.search.served_index import being_filled, items_of, require_filled
from chronotile.pipeline.services import Services

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
