"""Requests for series of points: path, query and body, pages of times, and analyses."""

from dataclasses import replace
from urllib.parse import quote

from starlette.requests import Request

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.errors import MAX_SHOWN, InvalidParameter, MissingParameter, UnknownParameter, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.geometry.geojson import document_of
from chronotile.core.model.geometry.json_estimates import containers_in
from chronotile.core.model.geometry.json_text import ID_FORM, is_id, is_number
from chronotile.core.model.request import Point, PointsSeriesRequest, SeriesRequest, place_in_degrees
from chronotile.core.model.series import analysis as analyses
from chronotile.core.model.series.reducers import MEAN, Reducer, parse_reducer
from chronotile.core.model.time.parser import parse_time
from chronotile.core.model.time.period_parser import requested_period
from chronotile.core.model.types import Instant, JsonValue
from chronotile.http.base_urls import base_url
from chronotile.pipeline.resolve_series import TimePage
from chronotile.protocols.common.query import csv_options
from chronotile.protocols.common.query.cursor import CURSOR, url_of_page
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import (
    Parameter,
    choice,
    custom,
    datetime,
    names_of,
    number,
    times,
    whole,
)
from chronotile.protocols.common.query.points import CRS, LAT, LON, X, Y, requested_point
from chronotile.protocols.timeseries.formats import FORMAT, OF_SEVERAL_LAYERS

LIMIT = whole("limit", "Maximum number of times per page; the header `Link` has the next page", least=1)
PAGING = (LIMIT, CURSOR)


def page_of(query: Kvp, analysis: analyses.Analysis | None) -> TimePage | None:
    """Return the requested page of times, `None` for all times.

    Raises:
        InvalidParameter: A parameter is not accepted, or an analysis is requested, which takes all times.
    """
    cursor, is_paged = CURSOR.optional(query), query.optional(LIMIT.name) is not None
    if not is_paged:
        if cursor is not None:
            raise InvalidParameter("cursor belongs to limit, the times of a page", locator="cursor")
        return None
    if analysis is not None:
        raise InvalidParameter("an analysis takes all times at once; leave limit out", locator="limit")
    return TimePage(limit=LIMIT.value(query), cursor=cursor)


def link_to_next(request: Request, following: Instant | None) -> dict[str, str]:
    """Return the header with the URL of the next page (RFC 8288); empty on the last page."""
    if following is None:
        return {}
    path = f"{base_url(request)}{quote(request.url.path.removeprefix(request.scope.get('root_path', '')))}"
    return {"Link": f'<{url_of_page(path, request.query_params.multi_items(), following)}>; rel="next"'}


KINDS_OF_NORMALS = {"mean", "median", "percentile"}


def _step(text: str) -> analyses.PeriodStep:
    period = requested_period(text)
    return analyses.PeriodStep(period, "dekad" if period.is_dekad else text.upper())


def _normal(text: str) -> Reducer:
    accepted = "use mean, median, or p0 to p100 such as p10"
    try:
        reducer = parse_reducer(text)
    except InvalidParameter as error:
        message = f"climatology {text[:MAX_SHOWN]!r} is not accepted; {accepted}"
        raise InvalidParameter(message, locator="climatology") from error
    if reducer.kind not in KINDS_OF_NORMALS:
        raise InvalidParameter(f"climatology {reducer.name!r} is not accepted; {accepted}", locator="climatology")
    return reducer


