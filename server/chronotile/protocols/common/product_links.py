"""Paths of products and of their assets, which several protocols link to."""

from functools import lru_cache
from urllib.parse import quote
from uuid import UUID


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
