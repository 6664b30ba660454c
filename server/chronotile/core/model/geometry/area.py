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
"""Closed rings (vertex, 2) of x and y: the outer ring, then holes."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Area:
    """Polygons of one feature; overlaps count once."""

    polygons: tuple[Polygon, ...]
    crs: Crs = CRS84
    id: str | int | float | None = None
    """Id from the client."""
    properties: Mapping[str, Any] | None = None
    """Properties of the feature from the client."""
    note: str | None = None
    """Changes in words, such as the repair of a ring that crosses itself."""

    @property
    def vertices(self) -> int:
        """The number of vertices of all rings."""
        return sum(len(ring) for polygon in self.polygons for ring in polygon)


def area_of_box(box: BBox, crs: Crs) -> Area:
    """Return a box as an area. In degrees, west > east crosses the antimeridian.

    Raises:
        InvalidParameter: The box is empty, or outside all coordinates of its CRS.
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
