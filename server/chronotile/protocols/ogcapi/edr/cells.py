"""The queries for cells, area, cube and radius (OGC 19-086r6 §8.2.2 to §8.2.4), turned into requests for coverages."""

from dataclasses import dataclass, replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.errors import InvalidParameter
from chronotile.model.coverage import CoverageRequest, ScaleSize, Trim
from chronotile.model.crs import CRS84
from chronotile.model.geometry.area import Area
from chronotile.model.geometry.circle import circle_of
from chronotile.model.geometry.lengths import LENGTHS_M, OTHER_LENGTHS
from chronotile.pipeline.coverage.grid import place_of
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.kvp import Kvp, choice
from chronotile.protocols.ogcapi.crs import box_of, check_degrees
from chronotile.protocols.ogcapi.edr.params import check_query, crs_of_query, requested_layers, requested_points
from chronotile.protocols.ogcapi.edr.queries import (
    AREA,
    BBOX,
    COLUMNS,
    CUBE,
    DATETIME,
    RADIUS,
    ROWS,
    WITHIN,
    WITHIN_UNITS,
)
from chronotile.protocols.ogcapi.edr.wkt import LOCATOR, area_of_text

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
    check_query(query, AREA.parameters)
    crs = crs_of_query(query, offered.main_field, catalogue) or CRS84
    area = area_of_text(query, crs, max_vertices=catalogue.limits.max_vertices)
    return CellsRequest(coverage=_in_area(area, offered, query, catalogue))


def radius_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return what a radius query requests: the cells in a geodesic circle.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    check_query(query, RADIUS.parameters)
    points = requested_points(query, offered.main_field, catalogue)
    if len(points) != 1:
        raise InvalidParameter(f"{LOCATOR} must be one POINT here, got {len(points)} points", locator=LOCATOR)
    within = WITHIN.parse(query.required(WITHIN.name, accepted="a distance, in within-units"))
    named = query.required(WITHIN_UNITS.name, accepted=f"one of {', '.join(LENGTHS_M)}").lower()
    units = choice(OTHER_LENGTHS.get(named, named), LENGTHS_M, locator="within-units")
    return CellsRequest(coverage=_in_area(circle_of(points[0], within * LENGTHS_M[units]), offered, query, catalogue))


def cube_request(offered: Offered, query: Kvp, catalogue: Catalogue) -> CellsRequest:
    """Return what a cube query requests; `bbox` is in `crs`, in its axis order.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.refuse(("bbox-crs",), instead="crs, which bbox is in")
    check_query(query, CUBE.parameters)
    crs = crs_of_query(query, offered.main_field, catalogue) or CRS84
    box = box_of(query.required(BBOX.name, accepted=CORNERS), crs)
    check_degrees(box, crs, locator="bbox")
    columns, rows = COLUMNS.of(query), ROWS.of(query)
    coverage = CoverageRequest(
        layers=_layer_ids(offered, query),
        trims=(Trim(box=box, crs=crs),),
        time=DATETIME.of(query),
        crs=crs_of_query(query, offered.main_field, catalogue),
    )
    return CellsRequest(coverage=coverage, columns=columns, rows=rows)


def _in_area(area: Area, offered: Offered, query: Kvp, catalogue: Catalogue) -> CoverageRequest:
    return CoverageRequest(
        layers=_layer_ids(offered, query),
        time=DATETIME.of(query),
        crs=crs_of_query(query, offered.main_field, catalogue),
        area=area,
        area_locator=LOCATOR,
    )


def _layer_ids(offered: Offered, query: Kvp) -> tuple[str, ...]:
    return tuple(layer.id for layer in requested_layers(offered, query))
