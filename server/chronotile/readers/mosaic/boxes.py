"""CRS84 boxes of grids and points, for queries of the item index."""

import math
from functools import lru_cache

from affine import Affine

from chronotile.core.model.request import Point
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, are_corners_enough, box_in
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid
from chronotile.readers.lattices import METRES_PER_DEGREE

HALF_CIRCLE = WHOLE_CIRCLE / 2
MAX_SHARED_BOX_SIDE = 0.25
"""Sides in degrees above which a box is queried alone: a larger box around it may contain many more items."""
MIN_SQUARE_SIDE = 2.0**-6
"""Smallest side in degrees of the squares of `shared_box_around`."""


def box_of_grid(grid: Grid) -> BBox:
    """Return a CRS84 box that contains a grid; west > east if it crosses the antimeridian.

    Raises:
        InvalidParameter: No part of the grid has longitude and latitude.
    """
    return _box_of(grid.crs, grid.bbox)


@lru_cache(maxsize=4096)
def _box_of(crs: Crs, box: BBox) -> BBox:
    if are_corners_enough(box, crs, CRS84):
        return box_in(box, crs, CRS84)
    size_x, size_y = box.xmax - box.xmin, box.ymax - box.ymin
    as_cell = NativeGrid(crs=crs, transform=Affine(size_x, 0, box.xmin, 0, -size_y, box.ymax), width=1, height=1)
    return wrap_box(as_cell.unwound_box_in(CRS84))


def wrap_box(box: BBox) -> BBox:
    """Return a box whose longitudes may exceed 180 with west > east instead."""
    if box.xmax - box.xmin >= WHOLE_CIRCLE:
        return box._replace(xmin=-HALF_CIRCLE, xmax=HALF_CIRCLE)
    return box if box.xmax <= HALF_CIRCLE else box._replace(xmax=box.xmax - WHOLE_CIRCLE)


def box_of_point(point: Point) -> BBox:
    """Return the CRS84 box without extent at a point."""
    longitude, latitude = transformer(point.crs, CRS84).transform(point.x, point.y)
    return BBox(longitude, latitude, longitude, latitude)


def widen_box(box: BBox, metres: float) -> BBox:
    """Return a CRS84 box enlarged by a distance on each side; near a pole it has all longitudes."""
    up = metres / METRES_PER_DEGREE
    narrowest = math.cos(math.radians(min(HALF_CIRCLE / 2, max(abs(box.ymin), abs(box.ymax)) + up)))
    across = up / max(narrowest, 1e-9)
    if across >= HALF_CIRCLE / 2:
        return BBox(-HALF_CIRCLE, box.ymin - up, HALF_CIRCLE, box.ymax + up)
    west, east = box.xmin - across, box.xmax + across
    return BBox(
        west + WHOLE_CIRCLE if west < -HALF_CIRCLE else west,
        box.ymin - up,
        east - WHOLE_CIRCLE if east > HALF_CIRCLE else east,
        box.ymax + up,
    )


@lru_cache(maxsize=4096)
def shared_box_around(box: BBox) -> BBox | None:
    """Return a larger CRS84 box, which is equal for many boxes nearby, so that one query serves all of them.

    It consists of one, two or four adjacent squares, whose side is a power of two and 2 to 4 times the side of the box.

    Returns:
        `None` for points, for boxes larger than `MAX_SHARED_BOX_SIDE`, and near the antimeridian.
    """
    side = max(box.xmax - box.xmin, box.ymax - box.ymin)
    if not 0 < side <= MAX_SHARED_BOX_SIDE or box.xmin > box.xmax or max(map(abs, box[::2])) > HALF_CIRCLE - 1:
        return None
    size = max(MIN_SQUARE_SIDE, 2.0 ** math.ceil(math.log2(2 * side)))
    west, south = (math.floor(edge / size) * size for edge in box[:2])
    east, north = (math.ceil(edge / size) * size for edge in box[2:])
    return BBox(west, max(-90.0, south), east, min(90.0, north))