STEP = custom("step", "`dekad`, or a period such as `P1M`: reduces the series to one value per period first", _step)
SMOOTH = choice("smooth", "A smooth curve through the values", ("whittaker", "savgol"))
# Outside these limits rounding errors hide gaps and curves.
LAMBDA = number("lambda", "Of Whittaker: stiffness in cubic days", least=1e-3, most=1e9)
OUTLIER_RULE = choice("outliers", "Of Whittaker: treatment of outliers", analyses.OUTLIERS)
WINDOW = number("window", "Of Savitzky-Golay: days", above=0, most=3660)
ORDER = whole("order", "Of Savitzky-Golay: order of the polynomial", least=0, most=5)
FILL = choice("fill", "The values with their gaps filled", analyses.FILL_METHODS)
CLIMATOLOGY = custom(
    "climatology",
    "Normal value for the time of the year: `mean`, `median`, or `p0` to `p100`",
    _normal,
    default=MEAN,
)
CLIMATOLOGY_BY = choice("climatology_by", "Parts of a year", analyses.SLOT_KINDS)
REFERENCE = times("reference", "Reference times of the normals, in any form of `datetime`; default: all")
ANOMALY = choice("anomaly", "Anomaly of each value", analyses.ANOMALY_KINDS)
TREND = choice("trend", "Slope per year and its significance", analyses.TREND_METHODS)
PHENOLOGY = choice("phenology", "Start, peak and end of each season", analyses.PHENOLOGY_METHODS)
# Below this fraction the first day after a trough is lost to rounding.
THRESHOLD = number("threshold", "Of `phenology=threshold`: share of the rise and of the fall", least=0.01, below=1)
ANALYSIS: tuple[Parameter[object], ...] = (
    *(STEP, SMOOTH, LAMBDA, OUTLIER_RULE, WINDOW, ORDER, FILL, CLIMATOLOGY, CLIMATOLOGY_BY, REFERENCE),
    *(ANOMALY, TREND, PHENOLOGY, THRESHOLD),
)


def analysis_of(query: Kvp) -> analyses.Analysis | None:
    """Return the analysis; `None` if none is requested.

    Raises:
        InvalidParameter: A value is not accepted, or a parameter is an option of an analysis that is not requested.
    """
    if not any(name in query for name in names_of(ANALYSIS)):
        return None
    fill, anomaly = FILL.optional(query), ANOMALY.optional(query)
    trend, phenology = TREND.optional(query), PHENOLOGY.optional(query)
    has_climatology = query.optional(CLIMATOLOGY.name) is not None
    has_normals = has_climatology or anomaly is not None or fill == "climatology"
    _only_with(query, (REFERENCE,), has_normals, "climatology=, anomaly= or fill=climatology")
    _only_with(query, (CLIMATOLOGY_BY,), has_normals or trend == "seasonal", "climatology=, anomaly= or trend=seasonal")
    _only_with(query, (THRESHOLD,), phenology == "threshold", "phenology=threshold")
    climatology = analyses.Climatology(
        reducer=CLIMATOLOGY.value(query), by=CLIMATOLOGY_BY.optional(query), reference=REFERENCE.value(query)
    )
    threshold = THRESHOLD.optional(query) or analyses.Phenology().threshold
    if anomaly == "z" and climatology.reducer != MEAN:
        raise InvalidParameter("anomaly=z is relative to the mean; use climatology=mean with it", locator="anomaly")
    return analyses.Analysis(
        step=STEP.optional(query),
        smooth=_smoothing(query),
        fill=fill,
        climatology=climatology,
        has_climatology=has_climatology,
        anomaly=anomaly,
        trend=trend,
        phenology=None if phenology is None else analyses.Phenology(method=phenology, threshold=threshold),
    )


def refuse_in_columns(analysis: analyses.Analysis | None) -> None:
    """Refuse analyses with more than one value per time, for formats with one row per time.

    Raises:
        InvalidParameter: A trend or phenology is requested.
    """
    for name in ("trend", "phenology"):
        if analysis is not None and getattr(analysis, name) is not None:
            raise InvalidParameter(f"{name} has more than one value per time; use format=json with it", locator=name)


def _smoothing(query: Kvp) -> analyses.Smoothing | None:
    method = SMOOTH.optional(query)
    _only_with(query, (LAMBDA, OUTLIER_RULE), method == "whittaker", "smooth=whittaker")
    _only_with(query, (WINDOW, ORDER), method == "savgol", "smooth=savgol")
    if method == "whittaker":
        default = analyses.Whittaker()
        return analyses.Whittaker(
            stiffness=LAMBDA.optional(query) or default.stiffness,
            outliers=OUTLIER_RULE.optional(query) or default.outliers,
        )
    if method == "savgol":
        window, order = WINDOW.optional(query), ORDER.optional(query)
        default_curve = analyses.SavitzkyGolay()
        return analyses.SavitzkyGolay(
            window_days=default_curve.window_days if window is None else window,
            order=default_curve.order if order is None else order,
        )
    return None


def _only_with(query: Kvp, parameters: tuple[Parameter[object], ...], is_given: bool, method: str) -> None:
    for name in names_of(parameters):
        if query.optional(name) is not None and not is_given:
            raise InvalidParameter(f"{name} belongs to {method}", locator=name)


