"""Outlines of areas in the cells of a native grid."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter
from chronotile.model.crs import Crs, transformer
from chronotile.model.geometry.area import Area
from chronotile.model.grid import NativeGrid
from chronotile.zones.clipping import extremes, near_parts, next_in_ring

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Extent = tuple[FloatArray, FloatArray, FloatArray, FloatArray]
"""(area,) each: least and greatest column, least and greatest row."""

HALF_CELL = 0.5

STRAIGHT_M = 1000.0
"""Along which an edge is taken to be straight in another CRS too: it strays by some centimetres."""

MAX_PARTS = 500_000
"""Into which all edges together are cut: of outlines longer than twelve equators the parts are longer too."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """The edges of all rings of areas, in fractional columns and rows; 0.5 is the middle of the first cell."""

    columns: FloatArray
    """(edge, 2): where each begins and ends."""
    rows: FloatArray
    """(edge, 2)."""
    rings: IntArray
    """(edge,): which ring each belongs to; edges of a ring follow one another."""
    polygons: IntArray
    """(ring,): counted over all areas."""
    is_hole: NDArray[np.bool_]
    """(ring,)."""
    areas: IntArray
    """(polygon,)."""
    is_outside: NDArray[np.bool_]
    """(area,): whether it shares no cell with the grid."""
    is_beyond: NDArray[np.bool_]
    """(area,): whether a part of it lies farther outside than half a cell, and so beyond all centres."""


def outlines_of(areas: Sequence[Area], grid: NativeGrid) -> Outlines:
    """Return the outlines of areas in the cells of a grid.

    Edges that are straight in the CRS of the area are followed in that of the grid. Longitudes count modulo 360: an
    area lies where most of it meets the grid, and may reach beyond the first or last column of one that is circular.
    What lies far from the grid, where its projection need not be sound, is left out.

    Raises:
        InvalidParameter: An area cannot be expressed in the CRS of the grid.
    """
    areas = near_parts(areas, grid)
    listed = [
        (ring, number, polygon, place > 0)
        for polygon, (rings, number) in enumerate(
            (rings, number) for number, area in enumerate(areas) for rings in area.polygons
        )
        for place, ring in enumerate(rings)
    ]
    area_of_ring = np.array([number for _ring, number, _polygon, _hole in listed], dtype=np.int64)
    polygons = np.array([polygon for _ring, _number, polygon, _hole in listed], dtype=np.int64)
    corners = np.vstack([np.empty((0, 2)), *(ring[:-1] for ring, *_rest in listed)])
    lengths = np.array([len(ring) - 1 for ring, *_rest in listed], dtype=np.int64)
    ring_of_corner = np.repeat(np.arange(lengths.size), lengths)
    is_same = np.array([area.crs == grid.crs for area in areas], dtype=bool)
    units = np.array([area.crs.metres_per_unit for area in areas], dtype=np.float64)
    owner = area_of_ring[ring_of_corner]
    points, rings = _cut(corners, ring_of_corner, np.where(is_same, 0.0, units)[owner])
    owner = area_of_ring[rings]
    columns, rows = _in_cells(points, owner, areas, grid)
    columns -= _turns(*extremes(columns, owner, len(areas)), grid)[owner]
    extent = (*extremes(columns, owner, len(areas)), *extremes(rows, owner, len(areas)))
    after = next_in_ring(rings)
    return Outlines(
        columns=np.column_stack([columns, columns[after]]),
        rows=np.column_stack([rows, rows[after]]),
        rings=rings,
        polygons=polygons,
        is_hole=np.array([hole for *_rest, hole in listed], dtype=bool),
        areas=area_of_ring[np.unique(polygons, return_index=True)[1]],
        is_outside=_outside(extent, grid),
        is_beyond=_beyond(extent, grid),
    )


def _cut(corners: FloatArray, rings: IntArray, unit_m: FloatArray) -> tuple[FloatArray, IntArray]:
    """Corners (n, 2) and their rings, with more along the edges of areas in another CRS: what is straight curves.

    Metres in a unit of the CRS are 0 for areas in the CRS of the grid, whose edges stay whole.
    """
    steps = corners[next_in_ring(rings)] - corners
    lengths = np.hypot(steps[:, 0], steps[:, 1]) * unit_m
    longest = max(STRAIGHT_M, float(lengths.sum()) / MAX_PARTS)
    parts = np.maximum(1, np.ceil(lengths / longest)).astype(np.int64)
    edge = np.repeat(np.arange(parts.size), parts)
    share = (np.arange(edge.size) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[edge]
    return corners[edge] + share[:, None] * steps[edge], rings[edge]


def _in_cells(
    points: FloatArray, area_of_point: IntArray, areas: Sequence[Area], grid: NativeGrid
) -> tuple[FloatArray, FloatArray]:
    systems: dict[Crs, list[int]] = {}
    for number, area in enumerate(areas):
        systems.setdefault(area.crs, []).append(number)
    x, y = points[:, 0].copy(), points[:, 1].copy()
    for crs, numbers in systems.items():
        if crs != grid.crs:
            own = np.isin(area_of_point, numbers) if len(systems) > 1 else slice(None)
            x[own], y[own] = transformer(crs, grid.crs).transform(x[own], y[own])
    columns, rows = (each.astype(np.float64, copy=False) for each in grid.pixels_at(x, y))
    usable = np.isfinite(columns) & np.isfinite(rows)
    if not usable.all():
        area = areas[int(area_of_point[np.argmin(usable)])]
        raise InvalidParameter(
            f"the geometry{_called(area)} extends to where the data's projection has no coordinates", locator="geometry"
        )
    return columns, rows


def _called(area: Area) -> str:
    return "" if area.id is None else f" of feature {str(area.id)[:40]!r}"


def _turns(least: FloatArray, greatest: FloatArray, grid: NativeGrid) -> FloatArray:
    """(area,): columns by which each is moved, whole circles of them, so that it lies round the middle of the grid."""
    period = grid.wrap_columns
    if period is None:
        return np.zeros(least.size)
    with np.errstate(invalid="ignore"):  # of an area without a point
        turns: FloatArray = period * np.rint((least + greatest - grid.width) / 2 / period)
    return turns


def _outside(extent: Extent, grid: NativeGrid) -> NDArray[np.bool_]:
    left, right, top, bottom = extent
    is_outside: NDArray[np.bool_] = (bottom <= 0) | (top >= grid.height)
    return is_outside if grid.is_circular else is_outside | (right <= 0) | (left >= grid.width)


def _beyond(extent: Extent, grid: NativeGrid) -> NDArray[np.bool_]:
    left, right, top, bottom = extent
    is_beyond: NDArray[np.bool_] = (top < -HALF_CELL) | (bottom > grid.height + HALF_CELL)
    return is_beyond if grid.is_circular else is_beyond | (left < -HALF_CELL) | (right > grid.width + HALF_CELL)
