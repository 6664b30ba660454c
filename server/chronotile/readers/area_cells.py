"""Which native cells lie in an area."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from affine import Affine
from rasterio.features import rasterize

from chronotile.errors import InvalidParameter
from chronotile.model.area import Area
from chronotile.model.crs import Crs, transformer
from chronotile.model.grid import FloatArray, NativeGrid, Window
from chronotile.model.raster import BoolArray

PIECE_PX = 1024
"""Cells along each side of what is read at once."""

STRAIGHT_M = 1000.0
"""Along which an edge is taken to be straight in another CRS too: it strays by some centimetres."""

MAX_PARTS = 500_000
"""Into which all edges together are cut: of an outline longer than twelve equators the parts are longer too."""


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """A window of the native grid, and which of its cells lie in the area."""

    window: Window
    inside: BoolArray
    """(y, x)."""


def window_of(area: Area, grid: NativeGrid) -> Window | None:
    """Return the window of native cells around an area, or `None` where they share none.

    Raises:
        InvalidParameter: The area cannot be expressed in the CRS of the grid, or crosses its seam.
    """
    return _window(_in_cells(area, grid), grid)


def cells_inside(area: Area, grid: NativeGrid) -> Iterator[Piece]:
    """Give the pieces of a grid that hold cells whose centre lies in the area; rings that cross count even-odd.

    Raises:
        InvalidParameter: The area cannot be expressed in the CRS of the grid, or crosses its seam.
    """
    polygons = _in_cells(area, grid)
    whole = _window(polygons, grid)
    if whole is None:
        return
    shapes = [{"type": "Polygon", "coordinates": [ring.tolist() for ring in polygon]} for polygon in polygons]
    for window in _pieces(whole):
        inside = rasterize(
            shapes,
            out_shape=(window.height, window.width),
            transform=Affine.translation(window.column_start, window.row_start),
            dtype="uint8",
        ).astype(bool)
        if inside.any():
            yield Piece(window, inside)


def _in_cells(area: Area, grid: NativeGrid) -> list[list[FloatArray]]:
    """Rings (vertex, 2) of fractional columns and rows."""
    length = sum(float(_edge_lengths(ring).sum()) for polygon in area.polygons for ring in polygon)
    longest = max(STRAIGHT_M / area.crs.metres_per_unit, length / MAX_PARTS)
    polygons = [
        [_ring_in_cells(ring, area.crs, grid, longest=longest) for ring in polygon] for polygon in area.polygons
    ]
    period = grid.wrap_columns
    if period is not None:
        columns = np.concatenate([ring[:, 0] for polygon in polygons for ring in polygon])
        turns = period * np.rint(((columns.min() + columns.max()) - grid.width) / 2 / period)
        for polygon in polygons:
            for ring in polygon:
                ring[:, 0] -= turns
        if grid.is_circular and (columns.min() - turns < 0 or columns.max() - turns > grid.width):
            raise InvalidParameter("the geometry crosses the meridian at which the data begin", locator="geometry")
    return polygons


def _ring_in_cells(ring: FloatArray, crs: Crs, grid: NativeGrid, *, longest: float) -> FloatArray:
    x, y = ring[:, 0], ring[:, 1]
    if crs != grid.crs:
        x, y = transformer(crs, grid.crs).transform(*_with_more_vertices(ring, longest))
    columns, rows = grid.pixels_at(x, y)
    if not (np.isfinite(columns).all() and np.isfinite(rows).all()):
        raise InvalidParameter(
            "the geometry reaches where the data's projection has no coordinates", locator="geometry"
        )
    return np.column_stack([columns, rows])


def _with_more_vertices(ring: FloatArray, longest: float) -> tuple[FloatArray, FloatArray]:
    """X and y of a ring whose edges are cut into parts of at most `longest`: what is straight here is curved there."""
    steps = np.diff(ring, axis=0)
    parts = np.maximum(1, np.ceil(_edge_lengths(ring) / longest)).astype(np.int64)
    edge = np.repeat(np.arange(len(parts)), parts)
    share = (np.arange(len(edge)) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[edge]
    points = np.vstack([ring[edge] + share[:, None] * steps[edge], ring[-1:]])
    return points[:, 0], points[:, 1]


def _edge_lengths(ring: FloatArray) -> FloatArray:
    """(edge,) in units of its CRS."""
    steps = np.diff(ring, axis=0)
    lengths: FloatArray = np.hypot(steps[:, 0], steps[:, 1])
    return lengths


def _window(polygons: list[list[FloatArray]], grid: NativeGrid) -> Window | None:
    outer = np.vstack([polygon[0] for polygon in polygons])
    (left, top), (right, bottom) = outer.min(axis=0), outer.max(axis=0)
    window = Window(
        max(0, math.floor(top)),
        min(grid.height, math.ceil(bottom)),
        max(0, math.floor(left)),
        min(grid.width, math.ceil(right)),
    )
    return window if window.height > 0 and window.width > 0 else None


def _pieces(whole: Window) -> Iterator[Window]:
    """A small window as it is; a large one cut along multiples of `PIECE_PX`, so that no block is read for nothing."""
    if whole.height <= PIECE_PX and whole.width <= PIECE_PX:
        yield whole
        return
    for top, bottom in _cuts(whole.row_start, whole.row_stop):
        for left, right in _cuts(whole.column_start, whole.column_stop):
            yield Window(top, bottom, left, right)


def _cuts(start: int, stop: int) -> Iterator[tuple[int, int]]:
    while start < stop:
        end = min(stop, (start // PIECE_PX + 1) * PIECE_PX)
        yield start, end
        start = end
