"""The index of items, as far as it is served."""

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
