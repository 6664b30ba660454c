"""Native cells under a tile, and their positions in it, for viewers that draw cells larger than pixels.

The native column and row at a position in a tile are two polynomials of the position. Their terms are few enough for
a header, because a transform between two CRSs is smooth over a tile (see `approximation.py`).
"""

import math
from dataclasses import dataclass

import numpy as np

from chronotile.core.model.cube import CellPlaces
from chronotile.core.model.space.crs import transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import FloatArray, Int32Array
from chronotile.core.warp.level_windows import CellRange, parts_of, span_of
from chronotile.core.warp.plan import UnwarpedPlan

MAX_ERROR_CELLS = 1e-5
"""Maximum error of the polynomials in cells. Positions so close to an edge may get the neighbouring cell."""

NODE_COUNTS = (4, 7, 13, 25, 49)
CHECKS = np.array([-0.999, -0.87, -0.61, -0.29, 0.0, 0.41, 0.73, 0.94, 0.999])
"""Positions along each side of a tile, -1 ... 1, for the comparison of polynomials with PROJ; includes the middle."""

MIDDLE = -1 - CHECKS.size // 2
"""Index of the middle in an array of nodes followed by `CHECKS`."""

EDGE_POINTS = np.linspace(-1, 1, 65)
"""Positions along each side that determine the extent of the cells."""

MARGIN_CELLS = 1
"""Margin of cells around the extent of the `EDGE_POINTS`, for positions between two points."""

MAX_PER_PIXEL = 4
"""Maximum number of cells per pixel of the tile; pixels are sent instead of more cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellPlan(UnwarpedPlan):
    """Native cells under a tile, for `read_times`."""

    places: CellPlaces


def plan_cells(native: NativeGrid, grid: Grid) -> CellPlan | None:
    """Return the native cells under a tile; `None` if the tile has none or too many, or no polynomial fits."""
    for count in NODE_COUNTS:
        located = _polynomials(native, grid, count)
        if located is None:
            return None
        if located.error <= MAX_ERROR_CELLS:
            return _plan(native, grid, located)
    return None


@dataclass(frozen=True, slots=True)
class _CellPolynomials:
    """Polynomials of native columns and rows, counted from the first cell of the grid."""

    columns: FloatArray
    rows: FloatArray
    error: float


def _polynomials(native: NativeGrid, grid: Grid, count: int) -> _CellPolynomials | None:
    """Return polynomials through `count` by `count` Chebyshev nodes; `None` outside the CRS of the source."""
    nodes = np.cos(np.pi * (np.arange(count) + 0.5) / count)
    columns, rows = _cells_at(native, grid, np.concatenate([nodes, CHECKS]))
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        return None
    to_terms = np.linalg.inv(np.polynomial.chebyshev.chebvander(nodes, count - 1))
    at_checks = np.polynomial.chebyshev.chebvander(CHECKS, count - 1)
    terms = [to_terms @ part[:count, :count] @ to_terms.T for part in (columns, rows)]
    errors = [
        np.abs(at_checks @ part @ at_checks.T - exact[count:, count:]).max()
        for part, exact in zip(terms, (columns, rows), strict=True)
    ]
    return _CellPolynomials(terms[0], terms[1], float(max(errors)))


def _cells_at(native: NativeGrid, grid: Grid, positions: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return fractional columns and rows (down, across) at crossings of positions -1 ... 1 along a tile's sides."""
    fractions = (positions + 1) / 2
    x, y = np.meshgrid(grid.x_of(fractions * grid.width), grid.y_of(fractions * grid.height))
    if grid.crs != native.crs:
        x, y = transformer(grid.crs, native.crs).transform(x, y)
    columns, rows = native.pixels_at(x, y)
    return columns + _turn(float(columns[MIDDLE, MIDDLE]), native), rows


def _turn(middle: float, native: NativeGrid) -> float:
    """Return the columns by which a tile is shifted to the turn of longitude of the source's cells."""
    period = native.wrap_columns
    if period is None or not math.isfinite(middle):
        return 0.0
    least = 0.0 if native.is_circular else (native.width - period) / 2
    return -period * math.floor((middle - least) / period)


def _plan(native: NativeGrid, grid: Grid, located: _CellPolynomials) -> CellPlan | None:
    """Return the windows of the cells, and the polynomials counted from their first column and row."""
    edges = np.polynomial.chebyshev.chebvander(EDGE_POINTS, len(located.columns) - 1)
    row_start, row_stop = _span_of_cells(edges @ located.rows @ edges.T, native.height)
    column_start, column_stop = _span_of_cells(
        edges @ located.columns @ edges.T, None if native.is_circular else native.width
    )
    height, width = row_stop - row_start, column_stop - column_start
    if min(height, width) < 1 or height * width > MAX_PER_PIXEL * grid.width * grid.height:
        return None
    columns, rows = located.columns.copy(), located.rows.copy()
    columns[0, 0] -= column_start
    rows[0, 0] -= row_start
    pixels = _pixels_in_cells(columns, rows, grid, shape=(height, width))
    return CellPlan(
        windows=tuple(
            Window(row_start, row_stop, *span) for span in parts_of(column_start, column_stop, native.width, step=1)
        ),
        places=CellPlaces(columns=_terms(columns), rows=_terms(rows), width=width, height=height, pixels=pixels),
    )


def _span_of_cells(coordinates: FloatArray, size: int | None) -> tuple[int, int]:
    return span_of(CellRange(coordinates.min(), coordinates.max()), MARGIN_CELLS, size)


def _pixels_in_cells(columns: FloatArray, rows: FloatArray, grid: Grid, *, shape: tuple[int, int]) -> Int32Array:
    """Return (y, x) number of pixel centres of the tile in each cell."""
    height, width = shape
    across, down = (2 * (np.arange(size) + 0.5) / size - 1 for size in (grid.width, grid.height))
    at_columns = np.polynomial.chebyshev.chebvander(across, len(columns) - 1)
    at_rows = np.polynomial.chebyshev.chebvander(down, len(columns) - 1)
    column, row = (np.floor(at_rows @ part @ at_columns.T).astype(np.int32) for part in (columns, rows))
    is_inside = (column >= 0) & (column < width) & (row >= 0) & (row < height)
    cells = row[is_inside] * np.int32(width) + column[is_inside]
    return np.bincount(cells, minlength=height * width).astype(np.int32).reshape(shape)


def _terms(polynomial: FloatArray) -> tuple[tuple[float, ...], ...]:
    """Return terms above a thousandth of the accepted error: by degree down, then by degree across."""
    rounded = np.round(polynomial, 8)
    significant = np.abs(rounded) > MAX_ERROR_CELLS / 1000
    last_row = int(np.flatnonzero(significant.any(axis=1)).max(initial=0))
    lasts = [int(np.flatnonzero(row).max(initial=-1)) for row in significant[: last_row + 1]]
    return tuple(tuple(rounded[row, : last + 1].tolist()) for row, last in enumerate(lasts))
