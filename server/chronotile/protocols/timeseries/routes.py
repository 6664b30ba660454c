"""`/timeseries`: our own series, and Terrascope's."""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.cancellation import IsActive
from chronotile.model.time.instants import Instant
from chronotile.pipeline.resolve_series import has_open_times
from chronotile.pipeline.series.analyse_points import analyse_points_series
from chronotile.pipeline.series.fields import items_of_any
from chronotile.pipeline.series.pages import page_times
from chronotile.pipeline.series.point import deliver_series
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.job_offer import offer_job
from chronotile.protocols.common.query.form import body_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.respond import known_etags, respond
from chronotile.protocols.common.responses.unanswered import warned_of_live
from chronotile.protocols.common.state import for_client, in_thread, make_for_client, services_of, state_of
from chronotile.protocols.timeseries.analysis_params import analysis_of, refuse_in_columns
from chronotile.protocols.timeseries.area_routes import routes as area_routes
from chronotile.protocols.timeseries.faults import point_fault, points_fault
from chronotile.protocols.timeseries.formats import (
    encode_points,
    file_headers,
    negotiate_format,
    point_format,
    respond_in,
    series_csv_options,
)
from chronotile.protocols.timeseries.job_offers import point_offer, points_offer
from chronotile.protocols.timeseries.pages import link_to_next, page_of
from chronotile.protocols.timeseries.params import point_request
from chronotile.protocols.timeseries.points_params import check_points_query, points_requests
from chronotile.protocols.timeseries.terrascope_routes import routes as terrascope_routes


async def get_point(request: Request) -> Response:
    """Return the series of a point."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    layer = services.catalogue.layer(request.path_params["layer"])
    series_request = point_request(layer, query, services.catalogue)
    name = negotiate_format(query, request.headers.get("accept", ""))
    if name != "json":
        refuse_in_columns(series_request.analysis)
    options = series_csv_options(query, [layer], name, series_request.analysis)
    written = point_format(name, layer, options)
    offer_job(request, lambda: point_offer(series_request, query, name=name))
    limiter = state_of(request).limiters.series
    page, following = page_of(query, series_request.analysis), None
    if page is not None:
        time, following = await in_thread(limiter, page_times, layer.id, series_request.time, page, services)
        series_request = replace(series_request, time=time)
    work = partial(deliver_series, series_request, written, services, known=known_etags(request))
    response = respond(await for_client(request, limiter, layer.id, work, services=services))
    response.headers.update({"Vary": "Accept", **file_headers(name, layer), **link_to_next(request, following)})
    return warned_of_live(response, [layer], services)


async def post_points(request: Request) -> Response:
    """Return the series of the points in the body, one document a layer."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    check_points_query(query)
    name, analysis = negotiate_format(query, request.headers.get("accept", "")), analysis_of(query)
    if name != "json":
        refuse_in_columns(analysis)
    limiter = state_of(request).limiters.series
    sent = await body_of(request)
    offer_job(request, lambda: points_offer(query, name=name))
    parse = partial(points_requests, query, sent, services.catalogue, format_=name)
    series_requests = await in_thread(limiter, parse)
    layers = [services.catalogue.layer(each.layer) for each in series_requests]
    options = series_csv_options(query, layers, name, analysis)

    def work(is_active: IsActive) -> tuple[bytes | Iterable[bytes], list[Instant], tuple[str, ...]]:
        found = analyse_points_series(series_requests, analysis, services, is_active=is_active)
        unreadable = sorted({instant for each in found for instant in each.unreadable})
        return encode_points(found, name, layers, options), unreadable, items_of_any(found)

    others = [layer.id for layer in layers[1:]]
    body, unreadable, left_out = await make_for_client(
        request, limiter, layers[0].id, work, services=services, others=others
    )
    is_open = any(
        has_open_times(layer, each.time, analysis) for layer, each in zip(layers, series_requests, strict=True)
    )
    response = respond_in(name, body, layers[0], unreadable=unreadable, left_out=left_out, is_open=is_open)
    return warned_of_live(response, layers, services)


routes = [
    *terrascope_routes,
    Route("/timeseries/points", endpoint(post_points, points_fault), methods=["POST"]),
    Route("/timeseries/{layer}/point", endpoint(get_point, point_fault)),
    *area_routes,
]
