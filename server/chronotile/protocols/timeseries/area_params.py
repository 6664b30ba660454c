"""Requests for series of areas: path, query and body, parsed into a request or an equivalent job."""

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, MissingParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.area import Area, area_of_box
from chronotile.core.model.geometry.geojson import area_of, areas_of
from chronotile.core.model.request import AreaSeriesRequest, SeriesRequest
from chronotile.core.model.series.reducers import MEAN, Reducer, parse_reducers
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox
from chronotile.core.model.space.crs import CRS84, Crs
from chronotile.core.model.types import Json
from chronotile.http.job_offers import JobOffer
from chronotile.protocols.common.job_inputs import OF_SERIES, datetime_input, format_input, places_input
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.areas import MIN_VALID, WEIGHTS, geometry_rules
from chronotile.protocols.common.query.crs import requested_crs
from chronotile.protocols.common.query.csv_options import OF_SERIES as OF_SERIES_CSV
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, custom, names_of, text, truth
from chronotile.protocols.common.query.points import CRS
from chronotile.protocols.common.query.values import numbers
from chronotile.protocols.timeseries.formats import FORMAT
from chronotile.protocols.timeseries.params import ANALYSIS, DATETIME, PAGING, analysis_of

PLACE = text("place", "A named place, as `set/id`, instead of a geometry")
BBOX = text("bbox", "West, south, east, north, instead of a geometry")
REDUCERS: Parameter[tuple[Reducer, ...]] = custom(
    "reducers",
    "`mean`, `min`, `max`, `std`, `median`, `count`, `valid_share`, `sum`, `p10` and its like, "
    "`histogram:16`; several with commas; default: `mean`",
    lambda value: parse_reducers(value.split(",")),
    default=(MEAN,),
)
DRY_RUN = truth("dry_run", "`true` returns only the cost of the request")
OF_AREAS: tuple[Parameter[object], ...] = (
    *(CRS, DATETIME, REDUCERS, WEIGHTS, MIN_VALID, DRY_RUN, FORMAT),
    *(*csv_options.OF_SERIES, *PAGING, *ANALYSIS),
)
OF_AREA = (*OF_AREAS, PLACE, BBOX)


