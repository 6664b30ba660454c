"""Names and media types of downloaded files, safe for file systems and browsers."""

import re
from collections.abc import Collection

from chronotile.core.model.formats import COG_TYPE, GEOTIFF_TYPE

MAX_NAME = 180
SAFE = ".safe"
"""Suffix of a folder that is a product of Sentinel; its files keep their paths below it."""
BINARY = "application/octet-stream"
ZIP = "application/zip"

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069<>:\"/\\|?*]")
"""Unsafe characters, among them marks that reverse the direction of text: `gpj.exe` would be shown as `exe.jpg`."""
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")
_MEDIA_TYPE = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,100}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}(; ?[a-z0-9-]+=[\w./:-]+)*", re.IGNORECASE
)
_ACTIVE = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/javascript")
"""Media types that browsers run. Items may state them, and the file would run with the rights of this site."""
_BY_END = {
    "cog": COG_TYPE,
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "gml": "application/gml+xml",
    "h5": "application/x-hdf5",
    "jp2": "image/jp2",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "nc": "application/netcdf",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "tif": GEOTIFF_TYPE,
    "tiff": GEOTIFF_TYPE,
    "txt": "text/plain",
    "xml": "application/xml",
    "zip": ZIP,
}


def safe_name(text: str) -> str:
    """Return a file name that is valid in every system: without slashes, never `.` or `..`."""
    name = _UNSAFE.sub("_", text).strip(" .")
    if not name:
        return "product"
    stem, dot, end = name.rpartition(".")
    return name if len(name) <= MAX_NAME else f"{(stem or end)[: MAX_NAME - 20]}{dot}{end[-19:] if dot else ''}"


def plain_name(text: str) -> str:
    """Return a text with dashes instead of characters other than letters, digits, dots, underscores and dashes."""
    return _NOT_PLAIN.sub("-", text)


def media_type_of(stated: str | None, name: str) -> str:
    """Return the media type of a file: from its item unless browsers would run it, else by its suffix."""
    if stated and _MEDIA_TYPE.fullmatch(stated):
        return BINARY if stated.partition(";")[0].strip().lower() in _ACTIVE else stated
    return _BY_END.get(name.rpartition(".")[2].lower(), BINARY)


def name_in_zip(href: str, name: str) -> str:
    """Return the path of a file in the ZIP of its product: its name, or the path from the SAFE folder that contains it.

    Args:
        href: An absolute path or URL.
        name: Its last part.
    """
    parts = href.partition("?")[0].split("/")[:-1]
    first = next((number for number, part in enumerate(parts) if part.lower().endswith(SAFE)), len(parts))
    return "/".join(safe_name(part) for part in (*parts[first:], name))


def unique_name(name: str, existing: Collection[str], asset: str) -> str:
    """Return the name, or if an entry of the ZIP has it, a name with that of the asset in it."""
    number, unique = 1, name
    while unique in existing:
        folder, slash, last = name.rpartition("/")
        unique = f"{folder}{slash}{safe_name(asset)}{'' if number == 1 else f'_{number}'}_{last}"
        number += 1
    return unique
