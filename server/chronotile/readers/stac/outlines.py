"""Convex outlines: hulls, made wider, and of few vertices; each contains what it is made of."""

import math

import numpy as np
import shapely
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(n, 2): x, y."""

MAX_VERTICES = 16
"""Of a ring, the closing one included."""
_EPSILON = 1e-9
_LEAST_AREA = 1e-12
_MANY = 64


def convex_hull(points: Points) -> Points:
    """Return the vertices of the convex hull, not closed; of points in one line, their box."""
    hull = shapely.convex_hull(shapely.linestrings(points))
    if isinstance(hull, shapely.Polygon) and hull.area > _LEAST_AREA:
        vertices: Points = shapely.get_coordinates(hull)[:-1]
        return vertices
    (left, low), (right, high) = points.min(axis=0), points.max(axis=0)
    return np.array([(left, low), (right, low), (right, high), (left, high)])


def has_area(points: Points) -> bool:
    """Return whether the hull of points is not a line or point."""
    return hull_area(points) > 0


def hull_area(points: Points) -> float:
    """Return the area of the hull of points; 0 of a line or point."""
    area = float(shapely.convex_hull(shapely.linestrings(points)).area)
    return area if area > _LEAST_AREA else 0.0


def widened(hull: Points, margin: float) -> Points:
    """Return an outline of at most 15 vertices around a convex hull, wider on all sides.

    Args:
        hull: Longitudes and latitudes.
        margin: In degrees of latitude.
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
            outline = simplified(outline, MAX_VERTICES - 1)
    degrees: Points = outline / np.array([shrink, 1.0])
    return degrees


def closed_ring(outline: Points) -> tuple[tuple[float, float], ...]:
    """Return an outline as a ring whose last position is the first one."""
    return tuple((float(x), float(y)) for x, y in (*outline, outline[0]))


def simplified(outline: Points, most: int) -> Points:
    """Return an outline of at most so many vertices, 5 or more, around a convex one.

    Edges are left out one by one, that which adds least area first: its neighbours are made longer until they meet.
    """
    if len(outline) > _MANY:
        outline = _around(outline)
    while len(outline) > most:
        before, after = np.roll(outline, 1, axis=0), np.roll(outline, -1, axis=0)
        edge, left, right = after - outline, outline - before, np.roll(outline, -2, axis=0) - after
        determinant = _cross(left, right)
        with np.errstate(divide="ignore", invalid="ignore"):
            reach = _cross(edge, right) / determinant
            added = np.abs(_cross(edge, left * reach[:, None])) / 2
        added[~(reach > 0) | (np.abs(determinant) < _EPSILON**2)] = np.inf
        index = int(added.argmin())
        if not np.isfinite(added[index]):
            return _around(outline, most)
        meeting = outline[index] + left[index] * reach[index]
        outline[index] = meeting
        outline = np.delete(outline, (index + 1) % len(outline), axis=0)
    return outline


def _cross(first: Points, second: Points) -> NDArray[np.float64]:
    product: NDArray[np.float64] = first[:, 0] * second[:, 1] - first[:, 1] * second[:, 0]
    return product


def _around(outline: Points, count: int = 64) -> Points:
    """Return where lines that touch an outline on all sides meet."""
    angles = np.arange(count) * (math.tau / count)
    directions = np.column_stack([np.cos(angles), np.sin(angles)])
    reach = (outline @ directions.T).max(axis=0) + _EPSILON
    after, reach_after = np.roll(directions, -1, axis=0), np.roll(reach, -1)
    x = (reach * after[:, 1] - reach_after * directions[:, 1]) / math.sin(math.tau / count)
    y = (directions[:, 0] * reach_after - after[:, 0] * reach) / math.sin(math.tau / count)
    return np.column_stack([x, y])
