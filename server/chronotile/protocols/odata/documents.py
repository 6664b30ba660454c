"""Products, attributes and assets as JSON (OData JSON Format 4.01), from STAC items as strangers may see them."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import numpy as np

from chronotile.catalog.items.order import instant_in
from chronotile.model.multihash import checksum_of
from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.product_links import asset_path
from chronotile.protocols.odata.attributes import attributes_in
from chronotile.protocols.odata.footprint import footprint_of

ROOT = "/odata/v1"
MEDIA_TYPE = "application/json;odata.metadata=minimal"
HEADERS = {"OData-Version": "4.0"}
CONTENT_TYPE = "application/octet-stream"
NEVER = "9999-12-31T23:59:59.999Z"
"""When products that stay are evicted."""
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
"""Functions of checksums, as clients of CDSE know them."""
QUICKLOOKS = {"thumbnail", "overview"}
"""Roles of assets that are pictures of the product."""


def service_document() -> Json:
    """Return what the service has (OData JSON Format §5)."""
    sets = [{"name": "Products", "kind": "EntitySet", "url": "Products"}]
    return {"@odata.context": "$metadata", "value": sets}


def context_of(select: Sequence[str], expand: Sequence[str], *, is_one: bool = False) -> str:
    """Return the context URL, relative to the service (OData 4.01 §10)."""
    listed = [*select, *(f"{each}()" for each in expand)]
    brackets = f"({','.join(listed)})" if listed else ""
    return f"$metadata#Products{brackets}{'/$entity' if is_one else ''}"


def product_document(
    item: Mapping[str, Any], product: UUID, *, base: str, select: Sequence[str] = (), expand: Sequence[str] = ()
) -> Json:
    """Return a product.

    Args:
        item: The STAC item, as `public_item` returns it.
        product: Its id.
        base: Public URL of the server.
        select: Members that are wanted; empty: all.
        expand: `Attributes`, `Assets`.
    """
    properties, assets = item["properties"], item.get("assets", {})
    content_type = _content_type(assets)
    published, modified = _dates(properties)
    members: Json = {
        "Id": str(product),
        "Name": item["id"],
        "ContentType": content_type,
        "ContentLength": _content_length(assets),
        "OriginDate": published,
        "PublicationDate": published,
        "ModificationDate": modified,
        "Online": bool(assets),
        "EvictionDate": NEVER,
        "Checksum": _checksums(assets),
        "ContentDate": _content_date(properties),
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
    """Return a time with milliseconds, or with as many digits more as it needs; `None` of anything else."""
    instant = instant_in(value) if isinstance(value, str) else None
    if instant is None:
        return None
    seconds, nanoseconds = divmod(instant, 1_000_000_000)
    digits = f"{nanoseconds:09}"
    while len(digits) > 3 and digits.endswith("000"):
        digits = digits[:-3]
    return f"{np.datetime64(seconds, 's')}.{digits}Z"


def _content_date(properties: Mapping[str, Any]) -> Json:
    start = time_text(properties.get("start_datetime")) or time_text(properties.get("datetime"))
    return {"Start": start, "End": time_text(properties.get("end_datetime")) or start}


def _dates(properties: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """When it was published and modified; each by the other, if it is not known."""
    created, updated = time_text(properties.get("created")), time_text(properties.get("updated"))
    return created or updated, updated or created


def _content_type(assets: Mapping[str, Any]) -> str:
    """Of its only file; several are a ZIP file."""
    only = _only_file(assets)
    named = None if only is None else only.get("type")
    return named if isinstance(named, str) and named.isprintable() else CONTENT_TYPE


def _content_length(assets: Mapping[str, Any]) -> int:
    """Bytes of its files; 0: they are not known."""
    sizes = [asset.get("file:size") for asset in assets.values() if isinstance(asset, Mapping)]
    are_known = all(isinstance(size, int) and size >= 0 for size in sizes)
    return sum(size for size in sizes if isinstance(size, int)) if are_known else 0


def _checksums(assets: Mapping[str, Any]) -> list[Json]:
    """Of its only file; of several there is none, as they are sent as a ZIP file."""
    only = _only_file(assets)
    checksum = None if only is None else checksum_of(only.get("file:checksum"))
    return [] if checksum is None else [{"Value": checksum.digits, "Algorithm": ALGORITHMS[checksum.function]}]


def _only_file(assets: Mapping[str, Any]) -> Mapping[str, Any] | None:
    only = next(iter(assets.values())) if len(assets) == 1 else None
    return only if isinstance(only, Mapping) else None


def _asset(name: str, asset: Mapping[str, Any], product: UUID, base: str) -> Json:
    roles = asset.get("roles")
    is_quicklook = isinstance(roles, list) and any(role in QUICKLOOKS for role in roles if isinstance(role, str))
    return {
        "Type": "QUICKLOOK" if is_quicklook else "DATA",
        "Name": name,
        "ContentType": _content_type({name: asset}),
        "ContentLength": _content_length({name: asset}),
        "Checksum": _checksums({name: asset}),
        "DownloadLink": f"{base}{asset_path(product, name)}",
    }
