"""Outlines of areas in the cells of a native grid."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, pairwise

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.area import Area, Polygon
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, WORLD, BBox
from chronotile.core.model.space.crs import Crs, are_alike, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import BoolArray, Float64Array, FloatArray, Int64Array

Extent = tuple[Float64Array, Float64Array, Float64Array, Float64Array]
"""(area,) arrays: smallest and largest column, smallest and largest row."""

HALF_CELL = 0.5

STRAIGHT_M = 1000.0
"""Edges are cut to this length before projection; a shorter edge is off by a few centimetres."""

MAX_PARTS = 500_000
"""Approximate maximum number of parts of all edges; the parts of outlines longer than twelve equators are longer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outlines:
    """The edges of all rings of areas, in fractional columns and rows; 0.5 is the centre of the first cell."""

    columns: Float64Array
    """(edge, 2) columns of start and end."""
    rows: Float64Array
    """(edge, 2) rows of start and end."""
    rings: Int64Array
    """(edge,) ring of each edge; edges of one ring are consecutive."""
    polygons: Int64Array
    """(ring,) polygon of each ring, counted over all areas."""
    is_hole: BoolArray
    """(ring,)."""
    areas: Int64Array
    """(polygon,) area of each polygon."""
    is_outside: BoolArray
    """(area,) mask of areas that share no cell with the grid."""
    is_beyond: BoolArray
    """(area,) mask of areas that reach more than half a cell beyond the grid, and so beyond all centres."""


def outlines_of(areas: Sequence[Area], grid: NativeGrid) -> Outlines:
    """Return the outlines of areas in the cells of a grid.

    Edges are straight in the CRS of the area, so they may be curves in the CRS of the grid. Longitudes are modulo 360:
    an area is placed where most of it meets the grid, and may reach beyond the first or last column of a circular grid.
    Parts far from the grid, where projections may fail, are cut off.

    Raises:
        InvalidParameter: An area has no coordinates in the CRS of the grid.
    """
    areas = clip_to_grid(areas, grid)
    listed = [
        (ring, number, polygon, position > 0)
        for polygon, (rings, number) in enumerate(
            (rings, number) for number, area in enumerate(areas) for rings in area.polygons
        )
        for position, ring in enumerate(rings)
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
    columns, rows = _convert_to_cells(points, owner, areas, grid)
    if not grid.crs.is_geographic:
        columns = _join_columns(columns, owner, grid)
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
        is_outside=_is_outside(extent, grid),
        is_beyond=_reaches_beyond(extent, grid),
    )


def _cut(corners: Float64Array, rings: Int64Array, unit_m: Float64Array) -> tuple[Float64Array, Int64Array]:
    """Return corners (n, 2) and their rings, with more corners along long edges.

    Args:
        corners: (corner, 2).
        rings: (corner,) ring of each corner.
        unit_m: (corner,) metres per unit of the CRS; 0 for areas in the CRS of the grid, whose edges stay whole.
    """
    steps = corners[next_in_ring(rings)] - corners
    lengths = np.hypot(steps[:, 0], steps[:, 1]) * unit_m
    longest = max(STRAIGHT_M, float(lengths.sum()) / MAX_PARTS)
    parts = np.maximum(1, np.ceil(lengths / longest)).astype(np.int64)
    edge = np.repeat(np.arange(parts.size), parts)
    fraction = (np.arange(edge.size) - np.repeat(np.cumsum(parts) - parts, parts)) / parts[edge]
    return corners[edge] + fraction[:, None] * steps[edge], rings[edge]


def _convert_to_cells(
    points: Float64Array, area_of_point: Int64Array, areas: Sequence[Area], grid: NativeGrid
) -> tuple[Float64Array, Float64Array]:
    systems: dict[Crs, list[int]] = {}
    for number, area in enumerate(areas):
        systems.setdefault(area.crs, []).append(number)
    x, y = points[:, 0].copy(), points[:, 1].copy()
    for crs, numbers in systems.items():
        if crs != grid.crs:
            in_crs = np.isin(area_of_point, numbers) if len(systems) > 1 else slice(None)
            x[in_crs], y[in_crs] = transformer(crs, grid.crs).transform(x[in_crs], y[in_crs])
    columns, rows = (positions.astype(np.float64, copy=False) for positions in grid.pixels_at(x, y))
    usable = np.isfinite(columns) & np.isfinite(rows)
    if not usable.all():
        area = areas[int(area_of_point[np.argmin(usable)])]
        raise InvalidParameter(
            f"the geometry{_describe_area(area)} extends to where the data's projection has no coordinates",
            locator="geometry",
        )
    return columns, rows


