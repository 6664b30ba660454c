"""Products and their files as JSON."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote
from uuid import UUID

from chronotile.core.model.types import Json
from chronotile.pipeline.download_names import BINARY, media_type_of
from chronotile.pipeline.products import Product, ProductAsset, ProductNode
from chronotile.protocols.common.links import asset_path, link, product_path
from chronotile.protocols.common.openapi import omit_empty
from chronotile.readers.products.folders import ProductFolder

JSON = "application/json"


def coverage_url(base: str, collection: str, when: str) -> str:
    """Return the URL of the coverage of a collection at a time; all times if `when` is empty."""
    datetime = f"?datetime={quote(when, safe=':')}" if when else ""
    return f"{base}/ogcapi/collections/{quote(collection, safe='')}/coverage{datetime}"


def landing_document(base: str) -> Json:
    """Return the landing page with the URL templates of products."""
    root = f"{base}/products"
    return {
        "title": "Products: unchanged files of items",
        "links": [
            link("self", root, JSON, "This document"),
            link("enclosure", f"{root}/{{id}}", BINARY, "A product: its file, or a ZIP of its files", is_template=True),
            link("enclosure", f"{root}/{{collection}}/{{item}}", BINARY, "The same by STAC ids", is_template=True),
            link("item", f"{root}/{{id}}/nodes", JSON, "List of the files of a product", is_template=True),
            link("service-doc", f"{base}/docs", "text/html", "Parameters"),
        ],
    }


def product_document(
    product: Product,
    assets: Sequence[tuple[ProductAsset, ProductNode | None]],
    checksums: Sequence[Mapping[str, str]],
    base: str,
) -> Json:
    """Return a product with all its assets.

    Args:
        product: The product.
        assets: Its assets, with the local file or folder of each; `None` if it is remote or missing.
        checksums: Available checksums of the assets, in the same order.
        base: Public URL without a slash at the end.
    """
    nodes = [
        _asset_json(product.id, *asset, checksums=sums, base=base)
        for asset, sums in zip(assets, checksums, strict=True)
    ]
    sizes = [node["size"] for node in nodes]
    url = f"{base}{product_path(product.id)}"
    return {
        "id": str(product.id),
        "collection": product.collection,
        "item": product.item,
        **omit_empty({"datetime": product.when}),
        "size": None if None in sizes else sum(sizes),
        "nodes": nodes,
        **omit_empty({"withheld": list(product.withheld)}),
        "links": [
            link("self", f"{url}/nodes", JSON, "This document"),
            link("enclosure", url, BINARY, "The whole product"),
        ],
    }


def node_document(
    product: UUID, node: ProductNode, *, children: Sequence[ProductNode], checksums: Mapping[str, str], base: str
) -> Json:
    """Return a file, or a folder with its children."""
    document = _node_json(product, node, checksums, base)
    if isinstance(node.node, ProductFolder):
        document["nodes"] = [_node_json(product, child, {}, base) for child in children]
    return document


def _asset_json(
    product: UUID, asset: ProductAsset, node: ProductNode | None, *, checksums: Mapping[str, str], base: str
) -> Json:
    if node is not None:
        document = _node_json(product, node, checksums, base)
    else:
        is_elsewhere = "://" in asset.href
        url = f"{base}{asset_path(product, asset.name)}"
        media_type = media_type_of(asset.media_type, asset.name)
        document = {
            "name": asset.name,
            "type": "file" if is_elsewhere else "missing",
            "size": asset.size if is_elsewhere else None,
            "media_type": media_type,
            **omit_empty({"checksum": dict(asset.checksums)}),
            "links": [link("enclosure", url, media_type, "The file")],
        }
    return {**document, "name": asset.name, **omit_empty({"title": asset.title})}


def _node_json(product: UUID, node: ProductNode, checksums: Mapping[str, str], base: str) -> Json:
    below = "".join(f"/{quote(name, safe='')}" for name in node.path)
    url = f"{base}{asset_path(product, node.asset.name)}{below}"
    is_folder = isinstance(node.node, ProductFolder)
    links = [link("enclosure", url, node.media_type, "The folder as a ZIP" if is_folder else "The file")]
    if is_folder:
        links.append(link("item", f"{url}?f=json", JSON, "Its files and folders"))
    return {
        "name": node.name,
        "type": "folder" if is_folder else "file",
        "size": None if isinstance(node.node, ProductFolder) else node.node.size,
        "media_type": node.media_type,
        **omit_empty({"checksum": dict(checksums)}),
        "links": links,
    }
