"""Addresses that documents of several protocols link to."""

import math
from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID

from chronotile.core.model.collection import Layer
from chronotile.core.model.grid import Grid


def link(
    rel: str, href: str, media_type: str | None, title: str | None = None, *, is_template: bool = False
) -> dict[str, Any]:
    """Return a link of a JSON document (RFC 8288).

    Args:
        rel: Its relation.
        href: Where it leads.
        media_type: Of what is there, where it is known.
        title: For people.
        is_template: Whether `href` is a URI template (RFC 6570).
    """
    document: dict[str, Any] = {"rel": rel, "href": href}
    if media_type is not None:
        document["type"] = media_type
    if title is not None:
        document["title"] = title
    return {**document, "templated": True} if is_template else document


ATOM = "application/atom+xml"


def collection_path(collection: str) -> str:
    """Return the path of a collection."""
    return f"/stac/collections/{quote(collection, safe='')}"


def item_path(collection: str, item: str) -> str:
    """Return the path of an item."""
    return f"{collection_path(collection)}/items/{quote(item, safe='')}"


def feed_path(collection: str) -> str:
    """Return the path of the Atom feed of a collection."""
    return f"{collection_path(collection)}/feed.atom"


OSDD = "application/opensearchdescription+xml"


def opensearch_path(collection: str = "") -> str:
    """Return the address of what describes the search of all products, or of those of a collection."""
    return f"/opensearch?collection={quote(collection, safe='')}" if collection else "/opensearch"


def product_path(product: UUID) -> str:
    """Return the path of a product as a whole."""
    return f"/products/{product}"


def asset_path(product: UUID, asset: str) -> str:
    """Return the path of one asset of a product."""
    return f"{product_path(product)}/nodes/{quoted(asset)}"


@lru_cache(maxsize=4096)
def quoted(name: str) -> str:
    """Return a name as one segment of a path; few names of assets are those of many items."""
    return quote(name, safe="")


# A small picture of a whole layer: its grid, and its address relative to the landing page.

DEFAULT_WIDTH = 360
LEAST_PX = 8


def preview_href(name: str, width: int = DEFAULT_WIDTH) -> str:
    """Return the address of the picture of a layer, below the public address of the server."""
    return f"layers/{quote(name)}/preview.png" + ("" if width == DEFAULT_WIDTH else f"?width={width}")


def preview_grid(layer: Layer, width: int) -> Grid:
    """Return the grid of a picture of all of a layer in its own CRS.

    Args:
        layer: To be shown.
        width: Pixels; the picture is narrower where it would otherwise be higher than two thirds of it.
    """
    grid = layer.main_variable.grid
    box = grid.bbox
    ratio = (box.xmax - box.xmin) / (box.ymax - box.ymin)
    if grid.crs.is_geographic:  # true to shape in the middle
        ratio *= max(math.cos(math.radians((box.ymin + box.ymax) / 2)), 0.1)
    height = round(width * 2 / 3)
    size = (width, round(width / ratio)) if ratio > width / height else (round(height * ratio), height)
    columns, rows = (max(LEAST_PX, side) for side in size)
    return Grid(crs=grid.crs, bbox=box, width=columns, height=rows)
