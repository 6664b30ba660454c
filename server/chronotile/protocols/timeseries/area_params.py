"""Path, query and body of series of areas turned into a request."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter, MissingParameter
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs
from chronotile.model.geometry.area import Area, area_of_box
from chronotile.model.geometry.geojson import area_of, areas_of
from chronotile.model.grid import WHOLE_CIRCLE, BBox
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series.reducer import MEAN, Reducer, parse_reducers
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.kvp import Kvp, numbers
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, text, truth
from chronotile.protocols.common.query.place import CRS, geometry_rules, requested_crs
from chronotile.protocols.common.query.reduction import MIN_VALID, WEIGHTS
from chronotile.protocols.timeseries.analysis_params import ANALYSIS, analysis_of
from chronotile.protocols.timeseries.formats import FORMAT
from chronotile.protocols.timeseries.pages import PAGING
from chronotile.protocols.timeseries.params import DATETIME


def _reducers(given: str) -> tuple[Reducer, ...]:
    return parse_reducers(given.split(","))


PLACE = text("place", "A named place, as `set/id`, instead of a geometry")
BBOX = text("bbox", "West, south, east, north, instead of a geometry")
REDUCERS: Parameter[tuple[Reducer, ...]] = custom(
    "reducers",
    "`mean`, `min`, `max`, `std`, `median`, `count`, `valid_share`, `sum`, `p10` and its like, "
    "`histogram:16`; several with commas; default: `mean`",
    _reducers,
    default=(MEAN,),
)
DRY_RUN = truth("dry_run", "`true` returns only the cost of the request")
OF_AREAS: tuple[Parameter[object], ...] = (
    *(CRS, DATETIME, REDUCERS, WEIGHTS, MIN_VALID, DRY_RUN, FORMAT),
    *(*csv_options.OF_SERIES, *PAGING, *ANALYSIS),
)
OF_AREA = (*OF_AREAS, PLACE, BBOX)


def area_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/area` requests, of the geometry in the body, of `bbox` or of a place.

    Raises:
        ChronotileError: A parameter or the geometry is not accepted.
    """
    query.check_names(names_of(OF_AREA))
    given_by = next((name for name in ("place", "bbox") if query.optional(name) is not None), "geometry")
    return _request(layer, query, (_area(layer, query, body, catalogue),), given_by=given_by)


def areas_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/areas` requests: one for each feature of the body.

    Raises:
        ChronotileError: A parameter or the body is not accepted.
    """
    query.refuse(("bbox", "place"), instead="/timeseries/{layer}/area with it")
    query.check_names(names_of(OF_AREAS))
    return _request(
        layer, query, areas_of(body, geometry_rules(layer, query, catalogue, elsewhere=f"/timeseries/{layer.id}/area"))
    )


def _request(layer: Layer, query: Kvp, areas: tuple[Area, ...], *, given_by: str = "geometry") -> AreaSeriesRequest:
    return AreaSeriesRequest(
        layer=layer.id,
        areas=areas,
        given_by=given_by,
        time=DATETIME.of(query),
        reducers=REDUCERS.of(query),
        weights=WEIGHTS.of(query),
        min_valid=MIN_VALID.of(query),
        analysis=analysis_of(query),
    )


def _area(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> Area:
    """The place that is named, the box, or the geometry of the body."""
    named = [name for name in ("place", "bbox") if query.optional(name) is not None]
    if not named and not body:
        raise MissingParameter("give place=set/id or bbox=, or POST a geometry", locator="place")
    if len(named) + bool(body.strip()) > 1:
        raise InvalidParameter("give one of place, bbox and a geometry in the body", locator=named[0])
    if named == ["bbox"]:
        return _area_of_box(BBOX.of(query), layer, query, catalogue)
    if not named:
        return area_of(body, geometry_rules(layer, query, catalogue, elsewhere=f"/timeseries/{layer.id}/areas"))
    if "crs" in query:
        raise InvalidParameter("a place has a geometry and crs of its own; give either it or a body", locator="place")
    return catalogue.place(PLACE.of(query))


def _area_of_box(given: str, layer: Layer, query: Kvp, catalogue: Catalogue) -> Area:
    crs = requested_crs(CRS.given(query), layer, catalogue)
    box = BBox(*numbers(given, 4, locator="bbox"))
    area = area_of_box(box, crs)
    if crs.is_geographic and box.xmin > box.xmax:
        _check_antimeridian(given, layer, crs)
    return area


def _check_antimeridian(given: str, layer: Layer, crs: Crs) -> None:
    """Refuse a box with west and east the wrong way round, which would have all of the layer but what was meant."""
    reach, half = layer.main_variable.grid.unwound_box_in(crs), WHOLE_CIRCLE / 2
    if reach.xmin > -half and reach.xmax < half:
        raise InvalidParameter(
            f"bbox {given[:60]} has its west east of its east, and so crosses the antimeridian, which layer {layer.id} "
            "does not reach; give west,south,east,north",
            locator="bbox",
        )
