"""`/timeseries`: series of points and areas, and the interface of Terrascope."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import Catalogue
from chronotile.core.cancellation import IsActive
from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import TableFormat
from chronotile.core.model.payload import NOTHING_MISSING, Missing, join_missing
from chronotile.core.model.request import AreaSeriesRequest
from chronotile.core.model.series.series import SeriesCost
from chronotile.core.model.types import Instant, Json
from chronotile.http.cache_headers import add_live_warning
from chronotile.http.job_offers import offer_job
from chronotile.http.problems import problem_response
from chronotile.http.replay import share_refusal
from chronotile.http.request_bodies import parsed_body_callback, read_body
from chronotile.http.request_services import services_of
from chronotile.http.run import EXPECTED_WORK_S, refuse_if_busy, run
from chronotile.http.work_kinds import AREAS, SERIES, SERIES_OF_MANY
from chronotile.pipeline.resolve_series import has_open_times, page_times
from chronotile.pipeline.series.analyse import analyse_area_series, analyse_points_series, widen_request
from chronotile.pipeline.series.area_cells import rough_seconds
from chronotile.pipeline.series.areas import cost_of_area_series
from chronotile.pipeline.services import Services
from chronotile.protocols.common.openapi import FILE, REFUSALS_OF_BODIES, TEXT, body, ref
from chronotile.protocols.common.operation import Operation, routes_of, segment
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.timeseries import area_params, formats, params, terrascope

# Names of parameters in errors, per endpoint.

LONGITUDE_LATITUDE = {"point": "lon,lat", "time": "datetime"}
COORDINATES = {"point": "x,y", "time": "datetime"}

area_fault = partial(problem_response, spelling=LONGITUDE_LATITUDE)
points_fault = partial(problem_response, spelling={"layer": "layers", "time": "datetime", "geometry": "points"})
"""Problem documents that name members of the body."""


def point_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem with the coordinates as the request spells them."""
    has_coordinates = any(name.lower() in {"x", "y"} for name in request.query_params)
    return problem_response(error, request, spelling=COORDINATES if has_coordinates else LONGITUDE_LATITUDE)


ParseAreas = Callable[[Layer, Kvp, bytes, Catalogue], AreaSeriesRequest]


class _Answer(NamedTuple):
    body: bytes | Iterable[bytes]
    following: Instant | None
    """First instant of the next page."""
    is_open: bool
    """Whether the selected times may change soon (`has_open_times`)."""
    missing: Missing = NOTHING_MISSING


async def get_areas(request: Request, parse: ParseAreas) -> Response:
    """Return the series of one or several areas, or their cost."""
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    if request.method == "POST":
        refuse_if_busy(request, AREAS, layer.id)
    body = await read_body(request)
    query = Kvp(request.query_params.multi_items())
    name = formats.choose_table_format(query, request.headers.get("accept", ""))
    is_dry = area_params.DRY_RUN.value(query)
    offer_job(request, lambda: area_params.statistics_offer(layer, query, body, services.catalogue, name=name))
    has_parsed = parsed_body_callback(request)

    def work(is_active: IsActive) -> _Answer:
        series_request, following = _page(parse(layer, query, body, services.catalogue), query, services)
        options = formats.series_csv_options(query, [layer], name, series_request.analysis)
        has_parsed()
        is_open = has_open_times(layer, series_request.time, series_request.analysis)
        if is_dry:
            cost = cost_of_area_series(widen_request(series_request, services).request, services, is_active=is_active)
            return _Answer(_encode_cost(cost, layer), following, is_open)
        if name != TableFormat.JSON:
            params.refuse_in_columns(series_request.analysis)
        series = analyse_area_series(series_request, services, is_active=is_active)
        encoded = formats.encode_areas(series, name, layer, reducers=series_request.reducers, options=options)
        return _Answer(encoded, following, is_open, series.missing)

    share_refusal(request)
    if not body and not is_dry:
        request.scope[EXPECTED_WORK_S] = _rough_seconds(layer, query, services)
    answer = await run(request, AREAS, work, layers=[layer.id])
    response = formats.respond_in(
        TableFormat.JSON if is_dry else name,
        answer.body,
        "-".join(filter(None, (layer.id, area_params.PLACE.optional(query)))),
        missing=answer.missing,
        is_open=answer.is_open,
    )
    response.headers.update(params.link_to_next(request, answer.following))
    add_live_warning(response, () if is_dry else [layer], services)
    if request.method != "POST" and body.strip():  # caches identify an answer by URL only
        response.headers["Cache-Control"] = "no-store"
    return response


def _rough_seconds(layer: Layer, query: Kvp, services: Services) -> float:
    """Return the assumed seconds of a request without body; 0 if it cannot be parsed quickly.

    Errors of the request are raised later, in the usual order.
    """
    if "crs" in query or "limit" in query:
        return 0.0
    try:
        series_request = area_params.area_request(layer, query, b"", services.catalogue)
        return rough_seconds(series_request.areas[0], series_request.time, layer, services)
    except ChronotileError:
        return 0.0


def _page(
    series_request: AreaSeriesRequest, query: Kvp, services: Services
) -> tuple[AreaSeriesRequest, Instant | None]:
    """Return the request for one page of its times, and the first instant of the next page."""
    page = params.page_of(query, series_request.analysis)
    if page is None:
        return series_request, None
    time, following = page_times(series_request.layer, series_request.time, page, services)
    return replace(series_request, time=time), following


