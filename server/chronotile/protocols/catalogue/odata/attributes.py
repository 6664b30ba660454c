"""Properties of products in `$filter` and `$orderby`, and the equivalent properties of items."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PropertyKind = Literal["id", "text", "time", "truth"]


@dataclass(frozen=True, slots=True)
class ProductProperty:
    """A property of products."""

    kind: PropertyKind
    properties: tuple[str, ...] = ()
    """Equivalent properties of items; the first that an item has is used."""
    is_sorted: bool = True
    """Whether `$orderby` accepts it."""
    order: tuple[str, ...] = ()
    """Properties of items for the order; empty uses `properties`."""


PROPERTIES: Mapping[str, ProductProperty] = {
    "Id": ProductProperty("id", is_sorted=False),
    "Name": ProductProperty("text", ("id",)),
    "ContentDate/Start": ProductProperty("time", ("start_datetime", "datetime"), order=("datetime",)),
    "ContentDate/End": ProductProperty("time", ("end_datetime", "datetime")),
    "PublicationDate": ProductProperty("time", ("created", "updated")),
    "ModificationDate": ProductProperty("time", ("updated", "created")),
    "Online": ProductProperty("truth", is_sorted=False),
    "Collection/Name": ProductProperty("text", ("collection",), is_sorted=False),
}
ALWAYS_THERE = {"id", "collection", "datetime"}
"""Properties that all items have."""
