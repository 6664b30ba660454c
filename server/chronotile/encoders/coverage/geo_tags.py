"""Where a grid lies, as tags of GeoTIFF (OGC 19-008r4)."""

import struct
from collections.abc import Iterator
from functools import lru_cache

from affine import Affine
from rasterio.crs import CRS
from rasterio.io import MemoryFile

from chronotile.encoders.coverage.attributes import definition_of
from chronotile.encoders.coverage.cog import Tag
from chronotile.errors import UnsupportedFormat
from chronotile.model.crs import Crs
from chronotile.model.grid import Grid

MODEL_PIXEL_SCALE, MODEL_TIEPOINT = 33550, 33922
KEY_TAGS = frozenset({34735, 34736, 34737})
"""GeoKeyDirectory, GeoDoubleParams and GeoAsciiParams."""
DOUBLE = 12
SOMEWHERE = Affine(1, 0, 1, 0, -1, 1)
"""Of cells of 1 whose first is at (0, 0) rasterio doubts that they are anywhere."""
_SIZES = {2: 1, 3: 2, 12: 8}
"""Bytes of a value of the types that those have."""


def geo_tags(grid: Grid) -> list[Tag]:
    """Return the tags with the position of a grid.

    Raises:
        UnsupportedFormat: GeoTIFF has no words for its CRS.
    """
    x_size, y_size = grid.resolution
    scale = struct.pack("<3d", x_size, y_size, 0)
    corner = struct.pack("<6d", 0, 0, 0, grid.bbox.xmin, grid.bbox.ymax, 0)
    keys = [tag for tag in _tags_of(_file_in(grid.crs)) if tag.number in KEY_TAGS]
    return [Tag(MODEL_PIXEL_SCALE, DOUBLE, scale), Tag(MODEL_TIEPOINT, DOUBLE, corner), *keys]


@lru_cache(maxsize=64)
def has_geo_tags(crs: Crs) -> bool:
    """Return whether GeoTIFF has words for a CRS."""
    try:
        _file_in(crs)
    except UnsupportedFormat:
        return False
    return True


@lru_cache(maxsize=64)
def _file_in(crs: Crs) -> bytes:
    """A file of one pixel: GDAL alone knows how a CRS is written in keys."""
    with MemoryFile() as memory:
        definition = CRS.from_wkt(definition_of(crs).to_wkt())
        with memory.open(
            driver="GTiff", count=1, width=1, height=1, dtype="uint8", crs=definition, transform=SOMEWHERE
        ):
            pass
        body = bytes(memory.read())
    with MemoryFile(body) as alone, alone.open() as read:  # what GeoTIFF cannot store GDAL writes into a file beside it
        if not read.crs:
            raise UnsupportedFormat(f"GeoTIFF cannot store {crs.name[:40]}; NetCDF and zarr can", locator="f")
    return body


def _tags_of(body: bytes) -> Iterator[Tag]:
    """The tags of a small classic TIFF whose values are text, 16-bit numbers or doubles."""
    (start,) = struct.unpack_from("<I", body, 4)
    (count,) = struct.unpack_from("<H", body, start)
    for entry in range(start + 2, start + 2 + 12 * count, 12):
        number, kind, values, where = struct.unpack_from("<HHII", body, entry)
        size = _SIZES.get(kind, 4) * values
        begin = entry + 8 if size <= 4 else where
        yield Tag(number, kind, body[begin : begin + size])
