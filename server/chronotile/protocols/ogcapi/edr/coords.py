"""The parameter `coords` of data queries: well-known text (OGC 06-103r4 §7) as x and y."""

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from chronotile.core.model.geometry.area import Area
from chronotile.core.model.geometry.geojson import GeometryRules, area_of
from chronotile.core.model.geometry.wkt import geometry_of_wkt
from chronotile.core.model.space.crs import Crs, is_north_first
from chronotile.protocols.common.query.kvp import Kvp

LOCATOR = "coords"
POINTS = ("POINT", "MULTIPOINT")
POLYGONS = ("POLYGON", "MULTIPOLYGON")

XY = tuple[float, float]


def requested_positions(query: Kvp, crs: Crs, *, most: int) -> tuple[XY, ...]:
    """Return x and y of a POINT, or of each member of a MULTIPOINT, which is written in the axis order of `crs`.

    Raises:
        MissingParameter: `coords` is absent.
        InvalidParameter: The geometry is not of points.
        LimitExceeded: More than `most` points.
    """
    geometry = _geometry(query, crs, POINTS, limit="max_features", most=most)
    points = geometry["coordinates"] if geometry["type"] == "MultiPoint" else [geometry["coordinates"]]
    return tuple((x, y) for x, y in points)


def requested_area(query: Kvp, crs: Crs, *, max_vertices: int) -> Area:
    """Return the area of a POLYGON or MULTIPOLYGON, with a note if it was repaired.

    Self-intersections are repaired and open rings are closed, as in areas of request bodies.

    Raises:
        MissingParameter: `coords` is absent.
        InvalidParameter: Not a polygon, or its area is empty.
        LimitExceeded: More than `max_vertices`.
    """
    geometry = _geometry(query, crs, POLYGONS, limit="max_vertices", most=max_vertices)
    rules = GeometryRules(max_vertices=max_vertices, max_features=1, crs_named=lambda _name: crs, crs=crs.name)
    return area_of(orjson.dumps(geometry), rules)


def _geometry(query: Kvp, crs: Crs, kinds: Sequence[str], *, limit: str, most: int) -> Mapping[str, Any]:
    example = "POINT(4.5 50.8)" if kinds == POINTS else "POLYGON((4 50,5 50,5 51,4 50))"
    accepted = f"well-known text of a {' or '.join(kinds)}, such as {example}"
    text = query.require(LOCATOR, accepted=accepted)
    return geometry_of_wkt(
        text,
        most=most,
        locator=LOCATOR,
        kinds=kinds,
        accepted=accepted,
        limit=limit,
        is_north_first=is_north_first(crs),
    )[0]
