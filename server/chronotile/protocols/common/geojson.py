"""Geometries of a request's body (RFC 7946)."""

from typing import Any

import numpy as np
import orjson

from chronotile.errors import InvalidParameter, LimitExceeded
from chronotile.model.area import Area, Polygon
from chronotile.model.grid import FloatArray

LOCATOR = "geometry"
LEAST_POSITIONS = 4


def area_of(body: bytes, *, max_vertices: int) -> Area:
    """Return the polygons of a Feature or a bare geometry, in CRS84; a third coordinate is left out.

    Raises:
        InvalidParameter: It is no such thing; the message names the ring.
        LimitExceeded: It has more than `max_vertices`.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidParameter(f"the body is no JSON: {error}", locator=LOCATOR) from error
    kind = document.get("type") if isinstance(document, dict) else None
    is_feature = kind == "Feature"
    geometry = document.get("geometry") if is_feature else document
    name = document.get("id") if is_feature else None
    if name is not None and (isinstance(name, bool) or not isinstance(name, str | int | float)):
        raise InvalidParameter("the id of a feature must be text or a number", locator=LOCATOR)
    area = Area(polygons=_polygons(geometry), id=name)
    if area.vertices > max_vertices:
        raise LimitExceeded(
            "max_vertices", allowed=max_vertices, asked=area.vertices, alternative="simplify it", locator=LOCATOR
        )
    return area


def _polygons(geometry: Any) -> tuple[Polygon, ...]:  # noqa: ANN401 -- JSON of a client
    kind = geometry.get("type") if isinstance(geometry, dict) else None
    if kind not in {"Polygon", "MultiPolygon"}:
        raise InvalidParameter(
            f"the geometry must be a Polygon or MultiPolygon, or a Feature of one, got {str(kind)[:40]!r}",
            locator=LOCATOR,
        )
    listed = geometry.get("coordinates")
    polygons = [listed] if kind == "Polygon" else listed
    if not isinstance(polygons, list) or not polygons:
        raise InvalidParameter("the geometry has no coordinates", locator=LOCATOR)
    return tuple(_polygon(rings, number) for number, rings in enumerate(polygons, start=1))


def _polygon(rings: Any, number: int) -> Polygon:  # noqa: ANN401 -- JSON of a client
    if not isinstance(rings, list) or not rings:
        raise InvalidParameter(f"polygon {number} has no rings", locator=LOCATOR)
    return tuple(_ring(ring, f"ring {place} of polygon {number}") for place, ring in enumerate(rings, start=1))


def _ring(listed: Any, name: str) -> FloatArray:  # noqa: ANN401 -- JSON of a client
    if not isinstance(listed, list) or len(listed) < LEAST_POSITIONS:
        raise InvalidParameter(f"{name} must have at least {LEAST_POSITIONS} positions", locator=LOCATOR)
    try:
        ring = np.array([(x, y) for x, y, *_height in listed], dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidParameter(f"{name} must be a list of positions [longitude, latitude]", locator=LOCATOR) from error
    if not np.isfinite(ring).all() or (np.abs(ring) > (360, 90)).any():
        raise InvalidParameter(
            f"{name} must have longitudes from -360 to 360 and latitudes from -90 to 90, longitude first",
            locator=LOCATOR,
        )
    if (ring[0] != ring[-1]).any():
        raise InvalidParameter(f"{name} must end where it begins", locator=LOCATOR)
    return ring
