"""Collections of items, including those with unavailable files."""

from dataclasses import replace

from chronotile.catalog.offered import OfferedCollection, offer_collection, offered_collections
from chronotile.core.model.collection import StatedExtent
from chronotile.core.model.time.instants import last_of
from chronotile.pipeline.search.search_items import items_of, listed_collections
from chronotile.pipeline.services import Services


def item_collections(services: Services) -> tuple[OfferedCollection, ...]:
    """Return all configured collections, including those whose files are unavailable.

    Raises:
        SourceUnavailable: The index does not answer, so the list would be incomplete.
    """
    unavailable = (unopened_collection(name, services) for name in sorted(services.catalogue.unopened))
    return (
        *(offered for offered in offered_collections(services.catalogue) if not offered.is_layer),
        *filter(None, unavailable),
    )


def unopened_collection(name: str, services: Services) -> OfferedCollection | None:
    """Return a collection without files since the start, with the extent of its indexed items; `None` without items."""
    collection = services.catalogue.unopened.get(name)
    if collection is None or name not in listed_collections(services):
        return None
    box, times = items_of(services).extent(name), items_of(services).ends(name)
    if box is None or len(times) == 0:
        return None
    last = last_of(times.starts[-1], times.ends[-1])
    return offer_collection(replace(collection, stated=StatedExtent(bbox=box, first=times.starts[0], last=last)))
