"""Links between documents of several protocols."""

from functools import lru_cache
from typing import Any
from urllib.parse import quote
from uuid import UUID


def link(
    rel: str, href: str, media_type: str | None, title: str | None = None, *, is_template: bool = False
) -> dict[str, Any]:
    """Return a link of a JSON document (RFC 8288).

    Args:
        rel: Relation.
        href: Target.
        media_type: Media type of the target, if known.
        title: Displayed text.
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
    """Return the path of the OpenSearch description for all products, or for products of a collection."""
    return f"/opensearch?collection={quote(collection, safe='')}" if collection else "/opensearch"


def product_path(product: UUID) -> str:
    """Return the path of a product as a whole."""
    return f"/products/{product}"


def asset_path(product: UUID, asset: str) -> str:
    """Return the path of one asset of a product."""
    return f"{product_path(product)}/nodes/{quote_segment(asset)}"


@lru_cache(maxsize=4096)
def quote_segment(name: str) -> str:
    """Return a name as one segment of a path; cached, as many items share names of assets."""
    return quote(name, safe="")
