"""Areas: polygons in a CRS."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, require_place
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.types import FloatArray

Polygon = tuple[FloatArray, ...]
"""Rings (vertex, 2) of x and y, closed; the first is the outer one, the others are holes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """Polygons that are one feature; what lies in two of them counts once."""

    polygons: tuple[Polygon, ...]
    crs: Crs = CRS84
    id: str | int | float | None = None
    """As the client called it."""
    properties: Mapping[str, Any] | None = None
    """Of the feature, as the client wrote them."""
    note: str | None = None
    """What was done to it, in words: such as how a ring that crosses itself was repaired."""

    @property
    def vertices(self) -> int:
        """The number of vertices of all rings."""
        return sum(len(ring) for polygon in self.polygons for ring in polygon)


def area_of_box(box: BBox, crs: Crs) -> Area:
    """Return a box as an area; of degrees, one whose west is more than its east crosses the antimeridian.

    Raises:
        InvalidParameter: It is empty, or reaches beyond all coordinates of its CRS.
    """
    west, south, east, north = box
    if crs.is_geographic:
        if max(abs(west), abs(east)) > WHOLE_CIRCLE or max(abs(south), abs(north)) > WHOLE_CIRCLE / 4:
            raise InvalidParameter("bbox must be west,south,east,north in degrees, longitude first", locator="bbox")
        if west > east:  # RFC 7946 §5.2
            east += WHOLE_CIRCLE
    require_place(BBox(west, south, east, north), crs)
    corners = np.array([(west, south), (east, south), (east, north), (west, north), (west, south)])
    return Area(polygons=((corners,),), crs=crs)


# Units of length by the names that clients give them.

LENGTHS_M: Mapping[str, float] = {"m": 1.0, "km": 1000.0, "mi": 1609.344, "nmi": 1852.0, "ft": 0.3048}
"""Metres in each unit."""

OTHER_LENGTHS: Mapping[str, str] = {
    **dict.fromkeys(("metre", "metres", "meter", "meters"), "m"),
    **dict.fromkeys(("kilometre", "kilometres", "kilometer", "kilometers"), "km"),
    **dict.fromkeys(("mile", "miles"), "mi"),
    **dict.fromkeys(("nm", "nautical mile", "nautical miles"), "nmi"),
    **dict.fromkeys(("foot", "feet"), "ft"),
}
"""What else they are called, in lower case."""
