"""Made levels: levels that no file stores, whose cells are means or most frequent classes of stored cells."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, takewhile, zip_longest

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.readers.overview_summaries import Counting, Summary, summary_of
from chronotile.readers.raster.overviews.preview_files import GDAL_TYPES

SMALLEST_SIDE_PX = 512
"""Levels are made until one has no longer side."""

REGION_SIDE_PX = 2048
"""Side of the square of stored cells in memory; files with longer blocks are read in whole rows with as many cells."""

GAP = 1.5
"""A level is made before a stored one if that is coarser by at least this factor."""

ReadWindow = Callable[[Window], Pixels]
"""Returns (y, x) pixels of a window of stored cells."""


@dataclass(frozen=True, slots=True)
class LevelOrigin:
    """The stored level that a level is read from or made of."""

    stored: int
    """Stored level: 0 is native, then the overviews."""
    factor: int = 1
    """Stored cells along each side of a cell, a power of 2; 1 for a stored level."""


def add_made_levels(
    stored: Mapping[int, NativeGrid], encoding: Encoding, *, is_categorical: bool
) -> dict[LevelOrigin, NativeGrid]:
    """Return stored and made levels from fine to coarse, so that each is at most twice as coarse as the one before.

    No levels are made for classes of more than 8 bits: there may be too many to count.
    """
    levels = {LevelOrigin(number): grid for number, grid in stored.items()}
    dtype = np.dtype(encoding.dtype)
    if dtype.name not in GDAL_TYPES or (is_categorical and dtype.itemsize > 1):
        return levels
    for (number, grid), coarser in zip_longest(stored.items(), list(stored.values())[1:]):
        levels |= {LevelOrigin(number, factor): grid.coarser(factor) for factor in _factors(grid, coarser)}
    return dict(sorted(levels.items(), key=lambda entry: entry[1].resolution))


def _factors(grid: NativeGrid, coarser: NativeGrid | None) -> Iterator[int]:
    """Return factors of the levels between a stored level and the next one, or beyond the last."""
    factors = (2**power for power in count(1))
    if coarser is not None:
        return takewhile(lambda factor: factor * GAP * grid.resolution < coarser.resolution, factors)
    return takewhile(lambda factor: max(grid.width, grid.height) * 2 > SMALLEST_SIDE_PX * factor, factors)


def make_pixels(
    read: ReadWindow, window: Window, factors: Sequence[int], counting: Counting, *, block_width: int
) -> dict[int, Pixels]:
    """Return the cells of a window at each factor, made of exactly the stored cells that they cover.

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
    """Return the stored cells that a window of made cells covers, in a stored level of `height` and `width` cells."""
    row_start, row_stop, column_start, column_stop = (w * factor for w in window)
    return Window(row_start, min(row_stop, height), column_start, min(column_stop, width))


class _Canvas:
    """An overview of a window, reduced by one factor and filled region by region."""

    def __init__(self, window: Window, factor: int, counting: Counting) -> None:
        shape = -(-window.height // factor), -(-window.width // factor)
        self._window, self._factor = window, factor
        self._numbers = np.zeros(shape, dtype=counting.encoding.dtype)
        self._valid = np.ones(shape, dtype=bool)
        self._is_masked = False

    def paste(self, region: Window, summary: Summary, *, is_masked: bool) -> None:
        """Add the cells of a region; in a file with a mask, cells without counted values are invalid."""
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
    """Yield parts of a window that start at multiples of all factors, and usually at blocks of the file."""
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
