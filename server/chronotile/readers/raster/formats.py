"""As which of GDAL's formats a file is opened: as one that leads to other files only if its name states it.

GDAL knows a format by the content, whatever the name: a text called `.tif` could send it to any file and host, and the
numbers found there would be served. So could an overview or a mask beside a file, and its metadata.
"""

from pathlib import Path
from typing import Any

from chronotile.readers.raster.grib import GRIB
from chronotile.readers.raster.kind import FILE_ENDS

VRT, VRT_END = "VRT", ".vrt"
"""GDAL's name of the format, and how its files are called."""

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""How a file begins, BigTIFF too."""
JPEG2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
"""The same, and a plain codestream."""

OWN_PIXELS = frozenset(
    {"GTiff", "JP2OpenJPEG", GRIB, "HFA", "ENVI", "EHdr", "AAIGrid", "RST", "SRTMHGT", "DTED", "PNG", "JPEG", "WEBP"}
)
"""Formats that hold their pixels themselves."""
HEAD_BYTES = 1024
"""Among which GDAL looks for a first message of GRIB."""
_SIDES = (".ovr", ".OVR", ".msk", ".MSK")


def format_of(name: str, head: bytes) -> str | None:
    """Return the format by the end of a name and the first `HEAD_BYTES`; `None`, for any, of an end of none of these.

    Raises:
        OSError: The content is not what the name says.
    """
    name = name.lower()
    if name.endswith(VRT_END):
        return VRT
    if not name.endswith(FILE_ENDS):
        return None
    if head.startswith(TIFF):
        return "GTiff"
    if head.startswith(JPEG2000):
        return "JP2OpenJPEG"
    if GRIB.encode() in head:
        return GRIB
    raise OSError(
        "it is neither GeoTIFF, JPEG 2000 nor GRIB, as its name says: replace it if it is damaged, else rename it "
        "(a VRT to .vrt)"
    )


def require_own_sides(path: str) -> None:
    """Check that overviews and masks beside a file hold pixels themselves.

    Raises:
        OSError: One does not.
    """
    for side in (path + end for end in _SIDES):
        if Path(side).is_file():
            with open(side, "rb") as file:  # noqa: PTH123 -- as for the file itself
                if not file.read(4).startswith(TIFF):
                    raise OSError(f"{Path(side).name} beside it is not a TIFF: remove or rename it")
            require_own_sides(side)


def require_own_pixels(dataset: Any) -> None:  # noqa: ANN401 -- rasterio has no types
    """Check that a file leads to no other: by its format, unless its name states that, or for its overviews.

    Raises:
        OSError: It does.
    """
    if dataset.driver not in OWN_PIXELS and not dataset.name.lower().endswith(VRT_END):
        raise OSError(
            f"it is of the format {dataset.driver}, which is not served: convert it (gdal_translate IN OUT.tif)"
        )
    if dataset.tags(ns="OVERVIEWS"):
        raise OSError("its metadata name another file for its overviews: write it again (gdal_translate IN OUT.tif)")