DATETIME = datetime("An instant, interval, interval with period, or list; default: the whole time domain")
OF_POINT: tuple[Parameter[object], ...] = (
    *(LON, LAT, X, Y, CRS, DATETIME, FORMAT),
    *(*csv_options.OF_SERIES, *PAGING, *ANALYSIS),
)
NOT_OF_POINTS = ("reducers", "reducer", "weights", "min_valid", "bbox", "place", "dry_run")
"""Parameters of areas, which series of points refuse."""


def point_request(layer: Layer, query: Kvp, catalogue: Catalogue) -> SeriesRequest:
    """Return the series that `/timeseries/{layer}/point` requests.

    Raises:
        ChronotileError: A parameter is missing or not accepted.
    """
    query.refuse(NOT_OF_POINTS, instead="/timeseries/{layer}/area with it: a point is one cell")
    query.check_names(names_of(OF_POINT))
    return SeriesRequest(
        layer=layer.id,
        point=requested_point(layer, query, catalogue),
        time=DATETIME.value(query),
        analysis=analysis_of(query),
    )


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
"""Members of the body, by names that clients send in the query."""
MAX_LAYERS = 100


def check_points_query(query: Kvp) -> None:
    """Refuse parameters that `/timeseries/points` would ignore.

    Raises:
        UnknownParameter: The parameter belongs in the body or to areas, or is misspelt.
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
        ChronotileError: A member of the body is missing or not accepted, or contradicts the query, or the format allows
            fewer layers.
    """
    most, containers = 2 * (catalogue.limits.max_features + MAX_LAYERS), containers_in(body)
    # Checked before parsing, which needs thirty times the memory of the text.
    require_at_most("max_containers", containers, most, alternative="send fewer at once", locator="points")
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


def requested_datetime(document: dict[str, JsonValue], query: Kvp) -> str | None:
    """Return `datetime` from the body or the query, `None` if both lack it.

    Raises:
        InvalidParameter: It is not text, or body and query differ.
    """
    body_time, query_time = document.get("datetime"), query.optional("datetime")
    if body_time is not None and not isinstance(body_time, str):
        raise InvalidParameter("datetime must be text", locator="datetime")
    if body_time and query_time is not None and body_time.strip() != query_time:
        raise InvalidParameter(
            f"datetime is {query_time[:MAX_SHOWN]} in the query, but the body says {body_time[:MAX_SHOWN]}; "
            "give one of them",
            locator="datetime",
        )
    return body_time or query_time


def _layer_names(document: dict[str, JsonValue]) -> list[str]:
    names = _list_of(document, "layers")
    if not all(isinstance(name, str) for name in names) or not names:
        raise InvalidParameter("layers must be a list of names, at least one", locator="layers")
    if len(names) > MAX_LAYERS:
        raise InvalidParameter(f"layers may be {MAX_LAYERS}, got {len(names)}", locator="layers")
    return list(dict.fromkeys(names))


def _points(document: dict[str, JsonValue], catalogue: Catalogue) -> tuple[Point, ...]:
    listed, allowed = _list_of(document, "points"), catalogue.limits.max_features
    require_at_most("max_features", len(listed), allowed, alternative="send fewer at once", locator="points")
    return tuple(_point(point, number) for number, point in enumerate(listed, 1))


def _list_of(document: dict[str, JsonValue], name: str) -> list[JsonValue]:
    if name not in document:
        raise MissingParameter(f"{name} is missing", locator=name)
    listed = document[name]
    if not isinstance(listed, list):
        raise InvalidParameter(f"{name} must be a list", locator=name)
    return listed


def _point(value: JsonValue, number: int) -> Point:
    """Return the point of `[lon, lat]` or `{"id": …, "lon": …, "lat": …}`."""
    position, identity = value, None
    if isinstance(value, dict):
        position, identity = [value.get("lon"), value.get("lat")], value.get("id")
    if not (isinstance(position, list) and len(position) == 2 and all(map(is_number, position))):
        raise InvalidParameter(
            f'point {number} must be [longitude, latitude] or {{"id": …, "lon": …, "lat": …}}', locator="points"
        )
    if identity is not None and not is_id(identity):
        raise InvalidParameter(f"the id of point {number} must be {ID_FORM}", locator="points")
    names = f"lon of point {number}", f"lat of point {number}"
    place = place_in_degrees(float(position[0]), float(position[1]), names=names)
    return replace(place, id=identity)
