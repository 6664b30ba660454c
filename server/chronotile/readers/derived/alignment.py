"""Variables of one source side by side: the times they share, and where the cells of one lie among another's."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import reduce

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter
from chronotile.model.grid import NativeGrid, Window
from chronotile.model.raster import BoolArray
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import NO_TIME, TimeDomain, common_times

IntArray = NDArray[np.intp]

TOLERANCE_CELLS = 0.01
"""By which corners of equal grids may differ, as stored coordinates are rounded."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the times of a derived variable stand among those of one it is made of."""

    indexes: IntArray | None
    """`None` of a variable without time, which is the same at all of them."""

    def at(self, index: int) -> int:
        """Return the index of the other variable's time."""
        return 0 if self.indexes is None else int(self.indexes[index])


def shared_times(variables: Iterable[VariableInfo]) -> TimeDomain:
    """Return the times that all have; those without time are there at any.

    Raises:
        InvalidParameter: They have times, but none in common.
    """
    timed = [variable for variable in variables if len(variable.times)]
    times = reduce(common_times, (variable.times for variable in timed)) if timed else NO_TIME
    if timed and not len(times):
        names = " and ".join(variable.name for variable in timed)
        raise InvalidParameter(f"{names} have no time in common", locator="expression")
    return times


def positions_in(variable: VariableInfo, times: TimeDomain) -> Positions:
    """Return where `times`, all of which a variable has, stand among its own."""
    return Positions(np.searchsorted(variable.times.starts, times.starts) if len(variable.times) else None)


def are_same_cells(first: NativeGrid, second: NativeGrid) -> bool:
    """Whether two grids have the same cells."""
    if first == second:
        return True
    is_same_size = (first.width, first.height) == (second.width, second.height)
    return first.crs == second.crs and is_same_size and _meet(_between(first, second), first)


def _meet(between: Affine, grid: NativeGrid) -> bool:
    corners = ((0, 0), (grid.width, 0), (0, grid.height))
    return all(math.dist(between @ corner, corner) < TOLERANCE_CELLS for corner in corners)


def _between(target: NativeGrid, source: NativeGrid) -> Affine:
    """From columns and rows of one grid to those of the other."""
    between: Affine = ~source.transform @ target.transform
    return between


def cells_across(grid: NativeGrid, coarser: NativeGrid) -> int | None:
    """Return how many cells of `grid` lie side by side in one of `coarser`, or `None` if they do not fill it exactly.

    The two begin at the same corner and end in the same cell; 1 for the same cells.
    """
    if grid.crs != coarser.crs:
        return None
    between = _between(grid, coarser)
    count = round(1 / between.a) if between.a > 0 else 0
    sizes = (-(-grid.width // count), -(-grid.height // count)) if count else (0, 0)
    if sizes != (coarser.width, coarser.height):
        return None
    return count if _meet(Affine.scale(count) @ between, grid) else None


@dataclass(frozen=True, slots=True)
class Overlay:
    """Cells of another grid of the same CRS and orientation, under cells of a window."""

    window: Window
    """What to read of the other grid."""
    step: int
    _rows: IntArray
    _columns: IntArray

    def take(self, pixels: BoolArray) -> BoolArray:
        """Return (…, y, x) of the requested window, out of what was read."""
        return pixels.take(self._rows, axis=-2).take(self._columns, axis=-1)


def overlay(window: Window, step: int, *, grid: NativeGrid, other: NativeGrid) -> Overlay:
    """Return where the middles of every `step`-th row and column of a window of `grid` lie in `other`."""
    between = _between(grid, other)
    rows = _cells(range(window.row_start, window.row_stop, step), between.e, between.f, other.height)
    columns = _cells(range(window.column_start, window.column_stop, step), between.a, between.c, other.width)
    thinned = max(1, int(step * min(between.a, between.e)))
    return Overlay(
        Window(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1),
        thinned,
        (rows - rows[0]) // thinned,
        (columns - columns[0]) // thinned,
    )


def _cells(cells: range, scale: float, offset: float, size: int) -> IntArray:
    middles = (np.arange(cells.start, cells.stop, cells.step) + 0.5) * scale + offset
    return np.asarray(np.clip(np.floor(middles), 0, size - 1), dtype=np.intp)
