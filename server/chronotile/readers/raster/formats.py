"""The format of GDAL with which a file is opened: one that leads to other files only if its name states it.

GDAL knows a format by the content, whatever the name: a text called `.tif` could send it to any file and host, and the
numbers found there would be served. So could an overview or a mask beside a file, and its metadata.
"""

import os
import re
from itertools import islice
from pathlib import Path
from typing import Any

from chronotile.readers.raster.further_formats import further_format
from chronotile.readers.raster.grib import GRIB
from chronotile.readers.raster.kind import FILE_ENDS
from chronotile.readers.raster.png import SIGNATURE, is_whole_png
from chronotile.readers.tiff import MOST_DIRECTORIES, TIFF, CutOff, Directory, Read, UnsupportedCog, directories

VRT, VRT_END = "VRT", ".vrt"
"""GDAL's name of the format, and how its files are called."""

JPEG2000 = (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")
"""First bytes of a file, and of a plain codestream."""

OWN_PIXELS = frozenset(
    {"GTiff", "JP2OpenJPEG", GRIB, "HFA", "ENVI", "EHdr", "AAIGrid", "RST", "SRTMHGT", "DTED", "PNG", "JPEG", "WEBP"}
)
"""Formats that hold their pixels themselves."""
HEAD_BYTES = 1024
"""First bytes of a file, in which GDAL searches for a message of GRIB."""
_SIDES = (".ovr", ".OVR", ".msk", ".MSK")


def format_of(place: str, head: bytes) -> str | None:
    """Return the format by the end of a name and the first `HEAD_BYTES`; `None`, for any, of other files.

    Raises:
        OSError: The content is not what the name says.
    """
    path, name = Path(place), place.lower()
    if name.endswith(VRT_END):
        return VRT
    if not name.endswith(FILE_ENDS):
        return further_format(path, head)
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


def require_whole_picture(read: Read) -> None:
    """Check the checksums of a PNG file; any other file passes.

    Args:
        read: Returns bytes of the file from an offset, fewer at its end.

    Raises:
        OSError: A part of it is missing, or has another checksum.
    """
    if read(0, len(SIGNATURE)) == SIGNATURE and not is_whole_png(read):
        raise OSError("the file is damaged: a part of it is missing or has another checksum; copy it again")


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


_MISSING_CODEC = re.compile(r"missing codec (?:of code )?(?P<name>\w+)")
"""Part of GDAL's message on a GeoTIFF that it cannot decode."""


def missing_codec(message: str) -> str | None:
    """Return what to report of a compression that GDAL lacks; `None` if its message is about something else."""
    found = _MISSING_CODEC.search(message)
    if found is None:
        return None
    return (
        f"it is compressed with {found['name']}, which the GDAL of rasterio lacks; write it again with another "
        "compression (gdal_translate -of COG -co COMPRESS=ZSTD IN OUT)"
    )


# Tags of a TIFF that was cut off.
#
# GDAL warns where the data of a tag lie beyond the end of the file, ignores the tag and opens the file: without its
# scale, its offset or its place, though all of its pixels may be there.

PAGE_BYTES = 4096
_WIDTH, _HEIGHT, _STRIP_ROWS, _BANDS, _PLANAR = 256, 257, 278, 277, 284
_TILE_WIDTH, _TILE_HEIGHT, _TILE_PLACES, _TILE_SIZES = 322, 323, 324, 325
_STRIP_PLACES, _STRIP_SIZES = 273, 279

_CUT_OFF = "the file is cut off: data of its tags are missing, such as its scale or its place; copy it again"
_TABLE = "the file is damaged: the table of its blocks does not fit its size; copy it again"


def require_whole_tags(path: str) -> None:
    """Check that all data of the tags of a TIFF lie in the file, and that its tables have all blocks.

    GDAL ignores tags that are cut off, and takes blocks that a table lacks for cells without a value. Any other file
    passes.

    Raises:
        OSError: It is missing, was cut off, or is damaged.
    """
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123 -- done at each opening, and half the time of Path.open
        number, size = file.fileno(), os.fstat(file.fileno()).st_size

        def read(start: int, count: int) -> bytes:
            return os.pread(number, count, start)

        if read(0, 4) not in TIFF:
            return
        try:
            for directory in islice(directories(read, size, max_page_bytes=PAGE_BYTES), MOST_DIRECTORIES):
                if directory.end > size:
                    raise OSError(_CUT_OFF)
                _require_whole_table(directory)
        except CutOff:
            raise OSError(_CUT_OFF) from None
        except UnsupportedCog:
            return  # GDAL reports what is wrong


def _require_whole_table(directory: Directory) -> None:
    """Check that the tables of a directory have a place and a size for each block."""
    width, height = directory.number(_WIDTH, 0), directory.number(_HEIGHT, 0)
    is_tiled = _TILE_WIDTH in directory or _TILE_PLACES in directory
    across = -(-width // (directory.number(_TILE_WIDTH, 0) or 1)) if is_tiled else 1
    rows = directory.number(_TILE_HEIGHT, 0) if is_tiled else min(directory.number(_STRIP_ROWS, height), height)
    planes = directory.number(_BANDS, 1) if directory.number(_PLANAR, 1) == 2 else 1
    blocks = across * -(-height // (rows or 1)) * planes
    places, sizes = (_TILE_PLACES, _TILE_SIZES) if is_tiled else (_STRIP_PLACES, _STRIP_SIZES)
    is_whole = directory.count(places) == directory.count(sizes) == blocks
    if not is_whole and not (blocks == 1 and not is_tiled and sizes not in directory):
        raise OSError(_TABLE)
