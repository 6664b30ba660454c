"""Windows of a level that are read for a requested grid, and coordinates relative to these windows.

Longitudes of a grid may differ by full turns from those of a level. `Winding` shifts columns by whole circles to the
cells of the level. A level that covers the whole circle has a seam, at which its last column meets its first; windows
that cross the seam are read in several parts.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from chronotile.core.model.collection import Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import AnyArray, BoolArray, FloatArray, Int32Array
from chronotile.core.warp.approximation import Exact, NodeLattice, PixelLocations


class CellRange(NamedTuple):
    """Smallest and largest coordinate along one axis."""

    least: float
    most: float


def coordinates_on(
    located: PixelLocations, grid: Grid, level: NativeGrid
) -> Callable[[slice], tuple[FloatArray, FloatArray]]:
    """Return a function that returns columns and rows of a level at pixel centres of some rows; -1 if undefined."""
    if isinstance(located, NodeLattice):
        return located.coordinates_on_pixels(grid, level).at  # coordinates are always finite

    def at(some: slice) -> tuple[FloatArray, FloatArray]:
        if isinstance(located, Exact):
            columns, rows = level.pixels_at(*located.at(grid, some))
        elif level.transform.b == 0 and level.transform.d == 0:
            nowhere = np.zeros((1, 1))
            columns, _ = level.pixels_at(located.x[None, :], nowhere)
            _, rows = level.pixels_at(nowhere, located.y[some, None])
        else:
            columns, rows = level.pixels_at(located.x[None, :], located.y[some, None])
        missing = ~(np.isfinite(columns) & np.isfinite(rows))
        return (np.where(missing, -1.0, columns), np.where(missing, -1.0, rows)) if missing.any() else (columns, rows)

    return at


@dataclass(frozen=True, slots=True)
class Winding:
    """Shift of columns by whole circles to the cells of a level."""

    period: float = 0.0
    """Number of columns in a circle; 0: no shift."""
    least: float = 0.0
    """Smallest column after the shift, unless the level is a whole circle."""
    middle: float | None = None
    """On a level that is a whole circle, columns are shifted close to this one, possibly outside 0 ... width."""

    @property
    def is_circular(self) -> bool:
        """Whether the level is a whole circle and has a seam."""
        return self.middle is not None

    def turn(self, columns: FloatArray) -> FloatArray:
        """Return columns shifted to the cells of the level."""
        if not self.period:
            return columns
        if self.middle is None:
            turned: FloatArray = columns - self.period * np.floor((columns - self.least) / self.period)
        else:
            turned = columns + self.period * np.rint((self.middle - columns) / self.period)
        return turned


def must_wind(level: NativeGrid, reach: CellRange, resampling: Resampling) -> bool:
    """Return whether columns in this range have to be shifted.

    Bilinear needs cells beyond the seam for coordinates less than half a cell from it.
    """
    margin = 0.5 if resampling == "bilinear" and level.is_circular else 0.0
    return level.wrap_columns is not None and not (reach.least >= margin and reach.most < level.width - margin)


def winding_about(level: NativeGrid, middle: float) -> Winding:
    """Return the shift for columns around `middle`, if the level needs any."""
    period = level.wrap_columns
    if period is None:
        return Winding()
    if level.is_circular:
        return Winding(period=period, middle=middle % period)
    return Winding(period=period, least=(level.width - period) / 2)


def shift_columns(columns: FloatArray, level: NativeGrid, resampling: Resampling) -> tuple[FloatArray, bool]:
    """Return columns shifted to the cells of a level, and whether the level has a seam there."""
    if level.wrap_columns is None or not must_wind(level, CellRange(columns.min(), columns.max()), resampling):
        return columns, False
    winding = winding_about(level, columns[columns.shape[0] // 2, columns.shape[1] // 2])
    return winding.turn(columns), winding.is_circular


def is_inside(rows: CellRange, columns: CellRange, level: NativeGrid, *, is_circular: bool) -> bool:
    """Return whether the level has cells at all coordinates."""
    are_rows_inside = rows.least >= 0 and rows.most < level.height
    return bool(are_rows_inside and (is_circular or (columns.least >= 0 and columns.most < level.width)))


def mask_inside(rows: FloatArray, columns: FloatArray, level: NativeGrid, is_circular: bool) -> BoolArray:
    """Return (y, x): whether the level has a cell."""
    inside = (rows >= 0) & (rows < level.height)
    if not is_circular:
        inside = inside & (columns >= 0) & (columns < level.width)
    return np.broadcast_to(inside, np.broadcast_shapes(rows.shape, columns.shape))


def reach_of(coordinates: FloatArray, inside: BoolArray) -> CellRange:
    """Return the range of the coordinates inside."""
    used = np.broadcast_to(coordinates, inside.shape)[inside]
    return CellRange(used.min(), used.max())


def span_of(reach: CellRange, margin: int, size: int | None) -> tuple[int, int]:
    """Return the first cell of a range and the end after its last, widened by `margin`, within `size` if given."""
    start, stop = math.floor(reach.least) - margin, math.floor(reach.most) + 1 + margin
    return (start, stop) if size is None else (max(0, start), min(size, stop))


Slices = tuple[slice, slice]
"""Rows and columns."""
WHOLE: Slices = np.s_[:, :]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Takes the cell under each pixel centre."""

    cells: "CellIndexes"

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes."""
        return self.cells.nbytes

    def take(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Pixels:  # noqa: ARG002 -- used by Bilinear
        """Return (y, x) pixels from a window, only some rows and columns."""
        return self.cells.take_pixels(pixels, only)


@dataclass(frozen=True, slots=True)
class Bilinear:
    """Takes the mean of the four cells nearest to each pixel centre, weighted by distance."""

    cells: "CellIndexes"
    """Cells under the centres."""
    neighbours: "tuple[tuple[CellIndexes, FloatArray], ...]"
    """The four cells, each with weights that broadcast to (y, x)."""

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes and weights."""
        return self.cells.nbytes + sum(cells.nbytes + weights.nbytes for cells, weights in self.neighbours)

    def take(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Pixels:
        """Return (y, x) pixels from a window, only some rows and columns. Cells without a value have no weight.

        If the cell under the centre has no value, the pixel gets its number, so that clouds and gaps keep their edges.
        """
        centres = self.cells.take_pixels(pixels)
        is_valid = encoding.valid(pixels.numbers)
        if pixels.valid is not None:
            is_valid &= pixels.valid
        total, weight = np.zeros(centres.numbers.shape), np.zeros(centres.numbers.shape)
        for cells, weights in self.neighbours:
            share = weights * cells.take(is_valid)
            total += share * np.where(share > 0, cells.take(pixels.numbers), 0)
            weight += share
        is_value = encoding.valid(centres.numbers) & (weight > 0)
        mean = np.divide(total, weight, out=np.zeros(total.shape), where=is_value)
        if centres.numbers.dtype.kind in "iu":
            mean = np.rint(mean)
        numbers = np.where(is_value, mean, centres.numbers).astype(centres.numbers.dtype)
        return Pixels(numbers[only], None if centres.valid is None else centres.valid[only])


class CellIndexes:
    """Cells (y, x) of a window. Rows and columns that vary along one axis only are taken one after the other."""

    def __init__(self, rows: Int32Array, columns: Int32Array, width: int) -> None:
        is_separable = rows.shape[1] == 1 and columns.shape[0] == 1
        self._cells = (rows[:, 0], columns[0]) if is_separable else rows * np.int32(width) + columns

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes."""
        return sum(part.nbytes for part in self._cells) if isinstance(self._cells, tuple) else self._cells.nbytes

    def take(self, window: AnyArray, only: Slices = WHOLE) -> AnyArray:
        """Return values (y, x) of a window at some rows and columns of these cells."""
        if isinstance(self._cells, tuple):
            (rows, columns), (down, across) = self._cells, only
            values: AnyArray = window.take(rows[down], axis=0).take(columns[across], axis=1)
        else:
            values = window.take(self._cells[only])
        return values

    def take_pixels(self, pixels: Pixels, only: Slices = WHOLE) -> Pixels:
        """Return numbers and mask (y, x) of a window at some rows and columns of these cells."""
        return Pixels(self.take(pixels.numbers, only), None if pixels.valid is None else self.take(pixels.valid, only))


@dataclass(frozen=True, slots=True)
class WindowAxis:
    """Fractional cells along one axis of a window, and the number of cells of the window there."""

    coordinates: FloatArray
    size: int
    is_inside: bool
    """Whether all coordinates are in the window."""

    def cells(self, coordinates: FloatArray) -> Int32Array:
        """Return the cells that contain coordinates; coordinates outside, which are masked, get the nearest edge.

        Truncation equals the floor of all coordinates that are not masked, and is 20 times faster. Masked coordinates
        may be larger than any integer, so they are clipped first.
        """
        inside = coordinates if self.is_inside else np.clip(coordinates, 0, self.size - 1)
        return inside.astype(np.int32)

    def neighbours(self) -> Iterator[tuple[Int32Array, FloatArray]]:
        """Yield the two cells with the nearest centres, each with its weight."""
        first = np.floor(self.coordinates - 0.5)
        share = self.coordinates - 0.5 - first
        about = replace(self, is_inside=False)
        yield about.cells(first), 1 - share
        yield about.cells(first + 1), share


def nearest(down: WindowAxis, across: WindowAxis) -> Nearest:
    """Return the cells that contain coordinates (y, x)."""
    return Nearest(CellIndexes(down.cells(down.coordinates), across.cells(across.coordinates), across.size))


def bilinear(down: WindowAxis, across: WindowAxis) -> Bilinear:
    """Return the four cells whose centres are nearest to coordinates (y, x), and their weights."""
    neighbours = tuple(
        (CellIndexes(rows, columns, across.size), row_weight * column_weight)
        for rows, row_weight in down.neighbours()
        for columns, column_weight in across.neighbours()
    )
    return Bilinear(nearest(down, across).cells, neighbours)


MAX_WINDOW_PIXELS = 16_777_216
"""Maximum per picture. If a source without overviews would need more, only every n-th row and column is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWindows:
    """Windows of a level that are read, and their position in the level."""

    windows: tuple[Window, ...]
    """From west to east; several if they cross the seam of a level that is a whole circle."""
    step: int
    """Every `step`-th row and column is read."""
    row: int
    """First row, from which coordinates are counted."""
    column: int
    """First column, from which coordinates are counted; negative if the windows start west of the seam."""
    height: int
    """Number of rows that are read."""
    width: int
    """Number of columns that are read, in all windows."""
    is_whole_circle: bool
    """Whether the windows have all columns of a circle; coordinates are then taken modulo the level's width."""
    is_certain: bool
    """Whether all coordinates are in the windows."""

    def axes(self, rows: FloatArray, columns: FloatArray) -> tuple[WindowAxis, WindowAxis]:
        """Return the axes for rows and columns that are counted from the first row and column."""
        return (
            WindowAxis(_scale_to_step(rows, self.step), self.height, self.is_certain),
            WindowAxis(_scale_to_step(columns, self.step), self.width, self.is_certain),
        )


def level_windows(
    rows: CellRange, columns: CellRange, level: NativeGrid, *, resampling: Resampling, is_circular: bool, has_gaps: bool
) -> LevelWindows:
    """Return the windows of a level to read.

    Args:
        rows: Range of the row coordinates inside the level.
        columns: Range of the column coordinates; with a seam they may be outside 0 ... width.
        level: The level.
        resampling: Bilinear reads one more cell on each side.
        is_circular: Whether the level is a whole circle and has a seam.
        has_gaps: Whether some coordinates are outside the level.
    """
    margin = 0 if resampling == "nearest" else 1
    row_start, row_stop = span_of(rows, margin, level.height)
    column_start, column_stop = span_of(columns, margin, None if is_circular else level.width)
    is_whole_circle = is_circular and column_stop - column_start > level.width
    if is_whole_circle:
        column_start, column_stop = -margin, level.width + margin
    height, width = row_stop - row_start, column_stop - column_start
    step = max(1, math.ceil(math.sqrt(height * width / MAX_WINDOW_PIXELS)))
    return LevelWindows(
        windows=tuple(
            Window(row_start, row_stop, start, stop)
            for start, stop in parts_of(column_start, column_stop, level.width, step=step)
        ),
        step=step,
        row=row_start,
        column=column_start,
        height=math.ceil(height / step),
        width=math.ceil(width / step),
        is_whole_circle=is_whole_circle,
        is_certain=not has_gaps and step == 1 and not is_circular,
    )


def parts_of(start: int, stop: int, width: int, *, step: int) -> Iterator[tuple[int, int]]:
    """Yield the column spans of a level that `[start, stop)` covers if the level repeats; all start at read columns."""
    while start < stop:
        turn = start // width * width
        part_stop = min(stop, turn + width)
        yield start - turn, part_stop - turn
        start += math.ceil((part_stop - start) / step) * step


def _scale_to_step(coordinates: FloatArray, step: int) -> FloatArray:
    # Coordinates in an array of every `step`-th cell; the centre of a cell remains the centre of a cell.
    return coordinates if step == 1 else (coordinates - 0.5) / step + 0.5
