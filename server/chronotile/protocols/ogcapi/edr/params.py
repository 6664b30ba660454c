"""The parameters of data queries (OGC 19-086r6 §8.2) as requests."""

import math
import re
from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import OfferedCollection, offered_collection
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, UnknownCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.coverage import CoverageRequest, ScaleSize, Trim
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.geometry.circle import circle_of
from chronotile.core.model.geometry.lengths import LENGTHS_M, OTHER_LENGTHS
from chronotile.core.model.request import AreasRequest, Point, PositionsRequest, place_in_degrees
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.pipeline.coverage.grid import resolve_grid
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.crs import check_degrees, named_crs
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, names_of
from chronotile.protocols.common.query.values import choice
from chronotile.protocols.ogcapi.crs import box_of
from chronotile.protocols.ogcapi.edr import queries
from chronotile.protocols.ogcapi.edr.coords import LOCATOR, requested_area, requested_positions
from chronotile.protocols.ogcapi.subset import named_fields

_LEVEL = r"[+-]?\d{1,20}(?:\.\d{0,20})?"
_LEVELS = re.compile(rf"{_LEVEL}(?:/{_LEVEL})?|{_LEVEL}(?:,{_LEVEL}){{1,99}}|R\d{{1,6}}/{_LEVEL}/{_LEVEL}", re.ASCII)


def valued_collection(catalogue: Catalogue, name: str) -> OfferedCollection:
    """Return the collection with values of this id, or of the layer with this id or alias.

    Raises:
        UnknownCollection: It does not exist, or has colours only.
    """
    offered = offered_collection(catalogue, name)
    if not offered.has_values:
        message = f"collection {offered.id} has colours, not values, and so no data queries"
        raise UnknownCollection(message, locator="collectionId")
    return offered


def position_request(offered: OfferedCollection, query: Kvp, catalogue: Catalogue) -> PositionsRequest:
    """Return the request of a position query (§8.2.1).

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, queries.POSITION.parameters)
    layers = requested_layers(offered, query)
    return PositionsRequest(
        layers=tuple(layer.id for layer in layers),
        points=requested_points(query, layers[0], catalogue),
        time=queries.DATETIME.value(query),
    )


def areas_request(offered: OfferedCollection, areas: tuple[Area, ...], query: Kvp) -> AreasRequest:
    """Return the request of a location query (§8.2.7).

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    check_query(query, queries.DATA_PARAMETERS)
    layers = tuple(layer.id for layer in requested_layers(offered, query))
    return AreasRequest(layers=layers, areas=areas, time=queries.DATETIME.value(query))


def check_query(query: Kvp, accepted: tuple[Parameter[object], ...]) -> None:
    """Raise if the query has parameters that are not accepted, or a `z` that is not a level.

    Collections have no heights, so any level is accepted and ignored. So is `datetime` for data without times (§A.13).

    Raises:
        InvalidParameter: It does.
    """
    query.check_names(names_of(accepted))
    level = queries.Z.optional(query)
    if level is not None and _LEVELS.fullmatch(level) is None:
        message = f"z must be a level, several with commas, least/greatest or Rn/least/step, got {level[:MAX_SHOWN]!r}"
        raise InvalidParameter(message, locator="z")


def requested_layers(offered: OfferedCollection, query: Kvp) -> tuple[Layer, ...]:
    """Return the layers of `parameter-name`; without it, all layers of the collection.

    Raises:
        InvalidParameter: A layer is not part of the collection.
    """
    return named_fields(query, queries.PARAMETER_NAME, offered) or tuple(offered.fields.values())


def crs_of_query(query: Kvp, layer: Layer, catalogue: Catalogue) -> Crs | None:
    """Return the CRS of `coords`, of `bbox` and of the response, or `None`.

    Raises:
        UnsupportedCrs: The CRS is neither offered nor native.
    """
    name = queries.CRS.optional(query)
    return None if name is None else named_crs(name, layer, catalogue)


def requested_points(query: Kvp, layer: Layer, catalogue: Catalogue) -> tuple[Point, ...]:
    """Return the points of `coords`.

    Raises:
        ChronotileError: `coords` is not of points, or `crs` is not accepted.
    """
    crs = crs_of_query(query, layer, catalogue) or CRS84
    positions = requested_positions(query, crs, most=catalogue.limits.max_features)
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
    """The cells that a client requests, native or in a number of columns and rows."""

    coverage: CoverageRequest
    """A request without a size."""
    columns: int = 0
    """Number of columns; 0 for native cells."""
    rows: int = 0

    def resolve_size(self, services: Services) -> CoverageRequest:
        """Return the request with the requested size; an axis without a number retains its native cells.

        Raises:
            ChronotileError: The request is not accepted.
        """
        if not (self.columns or self.rows):
            return self.coverage
        native = services.catalogue.layer(self.coverage.layers[0]).main_variable.grid
        grid = resolve_grid(self.coverage, native).grid
        locator = "resolution-x" if self.columns else "resolution-y"
        size = ScaleSize(width=self.columns or grid.width, height=self.rows or grid.height, locator=locator)
        return replace(self.coverage, scale=size)


def area_request(offered: OfferedCollection, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return the request of an area query.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, queries.AREA.parameters)
    crs = crs_of_query(query, offered.main_field, catalogue) or CRS84
    area = requested_area(query, crs, max_vertices=catalogue.limits.max_vertices)
    return CellsRequest(coverage=_cells(offered, query, catalogue, area))


def radius_request(offered: OfferedCollection, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return the request of a radius query: the cells in a geodesic circle.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, queries.RADIUS.parameters)
    points = requested_points(query, offered.main_field, catalogue)
    if len(points) != 1:
        raise InvalidParameter(f"{LOCATOR} must be one POINT here, got {len(points)} points", locator=LOCATOR)
    within = queries.WITHIN.parse(query.require(queries.WITHIN.name, accepted="a distance, in within-units"))
    unit_name = query.require(queries.WITHIN_UNITS.name, accepted=f"one of {', '.join(LENGTHS_M)}").lower()
    units = choice(OTHER_LENGTHS.get(unit_name, unit_name), LENGTHS_M, locator="within-units")
    return CellsRequest(coverage=_cells(offered, query, catalogue, circle_of(points[0], within * LENGTHS_M[units])))


def cube_request(offered: OfferedCollection, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return the request of a cube query; `bbox` is in `crs`, in its axis order.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.refuse(("bbox-crs",), instead="crs, which bbox is in")
    check_query(query, queries.CUBE.parameters)
    crs = crs_of_query(query, offered.main_field, catalogue) or CRS84
    box = box_of(query.require(queries.BBOX.name, accepted=CORNERS), crs)
    check_degrees(box, crs, locator="bbox")
    columns, rows = queries.COLUMNS.value(query), queries.ROWS.value(query)
    coverage = replace(_cells(offered, query, catalogue), trims=(Trim(box=box, crs=crs),))
    return CellsRequest(coverage=coverage, columns=columns, rows=rows)


def _cells(offered: OfferedCollection, query: Kvp, catalogue: Catalogue, area: Area | None = None) -> CoverageRequest:
    return CoverageRequest(
        layers=tuple(layer.id for layer in requested_layers(offered, query)),
        time=queries.DATETIME.value(query),
        crs=crs_of_query(query, offered.main_field, catalogue),
        area=area,
        area_locator=LOCATOR,
    )