def area_request(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> AreaSeriesRequest:
    """Return the series that `/timeseries/{layer}/area` requests, for a geometry in the body, `bbox` or a named place.

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
        time=DATETIME.value(query),
        reducers=REDUCERS.value(query),
        weights=WEIGHTS.value(query),
        min_valid=MIN_VALID.value(query),
        analysis=analysis_of(query),
    )


def _area(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue) -> Area:
    """Return the named place, the box, or the geometry of the body."""
    area_parameters = [name for name in ("place", "bbox") if query.optional(name) is not None]
    if not area_parameters and not body:
        raise MissingParameter("give place=set/id or bbox=, or POST a geometry", locator="place")
    if len(area_parameters) + bool(body.strip()) > 1:
        raise InvalidParameter("give one of place, bbox and a geometry in the body", locator=area_parameters[0])
    if area_parameters == ["bbox"]:
        return _area_of_box(BBOX.value(query), layer, query, catalogue)
    if not area_parameters:
        return area_of(body, geometry_rules(layer, query, catalogue, elsewhere=f"/timeseries/{layer.id}/areas"))
    if "crs" in query:
        raise InvalidParameter("a place has a geometry and crs of its own; give either it or a body", locator="place")
    return catalogue.place(PLACE.value(query))


def _area_of_box(bbox: str, layer: Layer, query: Kvp, catalogue: Catalogue) -> Area:
    crs = requested_crs(CRS.optional(query), layer, catalogue)
    box = BBox(*numbers(bbox, 4, locator="bbox"))
    area = area_of_box(box, crs)
    if crs.is_geographic and box.xmin > box.xmax and (box.xmax - box.xmin) % WHOLE_CIRCLE > WHOLE_CIRCLE / 2:
        _check_antimeridian(bbox, layer, crs)
    return area


def _check_antimeridian(bbox: str, layer: Layer, crs: Crs) -> None:
    """Refuse a box whose west and east were probably swapped, which would select the whole layer except that box."""
    reach, half = layer.main_variable.grid.unwound_box_in(crs), WHOLE_CIRCLE / 2
    if reach.xmin > -half and reach.xmax < half:
        raise InvalidParameter(
            f"bbox {bbox[:60]} has a west greater than its east, so it crosses the antimeridian, which layer "
            f"{layer.id} does not reach; give west,south,east,north",
            locator="bbox",
        )


STATISTICS, SERIES = "zonal-statistics", "time-series"
NO_PROCESS_TAKES = names_of((*ANALYSIS, *PAGING))


def statistics_offer(layer: Layer, query: Kvp, body: bytes, catalogue: Catalogue, *, name: str) -> JobOffer | None:
    """Return the job for series of areas that are too large for a request.

    `None` for an analysis, a page, or a place with too many vertices.

    Args:
        layer: Layer of the path.
        query: Query of the request.
        body: Body with geometries, or empty; it is not parsed.
        catalogue: The catalogue.
        name: Requested format.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    if _has_more(query):
        return None
    reducers, weights, crs = (query.optional(name) for name in ("reducers", "weights", "crs"))
    least, (format_, notes) = MIN_VALID.value(query), _format_inputs(STATISTICS, query, name, otherwise="csv")
    inputs = {
        "layer": layer.id,
        **datetime_input(DATETIME.value(query)),
        **({} if reducers is None else {"reducers": [reducer.strip() for reducer in reducers.split(",")]}),
        **({} if weights is None else {"weights": weights}),
        **({} if least == 0 else {"min_valid": least}),
        **format_,
    }
    if body.strip():
        crs_note = "" if crs is None else f" whose member crs names {crs[:MAX_SHOWN]}"
        notes = [*notes, f"inputs.places is the body, as a FeatureCollection{crs_note}"]
        return JobOffer(process=STATISTICS, inputs=inputs, limits=OF_SERIES, notes=notes)
    places = places_input(area_request(layer, query, body, catalogue).areas, layer, catalogue)
    if places is None:
        return None
    return JobOffer(process=STATISTICS, inputs=inputs | places, limits=OF_SERIES, notes=notes)


def points_offer(query: Kvp, *, name: str) -> JobOffer | None:
    """Return the job for series of points that are too large for a request; `None` for an analysis.

    Raises:
        ChronotileError: A parameter is not accepted.
    """
    if _has_more(query):
        return None
    format_, notes = _format_inputs(SERIES, query, name, otherwise="json")
    if format_["format"] != "json":
        notes = [*notes, f"{format_['format']} takes one layer: post one job for each"]
    notes = [*notes, "the members of the body are inputs, points as [lon, lat] or a FeatureCollection"]
    inputs = {**datetime_input(DATETIME.value(query)), **format_}
    return JobOffer(process=SERIES, inputs=inputs, limits=OF_SERIES, notes=notes)


def point_offer(series_request: SeriesRequest, query: Kvp, *, name: str) -> JobOffer | None:
    """Return the job for the series of a point that is too large for a request.

    `None` for an analysis, a page or a CRS other than CRS84: processes take longitudes and latitudes, and rounding may
    select a neighbouring cell.
    """
    if _has_more(query) or series_request.point.crs != CRS84:
        return None
    format_, notes = _format_inputs(SERIES, query, name, otherwise="json")
    points = [[series_request.point.x, series_request.point.y]]
    inputs = {"layers": series_request.layer, "points": points, **datetime_input(series_request.time), **format_}
    notes = [*notes, "the file is as /timeseries/points has it"]
    return JobOffer(process=SERIES, inputs=inputs, limits=OF_SERIES, notes=notes)


def _format_inputs(process: str, query: Kvp, name: str, *, otherwise: str) -> tuple[Json, list[str]]:
    """Return format inputs of a process, including CSV options if CSV was requested, and notes."""
    inputs, notes = format_input(process, name, otherwise=otherwise)
    csv_texts = {name_: query.optional(name_) for name_ in names_of(OF_SERIES_CSV)} if name == "csv" else {}
    return inputs | {name_: text for name_, text in csv_texts.items() if text is not None}, notes


def _has_more(query: Kvp) -> bool:
    return any(query.optional(name) is not None for name in NO_PROCESS_TAKES)
