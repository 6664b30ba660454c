"""Lengths of CRS units on the ground, for scales and aspect ratios (OGC 20-058 §11.2)."""

import math
from typing import NamedTuple

import numpy as np
from pyproj import Geod

from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.space.grid import NativeGrid

STEP_M = 100.0
"""Approximate distance of the points that are measured."""
NEAREST_TO_POLE = 89.0
"""Degrees of latitude; closer to the pole the length of a degree of longitude vanishes."""

_EARTH = Geod(ellps="WGS84")


class Metres(NamedTuple):
    """Lengths on the ground of one CRS unit along either axis."""

    x: float
    y: float


def metres_per_unit(crs: Crs, x: float, y: float) -> Metres:
    """Return the length of a CRS unit along x and y at a point; outside the earth, the nominal length of the CRS."""
    nominal = crs.metres_per_unit
    half = STEP_M / nominal / 2
    if crs.is_geographic:
        y = min(max(y, -NEAREST_TO_POLE), NEAREST_TO_POLE)
    xs, ys = np.array([x - half, x, x + half, x]), np.array([y, y - half, y, y + half])
    longitudes, latitudes = transformer(crs, CRS84).transform(xs, ys)
    if not (np.isfinite(longitudes).all() and np.isfinite(latitudes).all() and (np.abs(latitudes) <= 90).all()):
        return Metres(nominal, nominal)
    _there, _back, lengths = _EARTH.inv(longitudes[:2], latitudes[:2], longitudes[2:], latitudes[2:])
    along_x, along_y = (float(length) / (2 * half) for length in lengths)
    return Metres(along_x, along_y) if along_x > 0 and along_y > 0 else Metres(nominal, nominal)


def metres_in_box(crs: Crs, box: BBox) -> Metres:
    """Return the lengths of a CRS unit in the middle of a box; in degrees, at its latitude nearest to the equator."""
    middle_x, middle_y = (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2
    return metres_per_unit(crs, middle_x, min(max(0.0, box.ymin), box.ymax) if crs.is_geographic else middle_y)


def native_cell_m(native: NativeGrid) -> float:
    """Return the side of a square on the ground with the area of the cell in the middle of a grid."""
    x, y = native.centre_of(native.height // 2, native.width // 2)
    unit = metres_per_unit(native.crs, x, y)
    return native.resolution * math.sqrt(unit.x * unit.y)
