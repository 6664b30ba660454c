"""Points of requests: longitude and latitude, or x and y in a CRS."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import Point, place_in_degrees
from chronotile.protocols.common.query.crs import requested_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import number, text

LON = number("lon", "Longitude in degrees")
LAT = number("lat", "Latitude in degrees")
X = number("x", "Instead of `lon`, in `crs`")
Y = number("y", "Instead of `lat`, in `crs`")
CRS = text("crs", "CRS of the coordinates, x before y: one the service offers, or the CRS of the layer; default: CRS84")


def requested_point(layer: Layer, query: Kvp, catalogue: Catalogue) -> Point:
    """Return the point `lon`, `lat`, or `x`, `y` in `crs`: x before y, also if the CRS has the other axis order.

    Raises:
        ChronotileError: A parameter is missing or invalid.
    """
    if not ("x" in query or "y" in query):
        if "crs" in query:
            raise InvalidParameter("crs belongs to x and y; lon and lat are in CRS84", locator="crs")
        return longitude_latitude(query, hint="; coordinates in metres are x and y, and need crs=")
    if "lon" in query or "lat" in query:
        raise InvalidParameter("give either lon and lat, or x, y and crs", locator="x")
    x, y = X.value(query), Y.value(query)
    crs = requested_crs(CRS.optional(query), layer, catalogue)
    if not crs.is_geographic:
        return Point(x=x, y=y, crs=crs)
    hint = "" if "crs" in query else "; coordinates in metres need crs="
    return place_in_degrees(x, y, crs=crs, names=("x", "y"), hint=hint)


def longitude_latitude(query: Kvp, *, hint: str = "") -> Point:
    """Return the point `lon`, `lat`.

    Args:
        query: Parameters of the request.
        hint: Added to the message if a value is out of range.

    Raises:
        ChronotileError: A parameter is missing or out of range.
    """
    return place_in_degrees(LON.value(query), LAT.value(query), hint=hint)
