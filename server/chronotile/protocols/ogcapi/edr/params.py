"""The queries of EDR (OGC 19-086r6 §8.2) turned into requests."""

import math
import re

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collection
from chronotile.errors import MAX_SHOWN, InvalidParameter, UnknownCollection
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, Crs
from chronotile.model.geometry.area import Area
from chronotile.model.request import AreasRequest, Point, PositionsRequest, place_in_degrees
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, names_of
from chronotile.protocols.ogcapi.crs import named_crs
from chronotile.protocols.ogcapi.edr.queries import CRS, DATETIME, OF_DATA, PARAMETER_NAME, POSITION, Z
from chronotile.protocols.ogcapi.edr.wkt import LOCATOR, points_of
from chronotile.protocols.ogcapi.requested_fields import named_fields

_LEVEL = r"[+-]?\d{1,20}(?:\.\d{0,20})?"
_LEVELS = re.compile(rf"{_LEVEL}(?:/{_LEVEL})?|{_LEVEL}(?:,{_LEVEL}){{1,99}}|R\d{{1,6}}/{_LEVEL}/{_LEVEL}", re.ASCII)


def valued_collection(catalogue: Catalogue, name: str) -> Offered:
    """Return the collection of that id, or of the layer of that id or alias, if it has values.

    Raises:
        UnknownCollection: There is none, or it has colours alone.
    """
    offered = offered_collection(catalogue, name)
    if not offered.has_values:
        raise UnknownCollection(
            f"collection {offered.id} has colours, not values, and so no data queries", locator="collectionId"
        )
    return offered


def position_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> PositionsRequest:
    """Return what a position query requests (§8.2.1).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, POSITION.parameters)
    layers = requested_layers(offered, query)
    return PositionsRequest(
        layers=tuple(layer.id for layer in layers),
        points=requested_points(query, layers[0], catalogue),
        time=DATETIME.of(query),
    )


def areas_request(offered: Offered, areas: tuple[Area, ...], query: Kvp) -> AreasRequest:
    """Return what the data of named places request (§8.2.7).

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    check_query(query, OF_DATA)
    layers = tuple(layer.id for layer in requested_layers(offered, query))
    return AreasRequest(layers=layers, areas=areas, time=DATETIME.of(query))


def check_query(query: Kvp, known: tuple[Parameter[object], ...]) -> None:
    """Refuse misspelt parameters, and a `z` that is not a level.

    No collection has heights, so any level is accepted and changes nothing, as `datetime` does without times (§A.13).

    Raises:
        InvalidParameter: There is such a parameter.
    """
    query.check_names(names_of(known))
    level = Z.given(query)
    if level is not None and _LEVELS.fullmatch(level) is None:
        raise InvalidParameter(
            f"z must be a level, several with commas, least/greatest or Rn/least/step, got {level[:MAX_SHOWN]!r}",
            locator="z",
        )


def requested_layers(offered: Offered, query: Kvp) -> tuple[Layer, ...]:
    """Return the layers of `parameter-name`, all of the collection without it.

    Raises:
        InvalidParameter: One is not of the collection.
    """
    return named_fields(query, PARAMETER_NAME, offered) or tuple(offered.fields.values())


def crs_of_query(query: Kvp, layer: Layer, catalogue: Catalogue) -> Crs | None:
    """Return the CRS of `coords`, of `bbox` and of the answer, if one is named.

    Raises:
        UnsupportedCrs: It is neither offered nor that of the data.
    """
    name = CRS.given(query)
    return None if name is None else named_crs(name, layer, catalogue)


def requested_points(query: Kvp, layer: Layer, catalogue: Catalogue) -> tuple[Point, ...]:
    """Return the points of `coords`.

    Raises:
        ChronotileError: They are not points, or `crs` is not accepted.
    """
    crs = crs_of_query(query, layer, catalogue) or CRS84
    positions = points_of(query, crs, most=catalogue.limits.max_features)
    if not crs.is_geographic:
        return tuple(_point(x, y, crs) for x, y in positions)
    hint = "; coordinates in metres need crs=" if crs == CRS84 else ""
    return tuple(place_in_degrees(x, y, crs=crs, names=(LOCATOR, LOCATOR), hint=hint) for x, y in positions)


def _point(x: float, y: float, crs: Crs) -> Point:
    point = Point(x=x, y=y, crs=crs)
    if not all(map(math.isfinite, point.degrees)):
        raise InvalidParameter(
            f"{LOCATOR} has no longitude and latitude at {x:g} {y:g} of {crs.name[:MAX_SHOWN]}", locator=LOCATOR
        )
    return point
