"""Geometries of places for files."""

from typing import Any

import numpy as np

from chronotile.core.model.geometry.area import Area, Polygon
from chronotile.core.model.request import Point
from chronotile.core.model.space.crs import CRS84, Crs, transformer
from chronotile.core.model.types import AnyArray, Float64Array


def outline(area: Area, crs: Crs = CRS84) -> tuple[Polygon, ...]:
    """Return the polygons of an area in a CRS, with outer rings anticlockwise and holes clockwise.

    RFC 7946 §3.1.6 and CF-1.11 §7.5 require this order.
    """
    turn = None if area.crs == crs else transformer(area.crs, crs).transform
    return tuple(
        tuple(
            _orient(ring if turn is None else np.array(turn(*ring.T)).T, is_hole=number > 0)
            for number, ring in enumerate(polygon)
        )
        for polygon in area.polygons
    )


def geometry_json(place: Point | Area) -> dict[str, Any] | None:
    """Return the GeoJSON geometry of a place (RFC 7946 §3.1), or `None` for an area without polygons."""
    if isinstance(place, Point):
        return {"type": "Point", "coordinates": place.degrees}
    if not place.polygons:
        return None
    polygons = [[np.ascontiguousarray(ring) for ring in polygon] for polygon in outline(place)]
    if len(polygons) == 1:
        return {"type": "Polygon", "coordinates": polygons[0]}
    return {"type": "MultiPolygon", "coordinates": polygons}


def _orient(ring: AnyArray, *, is_hole: bool) -> Float64Array:
    """Return the ring in the direction that its kind requires."""
    x, y = (ring - ring[0]).T
    is_anticlockwise = bool((x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0)
    return ring if is_anticlockwise != is_hole else ring[::-1]