def _join_columns(columns: Float64Array, owner: Int64Array, grid: NativeGrid) -> Float64Array:
    """Return (corner,) columns without the jump at the edge of a cylindrical projection.

    Areas were clipped to the grid, so corners are placed next to its middle. On a grid with all longitudes, they are
    placed next to the first corner of their area.
    """
    period = grid.wrap_columns
    if period is None or not columns.size:
        return columns
    middle = columns[np.searchsorted(owner, owner)] if grid.is_circular else grid.width / 2
    joined: Float64Array = columns + period * np.rint((middle - columns) / period)
    return joined


def _describe_area(area: Area) -> str:
    return "" if area.id is None else f" of feature {str(area.id)[:40]!r}"


def _turns(least: Float64Array, greatest: Float64Array, grid: NativeGrid) -> Float64Array:
    """Return (area,) shifts in columns, multiples of 360 degrees, that place areas around the middle of the grid."""
    period = grid.wrap_columns
    if period is None:
        return np.zeros(least.size)
    with np.errstate(invalid="ignore"):  # areas without a point have infinite edges
        turns: Float64Array = period * np.rint((least + greatest - grid.width) / 2 / period)
    return turns


def _is_outside(extent: Extent, grid: NativeGrid) -> BoolArray:
    west, east, top, bottom = extent
    is_outside: BoolArray = (bottom <= 0) | (top >= grid.height)
    return is_outside if grid.is_circular else is_outside | (east <= 0) | (west >= grid.width)


def _reaches_beyond(extent: Extent, grid: NativeGrid) -> BoolArray:
    west, east, top, bottom = extent
    is_beyond: BoolArray = (top < -HALF_CELL) | (bottom > grid.height + HALF_CELL)
    return is_beyond if grid.is_circular else is_beyond | (west < -HALF_CELL) | (east > grid.width + HALF_CELL)


# Clipping of areas to the neighbourhood of a grid.

Extremes = tuple[Float64Array, Float64Array]

MARGIN = 0.05
"""Margin around the data, as a fraction of their width and height: one step of `NativeGrid.lattice_in`."""

TORN_M = 1000.0
"""A projection is cut along a meridian if points 1e-6 degrees on either side of it are farther apart than this."""


def clip_to_grid(areas: Sequence[Area], grid: NativeGrid) -> Sequence[Area]:
    """Return the parts of areas near a grid, at any multiple of 360°; a distant area becomes one without polygons.

    Far from the data, points may have no coordinates in a projection or wrong ones: an edge across the antipode of the
    centre of EPSG:3035 would pass the data on the wrong side. So areas are clipped, in their own CRS, to a box around
    the data. Areas inside the box are returned unchanged, and also areas without such a box. Degrees need no
    clipping, but an area that meets the grid at several multiples of 360° gets one part for each.
    """
    systems: dict[Crs, list[int]] = {}
    for number, area in enumerate(areas):
        systems.setdefault(area.crs, []).append(number)
    near = list(areas)
    for crs, numbers in systems.items():
        least, greatest = _boxes([areas[number] for number in numbers])
        boxes = _sound_boxes(grid, crs)
        is_whole = np.ones(len(numbers), dtype=np.bool_)
        if boxes:
            is_whole = np.logical_or.reduce([((least >= box[:2]) & (greatest <= box[2:])).all(axis=1) for box in boxes])
        elif crs.is_geographic and grid.wrap_columns is not None and not grid.is_circular:
            boxes = (_columns_box(grid, crs),)
            is_whole = _are_in_one_turn(least[:, 0], greatest[:, 0], boxes[0])
        far = np.array(numbers)[~is_whole].tolist()
        for number, parts in zip(far, _parts([areas[number] for number in far], boxes), strict=True):
            near[number] = replace(areas[number], polygons=parts)
    return near


def extremes(values: FloatArray, area_of_point: Int64Array, count: int) -> Extremes:
    """Return the (area,) minimum and maximum of the values of each area; infinite if it has none."""
    least, greatest = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, area_of_point, values)
    np.maximum.at(greatest, area_of_point, values)
    return least, greatest


def next_in_ring(rings: Int64Array) -> Int64Array:
    """Return (corner,) the index of the next corner in the same ring, for the ring of each corner."""
    after = np.arange(1, rings.size + 1)
    is_first = np.diff(rings, prepend=-1) != 0
    after[np.roll(is_first, -1)] = np.flatnonzero(is_first)
    return after


