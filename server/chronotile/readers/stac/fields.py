"""Values of untrusted STAC documents: of the expected type and within limits, or `None`."""

import marshal
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson

from chronotile.core.errors import InvalidItem
from chronotile.core.model.items import Asset
from chronotile.core.model.types import JsonMapping
from chronotile.core.web.item_places import absolute
from chronotile.core.web.places import BUCKETS, is_local
from chronotile.readers.hrefs import PRODUCT_END

MAX_BYTES = 4 << 20
"""Limit of a document."""
AROUND = 8
"""Nesting that an answer may add around a document: orjson refuses to write deeper documents."""
MOST_KEY = 2048
"""Bytes of a key."""
MAX_TEXT = 4000
"""Characters of a text that is used."""
MAX_MEMBERS = 1000
"""Limit of the members of a list or object, such as assets or bands."""


def written_document(document: JsonMapping) -> bytes:
    """Return a JSON object as bytes.

    Raises:
        InvalidItem: It is too large or too deep, or contains values that JSON cannot express.
    """
    try:
        # The lists stand for the nesting that answers add: a document that passes here can be written into any answer.
        content = orjson.dumps([[[[[[[[document]]]]]]]])[AROUND:-AROUND]
    except orjson.JSONEncodeError as error:
        raise InvalidItem(f"the document cannot be stored: {error}") from error
    if len(content) > MAX_BYTES:
        raise InvalidItem(f"the document has {len(content)} bytes; at most {MAX_BYTES} are accepted")
    return content


def key_of_values(values: Any) -> bytes:  # noqa: ANN401 -- JSON
    """Return values of JSON as a cache key, which distinguishes 1, 1.0 and true; empty for large or other values."""
    try:
        key = marshal.dumps(values, 2)
    except ValueError:
        return b""
    return key if len(key) <= MOST_KEY else b""


def bytes_of_key(_result: object, key: bytes, *_others: object) -> int:
    """Estimate the memory of a key and the value read from it: a number of 9 bytes becomes an object."""
    return 1000 + 8 * len(key)


def values_of_key(key: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Return the values of a key, which must not be changed."""
    return marshal.loads(key)  # noqa: S302 -- written above, in this process


def text_of(value: object, *, most: int = MAX_TEXT) -> str | None:
    """Return text that is not empty and not too long."""
    return value if isinstance(value, str) and 0 < len(value) <= most else None


def number_of(value: object) -> float | None:
    """Return a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def numbers_of(value: object, *counts: int) -> tuple[float, ...] | None:
    """Return a list of finite numbers with one of the lengths in `counts`."""
    if not isinstance(value, list | tuple) or len(value) not in counts:
        return None
    numbers = tuple(number for number in map(number_of, value) if number is not None)
    return numbers if len(numbers) == len(value) else None


def object_of(value: object) -> JsonMapping:
    """Return a JSON object; empty if it is another value."""
    return value if isinstance(value, Mapping) else {}


def list_of(value: object) -> Sequence[object]:
    """Return a list, cut off after `MAX_MEMBERS`; empty if it is another value."""
    return value[:MAX_MEMBERS] if isinstance(value, list | tuple) else ()


def texts_of(value: object) -> tuple[str, ...]:
    """Return the texts of a list."""
    return tuple(text for text in map(text_of, list_of(value)) if text is not None)


def objects_of(value: object) -> Iterator[JsonMapping]:
    """Yield the JSON objects of a list."""
    return (each for each in list_of(value) if isinstance(each, Mapping))


# Addresses in STAC documents, which count from the address of the document.

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_ACCEPTED = ("https", "http", *BUCKETS)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def absolute_address(href: str, base: str) -> str:
    """Return the target of a link of a document: an absolute path, or a URL with http or https, or of a bucket.

    The caller must check whether it may be opened.

    Args:
        href: The link.
        base: Absolute path or URL of the document.

    Raises:
        InvalidItem: It has another scheme, or leads from the web to files of this machine.
    """
    if len(href) > MAX_TEXT or _CONTROL.search(href):
        raise InvalidItem("an href is longer than 4000 characters or has control characters")
    scheme = _SCHEME.match(href)
    if scheme is not None and not _is_accepted(scheme[0][:-1].lower(), href, base):
        accepted = ", ".join(f"{name}://" for name in _ACCEPTED)
        raise InvalidItem(f"an href begins with {scheme[0][:20]}; accepted are {accepted}")
    try:
        return absolute(href, base)
    except ValueError as error:
        raise InvalidItem(f"an href is not an address: {error}") from error


def _is_accepted(scheme: str, href: str, base: str) -> bool:
    if scheme == "file":
        return is_local(base) and href[5:8] == "///"
    return scheme in _ACCEPTED and "://" in href


_RASTER_TYPES = (
    *("image/tiff", "image/vnd.stac.geotiff", "image/geotiff", "image/jp2"),
    *("application/vnd+zarr", "application/vnd.zarr", "application/x-zarr", "application/zarr"),
)
_NETCDF_TYPES = frozenset(
    f"application/{name}"
    for name in ("netcdf", "x-netcdf", "netcdf4", "x-netcdf4", "x-hdf5")  # x-hdf is HDF4
)
_NETCDF_ENDS = (".nc", ".nc4", ".cdf", ".h5", ".hdf5", ".he5", PRODUCT_END)
_RASTER_ENDS = (".tif", ".tiff", ".gtiff", ".jp2", ".zarr", ".vrt")
_NOT_RASTERS = frozenset(("thumbnail", "virtual"))
_STORE = re.compile(r"(.+?\.zarr)((?:/[^?#]*)?)$", re.IGNORECASE)


def is_raster(asset: JsonMapping) -> bool:
    """Return whether an asset is a raster by its media type or, without one, by its name.

    Thumbnails and virtual assets, which are computed from others, do not count.
    """
    if _NOT_RASTERS.intersection(texts_of(asset.get("roles"))):
        return False
    media_type, href = media_type_of(asset), text_of(asset.get("href")) or ""
    if has_netcdf(media_type, href):
        return is_local(href)
    if media_type is not None:
        return media_type.lower().startswith(_RASTER_TYPES)
    try:
        path = urlsplit(href).path
    except ValueError:  # brackets without an IPv6 address
        return False
    return path.rstrip("/").lower().endswith(_RASTER_ENDS)


def is_zarr(asset: Asset) -> bool:
    """Return whether an asset is a Zarr store, or a group or array of one."""
    return "zarr" in (asset.media_type or "").lower() or zarr_place(asset.href) is not None


def has_netcdf(media_type: str | None, href: str) -> bool:
    """Return whether an asset is a NetCDF or HDF5 file by its media type or, without one, by its name."""
    if media_type is not None:
        return media_type.partition(";")[0].strip().lower() in _NETCDF_TYPES
    return href.lower().endswith(_NETCDF_ENDS)


def has_arrays(asset: Asset) -> bool:
    """Return whether an asset has named arrays instead of bands."""
    return is_zarr(asset) or has_netcdf(asset.media_type, asset.href)


def zarr_place(href: str) -> tuple[str, str] | None:
    """Return the store of an address and the path of a group or array in it; `None` outside of `NAME.zarr`."""
    found = _STORE.match(href)
    return None if found is None else (found[1], found[2].strip("/"))


def media_type_of(asset: JsonMapping) -> str | None:
    """Return the media type of an asset."""
    return text_of(asset.get("type"), most=200)
