"""Times and cells of variables of one source, aligned with each other."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from affine import Affine

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, common_times
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import BoolArray, IndexArray, InstantArray
from chronotile.core.yaml_source import list_names

TOLERANCE_CELLS = 0.01
"""Tolerance in cells for comparing corners of grids; stored coordinates are rounded."""


@dataclass(frozen=True, slots=True)
class TimePositions:
    """Positions of the times of a derived variable among the times of an input."""

    indexes: IndexArray | None
    """`None` for an input without time, which is the same at all times."""

    def at(self, index: int) -> int:
        """Return the index of a time among the times of the input."""
        return 0 if self.indexes is None else int(self.indexes[index])

    def at_all(self, indexes: Sequence[int]) -> list[int]:
        """Return the indexes of times among the times of the input."""
        return list(map(self.at, indexes))


def shared_times(variables: Iterable[VariableInfo]) -> TimeDomain:
    """Return the times that all variables have; variables without time have all times.

    Raises:
        InvalidParameter: The variables have no time in common.
    """
    timed = [variable for variable in variables if len(variable.times)]
    times = reduce(common_times, (variable.times for variable in timed)) if timed else NO_TIME
    if timed and not len(times):
        names = " and ".join(variable.name for variable in timed)
        raise InvalidParameter(f"{names} have no time in common", locator="expression")
    return times


def describe_missing_dates(dates: InstantArray, times: TimeDomain, names: Iterable[str]) -> str:
    """Return the number of dates without data of some variables, and the first of these dates; empty text for 0 dates.

    Args:
        dates: (n,) all dates.
        times: The dates with data of all variables.
        names: The variables.
    """
    missing = np.setdiff1d(dates, times.starts)
    first = list_names(map(format_instant, missing), most=3)
    return f"{missing.size} of {len(dates)} dates, without data of {' or '.join(names)}: {first}" if first else ""


def positions_in(variable: VariableInfo, times: TimeDomain) -> TimePositions:
    """Return the positions of `times` among the times of a variable, which must have all these times."""
    return TimePositions(np.searchsorted(variable.times.starts, times.starts) if len(variable.times) else None)


def are_same_cells(first: NativeGrid, second: NativeGrid) -> bool:
    """Whether two grids have the same cells."""
    if first == second:
        return True
    is_same_size = (first.width, first.height) == (second.width, second.height)
    return first.crs == second.crs and is_same_size and _corners_meet(_transform_between(first, second), first)


def _corners_meet(transform: Affine, grid: NativeGrid) -> bool:
    corners = ((0, 0), (grid.width, 0), (0, grid.height))
    return all(math.dist(transform @ corner, corner) < TOLERANCE_CELLS for corner in corners)


def _transform_between(target: NativeGrid, source: NativeGrid) -> Affine:
    # From columns and rows of `target` to columns and rows of `source`.
    transform: Affine = ~source.transform @ target.transform
    return transform


def cells_across(grid: NativeGrid, coarser: NativeGrid) -> int | None:
    """Return the number of cells of `grid` along a side of a cell of `coarser`; 1 if the cells are the same.

    Both grids start at the same corner and end in the same cell of `coarser`.

    Returns:
        `None` if the cells of `grid` do not fill those of `coarser` exactly.
    """
    if grid.crs != coarser.crs:
        return None
    transform = _transform_between(grid, coarser)
    count = round(1 / transform.a) if transform.a > 0 else 0
    sizes = (-(-grid.width // count), -(-grid.height // count)) if count else (0, 0)
    if sizes != (coarser.width, coarser.height):
        return None
    return count if _corners_meet(Affine.scale(count) @ transform, grid) else None


@dataclass(frozen=True, slots=True)
class Overlay:
    """Cells of another grid of the same CRS and orientation below the cells of a window."""

    window: Window
    """Window of the other grid that is read."""
    step: int
    _rows: IndexArray
    _columns: IndexArray

    def take(self, pixels: BoolArray) -> BoolArray:
        """Return (…, y, x) pixels of the requested window, selected from those read."""
        return pixels.take(self._rows, axis=-2).take(self._columns, axis=-1)


def overlay(window: Window, step: int, *, grid: NativeGrid, other: NativeGrid) -> Overlay:
    """Return the cells of `other` below the centres of every `step`-th row and column of a window of `grid`."""
    transform = _transform_between(grid, other)
    rows = _cells_at_centres(range(window.row_start, window.row_stop, step), transform.e, transform.f, other.height)
    columns = _cells_at_centres(
        range(window.column_start, window.column_stop, step), transform.a, transform.c, other.width
    )
    other_step = max(1, int(step * min(transform.a, transform.e)))
    return Overlay(
        Window(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1),
        other_step,
        (rows - rows[0]) // other_step,
        (columns - columns[0]) // other_step,
    )


def _cells_at_centres(cells: range, scale: float, offset: float, size: int) -> IndexArray:
    centres = (np.arange(cells.start, cells.stop, cells.step) + 0.5) * scale + offset
    return np.asarray(np.clip(np.floor(centres), 0, size - 1), dtype=np.intp)