def _boxes(areas: Sequence[Area]) -> Extremes:
    """Return (area, 2) minimum and maximum of x and y."""
    rings = [ring for area in areas for polygon in area.polygons for ring in polygon]
    corners = np.vstack([np.empty((0, 2)), *rings])
    owner = np.repeat(np.arange(len(areas)), [area.vertices for area in areas])
    (west, east), (south, north) = (extremes(corners[:, axis], owner, len(areas)) for axis in (0, 1))
    return np.column_stack([west, south]), np.column_stack([east, north])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Rings:
    """The rings of many polygons in one array, so that they can be clipped together."""

    corners: FloatArray
    """(corner, 2) without the last corner of each ring, which repeats the first."""
    of_corner: Int64Array
    """(corner,) ring of each corner."""
    polygons: Int64Array
    """(ring,) polygon of each ring."""
    outer: Int64Array
    """(polygon,) outer ring of each polygon."""


def _rings_of(polygons: Sequence[Polygon]) -> _Rings:
    rings = [ring[:-1] for polygon in polygons for ring in polygon]
    counts = np.array([len(polygon) for polygon in polygons])
    return _Rings(
        corners=np.concatenate(rings),
        of_corner=np.repeat(np.arange(len(rings)), [len(ring) for ring in rings]),
        polygons=np.repeat(np.arange(counts.size), counts),
        outer=np.cumsum(counts) - counts,
    )


def _parts(areas: Sequence[Area], boxes: Sequence[BBox]) -> list[tuple[Polygon, ...]]:
    """Return the parts of each area in each box, at each multiple of 360° of longitude; all areas have one CRS."""
    polygons = [polygon for area in areas for polygon in area.polygons]
    parts: list[list[Polygon]] = [[] for _ in polygons]
    if polygons:
        rings = _rings_of(polygons)
        circle = WHOLE_CIRCLE if areas[0].crs.is_geographic else math.inf
        for box in boxes:
            for shifts in _shifts(rings, box, circle):
                for polygon, part in _clip(rings, shifts, box):
                    parts[polygon].append(part)
    ends = np.cumsum([0, *(len(area.polygons) for area in areas)]).tolist()
    return [tuple(chain.from_iterable(parts[first:last])) for first, last in pairwise(ends)]


def _shifts(rings: _Rings, box: BBox, circle: float) -> Iterator[FloatArray]:
    """Yield (polygon,) shifts, multiples of 360°, that move polygons to a box; `nan` if none is left."""
    if math.isinf(circle) or math.isinf(box.xmax):
        yield np.zeros(rings.outer.size)
        return
    west, east = (bound[rings.outer] for bound in extremes(rings.corners[:, 0], rings.of_corner, rings.polygons.size))
    first, last = np.floor((west - box.xmax) / circle) + 1, np.ceil((east - box.xmin) / circle)
    for turn in range(int((last - first).max())):
        yield np.where(first + turn < last, circle * (first + turn), np.nan)


def _are_in_one_turn(west: FloatArray, east: FloatArray, box: BBox) -> BoolArray:
    """Return (area,) whether each area, from west to east, meets a box at one multiple of 360° at most."""
    first, last = np.floor((west - box.xmax) / WHOLE_CIRCLE) + 1, np.ceil((east - box.xmin) / WHOLE_CIRCLE)
    are_few: BoolArray = last - first < 2
    return are_few


def _clip(rings: _Rings, shifts: FloatArray, box: BBox) -> Iterator[tuple[int, Polygon]]:
    """Yield the part of each polygon in a box (Sutherland and Hodgman 1974, Reentrant Polygon Clipping).

    Parts of one ring stay one ring, with edges along the box that enclose no area.

    Args:
        rings: The polygons.
        shifts: (polygon,) shift in x before clipping; polygons with `nan` are skipped.
        box: The box.
    """
    shift = shifts[rings.polygons[rings.of_corner]]
    is_moved = ~np.isnan(shift)
    corners, of_corner = rings.corners[is_moved], rings.of_corner[is_moved]
    corners[:, 0] -= shift[is_moved]
    for axis, bound, side in ((0, box.xmin, 1), (0, box.xmax, -1), (1, box.ymin, 1), (1, box.ymax, -1)):
        if math.isfinite(bound):
            corners, of_corner = _half(corners, of_corner, axis=axis, bound=bound, side=side)
    is_ring = np.bincount(of_corner, minlength=rings.polygons.size) > 2
    is_ring &= is_ring[rings.outer][rings.polygons]
    corners, of_corner = corners[is_ring[of_corner]], of_corner[is_ring[of_corner]]
    yield from _polygons_of(corners, of_corner, rings.polygons)


