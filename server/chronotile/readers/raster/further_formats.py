"""Raster formats whose file names are shared with other formats; content and side files decide."""

import re
from pathlib import Path

FILE_ENDS = (".tif", ".tiff", ".jp2", ".vrt", ".grib", ".grib2", ".grb", ".grb2")
"""Ends of names that only rasters have, in lower case."""
RAW_ENDS = (".img", ".bil", ".bip", ".bsq", ".dat", ".raw", ".envi")
"""Ends of the names of raw numbers, which a header file describes."""
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
"""Ends of names, and a pattern for the start of the content, by GDAL's name of the format."""
WORLD_ENDS = (".wld", ".pgw", ".pngw", ".jgw", ".jpgw", ".jpegw")
_HEADER_ENDS = (".hdr", ".HDR")
_SRTM = re.compile(r"[ns]\d\d[ew]\d\d\d.*\.hgt", re.IGNORECASE)
_PICTURES = ("PNG", "JPEG", "WEBP")
"""Formats that are rasters only if a side file gives their georeference."""
_BIL = re.compile(rb"^\s*(nrows|ncols)\s", re.IGNORECASE | re.MULTILINE)
_GEOREFERENCE = (b"<SRS", b"<GeoTransform")

SHARED_ENDS = (*RAW_ENDS, *(end for ends, _start in list(_FORMATS.values())[1:] for end in ends))
"""Ends of the names of files that may be rasters."""


def further_format(path: Path, head: bytes) -> str | None:
    """Return GDAL's name of the format of a file, or `None` if it is not a raster of these formats.

    Args:
        path: The file.
        head: Its first bytes.
    """
    name = path.name.lower()
    starts = (format_ for format_, (ends, start) in _FORMATS.items() if name.endswith(ends) and re.match(start, head))
    name_of_format = next(starts, None)
    if name_of_format is None:
        return _raw_format(path) if name.endswith(RAW_ENDS) else None
    if name_of_format == "SRTMHGT":
        is_raster = _SRTM.fullmatch(name) is not None
    elif name_of_format == "RST":
        is_raster = path.with_suffix(".rdc").is_file()
    else:
        is_raster = name_of_format not in _PICTURES or _is_georeferenced(path)
    return name_of_format if is_raster else None


def _raw_format(path: Path) -> str | None:
    for header_path in (x for end in _HEADER_ENDS for x in (path.with_suffix(end), path.with_name(path.name + end))):
        if header_path.is_file():
            with header_path.open("rb") as file:
                header = file.read(4096)
            return "ENVI" if header.startswith(b"ENVI") else "EHdr" if _BIL.search(header) else None
    return None


def _is_georeferenced(path: Path) -> bool:
    """Return whether a picture has a world file, or GDAL metadata with a georeference."""
    if any(path.with_suffix(end).is_file() for end in (*WORLD_ENDS, *map(str.upper, WORLD_ENDS))):
        return True
    metadata = path.with_name(f"{path.name}.aux.xml")
    if not metadata.is_file():
        return False
    with metadata.open("rb") as file:
        text = file.read(1 << 20)
    return any(g in text for g in _GEOREFERENCE)
