"""The index of items, as far as it is served, and which collections are found elsewhere too."""

from typing import cast

from chronotile.catalog.items.items import Items
from chronotile.errors import SourceUnavailable
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
