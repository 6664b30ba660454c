"""The queries of EDR (OGC 19-086r6 §8.2) turned into requests."""

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import orjson

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collection
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, LimitExceeded, UnknownCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest, ScaleSize, Trim
from chronotile.core.model.crs import CRS84, Crs, is_north_first
from chronotile.core.model.geometry.area import LENGTHS_M, OTHER_LENGTHS, Area
from chronotile.core.model.geometry.circle import circle_of
from chronotile.core.model.geometry.geojson import GeometryRules, area_of
from chronotile.core.model.request import AreasRequest, Point, PositionsRequest, place_in_degrees
from chronotile.pipeline.coverage.grid import place_of
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.crs import check_degrees, named_crs
from chronotile.protocols.common.query.kvp import Kvp, choice
from chronotile.protocols.common.query.parameter import Parameter, names_of
from chronotile.protocols.ogcapi.crs import box_of
from chronotile.protocols.ogcapi.edr import queries
from chronotile.protocols.ogcapi.subset import named_fields

_LEVEL = r"[+-]?\d{1,20}(?:\.\d{0,20})?"
_LEVELS = re.compile(rf"{_LEVEL}(?:/{_LEVEL})?|{_LEVEL}(?:,{_LEVEL}){{1,99}}|R\d{{1,6}}/{_LEVEL}/{_LEVEL}", re.ASCII)


def valued_collection(catalogue: Catalogue, name: str) -> Offered:
    """Return the collection of that id, or of the layer of that id or alias, if it has values.

    Raises:
        UnknownCollection: There is none, or it has colours alone.
    """
    offered = offered_collection(catalogue, name)
    if not offered.has_values:
        message = f"collection {offered.id} has colours, not values, and so no data queries"
        raise UnknownCollection(message, locator="collectionId")
    return offered


def position_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> PositionsRequest:
    """Return what a position query requests (§8.2.1).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, queries.POSITION.parameters)
    layers = requested_layers(offered, query)
    return PositionsRequest(
        layers=tuple(layer.id for layer in layers),
        points=requested_points(query, layers[0], catalogue),
        time=queries.DATETIME.of(query),
    )


def areas_request(offered: Offered, areas: tuple[Area, ...], query: Kvp) -> AreasRequest:
    """Return what the data of named places request (§8.2.7).

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    check_query(query, queries.OF_DATA)
    layers = tuple(layer.id for layer in requested_layers(offered, query))
    return AreasRequest(layers=layers, areas=areas, time=queries.DATETIME.of(query))


def check_query(query: Kvp, known: tuple[Parameter[object], ...]) -> None:
    """Refuse misspelt parameters, and a `z` that is not a level.

    No collection has heights, so any level is accepted and changes nothing, as `datetime` does without times (§A.13).

    Raises:
        InvalidParameter: There is such a parameter.
    """
    query.check_names(names_of(known))
    level = queries.Z.given(query)
    if level is not None and _LEVELS.fullmatch(level) is None:
        message = f"z must be a level, several with commas, least/greatest or Rn/least/step, got {level[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="z")


def requested_layers(offered: Offered, query: Kvp) -> tuple[Layer, ...]:
    """Return the layers of `parameter-name`, all of the collection without it.

    Raises:
        InvalidParameter: One is not of the collection.
    """
    return named_fields(query, queries.PARAMETER_NAME, offered) or tuple(offered.fields.values())


def crs_of_query(query: Kvp, layer: Layer, catalogue: Catalogue) -> Crs | None:
    """Return the CRS of `coords`, of `bbox` and of the answer, if one is named.

    Raises:
        UnsupportedCrs: It is neither offered nor that of the data.
    """
    name = queries.CRS.given(query)
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
        message = f"{LOCATOR} has no longitude and latitude at {x:g} {y:g} of {crs.name[:MAX_SHOWN]}"
        raise InvalidParameter(message, locator=LOCATOR)
    return point


CORNERS = "the lower and the upper corner, such as 4.4,51.0,4.5,51.1"


