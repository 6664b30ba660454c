"""Void area of a grid: pixels off the earth, outside the valid area of the CRS."""

import numpy as np

from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.types import BoolArray, Float64Array, FloatArray, IndexArray

MAX_SAMPLES = 1024
"""Samples along a side; on a larger grid, each sample stands for the pixels next to it."""
MAX_LATITUDE = 90.0


def void_area(grid: Grid) -> BoolArray:
    """Return a (y, x) mask of pixels whose centre is off the earth or does not round-trip through longitude, latitude.

    In a geographic CRS longitudes go round, so only pixels beyond the poles are void.
    """
    columns, column_of = _sample_side(grid.width)
    rows, row_of = _sample_side(grid.height)
    x, y = np.meshgrid(grid.x_of(columns), grid.y_of(rows))
    is_void = np.abs(y) > MAX_LATITUDE if grid.crs.is_geographic else _is_off_earth(grid, x, y)
    return is_void[np.ix_(row_of, column_of)]


def _sample_side(side: int) -> tuple[Float64Array, IndexArray]:
    """Positions of the samples along a side, in pixels, and the number of the sample of each pixel."""
    count = min(side, MAX_SAMPLES)
    nearest = ((np.arange(side) + 0.5) * count / side).astype(np.intp)
    return (np.arange(count) + 0.5) * side / count, nearest


def _is_off_earth(grid: Grid, x: FloatArray, y: FloatArray) -> BoolArray:
    """True for points that longitude and latitude transform back to a point at least half a pixel away."""
    lon, lat = transformer(grid.crs, CRS84).transform(x, y)
    back_x, back_y = transformer(CRS84, grid.crs).transform(lon, lat)
    x_size, y_size = grid.resolution
    with np.errstate(invalid="ignore"):
        returns = (np.abs(back_x - x) < x_size / 2) & (np.abs(back_y - y) < y_size / 2)
    is_elsewhere: BoolArray = ~returns
    return is_elsewhere
