"""The index of items, as far as it is served, and which collections are found elsewhere too."""

from collections.abc import Collection
from typing import cast

from chronotile.catalog.items.items import Items
from chronotile.errors import MAX_SHOWN, IndexIncomplete, SourceUnavailable
from chronotile.pipeline.services import Services


def items_of(services: Services) -> Items:
    """Return the index of items.

    Raises:
        SourceUnavailable: The application has none, or its database does not answer.
    """
    found = services.reader_caches.items
    if found is None:
        raise SourceUnavailable("this server has no index of items")
    return cast(Items, found)


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
