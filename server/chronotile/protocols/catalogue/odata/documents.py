"""Products, attributes, assets and nodes as JSON (OData JSON Format 4.01), made from public STAC items."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import numpy as np

from chronotile.catalog.items.properties import instant_in
from chronotile.core.checksum import checksum_of
from chronotile.core.errors import MAX_SHOWN, UnknownPath
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.types import Json
from chronotile.pipeline.products import (
    Product,
    ProductAsset,
    ProductNode,
    find_node,
    hosts_of,
    is_picture,
    list_assets,
    list_folder,
)
from chronotile.protocols.catalogue.odata.parser import TYPES as VALUE_TYPES
from chronotile.protocols.common.attributes import attributes_in
from chronotile.protocols.common.links import asset_path, product_path
from chronotile.protocols.common.openapi import (
    ADDRESS,
    INDEX,
    NUMBER,
    OBJECT,
    TEXT,
    TRUTH,
    UNANSWERED,
    enum_of,
    list_of,
    object_of,
    or_null,
)
from chronotile.readers.products.folders import ProductFolder

ROOT = "/odata/v1"
MEDIA_TYPE = "application/json;odata.metadata=minimal"
HEADERS = {"OData-Version": "4.0"}
CONTENT_TYPE = "application/octet-stream"
NEVER = "9999-12-31T23:59:59.999Z"
"""Eviction date of products, which are never evicted."""
EXPANDED = ("Attributes", "Assets")
MEMBERS = (
    *("Id", "Name", "ContentType", "ContentLength", "OriginDate", "PublicationDate", "ModificationDate", "Online"),
    *("EvictionDate", "Checksum", "ContentDate", "Footprint", "GeoFootprint", "Collection"),
)
ALGORITHMS: Mapping[str, str] = {
    "sha-256": "SHA256",
    "sha-512": "SHA512",
    "sha-1": "SHA1",
    "md5": "MD5",
    "blake3": "BLAKE3",
    "sha3-256": "SHA3-256",
}
"""Names of checksum algorithms at CDSE."""


def service_document() -> Json:
    """Return the service document, which lists the entity sets (OData JSON Format §5)."""
    sets = [{"name": "Products", "kind": "EntitySet", "url": "Products"}]
    return {"@odata.context": "$metadata", "value": sets}


def context_of(select: Sequence[str], expand: Sequence[str], *, is_one: bool = False) -> str:
    """Return the context URL, relative to the service (OData 4.01 §10)."""
    parts = [*select, *(f"{name}()" for name in expand)]
    brackets = f"({','.join(parts)})" if parts else ""
    return f"$metadata#Products{brackets}{'/$entity' if is_one else ''}"


def product_document(
    item: Mapping[str, Any], product: UUID, *, base: str, select: Sequence[str] = (), expand: Sequence[str] = ()
) -> Json:
    """Return a product.

    Args:
        item: The STAC item, as `public_item` returns it.
        product: The id of the product.
        base: Public URL of the server.
        select: Names of the returned members; empty returns all.
        expand: Names of added members: `Attributes`, `Assets`.
    """
    properties, assets = item["properties"], item.get("assets", {})
    content_type = _content_type(assets)
    start = time_text(properties.get("start_datetime")) or time_text(properties.get("datetime"))
    # If one of the times of publication and modification is missing, the other replaces it.
    created, updated = time_text(properties.get("created")), time_text(properties.get("updated"))
    members: Json = {
        "Id": str(product),
        "Name": item["id"],
        "ContentType": content_type,
        "ContentLength": _content_length(assets),
        "OriginDate": created or updated,
        "PublicationDate": created or updated,
        "ModificationDate": updated or created,
        "Online": bool(assets),
        "EvictionDate": NEVER,
        "Checksum": _checksums(assets),
        "ContentDate": {"Start": start, "End": time_text(properties.get("end_datetime")) or start},
        "Footprint": footprint_of(item.get("geometry")),
        "GeoFootprint": item.get("geometry"),
        "Collection": {"Name": item.get("collection")},
    }
    document = {name: value for name, value in members.items() if not select or name in select}
    if "Attributes" in expand:
        document["Attributes"] = attribute_documents(properties)
    if "Assets" in expand:
        document["Assets"] = [
            _asset(name, asset, product, base) for name, asset in assets.items() if isinstance(asset, Mapping)
        ]
    return {"@odata.mediaContentType": content_type, **document}


def attribute_documents(properties: Mapping[str, Any]) -> list[Json]:
    """Return the attributes of a product with their types and values."""
    return [
        {
            "@odata.type": f"#OData.CSC.{attribute.type}Attribute",
            "Name": attribute.name,
            "Value": time_text(value) if attribute.type == "DateTimeOffset" else value,
            "ValueType": attribute.type,
        }
        for attribute, value in attributes_in(properties)
    ]


def time_text(value: object) -> str | None:
    """Return a time with 3, 6 or 9 decimals of seconds, as few as it needs; `None` if `value` is not a time."""
    instant = instant_in(value) if isinstance(value, str) else None
    if instant is None:
        return None
    seconds, nanoseconds = divmod(instant, 1_000_000_000)
    digits = f"{nanoseconds:09}"
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    return f"{np.datetime64(seconds, 's')}.{digits}Z"


def _content_type(assets: Mapping[str, Any]) -> str:
    """Return the media type of the only file; several files are sent as a ZIP."""
    only = _only_file(assets)
    media_type = None if only is None else only.get("type")
    return media_type if isinstance(media_type, str) and media_type.isprintable() else CONTENT_TYPE


def _content_length(assets: Mapping[str, Any]) -> int:
    """Return the size of all files in bytes; 0 if the size of any file is unknown."""
    sizes = [asset.get("file:size") for asset in assets.values() if isinstance(asset, Mapping)]
    are_known = all(isinstance(size, int) and size >= 0 for size in sizes)
    return sum(size for size in sizes if isinstance(size, int)) if are_known else 0


def _checksums(assets: Mapping[str, Any]) -> list[Json]:
    """Return the checksum of the only file; empty for several files, which are sent as a ZIP."""
    only = _only_file(assets)
    checksum = None if only is None else checksum_of(only.get("file:checksum"))
    return [] if checksum is None else [{"Value": checksum.digits, "Algorithm": ALGORITHMS[checksum.function]}]


def _only_file(assets: Mapping[str, Any]) -> Mapping[str, Any] | None:
    only = next(iter(assets.values())) if len(assets) == 1 else None
    return only if isinstance(only, Mapping) else None


def _asset(name: str, asset: Mapping[str, Any], product: UUID, base: str) -> Json:
    return {
        "Type": "QUICKLOOK" if is_picture(asset) else "DATA",
        "Name": name,
        "ContentType": _content_type({name: asset}),
        "ContentLength": _content_length({name: asset}),
        "Checksum": _checksums({name: asset}),
        "DownloadLink": f"{base}{asset_path(product, name)}",
    }


MOST_PATH = 4_000
"""Characters of the path of a node."""
VALUE = "$value"
BEGIN, BETWEEN = "Nodes(", ")/Nodes("
ENDS = {")/Nodes": False, f")/{VALUE}": True}
"""Ends of paths, and whether they request the bytes of a node."""


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """A requested node of a product."""

    names: tuple[str, ...]
    """Path of the node, starting with the name of the product."""
    is_value: bool
    """Whether its bytes are requested, or else its children."""


def node_query(path: str) -> NodeQuery:
    """Return the node of a path such as `Nodes(name)/Nodes(name)/…`, which ends with `Nodes` or `$value`.

    Raises:
        UnknownPath: The path does not have this form.
    """
    end = next((suffix for suffix in ENDS if path.endswith(suffix)), "")
    names = path.removeprefix(BEGIN).removesuffix(end).split(BETWEEN)
    if len(path) > MOST_PATH or not path.startswith(BEGIN) or not end or not all(names):
        message = f"{path[:MAX_SHOWN]!r} is not a path of nodes, such as Nodes(name)/Nodes or Nodes(name)/$value"
        raise UnknownPath(message)
    return NodeQuery(tuple(name.removeprefix("'").removesuffix("'") for name in names), is_value=ENDS[end])


def root_node(product: Product, base: str) -> list[Json]:
    """Return the product as the only root node."""
    return [_node(product, (product.item,), 0, len(_top(product)), base=base)]


def nodes_in(product: Product, names: Sequence[str], base: str) -> list[Json]:
    """Return the children of a node; empty for a file.

    Raises:
        NoFiles: The product has no files.
        UnknownPath: No such node exists.
        SourceUnavailable: The node cannot be read now.
    """
    path = _asset_path(product, names)
    if path is None:
        return [_node_of(product, (*names, name), asset, node, base=base) for name, asset, node in _top(product)]
    if hosts_of(product, path):
        return []  # a remote file
    children = list_folder(product, find_node(product, path))
    return [_node_of(product, (*names, child.name), child.asset, child, base=base) for child in children]


def download_path(product: Product, names: Sequence[str]) -> str:
    """Return the path of the URL that downloads a node.

    Raises:
        UnknownPath: The first name is not the name of the product.
    """
    path = _asset_path(product, names)
    return product_path(product.id) + ("" if path is None else f"/nodes/{quote(path)}")


def _asset_path(product: Product, names: Sequence[str]) -> str | None:
    """Return the path of a node below the product's assets; `None` for the product itself.

    If the only asset of a product is a folder, its files are children of the product, as in SAFE folders at CDSE.
    """
    if names[0] != product.item:
        message = f"the product has no node {names[0][:MAX_SHOWN]!r}; its only root node has the name of the product"
        raise UnknownPath(message)
    if not names[1:]:
        return None
    folder = _only_folder(product)
    return "/".join(names[1:] if folder is None else (folder.asset.name, *names[1:]))


def _only_folder(product: Product) -> ProductNode | None:
    assets = list_assets(product)
    only = assets[0][1] if len(assets) == 1 else None
    return only if only is not None and isinstance(only.node, ProductFolder) else None


def _top(product: Product) -> list[tuple[str, ProductAsset, ProductNode | None]]:
    folder = _only_folder(product)
    if folder is not None:
        return [(child.name, child.asset, child) for child in list_folder(product, folder)]
    return [(asset.name, asset, node) for asset, node in list_assets(product)]


def _node_of(
    product: Product, names: Sequence[str], asset: ProductAsset, node: ProductNode | None, *, base: str
) -> Json:
    if node is None:
        return _node(product, names, asset.size or 0, 0, base=base)
    size = 0 if isinstance(node.node, ProductFolder) else node.node.size
    return _node(product, names, size, len(list_folder(product, node)), base=base)


def _node(product: Product, names: Sequence[str], size: int, children: int, *, base: str) -> Json:
    path = "".join(f"/Nodes({quote(name, safe='')})" for name in names)
    return {
        "Id": names[-1],
        "Name": names[-1],
        "ContentLength": size,
        "ChildrenNumber": children,
        "Nodes": {"uri": f"{base}{ROOT}/Products({product.id}){path}/Nodes"},
    }


# Geometries of items as geography literals.

TYPES = {"Point": 0, "LineString": 1, "MultiPoint": 1, "Polygon": 2, "MultiLineString": 2, "MultiPolygon": 3}
"""Levels of lists around a position, by type of geometry."""


def footprint_of(geometry: Mapping[str, Any] | None) -> str | None:
    """Return a GeoJSON geometry as a geography literal; `None` for a collection or an invalid geometry."""
    kind = None if geometry is None else geometry.get("type")
    if geometry is None or kind not in TYPES:
        return None
    try:
        body = _write_positions(geometry["coordinates"], TYPES[kind])
    except (ValueError, TypeError, KeyError):  # invalid coordinates of holes, which are not checked before
        return None
    return f"geography'SRID=4326;{kind.upper()} {body if TYPES[kind] else f'({body})'}'"


def _write_positions(coordinates: Any, depth: int) -> str:  # noqa: ANN401 -- lists within lists
    if depth == 0:
        x, y = coordinates[:2]
        if not (is_number(x) and is_number(y)):
            raise TypeError("a position has two numbers")
        return f"{x!r} {y!r}"
    return f"({', '.join(_write_positions(part, depth - 1) for part in coordinates)})"


# JSON Schemas of the documents.

FAULT_SCHEMA: Json = object_of(
    {"error": object_of({"code": TEXT, "message": TEXT}, {"target": TEXT, "innererror": OBJECT})}
)
TIME = or_null({"type": "string", "format": "date-time"})
CHECKSUMS = list_of(object_of({"Value": TEXT, "Algorithm": TEXT}))
ATTRIBUTE_SCHEMA: Json = object_of(
    {"@odata.type": TEXT, "Name": TEXT, "Value": {"oneOf": [TEXT, NUMBER, TRUTH]}, "ValueType": enum_of(VALUE_TYPES)}
)
ASSET_SCHEMA: Json = object_of(
    {
        "Type": enum_of(("QUICKLOOK", "DATA")),
        **dict.fromkeys(("Name", "ContentType"), TEXT),
        "ContentLength": INDEX,
        "Checksum": CHECKSUMS,
        "DownloadLink": ADDRESS,
    }
)
PRODUCT_SCHEMA: Json = {
    "type": "object",
    "properties": {
        "@odata.mediaContentType": TEXT,
        "Id": {"type": "string", "format": "uuid"},
        **dict.fromkeys(("Name", "ContentType"), TEXT),
        "ContentLength": INDEX,
        **dict.fromkeys(("OriginDate", "PublicationDate", "ModificationDate"), TIME),
        "Online": TRUTH,
        "EvictionDate": TIME,
        "Checksum": CHECKSUMS,
        "ContentDate": object_of({"Start": TIME, "End": TIME}),
        "Footprint": or_null(TEXT),
        "GeoFootprint": or_null(OBJECT),
        "Collection": object_of({"Name": TEXT}),
        "Attributes": list_of(ATTRIBUTE_SCHEMA),
        "Assets": list_of(ASSET_SCHEMA),
    },
}
LISTED_SCHEMA: Json = object_of(
    {"@odata.context": TEXT, "value": list_of(PRODUCT_SCHEMA)},
    {"@odata.count": INDEX, "@odata.nextLink": ADDRESS, "@chronotile.unanswered": UNANSWERED},
)
NODE_SCHEMA: Json = object_of(
    {"Id": TEXT, "Name": TEXT, "ContentLength": INDEX, "ChildrenNumber": INDEX, "Nodes": object_of({"uri": ADDRESS})}
)
NODES_SCHEMA: Json = object_of({"result": list_of(NODE_SCHEMA)})
TYPED_SCHEMA: Json = list_of(object_of({"Name": TEXT, "ValueType": enum_of(VALUE_TYPES)}))
