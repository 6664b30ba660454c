"""Footprints of swaths: convex parts along the track, around the cells with a position.

Orbits are divided along the track into nearly convex parts. A part is the convex hull of its outermost cells in
the gnomonic projection, whose straight lines are great circles, so outlines never cross themselves.
"""

import math
from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import shapely

from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.types import Float64Array, FloatArray, Int64Array
from chronotile.readers.cf.nearest_cells import BLOCK, STRIP_CELLS, CellIndex, CellPositions, unit_vectors

PART_LENGTH = math.radians(24)
MAX_PARTS = 15
MIN_COSINE = 0.3
"""Cosine of the largest distance from the centre of a part; wider parts become boxes of all longitudes."""
EDGE = 0.02
"""Maximum length of an edge of an outline, in radians: straight lines in degrees differ from great circles."""


def outlines_of(cells: CellPositions, index: CellIndex) -> list[Float64Array]:
    """Return (n, 2) outlines in degrees of the parts of a swath; longitudes may exceed 180, a pole is in a box."""
    angles = [_angles_along(index.centres, index, axis) for axis in (0, 1)]
    axis = int(angles[1][-1] > angles[0][-1])
    bounds = cut_evenly(angles[axis], PART_LENGTH, (cells.height, cells.width)[axis])
    margin = float(index.reaches[np.isfinite(index.radii)].max())
    outlines = []
    for start, stop in pairwise(bounds):
        rows, columns = slice(0, cells.height), slice(0, cells.width)
        part = (slice(start, stop), columns) if axis == 0 else (rows, slice(start, stop))
        edge = np.concatenate(list(_edge_cells(cells, *part)), axis=1)
        edge = edge[:, np.isfinite(edge[0])]
        if edge.size:
            outlines.append(_outline(unit_vectors(*edge), margin))
    return outlines


def _angles_along(centres: FloatArray, index: CellIndex, axis: int) -> Float64Array:
    """Return the angles in radians from the first block with cells to each block along an axis."""
    is_used = np.isfinite(index.radii)
    middles = np.where(is_used[..., np.newaxis], centres, 0.0).sum(axis=1 - axis)
    lengths = np.sqrt((middles**2).sum(axis=-1, keepdims=True))
    middles = middles / np.where(lengths > 0, lengths, np.nan)
    angles, used = np.zeros(len(middles)), np.flatnonzero(lengths[:, 0] > 0)
    steps = (middles[used[1:]] * middles[used[:-1]]).sum(axis=-1).clip(-1, 1)
    angles[used[1:]] = np.arccos(steps)
    return np.cumsum(angles)


def cut_evenly(angles: Float64Array, length: float, size: int) -> list[int]:
    """Divide a line of cells into parts of about equal length; return their first cells, then the number of cells.

    Args:
        angles: Radians from the first cell to the start of each block of `BLOCK` cells.
        length: Maximum length of a part in radians.
        size: Number of cells.
    """
    count = min(MAX_PARTS, max(1, math.ceil(angles[-1] / length)))
    starts: Int64Array = np.searchsorted(angles, angles[-1] * np.arange(1, count) / count)
    return [0, *sorted({int(start) * BLOCK for start in starts if 0 < start * BLOCK < size}), size]


def _edge_cells(cells: CellPositions, rows: slice, columns: slice) -> Iterator[Float64Array]:
    """Yield (2, n) positions of the first and last cells of each row and column of a part, or NaN."""
    column_ends = np.empty((2, 0, columns.stop - columns.start))
    step = max(1, STRIP_CELLS // column_ends.shape[2])
    for start in range(rows.start, rows.stop, step):
        strip = np.stack(cells.read(slice(start, min(start + step, rows.stop)), columns))
        yield _ends(strip, 2).reshape(2, -1)
        column_ends = _ends(np.concatenate([column_ends, strip], axis=1), 1)
    yield column_ends.reshape(2, -1)


def _ends(positions: Float64Array, axis: int) -> Float64Array:
    """Return the first and last of (2, y, x) positions along an axis."""
    is_placed = np.isfinite(positions[:1])
    first = is_placed.argmax(axis, keepdims=True)
    last = positions.shape[axis] - 1 - np.flip(is_placed, axis).argmax(axis, keepdims=True)
    return np.take_along_axis(positions, np.concatenate([first, last], axis), axis)


def _outline(vectors: Float64Array, margin: float) -> Float64Array:
    """Return the convex hull of (n, 3) unit vectors, enlarged by a margin in radians, as (n, 2) degrees."""
    centre = vectors.mean(axis=0)
    centre /= np.linalg.norm(centre) or np.nan
    nearness = vectors @ centre
    latitudes = np.degrees(np.arcsin(vectors[:, 2]))
    low, high = latitudes.min() - math.degrees(margin), latitudes.max() + math.degrees(margin)
    if not nearness.min() > MIN_COSINE:
        return _band(low, high)
    east = np.array([-centre[1], centre[0], 0.0]) if abs(centre[2]) < 1 else np.array([0.0, 1.0, 0.0])
    axes = np.stack([east / np.linalg.norm(east), np.cross(centre, east / np.linalg.norm(east))])
    hull = shapely.convex_hull(shapely.multipoints(vectors @ axes.T / nearness[:, np.newaxis]))
    hull = shapely.buffer(hull, margin / nearness.min() ** 2, join_style="mitre")
    for pole in (-1.0, 1.0):
        distance = pole * centre[2]
        if distance > 0 and shapely.contains_xy(hull, *(axes[:, 2] / centre[2])):
            return _band(low, 90.0) if pole > 0 else _band(-90.0, high)
    x, y = shapely.get_coordinates(shapely.segmentize(hull, EDGE))[:-1].T
    edge = centre + x[:, np.newaxis] * axes[0] + y[:, np.newaxis] * axes[1]
    edge /= np.sqrt((edge**2).sum(axis=1, keepdims=True))
    middle = math.degrees(math.atan2(centre[1], centre[0]))
    turns = np.degrees(np.arctan2(edge[:, 1], edge[:, 0])) - middle
    half = WHOLE_CIRCLE / 2
    return np.column_stack([middle + (turns + half) % WHOLE_CIRCLE - half, np.degrees(np.arcsin(edge[:, 2]))])


def _band(south: float, north: float) -> Float64Array:
    longitudes = (-180.0, 0.0, 180.0)
    edges = [(x, max(-90.0, south)) for x in longitudes], [(x, min(90.0, north)) for x in reversed(longitudes)]
    return np.array([*edges[0], *edges[1]])
