"""The regular grid of a swath or curvilinear grid."""

import math
from collections.abc import Iterable, Sequence

import numpy as np
from affine import Affine

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, box_of_all
from chronotile.core.model.space.crs import CRS84, Crs, crs_of, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import BoolArray, Float64Array
from chronotile.readers.cf.nearest_cells import (
    CellIndex,
    CellPositions,
    find_nearest,
    strips_of_rows,
    unit_vectors,
)
from chronotile.readers.lattices import Lattice

EARTH_RADIUS_M = 6_371_000.0
DEGREES = "EPSG:4326"
MAX_DEGREES = 1.0
"""Maximum cell side of a grid without configuration: whole circles have a whole number of cells."""
BINS = 2880
"""Parts of a circle of longitudes that are covered by cells or not: 1/8 degree."""
SMALLEST_SIDE_PX = 512
"""Coarser levels are added until one has no longer side."""


def regular_grid(cells: CellPositions, index: CellIndex, target: TargetGrid | None) -> NativeGrid:
    """Return the cells of a lattice over all positions, with half a cell of the swath around them.

    Args:
        cells: The positions, which are read once.
        index: Index of the cells.
        target: The configured lattice; by default degrees, in cells of the power of two of a degree that is at most
            half of the side of a cell.

    Raises:
        UnsupportedSource: No cell has coordinates in the CRS.
    """
    if target is None:
        size = 2.0 ** math.floor(math.log2(math.degrees(index.side) / 2))
        target = TargetGrid(crs=DEGREES, resolution=min(size, MAX_DEGREES))
    crs = crs_of(target.crs)
    if crs.is_geographic:
        box = _box_of_longitudes(cells, crs, math.degrees(max(index.sides)) / 2, poles=_poles_on(cells, index))
    else:
        box = _box_of(cells, crs, max(index.sides) / 2 * EARTH_RADIUS_M / crs.metres_per_unit)
    lattice = Lattice(crs=crs, width=target.resolution, height=target.resolution, x=0.0, y=0.0)
    grid = lattice.grid(box)
    columns = round(WHOLE_CIRCLE / target.resolution)
    if not crs.is_geographic or grid.width < columns:
        return grid
    whole = Affine(target.resolution, 0.0, -WHOLE_CIRCLE / 2, 0.0, -target.resolution, grid.transform.f)
    return NativeGrid(crs=crs, transform=whole, width=columns, height=grid.height)


def grid_over(grids: Iterable[NativeGrid]) -> NativeGrid:
    """Return the cells that cover grids, which are parts of one lattice."""
    first, *rest = grids
    lattice = Lattice(crs=first.crs, width=first.transform.a, height=-first.transform.e, x=0.0, y=0.0)
    return lattice.grid(box_of_all([grid.bbox for grid in (first, *rest)]))


def levels_over(grid: NativeGrid) -> tuple[NativeGrid, ...]:
    """Return a grid followed by coarser ones; each has cells twice as wide and high as the grid before."""
    levels = [grid]
    while max(levels[-1].width, levels[-1].height) > SMALLEST_SIDE_PX:
        levels.append(grid.coarser(2 ** len(levels)))
    return tuple(levels)


def thinning_of(level: NativeGrid, sides: tuple[float, float]) -> tuple[int, int]:
    """Return powers of two n and m if every n-th row and m-th column of cells are enough for a level.

    Their distances are at most a pixel of the level (at the equator), unless the cells themselves are larger. Thus a
    pixel shows a cell within half of its diagonal.
    """
    pixel = pixel_side(level)
    down, across = (1 << max(0, math.floor(math.log2(pixel / side))) for side in sides)
    return down, across


def pixel_side(grid: NativeGrid) -> float:
    """Return the side of a pixel in radii of the Earth; of degrees, at the equator."""
    return grid.resolution * grid.crs.metres_per_unit / EARTH_RADIUS_M


