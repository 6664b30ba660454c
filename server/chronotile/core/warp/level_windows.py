"""Which windows of a level are read for a requested grid, and how coordinates are counted among what was read."""

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
    """The least and greatest of coordinates along one axis."""

    least: float
    most: float


def coordinates_on(
    located: PixelLocations, grid: Grid, level: NativeGrid
) -> Callable[[slice], tuple[FloatArray, FloatArray]]:
    """Return what finds columns and rows of a level at the pixel centres of some rows; -1 where there are none."""
    if isinstance(located, NodeLattice):
        return located.coordinates_on_pixels(grid, level).at  # which are finite

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
    """How columns of a level are turned by whole circles to where its cells are."""

    period: float = 0.0
    """Columns of a circle; 0 where none is turned."""
    least: float = 0.0
    """Columns are turned to from here on, but on a level that goes all round."""
    middle: float | None = None
    """Columns of a level that goes all round are turned to be near this one, and may leave 0 ... width."""

    @property
    def is_circular(self) -> bool:
        """Whether there is a seam where the level goes all round."""
        return self.middle is not None

    def turn(self, columns: FloatArray) -> FloatArray:
        """Return columns where the cells of the level are."""
        if not self.period:
            return columns
        if self.middle is None:
            turned: FloatArray = columns - self.period * np.floor((columns - self.least) / self.period)
        else:
            turned = columns + self.period * np.rint((self.middle - columns) / self.period)
        return turned


def must_wind(level: NativeGrid, reach: CellRange, resampling: Resampling) -> bool:
    """Return whether columns that reach so far have to be turned.

    Bilinear takes cells from beyond the seam for coordinates that are nearer to it than half a cell.
    """
    margin = 0.5 if resampling == "bilinear" and level.is_circular else 0.0
    return level.wrap_columns is not None and not (reach.least >= margin and reach.most < level.width - margin)


def winding_about(level: NativeGrid, middle: float) -> Winding:
    """Return how columns are turned of which `middle` is one in the middle, where they have to be."""
    period = level.wrap_columns
    if period is None:
        return Winding()
    if level.is_circular:
        return Winding(period=period, middle=middle % period)
    return Winding(period=period, least=(level.width - period) / 2)


