"""The collections whose items are listed, also those whose files are away."""

from contextlib import suppress
from dataclasses import replace

from chronotile.catalog.offered import Offered, offered_collections, offered_whole
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.collection import StatedExtent
from chronotile.core.model.time.instants import last_of
from chronotile.pipeline.search.search_items import items_of, listed_collections
from chronotile.pipeline.services import Services


def item_collections(services: Services) -> tuple[Offered, ...]:
    """Return all collections: those that are configured, without their layers, and those whose files are away.

    The index is read; where it does not answer, those whose files are away are missing.
    """
    found = [each for each in offered_collections(services.catalogue) if not each.is_layer]
    with suppress(SourceUnavailable):
        found += filter(None, (unopened_collection(name, services) for name in sorted(services.catalogue.unopened)))
    return tuple(found)


def unopened_collection(name: str, services: Services) -> Offered | None:
    """Return a collection whose files were away since the start, as configured, as far as its indexed items reach."""
    collection = services.catalogue.unopened.get(name)
    if collection is None or name not in listed_collections(services):
        return None
    box, times = items_of(services).extent(name), items_of(services).ends(name)
    if box is None or len(times) == 0:
        return None
    last = last_of(times.starts[-1], times.ends[-1])
    return offered_whole(replace(collection, stated=StatedExtent(bbox=box, first=times.starts[0], last=last)))
