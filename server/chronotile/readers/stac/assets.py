"""Which assets of STAC documents are rasters that can be served."""

import re
from urllib.parse import urlsplit

from chronotile.model.items import Asset
from chronotile.readers.stac.fields import Document, text_of, texts_of

_RASTER_TYPES = (
    "image/tiff",
    "image/vnd.stac.geotiff",
    "image/geotiff",
    "image/jp2",
    "application/vnd+zarr",
    "application/vnd.zarr",
    "application/x-zarr",
    "application/zarr",
)
_RASTER_ENDS = (".tif", ".tiff", ".gtiff", ".jp2", ".zarr", ".vrt")
_NOT_RASTERS = frozenset(("thumbnail", "virtual"))
_STORE = re.compile(r"(.+?\.zarr)((?:/[^?#]*)?)$", re.IGNORECASE)


def is_raster(asset: Document) -> bool:
    """Return whether an asset is a raster by its media type, or without one by its name.

    Thumbnails are none, nor are virtual assets, which are computed from others.
    """
    if _NOT_RASTERS.intersection(texts_of(asset.get("roles"))):
        return False
    media_type = media_type_of(asset)
    if media_type is not None:
        return media_type.lower().startswith(_RASTER_TYPES)
    href = text_of(asset.get("href")) or ""
    try:
        path = urlsplit(href).path
    except ValueError:  # an address of brackets
        return False
    return path.rstrip("/").lower().endswith(_RASTER_ENDS)


def is_zarr(asset: Asset) -> bool:
    """Return whether an asset is a Zarr store, or a group or array of one."""
    return "zarr" in (asset.media_type or "").lower() or zarr_place(asset.href) is not None


def zarr_place(href: str) -> tuple[str, str] | None:
    """Return the store of an address, and the path in it of a group or array; `None` of what is not in `NAME.zarr`."""
    found = _STORE.match(href)
    return None if found is None else (found[1], found[2].strip("/"))


def media_type_of(asset: Document) -> str | None:
    """Return the media type of an asset."""
    return text_of(asset.get("type"), most=200)
