"""Circles on the ellipsoid as polygons."""

import numpy as np
from pyproj import Geod

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import Point
from chronotile.core.model.space.boxes import WHOLE_CIRCLE

VERTICES = 720
"""Vertices of the polygon, whose distance from the circle is at most a hundred thousandth of the radius."""

MAX_RADIUS_M = 10_000_000.0
"""A quarter of the earth's circumference; larger circles could contain both poles."""

_GEOD = Geod(ellps="WGS84")


def circle_of(point: Point, radius_m: float) -> Area:
    """Return a polygon in CRS84 whose vertices have a geodesic distance of `radius_m` from a point.

    Longitudes continue beyond 180 across the antimeridian. If the circle contains a pole, the ring also runs along the
    whole latitude of the pole.

    Raises:
        InvalidParameter: The radius is not positive, or larger than `MAX_RADIUS_M`.
    """
    if not 0 < radius_m <= MAX_RADIUS_M:
        raise InvalidParameter(
            f"within must be more than 0 and at most {MAX_RADIUS_M / 1000:.0f} km, got {radius_m / 1000:g} km",
            locator="within",
        )
    longitude, latitude = point.degrees
    azimuths = np.arange(VERTICES) * (WHOLE_CIRCLE / VERTICES)
    x, y, _back = _GEOD.fwd(
        np.full(VERTICES, longitude), np.full(VERTICES, latitude), azimuths, np.full(VERTICES, radius_m)
    )
    x = np.unwrap(x, period=WHOLE_CIRCLE)
    pole = _pole_within(longitude, latitude, radius_m)
    if pole is None:
        x += WHOLE_CIRCLE * np.round((longitude - x.mean()) / WHOLE_CIRCLE)
        ring = np.column_stack([x, y])
    else:
        turn = np.sign(x[-1] - x[0]) * WHOLE_CIRCLE
        x, y = np.append(x, x[0] + turn), np.append(y, y[0])
        ring = np.column_stack([np.append(x, [x[-1], x[0]]), np.append(y, [pole, pole])])
    return Area(polygons=((np.vstack([ring, ring[:1]]),),))


def _pole_within(longitude: float, latitude: float, radius_m: float) -> float | None:
    """Return the latitude of the pole in a circle."""
    for pole in (-90.0, 90.0):
        _azimuth, _back, distance = _GEOD.inv(longitude, latitude, longitude, pole)
        if distance < radius_m:
            return pole
    return None
