"""The GDAL format of a file. No file may lead to other files unless its name ends in `.vrt`.

GDAL detects a format by the content and ignores the name: a VRT named `.tif` could send it to any file and host, whose
numbers would be served. An overview or mask in a side file, and the metadata of a file, could do the same.
"""

from pathlib import Path
from typing import Any

from chronotile.readers.raster.further_formats import FILE_ENDS, further_format
from chronotile.readers.raster.grib_fields import GRIB
from chronotile.readers.tiff import TIFF

VRT, VRT_END = "VRT", ".vrt"
"""GDAL's name of the format; the end of the names of its files."""

JPEG2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
"""First bytes of a JP2 file and of a plain codestream."""

PIXEL_FORMATS = frozenset(
    {"GTiff", "JP2OpenJPEG", GRIB, "HFA", "ENVI", "EHdr", "AAIGrid", "RST", "SRTMHGT", "DTED", "PNG", "JPEG", "WEBP"}
)
"""GDAL's names of the formats that contain their pixels."""
HEAD_BYTES = 1024
"""Size of the start of a file, where GDAL searches for a GRIB message."""
_SIDES = (".ovr", ".OVR", ".msk", ".MSK")


def format_of(href: str, head: bytes) -> str | None:
    """Return GDAL's name of the format, from the end of the file name and the first `HEAD_BYTES`.

    `None` if neither decides it; GDAL may then open the file with any driver.

    Raises:
        OSError: The file is empty, or its content contradicts its name.
    """
    path, name = Path(href), href.lower()
    if name.endswith(VRT_END):
        return VRT
    if not name.endswith(FILE_ENDS):
        return further_format(path, head)
    if not head:
        raise OSError("it is empty: copy it again")
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


def require_tiff_side_files(path: str) -> None:
    """Check that overviews and masks in side files are TIFFs.

    Raises:
        OSError: A side file has another format.
    """
    for side in (path + end for end in _SIDES):
        if Path(side).is_file():
            with open(side, "rb") as file:  # noqa: PTH123 -- as for the file itself
                if not file.read(4).startswith(TIFF):
                    raise OSError(f"{Path(side).name} next to it is not a TIFF: remove or rename it")
            require_tiff_side_files(side)


def require_self_contained(dataset: Any) -> None:  # noqa: ANN401 -- rasterio has no types
    """Check that format and overviews of an open file do not lead to other files; VRTs pass.

    Raises:
        OSError: They may lead to other files.
    """
    if dataset.driver not in PIXEL_FORMATS and not dataset.name.lower().endswith(VRT_END):
        raise OSError(
            f"it is of the format {dataset.driver}, which is not served: convert it (gdal_translate IN OUT.tif)"
        )
    if dataset.tags(ns="OVERVIEWS"):
        raise OSError("its metadata name another file for its overviews: write it again (gdal_translate IN OUT.tif)")
