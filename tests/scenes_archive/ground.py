"""The made landscape: which number a place has at a date, by formula.

The ground is cut into squares of UTM zone 31. Within a square all is constant, so that two zones agree, whose cells
have other centres, except along the edges of squares. The asset `CELL` has another number in each cell of a zone: it
shows an error of half a cell.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
import pyproj

GROUND = "EPSG:32631"
"""The CRS of the squares."""
VEGETATION, SOIL, WATER, SHADOW, CLOUD, THICK_CLOUD = 4, 5, 6, 3, 8, 9
"""Classes of `SCL`, as Sentinel-2's; 0 is nodata."""
CELL_NUMBERS = 30_011
"""Numbers of `CELL` are 1 to this."""


@cache
def to_ground(crs: str) -> pyproj.Transformer:
    """From x, y of a CRS to the CRS of the squares."""
    return pyproj.Transformer.from_crs(crs, GROUND, always_xy=True)


def mixed(*numbers: object) -> np.ndarray:
    """Return a number of 0 to 2³² - 1 that looks random, of integers or arrays of them."""
    mix = np.uint64(0x9E3779B97F4A7C15)
    for number in numbers:
        mix = mix ^ np.asarray(number, dtype="int64").astype("uint64")
        mix = mix * np.uint64(0xFF51AFD7ED558CCD)
        mix = mix ^ (mix >> np.uint64(33))
    return (mix & np.uint64(0xFFFFFFFF)).astype("int64")


def by_square(number: Callable[..., np.ndarray], column: np.ndarray, row: np.ndarray, *further: int) -> np.ndarray:
    """`number(column, row, *further)`, computed once for each square: cells are a million, squares a hundred."""
    if np.size(column) < 10_000:
        return number(column, row, *further)
    first_column, first_row = column.min(), row.min()
    columns, rows = np.arange(first_column, column.max() + 1), np.arange(first_row, row.max() + 1)
    return number(columns[:, np.newaxis], rows, *further)[column - first_column, row - first_row]


def square(x: np.ndarray, y: np.ndarray, side_m: float) -> tuple[np.ndarray, np.ndarray]:
    """Column and row of the squares that hold places of the ground."""
    return np.floor(x / side_m).astype("int64"), np.floor(y / side_m).astype("int64")


def has_cloud(x: np.ndarray, y: np.ndarray, *, date: int, side_m: float) -> np.ndarray:
    """Return whether clouds hide places of the ground; their squares lie half a side off."""
    share = (0, 12, 35, 5, 60, 20)[date % 6]
    column, row = square(x + side_m / 2, y + side_m / 2, side_m)
    return by_square(mixed, column, row, date, 5) % 100 < share


def reflectance(x: np.ndarray, y: np.ndarray, *, asset: str, date: int, side_m: float) -> np.ndarray:
    """Reflectance in ten thousandths, 1 to 9,999."""
    column, row = square(x, y, side_m)
    if asset == "B04":
        clear, cloudy = 200 + (by_square(mixed, column, row, 1) + 61 * date) % 1_500, 7_000
    else:
        clear, cloudy = 2_000 + (by_square(mixed, column, row, 2) + 97 * date) % 3_000, 7_500
    hidden = has_cloud(x, y, date=date, side_m=side_m)
    return np.where(hidden, cloudy + by_square(mixed, column, row, date) % 900, clear)


def scene_class(x: np.ndarray, y: np.ndarray, *, date: int, side_m: float) -> np.ndarray:
    """Return the class of places of the ground."""
    column, row = square(x, y, side_m)
    clear = np.array([VEGETATION, VEGETATION, SOIL, WATER, SHADOW])[by_square(mixed, column, row, 3) % 5]
    cloudy = np.where(by_square(mixed, column, row, date, 4) % 2, CLOUD, THICK_CLOUD)
    return np.where(has_cloud(x, y, date=date, side_m=side_m), cloudy, clear)


def cell_number(column: np.ndarray, row: np.ndarray, *, zone: int, date: int) -> np.ndarray:
    """The number of the cell at a column and row of the lattice of 10 m of a zone, counted from the equator on."""
    return 1 + (7 * column + 13 * row + 31 * date + 5_003 * (zone - 31)) % CELL_NUMBERS
