"""Where grids and places lie in longitude and latitude, by which the item index is queried."""

import math
from functools import lru_cache

from affine import Affine

from chronotile.model.crs import CRS84, Crs, transformer
from chronotile.model.grid import WHOLE_CIRCLE, BBox, Grid, NativeGrid

HALF = WHOLE_CIRCLE / 2
METRES_A_DEGREE = 111_319.49079327358


def box_of_grid(grid: Grid) -> BBox:
    """Return a CRS84 box that holds a grid; west > east where it crosses the antimeridian.

    Raises:
        InvalidParameter: No part of it has longitude and latitude.
    """
    return _box_of(grid.crs, grid.bbox)


@lru_cache(maxsize=4096)
def _box_of(crs: Crs, box: BBox) -> BBox:
    size_x, size_y = box.xmax - box.xmin, box.ymax - box.ymin
    as_cell = NativeGrid(crs=crs, transform=Affine(size_x, 0, box.xmin, 0, -size_y, box.ymax), width=1, height=1)
    return wrapped(as_cell.unwound_box_in(CRS84))


def wrapped(box: BBox) -> BBox:
    """Return a box whose longitudes may go on beyond 180 with west > east instead."""
    if box.xmax - box.xmin >= WHOLE_CIRCLE:
        return box._replace(xmin=-HALF, xmax=HALF)
    return box if box.xmax <= HALF else box._replace(xmax=box.xmax - WHOLE_CIRCLE)


def box_of_place(x: float, y: float, crs: Crs) -> BBox:
    """Return the CRS84 box without extent of a place."""
    longitude, latitude = transformer(crs, CRS84).transform(x, y)
    return BBox(longitude, latitude, longitude, latitude)


def widened(box: BBox, metres: float) -> BBox:
    """Return a CRS84 box with so many metres more on each side; all longitudes near a pole."""
    up = metres / METRES_A_DEGREE
    narrowest = math.cos(math.radians(min(HALF / 2, max(abs(box.ymin), abs(box.ymax)) + up)))
    across = up / max(narrowest, 1e-9)
    if across >= HALF / 2:
        return BBox(-HALF, box.ymin - up, HALF, box.ymax + up)
    west, east = box.xmin - across, box.xmax + across
    return BBox(
        west + WHOLE_CIRCLE if west < -HALF else west,
        box.ymin - up,
        east - WHOLE_CIRCLE if east > HALF else east,
        box.ymax + up,
    )
