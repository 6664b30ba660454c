"""Footprints of items: outlines of few vertices that contain the geometry, and bounding boxes.

A straight edge in longitude and latitude differs from the edge of a raster in another CRS: the northern edge of a UTM
tile is up to hundreds of metres beyond the line between its corners. So the outline of the grid is used if the geometry
fills it; otherwise the geometry is widened by the possible error of its longest edge.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import shapely

from chronotile.core.errors import InvalidItem
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import Float64Array
from chronotile.core.size_cache import cache_by_size
from chronotile.readers.stac.fields import bytes_of_key, key_of_values, list_of, object_of, values_of_key

MAX_VERTICES = 16
"""Maximum number of vertices of a ring, including the closing one."""
_EPSILON = 1e-9
_MIN_AREA = 1e-12
"""Square degrees; a smaller hull counts as a line or point."""
_MAX_REDUCED = 64
"""Maximum number of vertices of an outline whose edges are removed one by one; above, tangents replace the outline."""


def convex_hull(points: Float64Array) -> Float64Array:
    """Return the (n, 2) vertices of the convex hull, not closed; for points on a line, the corners of their box."""
    hull = shapely.convex_hull(shapely.linestrings(points))
    if isinstance(hull, shapely.Polygon) and hull.area > _MIN_AREA:
        vertices: Float64Array = shapely.get_coordinates(hull)[:-1]
        return vertices
    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    return np.array([(left, low), (right, low), (right, high), (left, high)])


def has_area(points: Float64Array) -> bool:
    """Return whether the convex hull of points is neither a line nor a point."""
    return hull_area(points) > 0


def hull_area(points: Float64Array) -> float:
    """Return the area of the convex hull of points; 0 for a line or point."""
    area = float(shapely.convex_hull(shapely.linestrings(points)).area)
    return area if area > _MIN_AREA else 0.0


def widen_hull(hull: Float64Array, margin: float) -> Float64Array:
    """Return an outline of at most 15 vertices around a convex hull, wider by `margin` on all sides.

    Args:
        hull: (n, 2) longitudes and latitudes.
        margin: Degrees of latitude.
    """
    shrink = max(math.cos(math.radians(min(89.0, float(np.abs(hull[:, 1]).max())))), 0.05)
    flat = hull * np.array([shrink, 1.0])
    if not has_area(flat):
        low, high = flat.min(axis=0) - margin, flat.max(axis=0) + margin
        outline = np.array([low, (high[0], low[1]), high, (low[0], high[1])])
    else:
        outline = shapely.get_coordinates(shapely.Polygon(flat).buffer(margin, join_style="mitre", mitre_limit=2.0))[
            :-1
        ]
        if len(outline) >= MAX_VERTICES:
            outline = simplify_outline(outline, MAX_VERTICES - 1)
    degrees: Float64Array = outline / np.array([shrink, 1.0])
    return degrees


def closed_ring(outline: Float64Array) -> tuple[tuple[float, float], ...]:
    """Return an outline as a ring whose last position is the first one."""
    return tuple((float(x), float(y)) for x, y in (*outline, outline[0]))


def simplify_outline(outline: Float64Array, max_vertices: int) -> Float64Array:
    """Return an outline of at most `max_vertices` (5 or more) vertices that contains a convex outline.

    Edges are removed one by one: the neighbours of an edge are extended until they meet. The edge whose removal adds
    the smallest area comes first.
    """
    if len(outline) > _MAX_REDUCED:
        outline = _tangents_around(outline)
    while len(outline) > max_vertices:
        before, after = np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0)
        edge, left, right = after - outline, outline - before, np.roll(outline, -2, axis=0) - after
        determinant = _cross(left, right)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = _cross(edge, right) / determinant
            added = np.abs(_cross(edge, left * reach[:, None])) / 2
        added[~(reach > 0) | (np.abs(determinant) < _EPSILON**2)] = np.inf
        index = int(added.argmin())
        if not np.isfinite(added[index]):
            return _tangents_around(outline, max_vertices)
        meeting = outline[index] + left[index] * reach[index]
        outline[index] = meeting
        outline = np.delete(outline, (index + 1) % len(outline), axis=0)
    return outline


def _cross(first: Float64Array, second: Float64Array) -> Float64Array:
    product: Float64Array = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return product


def _tangents_around(outline: Float64Array, count: int = 64) -> Float64Array:
    """Return the vertices of a polygon whose `count` sides, with equal angles between them, touch an outline."""
    angles = np.arange(count) * (math.tau / count)
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    reach = (outline @ directions.T).max(axis=0) + _EPSILON
    after, reach_after = np.roll(directions, -1, axis=0), np.roll(reach, -1)
    x = (reach * after[:, 1] - reach_after * directions[:, 1]) / math.sin(math.tau / count)
    y = (directions[:, 0] * reach_after - after[:, 0] * reach) / math.sin(math.tau / count)
    return np.column_stack([x, y])


HALF = WHOLE_CIRCLE / 2
MAX_COORDINATES = 100_000
MAX_OUTLINES = 16
"""Maximum number of outlines of an item; if its geometry has more parts, one outline contains all."""
_MAX_LONGITUDE = 540.0
_ROUNDING = 1e-5
"""Precision of coordinates in catalogues, in degrees."""
_MAX_MARGIN = 0.25
"""Degrees of latitude."""
_VERTICES_OF_GRID = 10
_MIN_FILLED = 0.85
"""The outline of the grid replaces a geometry that covers at least this fraction of the area of the grid."""
_MAX_OUTSIDE = 0.1
"""Maximum extension of a geometry beyond its grid on each side, as a fraction of the size of the larger of both."""


@dataclass(frozen=True, slots=True)
class Footprint:
    """Location of an item in CRS84."""

    rings: tuple[tuple[tuple[float, float], ...], ...]
    """Closed convex rings of at most 16 positions, with longitudes from -180 to 180."""
    bbox: BBox
    """West > east if it crosses the antimeridian."""
    is_of_grid: bool
    """False if the geometry extends beyond the grid of the item; true if that grid has no outline or is unknown."""


def footprint_of(geometry: object, grid: NativeGrid | None = None) -> Footprint:
    """Return the footprint of an item.

    Args:
        geometry: GeoJSON.
        grid: Grid of the largest asset of the item; `None` if unknown.

    Raises:
        InvalidItem: The geometry is not a polygon, or not in longitudes and latitudes.
    """
    key = key_of_values(geometry)
    return _known_footprint(key, grid) if key else _footprint(geometry, grid)


@cache_by_size(bytes_of_key)
def _known_footprint(key: bytes, grid: NativeGrid | None) -> Footprint:
    # Items that fill their tile have equal geometries and share the result.
    return _footprint(values_of_key(key), grid)


def _footprint(geometry: object, grid: NativeGrid | None) -> Footprint:
    outline = None if grid is None else _outline(grid)
    parts = [_unwound(ring, outline) for ring in _rings(geometry)]
    is_of_grid = outline is None or _is_inside(parts, outline)
    if outline is not None and is_of_grid and _fills(parts, outline):
        parts, margin = [convex_hull(np.concatenate([*_beside(parts, outline), outline]))], _ROUNDING
    else:
        parts = [convex_hull(part) for part in parts]
        margin = max(map(_margin, parts))
    if len(parts) > MAX_OUTLINES:
        parts = [convex_hull(np.concatenate(_beside(parts, parts[0])))]
    cut = [piece for part in parts for piece in _cut(part)]
    rings = tuple(closed_ring(widen_hull(piece, margin)) for piece in cut)
    return Footprint(rings, _box(cut, margin), is_of_grid)


def _rings(geometry: object) -> Iterator[Float64Array]:
    """Yield the closed outer ring, (n, 2), of each polygon."""
    waiting, count, coordinates = [geometry], 0, 0
    while waiting:
        each = object_of(waiting.pop())
        kind, members = each.get("type"), each.get("coordinates")
        if kind == "GeometryCollection":
            waiting += list_of(each.get("geometries"))
        elif kind in ("Polygon", "MultiPolygon"):
            for polygon in [members] if kind == "Polygon" else _members(members):
                ring = _ring(polygon)
                coordinates += len(ring)
                if coordinates > MAX_COORDINATES:
                    raise InvalidItem(f"the geometry has more than {MAX_COORDINATES} vertices")
                yield ring
        elif geometry is None:
            raise InvalidItem("it has no geometry")
        else:
            raise InvalidItem(f"the geometry must be a polygon, got {str(kind)[:40]!r}")
        count += 1
        if count > MAX_COORDINATES:
            raise InvalidItem("the geometry has too many parts")
    if not coordinates:
        raise InvalidItem("the geometry is empty")


def _members(coordinates: object) -> Sequence[object]:
    return coordinates if isinstance(coordinates, list | tuple) else ()


def _ring(polygon: object) -> Float64Array:
    rings = _members(polygon)
    ring: Any = rings[0] if rings else ()
    if not isinstance(ring, list | tuple) or len(ring) > MAX_COORDINATES:
        raise InvalidItem(f"a ring of the geometry must be a list of at most {MAX_COORDINATES} positions")
    try:
        points = np.asarray(ring, dtype=np.float64)
    except (ValueError, TypeError, OverflowError) as error:
        raise InvalidItem("a ring of the geometry has members that are not positions") from error
    if points.ndim != 2 or len(points) < 3 or points.shape[1] not in (2, 3, 4):
        raise InvalidItem("a ring of the geometry must be a list of three or more positions")
    points = points[:, :2]
    if not np.isfinite(points).all() or np.abs(points[:, 0]).max() > _MAX_LONGITUDE or np.abs(points[:, 1]).max() > 90:
        raise InvalidItem("the geometry is not in longitudes and latitudes")
    return np.concatenate([points, points[:1]])


def _unwound(ring: Float64Array, outline: Float64Array | None) -> Float64Array:
    """Return a ring with continuous longitudes, which exceed 180 east of the antimeridian.

    Neighbours more than 180 degrees apart are taken as a crossing of the antimeridian. But if the width of the
    unchanged ring agrees better with the outline of its raster, the ring is returned unchanged. A ring around a pole
    becomes a box of all longitudes up to the pole.
    """
    steps = np.diff(ring[:, 0])
    if np.abs(steps).max() <= HALF:
        return ring
    turned = (steps + HALF) % WHOLE_CIRCLE - HALF
    longitudes = ring[0, 0] + np.concatenate([[0.0], np.cumsum(turned)])
    if abs(longitudes[-1] - longitudes[0]) > 1:  # the ring encloses a pole
        south, north = float(ring[:, 1].min()), float(ring[:, 1].max())
        box = (-90.0, north) if south + north < 0 else (south, 90.0)
        return np.array([(x, y) for y in box for x in (-HALF, HALF)])
    unwound = np.column_stack([longitudes, ring[:, 1]])
    if not has_area(unwound):
        return ring
    if outline is not None and abs(_width(ring) - _width(outline)) < abs(_width(unwound) - _width(outline)):
        return ring
    return unwound


def _width(points: Float64Array) -> float:
    return float(np.ptp(points[:, 0]))


@lru_cache(maxsize=4096)
def _outline(grid: NativeGrid) -> Float64Array | None:
    """Return the (n, 2) outline of a grid in CRS84; `None` if it goes around a pole or is partly off the earth."""
    points = np.concatenate(grid.edges_in(CRS84)).astype(np.float64)
    if not np.isfinite(points).all() or np.abs(points[:, 1]).max() > 90:
        return None
    steps = np.diff(points[:, 0])
    if np.abs(steps).max() > HALF:
        turned = (steps + HALF) % WHOLE_CIRCLE - HALF
        points[:, 0] = points[0, 0] + np.concatenate([[0.0], np.cumsum(turned)])
        if abs(points[-1, 0] - points[0, 0]) > 1:
            return None
    outline = simplify_outline(convex_hull(points), _VERTICES_OF_GRID)
    outline.flags.writeable = False  # items of one tile share the array
    return outline


def _beside(parts: Sequence[Float64Array], outline: Float64Array) -> list[Float64Array]:
    """Return the parts with longitudes shifted by whole turns, so that they are close to an outline."""
    middle = (outline[:, 0].min() + outline[:, 0].max()) / 2
    moved = []
    for part in parts:
        centre = (part[:, 0].min() + part[:, 0].max()) / 2
        moved.append(part + np.array([round((middle - centre) / WHOLE_CIRCLE) * WHOLE_CIRCLE, 0.0]))
    return moved


def _is_inside(parts: Sequence[Float64Array], outline: Float64Array) -> bool:
    points = np.concatenate(_beside(parts, outline))
    reach = _MAX_OUTSIDE * np.maximum(np.ptp(points, axis=0), np.ptp(outline, axis=0)) + _ROUNDING
    low, high = outline.min(axis=0) - reach, outline.max(axis=0) + reach
    return bool((points >= low).all() and (points <= high).all())


def _fills(parts: Sequence[Float64Array], outline: Float64Array) -> bool:
    whole = hull_area(outline)
    return whole > 0 and sum(map(hull_area, parts)) >= _MIN_FILLED * whole


def _margin(part: Float64Array) -> float:
    """Return how far the raster may extend beyond the longest edge of a part, in degrees of latitude.

    The maximum distance between a parallel and the straight line between its ends on a projected map is
    d² sin(2 latitude) / 16, with d in radians; that of meridians of UTM is smaller.
    """
    edges = np.abs(np.diff(np.concatenate([part, part[:1]]), axis=0)).max(initial=0.0)
    low, high = np.abs(part[:, 1]).min(), np.abs(part[:, 1]).max()
    bend = 1.0 if low <= 45 <= high else max(0.2, *(math.sin(math.radians(2 * each)) for each in (low, high)))
    return min(_MAX_MARGIN, _ROUNDING + math.radians(float(edges)) * float(edges) * bend / 16)


def _cut(part: Float64Array) -> Iterator[Float64Array]:
    """Yield a convex part with longitudes from -180 to 180, in two pieces if it crosses the antimeridian."""
    west, east = float(part[:, 0].min()), float(part[:, 0].max())
    if east - west >= WHOLE_CIRCLE:
        low, high = part[:, 1].min(), part[:, 1].max()
        yield np.array([(-HALF, low), (HALF, low), (HALF, high), (-HALF, high)])
        return
    turns = math.floor((west + HALF) / WHOLE_CIRCLE) * WHOLE_CIRCLE
    moved = part - np.array([turns, 0.0])
    if east - turns <= HALF or not has_area(moved):
        yield np.column_stack([np.clip(moved[:, 0], -HALF, HALF), moved[:, 1]])
        return
    whole = shapely.Polygon(moved)
    for shift in (0.0, WHOLE_CIRCLE):
        piece = shapely.intersection(whole, shapely.box(shift - HALF, -90, shift + HALF, 90))
        points = shapely.get_coordinates(piece) - np.array([shift, 0.0])
        if len(points):
            yield convex_hull(points)


def _box(parts: Sequence[Float64Array], margin: float) -> BBox:
    """Return the smallest box around the parts and a margin; its longitudes exclude the widest gap between parts."""
    south, north = min(part[:, 1].min() for part in parts), max(part[:, 1].max() for part in parts)
    across = margin / max(math.cos(math.radians(min(89.0, max(abs(south), abs(north))))), 0.05)
    spans: Float64Array = np.array(sorted((part[:, 0].min(), part[:, 0].max()) for part in parts))
    ends = np.maximum.accumulate(spans[:, 1])
    gaps = spans[1:, 0] - ends[:-1]
    around = spans[0, 0] + WHOLE_CIRCLE - ends[-1]
    south, north = max(-90.0, float(south) - margin), min(90.0, float(north) + margin)
    if not len(gaps) or gaps.max() <= around:
        return BBox(max(-HALF, float(spans[0, 0]) - across), south, min(HALF, float(ends[-1]) + across), north)
    widest = int(gaps.argmax())
    return BBox(float(spans[widest + 1, 0]) - across, south, float(ends[widest]) + across, north)
