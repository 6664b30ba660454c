"""Levels that no file holds, made of the cells of one that it does: their means, or the most frequent class."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count, takewhile, zip_longest
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.shutil import copy

from chronotile.core.model.grid import NativeGrid, Window
from chronotile.core.model.raster import Encoding, Pixels
from chronotile.readers.overviews import Counting, Summary, summary_of

SMALLEST_SIDE_PX = 512
"""Levels are made until one has no side longer than this."""

REGION_SIDE_PX = 2048
"""Stored cells along each side of what is in memory at once; of files with longer blocks as many in whole rows."""

GAP = 1.5
"""A level is made before a stored one that is at least so much coarser."""

Read = Callable[[Window], Pixels]
"""Gives (y, x) pixels of a window of stored cells."""


@dataclass(frozen=True, slots=True)
class Origin:
    """What a level is read from."""

    stored: int
    """A level that the file holds: 0 is native, then its overviews."""
    factor: int = 1
    """Cells of it side by side in one of the level, a power of 2; 1 of a level as it is stored."""


def with_made_levels(
    stored: Mapping[int, NativeGrid], encoding: Encoding, *, is_categorical: bool
) -> dict[Origin, NativeGrid]:
    """Return the levels that files hold, and those made so that none is twice as coarse as the one before.

    From fine to coarse. Of classes of more than 8 bits none are made: there may be too many to count.
    """
    levels = {Origin(number): grid for number, grid in stored.items()}
    dtype = np.dtype(encoding.dtype)
    if dtype.name not in GDAL_TYPES or (is_categorical and dtype.itemsize > 1):
        return levels
    for (number, grid), coarser in zip_longest(stored.items(), list(stored.values())[1:]):
        levels |= {Origin(number, factor): grid.coarser(factor) for factor in _factors(grid, coarser)}
    return dict(sorted(levels.items(), key=lambda entry: entry[1].resolution))


def _factors(grid: NativeGrid, coarser: NativeGrid | None) -> Iterator[int]:
    """Factors at which levels are made between a stored level and the next, or beyond the last."""
    factors = (2**power for power in count(1))
    if coarser is not None:
        return takewhile(lambda factor: factor * GAP * grid.resolution < coarser.resolution, factors)
    return takewhile(lambda factor: max(grid.width, grid.height) * 2 > SMALLEST_SIDE_PX * factor, factors)


def make_pixels(
    read: Read, window: Window, factors: Sequence[int], counting: Counting, *, block_width: int
) -> dict[int, Pixels]:
    """Return the cells of a window at each factor; each is made of all stored cells that it covers, and of no others.

    Args:
        read: Reads stored cells.
        window: Of stored cells; it begins at a multiple of the largest factor, and ends at one or with the level.
        factors: Ascending powers of 2.
        counting: How stored cells are counted.
        block_width: Columns of the blocks in which the file is stored.
    """
    made = {factor: _Canvas(window, factor, counting) for factor in factors}
    for region in _regions(window, factors[-1], block_width):
        pixels = read(region)
        summary, size = summary_of(pixels.numbers, counting, pixels.valid), 2
        for factor in factors:
            while size < factor:
                summary, size = summary.halved(), size * 2
            made[factor].paste(region, summary, is_masked=pixels.valid is not None)
    return {factor: canvas.pixels() for factor, canvas in made.items()}


def cells_below(window: Window, factor: int, *, height: int, width: int) -> Window:
    """Return the stored cells, of a level of that size, that a window of made ones covers."""
    row_start, row_stop, column_start, column_stop = (each * factor for each in window)
    return Window(row_start, min(row_stop, height), column_start, min(column_stop, width))


class _Canvas:
    """The cells of a window at one factor, as its regions come in."""

    def __init__(self, window: Window, factor: int, counting: Counting) -> None:
        shape = -(-window.height // factor), -(-window.width // factor)
        self._window, self._factor = window, factor
        self._numbers = np.zeros(shape, dtype=counting.encoding.dtype)
        self._valid = np.ones(shape, dtype=bool)
        self._is_masked = False

    def paste(self, region: Window, summary: Summary, *, is_masked: bool) -> None:
        """Take what lies in a region; of a file with a mask, also where anything was counted."""
        row = (region.row_start - self._window.row_start) // self._factor
        column = (region.column_start - self._window.column_start) // self._factor
        height, width = summary.valid.shape
        at = np.s_[row : row + height, column : column + width]
        self._numbers[at] = summary.numbers()
        if is_masked:
            self._is_masked = True
            self._valid[at] = summary.counted()

    def pixels(self) -> Pixels:
        """Return all cells."""
        return Pixels(self._numbers, self._valid if self._is_masked else None)


def _regions(window: Window, largest: int, block_width: int) -> Iterator[Window]:
    """Cut a window into parts that begin where cells of all factors, and mostly blocks of the file, do."""
    height, width = max(REGION_SIDE_PX, largest), max(REGION_SIDE_PX, largest)
    if block_width > REGION_SIDE_PX:
        width = max(window.column_stop, 1)
        height = max(1, REGION_SIDE_PX**2 // window.width // largest) * largest
    for row_start, row_stop in _spans(window.row_start, window.row_stop, height):
        for column_start, column_stop in _spans(window.column_start, window.column_stop, width):
            yield Window(row_start, row_stop, column_start, column_stop)


def _spans(start: int, stop: int, size: int) -> Iterator[tuple[int, int]]:
    """Spans that end at multiples of `size`."""
    while start < stop:
        end = min(stop, (start // size + 1) * size)
        yield start, end
        start = end


# The bytes of a preview: a small COG whose image and overviews are levels that were made.

GDAL_TYPES = {
    "uint8": "Byte", "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64", "float32": "Float32",
    "int8": "Int8", "int16": "Int16", "int32": "Int32", "int64": "Int64", "float64": "Float64",
}  # fmt: skip
"""GDAL's names of numpy's types that a preview may hold."""

BLOCK_SIDE_PX = 256

_OPTIONS = {
    "COMPRESS": "DEFLATE",  # carries a checksum, by which damage is found
    "LEVEL": 6,
    "PREDICTOR": "YES",
    "BLOCKSIZE": BLOCK_SIDE_PX,
    "OVERVIEWS": "FORCE_USE_EXISTING",
}


def preview_file(levels: Sequence[Pixels], transform: Affine) -> bytes:
    """Return a GeoTIFF with levels, each half as large as the one before, as image and overviews.

    Where the pixels have a mask, a second band has 1 where they are present.

    Args:
        levels: (y, x) pixels, the finest first.
        transform: Of the finest level.
    """
    with ExitStack() as stack:
        names = []
        for number, pixels in enumerate(levels):
            memory = stack.enter_context(MemoryFile(ext=".tif"))
            names.append(memory.name)
            _write_level(memory, pixels, transform @ Affine.scale(2**number))
        target = stack.enter_context(MemoryFile(ext=".tif"))
        copy(_virtual(levels[0], names, transform), target.name, driver="COG", **_OPTIONS)
        return bytes(target.getbuffer())


def _write_level(memory: Any, pixels: Pixels, transform: Affine) -> None:  # noqa: ANN401 -- rasterio has no types
    bands = [pixels.numbers] if pixels.valid is None else [pixels.numbers, pixels.valid.astype(pixels.numbers.dtype)]
    height, width = pixels.numbers.shape
    profile = {"count": len(bands), "height": height, "width": width, "dtype": bands[0].dtype, "transform": transform}
    with memory.open(driver="GTiff", interleave="band", **profile) as dataset:
        dataset.write(np.stack(bands))


def _virtual(finest: Pixels, names: Sequence[str], transform: Affine) -> str:
    """A dataset that has the levels as its overviews, which GDAL copies as they are."""
    height, width = finest.numbers.shape
    bands = "".join(
        _virtual_band(band, GDAL_TYPES[finest.numbers.dtype.name], names)
        for band in range(1, 2 if finest.valid is None else 3)
    )
    place = ", ".join(map(repr, transform.to_gdal()))
    return (
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}"><GeoTransform>{place}</GeoTransform>'
        f"{bands}</VRTDataset>"
    )


def _virtual_band(band: int, kind: str, names: Sequence[str]) -> str:
    image, *overviews = (
        f"<SourceFilename>{escape(name)}</SourceFilename><SourceBand>{band}</SourceBand>" for name in names
    )
    coarser = "".join(f"<Overview>{each}</Overview>" for each in overviews)
    return (
        f'<VRTRasterBand dataType="{kind}" band="{band}"><SimpleSource>{image}</SimpleSource>{coarser}</VRTRasterBand>'
    )
