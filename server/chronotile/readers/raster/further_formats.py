"""Formats of raster files whose names other files have too: known by their content and by the files beside them."""

import re
from pathlib import Path

RAW_ENDS = (".img", ".bil", ".bip", ".bsq", ".dat", ".raw", ".envi")
"""Ends of files of plain numbers, which a header beside them describes."""
_MAGIC = {
    "HFA": ((".img",), b"EHFA_HEADER_TAG"),
    "DTED": ((".dt0", ".dt1", ".dt2"), b"UHL"),
}
"""Ends of names and the first bytes, by GDAL's name of the format."""
_PICTURES = {
    "PNG": ((".png",), b"\x89PNG\r\n\x1a\n"),
    "JPEG": ((".jpg", ".jpeg"), b"\xff\xd8\xff"),
    "WEBP": ((".webp",), b"RIFF"),
}
WORLD_ENDS = (".wld", ".pgw", ".pngw", ".jgw", ".jpgw", ".jpegw")
_HEADER_ENDS = (".hdr", ".HDR")
_SRTM = re.compile(r"[ns]\d\d[ew]\d\d\d.*\.hgt", re.IGNORECASE)
_ASCII = re.compile(rb"\s*(ncols|nrows)\s", re.IGNORECASE)
_BIL = re.compile(rb"^\s*(nrows|ncols)\s", re.IGNORECASE | re.MULTILINE)
_GEOREFERENCE = (b"<SRS", b"<GeoTransform")

SHARED_ENDS = (
    *RAW_ENDS, ".asc", ".hgt", ".rst", ".dt0", ".dt1", ".dt2", ".png", ".jpg", ".jpeg", ".webp"
)  # fmt: skip
"""Ends of names that may be those of rasters."""


def further_format(path: Path, head: bytes) -> str | None:
    """Return GDAL's name of the format of a file that is not known by its name alone; `None` of any other file.

    Args:
        path: The file.
        head: Its first bytes.
    """
    name = path.name.lower()
    if (picture := _by_magic(name, head, _PICTURES)) is not None:
        return picture if _is_georeferenced(path) else None
    if (known := _by_magic(name, head, _MAGIC)) is not None:
        return known
    if name.endswith(".asc"):
        return "AAIGrid" if _ASCII.match(head) else None
    if name.endswith(".hgt"):
        return "SRTMHGT" if _SRTM.fullmatch(name) else None
    if name.endswith(".rst"):
        return "RST" if path.with_suffix(".rdc").is_file() else None
    return _raw_format(path) if name.endswith(RAW_ENDS) else None


def _by_magic(name: str, head: bytes, formats: dict[str, tuple[tuple[str, ...], bytes]]) -> str | None:
    found = (format_ for format_, (ends, magic) in formats.items() if name.endswith(ends) and head.startswith(magic))
    return next(found, None)


def _raw_format(path: Path) -> str | None:
    for beside in (each for end in _HEADER_ENDS for each in (path.with_suffix(end), path.with_name(path.name + end))):
        if beside.is_file():
            with beside.open("rb") as file:
                header = file.read(4096)
            return "ENVI" if header.startswith(b"ENVI") else "EHdr" if _BIL.search(header) else None
    return None


def _is_georeferenced(path: Path) -> bool:
    """Whether a picture has a world file, or metadata of GDAL that place it."""
    if any(path.with_suffix(end).is_file() for end in (*WORLD_ENDS, *map(str.upper, WORLD_ENDS))):
        return True
    metadata = path.with_name(f"{path.name}.aux.xml")
    if not metadata.is_file():
        return False
    with metadata.open("rb") as file:
        text = file.read(1 << 20)
    return any(each in text for each in _GEOREFERENCE)
