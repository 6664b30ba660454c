"""Cells of swaths averaged over the cells of a coarser grid.

Each cell is divided into 4 by 4 sub-cells, whose positions are interpolated in earth-centred coordinates. A grid cell
has the mean of the sub-cells that fall in it, or their most frequent class.
"""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import Float64Array, Int64Array, NumberArray
from chronotile.readers.cf.nearest_cells import (
    STRIP_CELLS,
    CellIndex,
    CellPositions,
    degrees_of,
    find_block_windows,
    read_with_steps,
)
from chronotile.readers.cf.regular_grid import pixel_side
from chronotile.readers.overview_summaries import Counting, native_summary

DIVISIONS = 4
OFFSETS = (np.arange(DIVISIONS) + 0.5) / DIVISIONS - 0.5
"""Middles of sub-cells, in sides of a cell from its centre."""
SLAB_BYTES = 64 << 20
"""Size of the cells of several times that are read together."""
_thread = threading.local()


@contextmanager
def averaging_areas(*, averages: bool = True, has_classes: bool = False) -> Iterator[None]:
    """Let this thread average the cells of a swath over each output cell, if the output grid is coarser than the swath.

    Args:
        averages: False reads the nearest cells, which masks and formulas need.
        has_classes: True if the numbers are classes, even without a statement in the file; the most frequent class then
            replaces the mean.
    """
    before = is_averaging(), are_classes()
    _thread.averages, _thread.has_classes = averages, has_classes
    try:
        yield
    finally:
        _thread.averages, _thread.has_classes = before


def is_averaging() -> bool:
    """Return whether this thread averages the cells of swaths."""
    return getattr(_thread, "averages", False)


def are_classes() -> bool:
    """Return whether all numbers that this thread averages are classes."""
    return getattr(_thread, "has_classes", False)


@dataclass(frozen=True, slots=True)
class AreaPart:
    """Cells of one window of an array, and the pixels that their sub-cells fall in."""

    window: Window
    sources: Int64Array
    """(n,) positions in the window, counted row by row."""
    targets: Int64Array
    """(n,) positions among the pixels, counted row by row."""
    counts: Int64Array
    """(n,) numbers of sub-cells."""

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return self.sources.nbytes + self.targets.nbytes + self.counts.nbytes