def wound(columns: FloatArray, level: NativeGrid, resampling: Resampling) -> tuple[FloatArray, bool]:
    """Columns of a level, turned to where its cells are; and whether it has a seam there."""
    if level.wrap_columns is None or not must_wind(level, CellRange(columns.min(), columns.max()), resampling):
        return columns, False
    winding = winding_about(level, columns[columns.shape[0] // 2, columns.shape[1] // 2])
    return winding.turn(columns), winding.is_circular


def is_inside(rows: CellRange, columns: CellRange, level: NativeGrid, *, is_circular: bool) -> bool:
    """Whether the level has a cell everywhere."""
    are_rows_inside = rows.least >= 0 and rows.most < level.height
    return bool(are_rows_inside and (is_circular or (columns.least >= 0 and columns.most < level.width)))


def where_inside(rows: FloatArray, columns: FloatArray, level: NativeGrid, is_circular: bool) -> BoolArray:
    """(y, x): where the level has a cell."""
    inside = (rows >= 0) & (rows < level.height)
    if not is_circular:
        inside = inside & (columns >= 0) & (columns < level.width)
    return np.broadcast_to(inside, np.broadcast_shapes(rows.shape, columns.shape))


def reach_of(coordinates: FloatArray, inside: BoolArray) -> CellRange:
    """How far the coordinates reach that lie inside."""
    used = np.broadcast_to(coordinates, inside.shape)[inside]
    return CellRange(used.min(), used.max())


def span_of(reach: CellRange, margin: int, size: int | None) -> tuple[int, int]:
    """First cell and one past the last that coordinates fall into, widened by `margin`, within `size` if given."""
    start, stop = math.floor(reach.least) - margin, math.floor(reach.most) + 1 + margin
    return (start, stop) if size is None else (max(0, start), min(size, stop))


Slices = tuple[slice, slice]
"""Rows and columns."""
WHOLE: Slices = np.s_[:, :]


@dataclass(frozen=True, slots=True)
class Nearest:
    """Takes the cell under each pixel's centre."""

    cells: "CellIndexes"

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes."""
        return self.cells.nbytes

    def take(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Pixels:  # noqa: ARG002 -- bilinear has to know
        """Return (y, x) pixels out of a window; some rows and columns of them."""
        return self.cells.take_pixels(pixels, only)


@dataclass(frozen=True, slots=True)
class Bilinear:
    """Takes the mean of the four cells nearest to each pixel's centre, weighted by distance."""

    cells: "CellIndexes"
    """Under the centres."""
    neighbours: "tuple[tuple[CellIndexes, FloatArray], ...]"
    """The four, each with its weights, which broadcast to (y, x)."""

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes and weights."""
        return self.cells.nbytes + sum(cells.nbytes + weights.nbytes for cells, weights in self.neighbours)

    def take(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Pixels:
        """Return (y, x) pixels out of a window, some rows and columns of them; what is no value weighs nothing.

        A pixel whose own cell is no value stays what that cell is, so that clouds and gaps keep their edges.
        """
        own = self.cells.take_pixels(pixels)
        known = encoding.valid(pixels.numbers)
        if pixels.valid is not None:
            known &= pixels.valid
        total, weight = np.zeros(own.numbers.shape), np.zeros(own.numbers.shape)
        for cells, weights in self.neighbours:
            share = weights * cells.take(known)
            total += share * np.where(share > 0, cells.take(pixels.numbers), 0)
            weight += share
        is_value = encoding.valid(own.numbers) & (weight > 0)
        mean = np.divide(total, weight, out=np.zeros(total.shape), where=is_value)
        if own.numbers.dtype.kind in "iu":
            mean = np.rint(mean)
        numbers = np.where(is_value, mean, own.numbers).astype(own.numbers.dtype)
        return Pixels(numbers[only], None if own.valid is None else own.valid[only])


class CellIndexes:
    """Cells (y, x) of a window; rows and columns that vary along one axis only are taken one by one."""

    def __init__(self, rows: Int32Array, columns: Int32Array, width: int) -> None:
        is_separable = rows.shape[1] == 1 and columns.shape[0] == 1
        self._cells = (rows[:, 0], columns[0]) if is_separable else rows * np.int32(width) + columns

    @property
    def nbytes(self) -> int:
        """Bytes of the indexes."""
        return sum(part.nbytes for part in self._cells) if isinstance(self._cells, tuple) else self._cells.nbytes

    def take(self, window: AnyArray, only: Slices = WHOLE) -> AnyArray:
        """Return a window's values (y, x) in some rows and columns of these cells."""
        if isinstance(self._cells, tuple):
            (rows, columns), (down, across) = self._cells, only
            taken: AnyArray = window.take(rows[down], axis=0).take(columns[across], axis=1)
        else:
            taken = window.take(self._cells[only])
        return taken

    def take_pixels(self, pixels: Pixels, only: Slices = WHOLE) -> Pixels:
        """Return a window's numbers and mask (y, x) in some rows and columns of these cells."""
        return Pixels(self.take(pixels.numbers, only), None if pixels.valid is None else self.take(pixels.valid, only))


@dataclass(frozen=True, slots=True)
class WindowAxis:
    """Fractional cells along one axis of a window, and how many cells the window has there."""

    coordinates: FloatArray
    size: int
    is_inside: bool
    """Whether all coordinates lie in the window."""

    def cells(self, coordinates: FloatArray) -> Int32Array:
        """Return the cells that coordinates fall into; those outside, which are masked, become the nearest edge.

        Truncation is the floor of all that is not masked, and 20 times faster. Masked coordinates may be larger than
        any integer, so edges come first.
        """
        inside = coordinates if self.is_inside else np.clip(coordinates, 0, self.size - 1)
        return inside.astype(np.int32)

    def neighbours(self) -> Iterator[tuple[Int32Array, FloatArray]]:
        """Give the two cells whose centres lie on either side, each with its weight."""
        first = np.floor(self.coordinates - 0.5)
        share = self.coordinates - 0.5 - first
        about = replace(self, is_inside=False)
        yield about.cells(first), 1 - share
        yield about.cells(first + 1), share


def nearest(down: WindowAxis, across: WindowAxis) -> Nearest:
    """Return the cells that coordinates (y, x) fall into."""
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
"""Of one picture; where it would take more, of a source without overviews, every n-th row and column is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWindows:
    """The windows of a level that are read, and their positions among its cells."""

    windows: tuple[Window, ...]
    """Side by side from west to east; several where they cross the seam of a level that is a whole circle."""
    step: int
    """Every `step`-th row and column is read."""
    row: int
    """The first, from which coordinates are counted."""
    column: int
    """The first, from which coordinates are counted; negative where the windows begin west of the seam."""
    height: int
    """Rows that are read."""
    width: int
    """Columns that are read, of all windows."""
    is_whole_circle: bool
    """Whether the windows are all columns of a circle; coordinates are then taken modulo the level's width."""
    is_certain: bool
    """Whether all coordinates lie in the windows."""

    def axes(self, rows: FloatArray, columns: FloatArray) -> tuple[WindowAxis, WindowAxis]:
        """Return rows and columns, already counted from the first, among those that are read."""
        return (
            WindowAxis(_scale_to_step(rows, self.step), self.height, self.is_certain),
            WindowAxis(_scale_to_step(columns, self.step), self.width, self.is_certain),
        )


def level_windows(
    rows: CellRange, columns: CellRange, level: NativeGrid, *, resampling: Resampling, is_circular: bool, has_gaps: bool
) -> LevelWindows:
    """Return what is read of a level.

    Args:
        rows: How far coordinates reach that lie inside the level.
        columns: The same across; of a level with a seam they may leave 0 ... width.
        level: Whose cells they count.
        resampling: Bilinear reads one more cell on each side.
        is_circular: Whether there is a seam where the level goes all round.
        has_gaps: Whether some coordinates lie outside the level.
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
    """Cut `[start, stop)` of an endless row of copies into spans of the one copy, each from a `step`-th column on."""
    while start < stop:
        turn = start // width * width
        part_stop = min(stop, turn + width)
        yield start - turn, part_stop - turn
        start += math.ceil((part_stop - start) / step) * step


def _scale_to_step(coordinates: FloatArray, step: int) -> FloatArray:
    # Coordinates among every `step`-th cell, such that the middle of a cell that is read is the middle of a cell.
    return coordinates if step == 1 else (coordinates - 0.5) / step + 0.5
