"""Where a grid leaves the earth: what lies outside the valid area of its CRS."""

import numpy as np
from numpy.typing import NDArray

from chronotile.model.crs import CRS84, transformer
from chronotile.model.grid import FloatArray, Grid
from chronotile.model.raster import BoolArray

MOST_A_SIDE = 1024
"""Pixels that are looked at along a side; of a larger grid each stands for those next to it."""
MOST_LATITUDE = 90.0


def void_area(grid: Grid) -> BoolArray:
    """Return (y, x): where the middle of a pixel is not a place on earth, or one whose coordinates are others.

    Longitudes go round, so that in a geographic CRS only what lies beyond the poles is void.
    """
    columns, column_of = _looked_at(grid.width)
    rows, row_of = _looked_at(grid.height)
    x, y = np.meshgrid(grid.x_of(columns), grid.y_of(rows))
    is_void = np.abs(y) > MOST_LATITUDE if grid.crs.is_geographic else _is_elsewhere(grid, x, y)
    found: BoolArray = is_void[np.ix_(row_of, column_of)]
    return found


def _looked_at(side: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Fractional columns or rows that are looked at, and which of them stands for each pixel."""
    count = min(side, MOST_A_SIDE)
    nearest = ((np.arange(side) + 0.5) * count / side).astype(np.intp)
    return (np.arange(count) + 0.5) * side / count, nearest


def _is_elsewhere(grid: Grid, x: FloatArray, y: FloatArray) -> BoolArray:
    """Whether points come back from longitude and latitude, by no less than half a pixel, to another place."""
    there = transformer(grid.crs, CRS84).transform(x, y)
    back_x, back_y = transformer(CRS84, grid.crs).transform(*there)
    x_size, y_size = grid.resolution
    with np.errstate(invalid="ignore"):
        returns = (np.abs(back_x - x) < x_size / 2) & (np.abs(back_y - y) < y_size / 2)
    is_elsewhere: BoolArray = ~returns
    return is_elsewhere
