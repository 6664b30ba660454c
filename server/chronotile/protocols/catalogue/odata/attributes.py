"""Properties of products: what `$filter` and `$orderby` know of them, and which properties of items say it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PropertyKind = Literal["id", "text", "time", "truth"]


@dataclass(frozen=True, slots=True)
class ProductProperty:
    """A property of products."""

    kind: PropertyKind
    properties: tuple[str, ...] = ()
    """Of items: the first one that an item has counts."""
    is_sorted: bool = True
    """Whether products can be ordered by it."""
    order: tuple[str, ...] = ()
    """Properties of items to order by; empty: `properties`."""


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
"""Properties that each item has."""