@dataclass(frozen=True, slots=True, kw_only=True)
class CellsRequest:
    """Which cells are requested."""

    coverage: CoverageRequest
    """Of native cells."""
    columns: int = 0
    """In place of native ones; 0 leaves them."""
    rows: int = 0

    def settled(self, services: Services) -> CoverageRequest:
        """Return the request with the requested size; native cells are counted where they stay along an axis.

        Raises:
            ChronotileError: The request is not accepted.
        """
        if not (self.columns or self.rows):
            return self.coverage
        native = services.catalogue.layer(self.coverage.layers[0]).main_variable.grid
        grid = place_of(self.coverage, native).grid
        locator = "resolution-x" if self.columns else "resolution-y"
        size = ScaleSize(width=self.columns or grid.width, height=self.rows or grid.height, locator=locator)
        return replace(self.coverage, scale=size)


def area_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return what an area query requests.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, queries.AREA.parameters)
    crs = crs_of_query(query, offered.main_field, catalogue) or CRS84
    area = area_of_text(query, crs, max_vertices=catalogue.limits.max_vertices)
    return CellsRequest(coverage=_cells(offered, query, catalogue, area))


def radius_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return what a radius query requests: the cells in a geodesic circle.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, queries.RADIUS.parameters)
    points = requested_points(query, offered.main_field, catalogue)
    if len(points) != 1:
        raise InvalidParameter(f"{LOCATOR} must be one POINT here, got {len(points)} points", locator=LOCATOR)
    within = queries.WITHIN.parse(query.required(queries.WITHIN.name, accepted="a distance, in within-units"))
    named = query.required(queries.WITHIN_UNITS.name, accepted=f"one of {', '.join(LENGTHS_M)}").lower()
    units = choice(OTHER_LENGTHS.get(named, named), LENGTHS_M, locator="within-units")
    return CellsRequest(coverage=_cells(offered, query, catalogue, circle_of(points[0], within * LENGTHS_M[units])))


def cube_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return what a cube query requests; `bbox` is in `crs`, in its axis order.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.refuse(("bbox-crs",), instead="crs, which bbox is in")
    check_query(query, queries.CUBE.parameters)
    crs = crs_of_query(query, offered.main_field, catalogue) or CRS84
    box = box_of(query.required(queries.BBOX.name, accepted=CORNERS), crs)
    check_degrees(box, crs, locator="bbox")
    columns, rows = queries.COLUMNS.of(query), queries.ROWS.of(query)
    coverage = replace(_cells(offered, query, catalogue), trims=(Trim(box=box, crs=crs),))
    return CellsRequest(coverage=coverage, columns=columns, rows=rows)


def _cells(offered: Offered, query: Kvp, catalogue: Catalogue, area: Area | None = None) -> CoverageRequest:
    return CoverageRequest(
        layers=tuple(layer.id for layer in requested_layers(offered, query)),
        time=queries.DATETIME.of(query),
        crs=crs_of_query(query, offered.main_field, catalogue),
        area=area,
        area_locator=LOCATOR,
    )


# Well-known text of `coords` (OGC 06-103r4 §7) as x and y; a third or fourth coordinate is left out.

LOCATOR = "coords"
POINTS = ("POINT", "MULTIPOINT")
POLYGONS = {"POLYGON": "Polygon", "MULTIPOLYGON": "MultiPolygon"}
"""Names that GeoJSON has for them."""
OPENED = {"POLYGON": "((", "MULTIPOLYGON": "((("}

# Lengths are bounded, and blanks are single ones, so that no text takes long to refuse.
_NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,4})?"
_POSITION = rf"({_NUMBER}) ({_NUMBER})(?: {_NUMBER}){{0,2}}"
_TAGGED = re.compile(r"([A-Z]{1,30}?) ?(?:ZM|Z|M)? ?(\(.*\))", re.ASCII | re.IGNORECASE)
_PAIR = re.compile(_POSITION, re.ASCII)
_POINT = re.compile(rf"\( ?{_POSITION} ?\)", re.ASCII)