def _encode_cost(cost: SeriesCost, layer: Layer) -> bytes:
    return orjson.dumps(
        {
            "layer": layer.id,
            "chunks": cost.chunks,
            "bytes": cost.bytes,
            "megabytes": round(cost.bytes / 1e6, 3),
            "seconds": float(f"{cost.seconds:.2g}"),
            "values": cost.values,
        }
    )


async def get_point(request: Request) -> Response:
    """Return the series of a point."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    layer = services.catalogue.layer(request.path_params["layer"])
    series_request = params.point_request(layer, query, services.catalogue)
    name = formats.choose_table_format(query, request.headers.get("accept", ""))
    if name != TableFormat.JSON:
        params.refuse_in_columns(series_request.analysis)
    options = formats.series_csv_options(query, [layer], name, series_request.analysis)
    series_format = formats.point_format(name, layer, options)
    offer_job(request, lambda: area_params.point_offer(series_request, query, name=name))
    page, following = params.page_of(query, series_request.analysis), None
    if page is not None:
        time, following = await run(request, SERIES, partial(page_times, layer.id, series_request.time, page, services))
        series_request = replace(series_request, time=time)
    response = await formats.answer_series(request, series_request, series_format)
    response.headers.update(
        {"Vary": "Accept", **formats.file_headers(name, layer.id), **params.link_to_next(request, following)}
    )
    return add_live_warning(response, [layer], services)


async def post_points(request: Request) -> Response:
    """Return the series of the points in the body, one document per layer."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    params.check_points_query(query)
    name, analysis = formats.choose_table_format(query, request.headers.get("accept", "")), params.analysis_of(query)
    if name != TableFormat.JSON:
        params.refuse_in_columns(analysis)
    request_body = await read_body(request)
    offer_job(request, lambda: area_params.points_offer(query, name=name))
    parse = partial(params.points_requests, query, request_body, services.catalogue, format_=name)
    series_requests = await run(request, SERIES, parse)
    layers = [services.catalogue.layer(series_request.layer) for series_request in series_requests]
    options = formats.series_csv_options(query, layers, name, analysis)

    def work(is_active: IsActive) -> tuple[bytes | Iterable[bytes], Missing]:
        results = analyse_points_series(series_requests, analysis, services, is_active=is_active)
        return formats.encode_points(results, name, layers, options), join_missing(series.missing for series in results)

    kind = SERIES_OF_MANY if analysis is None else AREAS  # series of single points do not wait for analyses
    body, missing = await run(request, kind, work, layers=[layer.id for layer in layers])
    is_open = any(
        has_open_times(layer, series_request.time, analysis)
        for layer, series_request in zip(layers, series_requests, strict=True)
    )
    response = formats.respond_in(name, body, layers[0].id, missing=missing, is_open=is_open)
    return add_live_warning(response, layers, services)


def _media_types_of(schema: Json) -> dict[str, Json]:
    return {
        **dict.fromkeys((table_format.media_type for table_format in TableFormat), FILE),
        "text/csv": TEXT,
        "application/json": schema,
    }


LAYER = segment("layer", "Id or alias of a layer that has values", example=lambda of: of.layer)
SHARED: Json = {"datetime": lambda of: of.times, "reducers": lambda of: of.reducers}
PLACE: Json = {
    "place": lambda of: f"{of.place_set}/{of.place}" if of.place else None,
    "bbox": lambda of: None if of.place else of.box,
}
describe = partial(Operation, tag="Series")
area = partial(
    describe,
    faults=area_fault,
    examples=SHARED,
    answers=_media_types_of({"anyOf": [ref("AreaSeries"), ref("SeriesCost")]}),
)
operations = (
    describe(
        "/timeseries/{layer}/point",
        get_point,
        "getPointSeries",
        "Time series of a place: the values of its native cell, with a reason for each missing value",
        faults=point_fault,
        parameters=[LAYER, *params.OF_POINT],
        examples={**SHARED, "lon": lambda of: of.longitude, "lat": lambda of: of.latitude},
        answers=_media_types_of(ref("PointSeries")),
    ),
    area(
        "/timeseries/{layer}/area",
        partial(get_areas, parse=area_params.area_request),
        "getPlaceSeries",
        "Time series of a named place or a box: the values of its cells, reduced to one per instant",
        parameters=[LAYER, *area_params.OF_AREA],
        examples={**SHARED, **PLACE},
    ),
    area(
        "/timeseries/{layer}/area",
        partial(get_areas, parse=area_params.area_request),
        "postAreaSeries",
        "Time series of an area: the values of its cells, reduced to one per instant",
        method="POST",
        parameters=[LAYER, *area_params.OF_AREA],
        body=lambda of: body(ref("Geometry"), of.polygon, required=False),
        refusals=REFUSALS_OF_BODIES,
    ),
    area(
        "/timeseries/{layer}/areas",
        partial(get_areas, parse=area_params.areas_request),
        "postAreasSeries",
        "Time series of many areas, read in one pass",
        method="POST",
        parameters=[LAYER, *area_params.OF_AREAS],
        body=lambda of: body(ref("FeatureCollection"), of.features),
        refusals=REFUSALS_OF_BODIES,
    ),
    describe(
        "/timeseries/points",
        post_points,
        "postPointsSeries",
        "Time series of many places and layers",
        method="POST",
        faults=points_fault,
        parameters=params.OF_POINTS,
        body=lambda of: body(ref("PointsRequest"), {"layers": [of.layer], "points": [[of.longitude, of.latitude]]}),
        answers=_media_types_of(ref("PointsSeries")),
        refusals=REFUSALS_OF_BODIES,
    ),
    *terrascope.operations,
)
routes = [*routes_of(operations), *terrascope.slashed_routes]