def _polygons_of(corners: FloatArray, of_corner: Int64Array, polygons: Int64Array) -> Iterator[tuple[int, Polygon]]:
    """Yield polygons with their numbers, from corners (corner, 2), their rings, and the polygon of each ring."""
    ring_numbers, starts = np.unique(of_corner, return_index=True)
    count = ring_numbers.size
    stops = np.append(starts[1:], of_corner.size)[:count]
    closed = np.insert(corners, stops, corners[starts], axis=0)
    ends = (stops + np.arange(1, count + 1)).tolist()
    rings = [closed[first:last] for first, last in pairwise([0, *ends])]
    numbers, firsts = np.unique(polygons[ring_numbers], return_index=True)
    for number, (first, last) in zip(numbers.tolist(), pairwise([*firsts.tolist(), count]), strict=True):
        yield number, tuple(rings[first:last])


def _half(
    corners: FloatArray, of_corner: Int64Array, *, axis: int, bound: float, side: int
) -> tuple[FloatArray, Int64Array]:
    """Clip rings at a bound of one axis; keep the part above it, or below it if `side` is -1."""
    after = next_in_ring(of_corner)
    heights = side * (corners[:, axis] - bound)
    following = heights[after]
    is_inside = heights >= 0
    is_cut = is_inside != (following >= 0)
    fractions = heights / np.where(is_cut, heights - following, 1.0)
    cuts = corners + fractions[:, None] * (corners[after] - corners)
    cuts[:, axis] = bound
    both = np.stack([corners, cuts], axis=1).reshape(-1, 2)
    is_kept = np.column_stack([is_inside, is_cut]).ravel()
    return both[is_kept], np.repeat(of_corner, 2)[is_kept]


@lru_cache(maxsize=256)
def _sound_boxes(grid: NativeGrid, crs: Crs) -> tuple[BBox, ...]:
    """Return boxes that contain the grid and have coordinates in its projection; empty if there is no such box."""
    if crs == grid.crs or (crs.is_geographic and grid.crs.is_geographic):
        return ()
    x, y = grid.lattice_in(crs)
    is_known = bool(np.isfinite(x).all() and np.isfinite(y).all())
    if crs.is_geographic:
        return _geographic_boxes(grid, crs, is_known=is_known)
    return (_add_margin(BBox(x.min(), y.min(), x.max(), y.max())),) if is_known else ()


def _geographic_boxes(grid: NativeGrid, crs: Crs, *, is_known: bool) -> tuple[BBox, ...]:
    """Return one box, or two if the data are on both sides of the meridian along which the projection is cut."""
    data_box = grid.unwound_box_in(crs) if is_known else WORLD
    west, south, east, north = _add_margin(data_box)
    south, north = max(-90.0, south), min(90.0, north)
    seam = _seam(grid.crs, crs, (south + north) / 2)
    if east - west >= WHOLE_CIRCLE:
        west, east = (-math.inf, math.inf) if seam is None else (seam - WHOLE_CIRCLE, seam)
    elif seam is not None:
        seam += WHOLE_CIRCLE * math.ceil((west - seam) / WHOLE_CIRCLE)
        if west < seam < east:
            return BBox(west, south, seam, north), BBox(seam, south, east, north)
    return (BBox(west, south, east, north),)


def _columns_box(grid: NativeGrid, crs: Crs) -> BBox:
    # Longitudes of a grid in degrees plus a column on each side, so that areas beyond the data are recognised.
    box, margin = grid.bbox if are_alike(crs, grid.crs) else grid.unwound_box_in(crs), grid.steps[0]
    return BBox(box.xmin - margin, -math.inf, box.xmax + margin, math.inf)


def _add_margin(box: BBox) -> BBox:
    x, y = MARGIN * (box.xmax - box.xmin), MARGIN * (box.ymax - box.ymin)
    return BBox(box.xmin - x, box.ymin - y, box.xmax + x, box.ymax + y)


def _seam(projected: Crs, geographic: Crs, latitude: float) -> float | None:
    """Return the meridian along which a projection is cut, opposite to its centre; azimuthal projections have none."""
    operation = projected.definition.coordinate_operation
    parameters = [] if operation is None else operation.params
    middle = next((float(item.value) for item in parameters if item.name.startswith("Longitude of")), None)
    if middle is None:
        return None
    seam = middle + WHOLE_CIRCLE / 2
    sides = np.array([seam - 1e-6, seam + 1e-6])
    x, y = transformer(geographic, projected).transform(sides, np.full(2, latitude))
    with np.errstate(invalid="ignore"):
        distance = float(np.hypot(x[1] - x[0], y[1] - y[0])) * projected.metres_per_unit
    return None if distance < TORN_M else seam
