"""Where the pixels of a requested grid lie among the cells of a level, all at once or some rows at a time."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chronotile.model.collection import Resampling
from chronotile.model.grid import FloatArray, Grid, NativeGrid
from chronotile.model.raster import BoolArray
from chronotile.warp.approximation import Exact, Lattice, Located


class Reach(NamedTuple):
    """The least and greatest of coordinates along one axis."""

    least: float
    most: float


def coordinates_on(located: Located, grid: Grid, level: NativeGrid) -> Callable[[slice], tuple[FloatArray, FloatArray]]:
    """Return what finds columns and rows of a level at the pixel centres of some rows; -1 where there are none."""
    if isinstance(located, Lattice):
        return located.on_pixels(grid, level).at  # which are finite

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


def must_wind(level: NativeGrid, reach: Reach, resampling: Resampling) -> bool:
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
    if level.wrap_columns is None or not must_wind(level, Reach(columns.min(), columns.max()), resampling):
        return columns, False
    winding = winding_about(level, columns[columns.shape[0] // 2, columns.shape[1] // 2])
    return winding.turn(columns), winding.is_circular


def is_inside(rows: Reach, columns: Reach, level: NativeGrid, *, is_circular: bool) -> bool:
    """Whether the level has a cell everywhere."""
    are_rows_inside = rows.least >= 0 and rows.most < level.height
    return bool(are_rows_inside and (is_circular or (columns.least >= 0 and columns.most < level.width)))


def where_inside(rows: FloatArray, columns: FloatArray, level: NativeGrid, is_circular: bool) -> BoolArray:
    """(y, x): where the level has a cell."""
    inside = (rows >= 0) & (rows < level.height)
    if not is_circular:
        inside = inside & (columns >= 0) & (columns < level.width)
    return np.broadcast_to(inside, np.broadcast_shapes(rows.shape, columns.shape))


def reach_of(coordinates: FloatArray, inside: BoolArray) -> Reach:
    """How far the coordinates reach that lie inside."""
    used = np.broadcast_to(coordinates, inside.shape)[inside]
    return Reach(used.min(), used.max())


def span_of(reach: Reach, margin: int, size: int | None) -> tuple[int, int]:
    """First cell and one past the last that coordinates fall into, widened by `margin`, within `size` if given."""
    start, stop = math.floor(reach.least) - margin, math.floor(reach.most) + 1 + margin
    return (start, stop) if size is None else (max(0, start), min(size, stop))