Position = tuple[float, float]


def points_of(query: Kvp, crs: Crs, *, most: int) -> tuple[Position, ...]:
    """Return x and y of a POINT, or of each member of a MULTIPOINT; `crs` says in which order they are written.

    Raises:
        MissingParameter: There is no `coords`.
        InvalidParameter: It is something else.
        LimitExceeded: There are more than `most`.
    """
    kind, body = _tagged(query, POINTS)
    if kind == "POINT":
        return (_position(_POINT.fullmatch(body), body, crs),)
    members = body[1:-1].split(",")
    if len(members) > most:
        raise LimitExceeded(
            "max_features", allowed=most, needed=len(members), alternative="request fewer at once", locator=LOCATOR
        )
    found = ((_POINT if each.startswith("(") else _PAIR).fullmatch(each) for each in map(str.strip, members))
    return tuple(_position(each, body, crs) for each in found)  # in brackets of its own or without


def area_of_text(query: Kvp, crs: Crs, *, max_vertices: int) -> Area:
    """Return the area of a POLYGON or MULTIPOLYGON, with a note of the repairs.

    Rings that cross themselves or one another are repaired, and open rings are closed, as in bodies of areas.

    Raises:
        MissingParameter: There is no `coords`.
        InvalidParameter: It is not a polygon, or its area is empty.
        LimitExceeded: It has more than `max_vertices`.
    """
    kind, body = _tagged(query, tuple(POLYGONS))
    if not body.replace(" ", "").startswith(OPENED[kind]):
        raise _unreadable(f"{kind}{body}", tuple(POLYGONS))
    geometry = {"type": POLYGONS[kind], "coordinates": _coordinates(body, crs)}
    rules = GeometryRules(max_vertices=max_vertices, max_features=1, crs_named=lambda _name: crs, crs=crs.name)
    return area_of(orjson.dumps(geometry), rules)


def _tagged(query: Kvp, accepted: tuple[str, ...]) -> tuple[str, str]:
    """The kind of geometry, and what stands in its brackets, with them."""
    text = " ".join(query.required(LOCATOR, accepted=_accepted(accepted)).split())
    found = _TAGGED.fullmatch(text)
    kind = found[1].upper() if found else ""
    if found is None or kind not in accepted:
        raise _unreadable(text, accepted)
    return kind, found[2]


def _position(found: re.Match[str] | None, body: str, crs: Crs) -> Position:
    if found is None:
        raise _unreadable(body, POINTS)
    first, second = _finite(found[1]), _finite(found[2])
    return (second, first) if is_north_first(crs) else (first, second)


def _coordinates(body: str, crs: Crs) -> Any:  # noqa: ANN401 -- lists within lists
    """Brackets and positions as GeoJSON has them."""
    is_turned = is_north_first(crs)

    def pair(found: re.Match[str]) -> str:
        first, second = _finite(found[1]), _finite(found[2])
        return f"[{second!r},{first!r}]" if is_turned else f"[{first!r},{second!r}]"

    listed = _PAIR.sub(pair, body).replace("(", "[").replace(")", "]")
    try:
        return orjson.loads(listed)
    except orjson.JSONDecodeError as error:
        raise _unreadable(body, tuple(POLYGONS)) from error


def _finite(written: str) -> float:
    value = float(written)
    if not math.isfinite(value):
        raise InvalidParameter(f"{LOCATOR} has a coordinate that is not a finite number", locator=LOCATOR)
    return value


def _unreadable(text: str, accepted: tuple[str, ...]) -> InvalidParameter:
    return InvalidParameter(f"{LOCATOR} must be {_accepted(accepted)}, got {text[:MAX_SHOWN]!r}", locator=LOCATOR)


def _accepted(kinds: tuple[str, ...]) -> str:
    example = "POINT(4.5 50.8)" if kinds == POINTS else "POLYGON((4 50,5 50,5 51,4 50))"
    return f"well-known text of a {' or '.join(kinds)}, such as {example}"
