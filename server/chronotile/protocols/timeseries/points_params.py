"""The body of `/timeseries/points` turned into series requests."""

from dataclasses import replace
from typing import Any

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import MAX_SHOWN, InvalidParameter, LimitExceeded, MissingParameter, UnknownParameter
from chronotile.model.geometry.geojson import document_of
from chronotile.model.geometry.geojson_size import containers_in
from chronotile.model.geometry.json_text import is_number
from chronotile.model.request import Point, PointsSeriesRequest, place_in_degrees
from chronotile.model.time.parser import parse_time
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, names_of
from chronotile.protocols.timeseries.analysis_params import ANALYSIS
from chronotile.protocols.timeseries.formats import FORMAT, OF_SEVERAL_LAYERS
from chronotile.protocols.timeseries.params import DATETIME, NOT_OF_POINTS

MEMBERS = ("layers", "points", "datetime")
OF_POINTS: tuple[Parameter[object], ...] = (
    replace(DATETIME, description=f"{DATETIME.description}; here or in the body"),
    FORMAT,
    *csv_options.OF_SERIES,
    *ANALYSIS,
)
"""Parameters of the query."""
IN_THE_BODY = {"layers": "layers", "layer": "layers", "points": "points", "point": "points"} | dict.fromkeys(
    ("lon", "lat", "longitude", "latitude", "lng", "x", "y"), "points"
)
"""Members by what a query may call them."""
MAX_LAYERS = 100

Json = Any
"""What a client sent."""


def check_points_query(query: Kvp) -> None:
    """Refuse what a query has no place for, rather than answer as if it were not there.

    Raises:
        UnknownParameter: It belongs in the body, or to areas, or is misspelt.
    """
    for name, member in IN_THE_BODY.items():
        query.refuse((name,), instead=f"the member {member}: it belongs in the body")
    query.refuse(NOT_OF_POINTS, instead="/timeseries/{layer}/area or /areas with it: a point is one cell")
    query.refuse(("limit", "cursor"), instead="a shorter datetime: there are no pages of many points")
    query.refuse(("crs",), instead="longitude and latitude in CRS84")
    query.check_names(names_of(OF_POINTS))


def points_requests(query: Kvp, body: bytes, catalogue: Catalogue, *, format_: str) -> tuple[PointsSeriesRequest, ...]:
    """Return one request per layer; `datetime` may be in the query or in the body.

    Raises:
        ChronotileError: A member of the body is missing or not accepted, or contradicts the query, or the format
            cannot hold so many layers.
    """
    most, containers = 2 * (catalogue.limits.max_features + MAX_LAYERS), containers_in(body)
    if containers > most:  # before they are taken apart, which takes thirty times the memory of their text
        raise LimitExceeded(
            "max_containers", allowed=most, needed=containers, alternative="send fewer at once", locator="points"
        )
    document = document_of(body)
    for name in document:
        if name not in MEMBERS:
            raise UnknownParameter(
                f"{name[:MAX_SHOWN]} is not a member here; use {', '.join(MEMBERS)}", locator=name[:MAX_SHOWN]
            )
    time = requested_datetime(document, query)
    layers = dict.fromkeys(catalogue.layer(name).id for name in _layer_names(document))
    if len(layers) > 1 and format_ not in OF_SEVERAL_LAYERS:
        several = " and ".join(OF_SEVERAL_LAYERS)
        raise InvalidParameter(f"format {format_} takes one layer at a time; {several} take several", locator="format")
    selection, points = parse_time(time), _points(document, catalogue)
    return tuple(PointsSeriesRequest(layer=layer, points=points, time=selection) for layer in layers)


def requested_datetime(document: dict[str, Json], query: Kvp) -> str | None:
    """Return `datetime` of the body or of the query, if either has one.

    Raises:
        InvalidParameter: It is not text, or the two differ.
    """
    inside, beside = document.get("datetime"), query.optional("datetime")
    if inside is not None and not isinstance(inside, str):
        raise InvalidParameter("datetime must be text", locator="datetime")
    if inside and beside is not None and inside.strip() != beside:
        raise InvalidParameter(
            f"datetime is {beside[:MAX_SHOWN]} in the query, but the body says {inside[:MAX_SHOWN]}; give one of them",
            locator="datetime",
        )
    return inside or beside


def _layer_names(document: dict[str, Json]) -> list[str]:
    names = _listed(document, "layers")
    if not all(isinstance(name, str) for name in names) or not names:
        raise InvalidParameter("layers must be a list of names, at least one", locator="layers")
    if len(names) > MAX_LAYERS:
        raise InvalidParameter(f"layers may be {MAX_LAYERS}, got {len(names)}", locator="layers")
    return list(dict.fromkeys(names))


def _points(document: dict[str, Json], catalogue: Catalogue) -> tuple[Point, ...]:
    listed, allowed = _listed(document, "points"), catalogue.limits.max_features
    if len(listed) > allowed:
        raise LimitExceeded(
            "max_features", allowed=allowed, needed=len(listed), alternative="send fewer at once", locator="points"
        )
    return tuple(_point(each, number) for number, each in enumerate(listed, 1))


def _listed(document: dict[str, Json], name: str) -> list[Json]:
    if name not in document:
        raise MissingParameter(f"{name} is missing", locator=name)
    listed = document[name]
    if not isinstance(listed, list):
        raise InvalidParameter(f"{name} must be a list", locator=name)
    return listed


def _point(given: Json, number: int) -> Point:
    """`[lon, lat]`, or `{"id": …, "lon": …, "lat": …}`."""
    position, identity = given, None
    if isinstance(given, dict):
        position, identity = [given.get("lon"), given.get("lat")], given.get("id")
    if not (isinstance(position, list) and len(position) == 2 and all(map(is_number, position))):
        raise InvalidParameter(
            f'point {number} must be [longitude, latitude] or {{"id": …, "lon": …, "lat": …}}', locator="points"
        )
    if identity is not None and not (isinstance(identity, str) or is_number(identity)):
        raise InvalidParameter(f"the id of point {number} must be text or a number", locator="points")
    names = f"lon of point {number}", f"lat of point {number}"
    place = place_in_degrees(float(position[0]), float(position[1]), names=names)
    return replace(place, id=identity)
