"""Where a request asks: points and geometries, and the CRS their coordinates are in."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.model.geometry.geojson import GeometryRules
from chronotile.model.request import Point, place_in_degrees
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import number, text

LON = number("lon", "Longitude in degrees")
LAT = number("lat", "Latitude in degrees")
X = number("x", "Instead of `lon`, in `crs`")
Y = number("y", "Instead of `lat`, in `crs`")
CRS = text("crs", "CRS of the coordinates, x before y: one the service offers, or the layer's own; default: CRS84")


def requested_point(layer: Layer, query: Kvp, catalogue: Catalogue) -> Point:
    """Return the place of `lon` and `lat`, or of `x` and `y` in `crs`, x before y whatever the CRS says.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    if not ("x" in query or "y" in query):
        if "crs" in query:
            raise InvalidParameter("crs belongs to x and y; lon and lat are in CRS84", locator="crs")
        return longitude_latitude(query, hint="; coordinates in metres are x and y, and need crs=")
    if "lon" in query or "lat" in query:
        raise InvalidParameter("give either lon and lat, or x, y and crs", locator="x")
    x, y = X.of(query), Y.of(query)
    crs = requested_crs(CRS.given(query), layer, catalogue)
    if not crs.is_geographic:
        return Point(x=x, y=y, crs=crs)
    hint = "" if "crs" in query else "; coordinates in metres need crs="
    return place_in_degrees(x, y, crs=crs, names=("x", "y"), hint=hint)


def longitude_latitude(query: Kvp, *, hint: str = "") -> Point:
    """Return the place of `lon` and `lat`.

    Args:
        query: What has them.
        hint: What the message adds where one is no such degree.

    Raises:
        ChronotileError: One is missing or no such degree.
    """
    return place_in_degrees(LON.of(query), LAT.of(query), hint=hint)


def geometry_rules(layer: Layer, query: Kvp, catalogue: Catalogue, *, elsewhere: str) -> GeometryRules:
    """Return what the geometries of a body about a layer may be; `elsewhere` is the path of one, or of many."""
    return GeometryRules(
        max_vertices=catalogue.limits.max_vertices,
        max_features=catalogue.limits.max_features,
        crs_named=lambda name: requested_crs(name, layer, catalogue),
        crs=CRS.given(query),
        elsewhere=elsewhere,
    )


def requested_crs(name: str | None, layer: Layer, catalogue: Catalogue) -> Crs:
    """Return one of those offered, or of the layer's own; CRS84 where none is named.

    Raises:
        UnsupportedCrs: It is neither.
    """
    return CRS84 if name is None else catalogue.offered_crs(name, layer)
