"""Paths of collections and items as STAC has them, and of their feeds, which several protocols link to."""

from urllib.parse import quote

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
