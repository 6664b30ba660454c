"""Formats of raster files whose names other files have too: known by their content and by the files beside them."""

import re
from pathlib import Path

RAW_ENDS = (".img", ".bil", ".bip", ".bsq", ".dat", ".raw", ".envi")
"""Ends of files of plain numbers, which a header beside them describes."""
_FORMATS = {
    "HFA": ((".img",), b"EHFA_HEADER_TAG"),
    "DTED": ((".dt0", ".dt1", ".dt2"), b"UHL"),
    "AAIGrid": ((".asc",), rb"(?i)\s*(ncols|nrows)\s"),
    "SRTMHGT": ((".hgt",), b""),
    "RST": ((".rst",), b""),
    "PNG": ((".png",), rb"\x89PNG\r\n\x1a\n"),
    "JPEG": ((".jpg", ".jpeg"), rb"\xff\xd8\xff"),
    "WEBP": ((".webp",), b"RIFF"),
}
"""Ends of names and how the content starts, by GDAL's name of the format."""
WORLD_ENDS = (".wld", ".pgw", ".pngw", ".jgw", ".jpgw", ".jpegw")
_HEADER_ENDS = (".hdr", ".HDR")
_SRTM = re.compile(r"[ns]\d\d[ew]\d\d\d.*\.hgt", re.IGNORECASE)
_PICTURES = ("PNG", "JPEG", "WEBP")
"""Formats of files that are rasters only if a file beside them places them."""
_BIL = re.compile(rb"^\s*(nrows|ncols)\s", re.IGNORECASE | re.MULTILINE)
_GEOREFERENCE = (b"<SRS", b"<GeoTransform")

SHARED_ENDS = (*RAW_ENDS, *(end for ends, _start in list(_FORMATS.values())[1:] for end in ends))
"""Ends of names that may be those of rasters."""


def further_format(path: Path, head: bytes) -> str | None:
    """Return GDAL's name of the format of a file that is not known by its name alone; `None` of any other file.

    Args:
        path: The file.
        head: Its first bytes.
    """
    name = path.name.lower()
    starts = (format_ for format_, (ends, start) in _FORMATS.items() if name.endswith(ends) and re.match(start, head))
    found = next(starts, None)
    if found is None:
        return _raw_format(path) if name.endswith(RAW_ENDS) else None
    if found == "SRTMHGT":
        is_found = _SRTM.fullmatch(name) is not None
    elif found == "RST":
        is_found = path.with_suffix(".rdc").is_file()
    else:
        is_found = found not in _PICTURES or _is_georeferenced(path)
    return found if is_found else None


def _raw_format(path: Path) -> str | None:
    for beside in (each for end in _HEADER_ENDS for each in (path.with_suffix(end), path.with_name(path.name + end))):
        if beside.is_file():
            with beside.open("rb") as file:
                header = file.read(4096)
            return "ENVI" if header.startswith(b"ENVI") else "EHdr" if _BIL.search(header) else None
    return None


def _is_georeferenced(path: Path) -> bool:
    """Return whether a picture has a world file, or metadata of GDAL that place it."""
    if any(path.with_suffix(end).is_file() for end in (*WORLD_ENDS, *map(str.upper, WORLD_ENDS))):
        return True
    metadata = path.with_name(f"{path.name}.aux.xml")
    if not metadata.is_file():
        return False
    with metadata.open("rb") as file:
        text = file.read(1 << 20)
    return any(each in text for each in _GEOREFERENCE)
