"""Geometries of places as files have them."""

from typing import Any

import numpy as np

from chronotile.core.model.geometry.area import Area, Polygon
from chronotile.core.model.request import Point
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.types import AnyArray, Float64Array


def outline(area: Area, crs: Crs = CRS84) -> tuple[Polygon, ...]:
    """Return the polygons of an area with their vertices in a CRS, outer rings anticlockwise and holes clockwise.

    That is the order of RFC 7946 §3.1.6 and of CF-1.11 §7.5.
    """
    turn = None if area.crs == crs else transformer(area.crs, crs).transform
    return tuple(
        tuple(
            _turned(ring if turn is None else np.array(turn(*ring.T)).T, is_hole=number > 0)
            for number, ring in enumerate(polygon)
        )
        for polygon in area.polygons
    )


def geometry_json(place: Point | Area) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of a place (RFC 7946 §3.1): one polygon, or several; `None` of an area without."""
    if isinstance(place, Point):
        return {"type": "Point", "coordinates": place.degrees}
    if not place.polygons:
        return None
    polygons = [[np.ascontiguousarray(ring) for ring in polygon] for polygon in outline(place)]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _turned(ring: AnyArray, *, is_hole: bool) -> Float64Array:
    """The ring in the order that it should have."""
    x, y = (ring - ring[0]).T
    is_anticlockwise = bool((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0)
    return ring if is_anticlockwise != is_hole else ring[::-1]
