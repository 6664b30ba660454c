"""Products, attributes and assets as JSON (OData JSON Format 4.01), made from public STAC items."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from chronotile.catalog.items.properties import instant_in
from chronotile.core.checksum import checksum_of
from chronotile.core.model.geometry.json_text import is_number
from chronotile.core.model.types import Json
from chronotile.pipeline.products import is_picture
from chronotile.protocols.common.attributes import attributes_in
from chronotile.protocols.common.links import asset_path

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
    """Return the media type of the only file; `CONTENT_TYPE` for several files (sent as a ZIP) or an unknown type."""
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