def _box_of(cells: CellPositions, crs: Crs, half: float) -> BBox:
    """Return the box of all cells in a projected CRS."""
    lowest, highest = np.full(2, np.inf), np.full(2, -np.inf)
    for rows in strips_of_rows(cells):
        points = np.array(transformer(CRS84, crs).transform(*cells.read(rows, slice(0, cells.width))))
        points = points[:, np.isfinite(points).all(axis=0)]
        lowest = np.minimum(lowest, points.min(axis=1, initial=np.inf))
        highest = np.maximum(highest, points.max(axis=1, initial=-np.inf))
    if not np.isfinite(lowest).all():
        raise UnsupportedSource(f"no cell has coordinates in {crs.name[:40]}; set another grid:")
    return BBox(*(lowest - half).tolist(), *(highest + half).tolist())


def _box_of_longitudes(cells: CellPositions, crs: Crs, half: float, *, poles: Sequence[float]) -> BBox:
    """Return the smallest box of all cells in degrees; it continues beyond 180 across the antimeridian.

    A box with a pole, or without a gap, has all longitudes.
    """
    west, east = np.full(BINS, np.inf), np.full(BINS, -np.inf)
    south, north = np.inf, -np.inf
    for rows in strips_of_rows(cells):
        longitudes, latitudes = cells.read(rows, slice(0, cells.width))
        if crs.name not in {DEGREES, CRS84.name}:
            longitudes, latitudes = transformer(CRS84, crs).transform(longitudes, latitudes)
        is_placed = np.isfinite(longitudes)
        x, y = longitudes[is_placed], latitudes[is_placed]
        halves = _half_widths(y, half)
        bins = np.floor((x + WHOLE_CIRCLE / 2) * (BINS / WHOLE_CIRCLE)).astype(np.int64) % BINS
        np.minimum.at(west, bins, x - halves)
        np.maximum.at(east, bins, x + halves)
        south, north = min(south, y.min(initial=np.inf)), max(north, y.max(initial=-np.inf))
    bottom, top = max(-90.0, min([south - half, *poles])), min(90.0, max([north + half, *poles]))
    free = _longest_run(~_covered_bins(west, east))
    if free is None or poles:
        return BBox(-WHOLE_CIRCLE / 2, bottom, WHOLE_CIRCLE / 2, top)
    # Turn the bins so that the circle starts in the gap.
    turns = np.where(np.arange(BINS) >= free, 0.0, WHOLE_CIRCLE)
    start, stop = float((west + turns).min()), float((east + turns).max())
    shift = WHOLE_CIRCLE * math.floor((start + WHOLE_CIRCLE / 2) / WHOLE_CIRCLE)
    return BBox(start - shift, bottom, stop - shift, top)


def _poles_on(cells: CellPositions, index: CellIndex) -> list[float]:
    origin = np.zeros((1, 1))  # one search for each pole: a sphere around both would contain all cells
    return [
        pole for pole in (-90.0, 90.0) if find_nearest(cells, index, unit_vectors(origin, origin + pole))[0, 0] >= 0
    ]


def _half_widths(latitudes: Float64Array, half: float) -> Float64Array:
    # In degrees of longitude, at most 180.
    widths: Float64Array = half / np.maximum(np.cos(np.radians(latitudes)), half / 180)
    return widths


def _covered_bins(west: Float64Array, east: Float64Array) -> BoolArray:
    """Return (bin,) whether a part of the circle is covered by cells from `west` to `east`."""
    covered = np.zeros(BINS, dtype=bool)
    for start, stop in zip(west, east, strict=True):
        if start <= stop:
            first, last = (math.floor((edge + WHOLE_CIRCLE / 2) * (BINS / WHOLE_CIRCLE)) for edge in (start, stop))
            covered[np.arange(first, min(last, first + BINS - 1) + 1) % BINS] = True
    return covered


def _longest_run(values: BoolArray) -> int | None:
    """Return the middle of the longest run of true values on a circle; `None` if all are false."""
    if not values.any():
        return None
    if values.all():
        return 0
    start = int(np.argmin(values))
    edges = np.flatnonzero(np.diff(np.concatenate([np.roll(values, -start), [False]]).astype(np.int8)))
    starts, stops = edges[::2], edges[1::2]
    longest = int(np.argmax(stops - starts))
    return (int(starts[longest] + stops[longest] + 1) // 2 + start) % BINS