def average_areas(
    parts: tuple[AreaPart, ...], nearest: Pixels, read_block: Callable[[Window, slice], Pixels], counting: Counting
) -> Pixels:
    """Return (time, y, x) means of the valid sub-cells of each pixel, or their most frequent class or code.

    Args:
        parts: The cells.
        nearest: Pixels with the values of the nearest cells, for pixels without a sub-cell.
        read_block: Returns (time, y, x) pixels of a window of the array at some of the times.
        counting: How cells are counted.
    """
    if not parts:
        return nearest
    if are_classes():
        counting = replace(counting, is_categorical=True)
    numbers = nearest.numbers.copy()
    is_covered = np.zeros(numbers.shape, dtype=bool)
    targets, counts = (np.concatenate([getattr(part, name) for part in parts]) for name in ("targets", "counts"))

    def add(plane: NumberArray) -> NumberArray:
        return _sum_by(targets, counts, plane[0], numbers[0].size).reshape(numbers.shape[1:])

    cells_per_time = targets.size + max(part.window.height * part.window.width for part in parts)
    step = max(1, SLAB_BYTES // (cells_per_time * numbers.itemsize))
    for start in range(0, len(numbers), step):
        blocks = (read_block(part.window, slice(start, start + step)).numbers for part in parts)
        cells = [block.reshape(len(block), -1)[:, part.sources] for block, part in zip(blocks, parts, strict=True)]
        for time, cells_at_time in enumerate(np.concatenate(cells, axis=1), start):
            summary = native_summary(cells_at_time[np.newaxis], counting).sum_planes(add, numbers[time])
            is_covered[time] = summary.counted()
            np.copyto(numbers[time], summary.numbers(), where=is_covered[time])
    return Pixels(numbers, None if nearest.valid is None else nearest.valid | is_covered)


def _sum_by(targets: Int64Array, counts: Int64Array, values: NumberArray, size: int) -> NumberArray:
    """Return (size,) sums of values, times their counts, by target."""
    if values.dtype.kind == "c":
        return _sum_by(targets, counts, values.real, size) + 1j * _sum_by(targets, counts, values.imag, size)
    return np.bincount(targets, weights=values * counts.astype(np.float64), minlength=size)


def find_areas(
    cells: CellPositions,
    index: CellIndex,
    grid: NativeGrid,
    *,
    window: Window,
    centres: Callable[[range], Float64Array],
) -> tuple[AreaPart, ...]:
    """Return the cells whose sub-cells fall in pixels of a window of a grid.

    Args:
        cells: The cells.
        index: Index of these cells.
        grid: A north-up grid.
        window: Window of the grid.
        centres: Returns (y, x, 3) unit vectors of the centres of rows of the window.
    """
    parts = []
    strip = max(1, STRIP_CELLS // window.width)
    for top in range(window.row_start, window.row_stop, strip):
        rows = range(top, min(top + strip, window.row_stop))
        near, _reached = index.blocks_near(centres(rows), margin=pixel_side(grid))
        target = Window(rows.start, rows.stop, window.column_start, window.column_stop)
        for block in _strips_of(find_block_windows(near, cells)):
            pixels = [_targets_of(vectors, grid, target) for vectors in _sub_cells(cells, block)]
            size = block.height * block.width
            keys = np.concatenate([(row * size + np.arange(size))[row >= 0] for row in pixels])
            pairs, counts = np.unique(keys, return_counts=True)
            targets, sources = np.divmod(pairs, size)
            if pairs.size:
                offset = (rows.start - window.row_start) * window.width
                parts.append(AreaPart(block, sources, targets + offset, counts))
    return tuple(parts)


def _strips_of(windows: Iterable[Window]) -> Iterator[Window]:
    """Yield parts of windows with about `STRIP_CELLS` cells."""
    for window in windows:
        step = max(1, STRIP_CELLS // window.width)
        for top in range(window.row_start, window.row_stop, step):
            stop = min(top + step, window.row_stop)
            yield Window(top, stop, window.column_start, window.column_stop)


def _sub_cells(cells: CellPositions, block: Window) -> Iterator[Float64Array]:
    """Yield (n, 3) positions of one sub-cell of each cell of a window of an array, for each sub-cell."""
    rows, columns = slice(block.row_start, block.row_stop), slice(block.column_start, block.column_stop)
    centres, down, across = read_with_steps(cells, rows, columns)
    for y, x in product(OFFSETS, OFFSETS):
        yield (centres + y * down[int(y > 0)] + x * across[int(x > 0)]).reshape(-1, 3)


def _targets_of(vectors: Float64Array, grid: NativeGrid, window: Window) -> Int64Array:
    """Return (n,) numbers of the pixels of a window that contain (n, 3) vectors, counted row by row; -1 outside."""
    x, y = degrees_of(vectors)
    if not grid.crs.is_geographic:
        x, y = transformer(CRS84, grid.crs).transform(x, y)
    columns, rows = grid.pixels_at(x, y)
    if grid.wrap_columns is not None:
        columns = columns % grid.wrap_columns
    with np.errstate(invalid="ignore"):
        is_inside = (columns >= window.column_start) & (columns < window.column_stop)
        is_inside &= (rows >= window.row_start) & (rows < window.row_stop)
    row, column = (np.floor(np.where(is_inside, part, 0)).astype(np.int64) for part in (rows, columns))
    number = (row - window.row_start) * window.width + column - window.column_start
    return np.where(is_inside, number, -1)
