"""Source coordinates of a grid's pixels: in closed form, by a checked polynomial, or exactly.

A transform between two CRSs is smooth over a tile. A polynomial through Chebyshev nodes has errors far below a pixel
with a few dozen transformed points (Trefethen, Approximation Theory and Approximation Practice, chapter 8), and its
values on all pixels are two small matrix products. If the transform is not smooth (the antimeridian, a pole, the edge
of a projection), the check fails and every pixel is transformed.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np

from chronotile.core.model.space.crs import Crs, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.core.model.types import FloatArray
from chronotile.core.size_cache import cache_by_size

Precision = Literal["float32", "float64"]

ALL = slice(None)
"""All rows or columns."""

NODE_COUNTS = (7, 13, 25)
CHECKS = (0.013, 0.17, 0.39, 0.57, 0.81, 0.991)
"""Positions along each side at which the approximation is checked; nodes are at other positions."""

MAX_ERROR_PX = 2e-4
"""Maximum error in source pixels; at most about one nearest pixel in 5,000 can then differ."""

CYLINDRICAL = {"EPSG:4326", "OGC:CRS84", "EPSG:3857"}
"""CRSs with one datum between which x depends only on x and y only on y."""

EXACT_BELOW = 400
"""Up to this number of pixels, a transform of all is as fast as an approximation."""

NEAR_CELLS = 1024
"""Up to this distance from its origin, a float32 resolves a coordinate to 3e-5 cells."""

WEIGHTS_BYTES = 8 << 20
"""Size of the cache of weights."""
KEPT_WEIGHTS = 7 * 1024
"""Maximum number of cached weights per side. Weights of tiles recur; larger pictures vary and take megabytes."""


@dataclass(frozen=True, slots=True)
class Separable:
    """Coordinates with x as a function of the column and y of the row."""

    x: FloatArray
    """(columns,), in source CRS units."""
    y: FloatArray
    """(rows,)."""


@dataclass(frozen=True, slots=True)
class NodeLattice:
    """Coordinates at the crossings of `columns` and `rows`, from which all pixels are interpolated."""

    columns: FloatArray
    """(n,), fractional columns of the target grid."""
    rows: FloatArray
    """(m,)."""
    x: FloatArray
    """(m, n), in source CRS units."""
    y: FloatArray
    """(m, n)."""

    def coordinates_on_pixels(self, grid: Grid, level: NativeGrid) -> "OnPixels":
        """Return fractional columns and rows of a level at the pixel centres of the target grid."""
        columns, rows = level.pixels_at(self.x, self.y)
        down, across = self._weights(grid, "float64")
        return OnPixels(down @ rows, down @ columns, across)

    def find_nearby_pixels(self, grid: Grid, level: NativeGrid) -> "NearCells | None":
        """Return columns and rows counted from a nearby cell; `None` if a corner of the grid is off the level.

        The nearby cell is one row and column before the cells of all nodes, so coordinates are at least 1, except if
        they bend between nodes.
        """
        columns, rows = level.pixels_at(self.x, self.y)
        least_px = min(grid.width, grid.height)
        if _leaves(columns, level.width, least_px) or _leaves(rows, level.height, least_px):
            return None
        column, row = np.floor(columns.min()) - 1, np.floor(rows.min()) - 1
        if max(columns.max() - column, rows.max() - row) > NEAR_CELLS:
            return None
        down, across = self._weights(grid, "float32")
        near = OnPixels(down @ (rows - row).astype(np.float32), down @ (columns - column).astype(np.float32), across)
        return NearCells(int(row), int(column), near)

    def _weights(self, grid: Grid, dtype: Precision) -> tuple[FloatArray, FloatArray]:
        # (y, nodes) and (nodes, x).
        down = _interpolation(self.rows.size, grid.height, dtype)
        return down.T, _interpolation(self.columns.size, grid.width, dtype)


def _leaves(coordinates: FloatArray, cells: int, least_px: int) -> bool:
    """Return whether a corner of a grid lies far enough outside the cells that pixel centres must be outside too."""
    corners = coordinates[:: len(coordinates) - 1, :: len(coordinates) - 1].ravel().tolist()
    least, most = min(corners), max(corners)
    margin = 1 + 2 * (most - least) / least_px
    return least < -margin or most > cells + margin


@dataclass(frozen=True, slots=True)
class OnPixels:
    """Coordinates of all pixels as products of small matrices, computed for some rows at a time."""

    rows: FloatArray
    """(y, nodes)."""
    columns: FloatArray
    """(y, nodes)."""
    across: FloatArray
    """(nodes, x)."""

    def at(self, some: slice, columns: slice = ALL) -> tuple[FloatArray, FloatArray]:
        """Return fractional columns and rows of a level, (y, x), at pixel centres of the target grid.

        Args:
            some: Rows of the target grid.
            columns: Columns of the target grid.
        """
        across = self.across[:, columns]
        return self.columns[some] @ across, self.rows[some] @ across


@dataclass(frozen=True, slots=True)
class NearCells:
    """Coordinates in cells of a level, counted from a nearby cell."""

    row: int
    column: int
    pixels: OnPixels
    """Coordinates of each pixel in float32."""


@dataclass(frozen=True, slots=True)
class Exact:
    """Coordinates that are transformed pixel by pixel."""

    crs: Crs
    """CRS of the source."""

    def at(self, grid: Grid, some: slice) -> tuple[FloatArray, FloatArray]:
        """Return x and y, (y, x), at pixel centres of some rows of the target grid; infinite if undefined."""
        columns, rows = np.arange(grid.width) + 0.5, np.arange(grid.height)[some] + 0.5
        x, y = np.meshgrid(grid.x_of(columns), grid.y_of(rows))
        return transformer(grid.crs, self.crs).transform(x, y)


PixelLocations = Separable | NodeLattice | Exact


@lru_cache(maxsize=64)
def locate(grid: Grid, crs: Crs, resolution: float) -> PixelLocations:
    """Return the pixel centres of `grid` in `crs`, for a source with this pixel size."""
    columns, rows = np.arange(grid.width) + 0.5, np.arange(grid.height) + 0.5
    if grid.crs == crs:
        return Separable(grid.x_of(columns), grid.y_of(rows))
    if is_separable(grid.crs, crs):
        return _separable(grid, crs, columns, rows)
    if grid.width * grid.height > EXACT_BELOW:
        for count in NODE_COUNTS:
            lattice = _approximate(grid, crs, count, MAX_ERROR_PX * resolution)
            if lattice is not None:
                return lattice
    return Exact(crs)


def is_separable(first: Crs, second: Crs) -> bool:
    """Return whether x of each CRS depends only on x of the other, and y on y."""
    return first == second or {first.name, second.name} <= CYLINDRICAL


def _separable(grid: Grid, crs: Crs, columns: FloatArray, rows: FloatArray) -> Separable:
    transform = transformer(grid.crs, crs).transform
    middle_x = np.full(grid.height, grid.x_of(np.array([grid.width / 2]))[0])
    middle_y = np.full(grid.width, grid.y_of(np.array([grid.height / 2]))[0])
    x, _ = transform(grid.x_of(columns), middle_y)
    _, y = transform(middle_x, grid.y_of(rows))
    return Separable(x, y)


def _approximate(grid: Grid, crs: Crs, count: int, max_error: float) -> NodeLattice | None:
    """Return the coordinates at Chebyshev nodes; `None` if their polynomial is too far from the points between."""
    across, down = _samples(count)
    to_crs = transformer(grid.crs, crs).transform
    points = np.array(to_crs(grid.x_of(across * grid.width), grid.y_of(down * grid.height)))
    if not np.isfinite(points).all():
        return None
    at_nodes = points[:, : count * count].reshape(2, count, count)
    between = points[:, count * count :].reshape(2, len(CHECKS), len(CHECKS))
    weights = _check_weights(count)
    if np.abs(weights.T @ at_nodes @ weights - between).max() > max_error:
        return None
    nodes = _nodes(count)
    return NodeLattice(nodes * grid.width, nodes * grid.height, at_nodes[0], at_nodes[1])


@lru_cache(maxsize=len(NODE_COUNTS))
def _samples(count: int) -> tuple[FloatArray, FloatArray]:
    """Return (points,) positions across and down a grid, 0 ... 1: crossings of the nodes, then of `CHECKS`.

    All are transformed in one call, because a call of PROJ takes as long as 30 points.
    """
    crossings = [np.meshgrid(positions, positions) for positions in (_nodes(count), np.array(CHECKS))]
    across, down = (np.concatenate([crossing[axis].ravel() for crossing in crossings]) for axis in (0, 1))
    return across, down


@lru_cache(maxsize=len(NODE_COUNTS))
def _nodes(count: int) -> FloatArray:
    # (count,) Chebyshev points of the second kind on 0 ... 1, both ends included.
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(count) / (count - 1))


def _interpolation(count: int, size: int, dtype: Precision) -> FloatArray:
    # (count, size) weights that interpolate values at the nodes to the centres of `size` pixels.
    is_small = count * size <= KEPT_WEIGHTS
    return _cached_interpolation(count, size, dtype) if is_small else _weights_at_centres(count, size, dtype)


@cache_by_size(lambda weights, *_arguments: weights.nbytes, WEIGHTS_BYTES)
def _cached_interpolation(count: int, size: int, dtype: Precision) -> FloatArray:
    return _weights_at_centres(count, size, dtype)


def _weights_at_centres(count: int, size: int, dtype: Precision) -> FloatArray:
    return _weights(count, (np.arange(size) + 0.5) / size).astype(dtype)


def _weights(count: int, positions: FloatArray) -> FloatArray:
    """(count, positions) barycentric weights (Berrut and Trefethen 2004, SIAM Review 46, equation 4.2)."""
    nodes = _nodes(count)
    barycentric = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    barycentric[[0, -1]] /= 2
    distance = positions[None, :] - nodes[:, None]
    hits = distance == 0
    terms = barycentric[:, None] / np.where(hits, 1.0, distance)
    weights: FloatArray = terms / terms.sum(axis=0)
    on_node = hits.any(axis=0)
    weights[:, on_node] = hits[:, on_node]
    return weights


@lru_cache(maxsize=len(NODE_COUNTS))
def _check_weights(count: int) -> FloatArray:
    # (count, checks) weights that interpolate values at the nodes to `CHECKS`.
    return _weights(count, np.array(CHECKS))
