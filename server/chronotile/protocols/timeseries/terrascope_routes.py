"""`/timeseries/v1.0/ts` and `/timeseries/v1.1/ts`: Terrascope's list, point, geometry, geometries and features."""

from collections.abc import Callable
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.cancellation import IsActive
from chronotile.model.request import AreaSeriesRequest, SeriesRequest
from chronotile.model.series.series import AreasSeries
from chronotile.model.time.instants import TimeDomain
from chronotile.pipeline.resolve_series import has_open_times
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.pipeline.series.point import SeriesFormat, deliver_series, extract_series
from chronotile.protocols.common.endpoint import Handler, endpoint
from chronotile.protocols.common.query.form import body_of, body_parsed
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.respond import caching, known_etags, respond, respond_with_content
from chronotile.protocols.common.responses.unanswered import warned_of_live
from chronotile.protocols.common.state import (
    for_client,
    in_documents,
    make_for_client,
    refuse_if_busy,
    services_of,
    state_of,
)
from chronotile.protocols.timeseries.faults import terrascope_fault
from chronotile.protocols.timeseries.terrascope_documents import (
    encode_area_series,
    encode_areas_series,
    encode_point_series,
    layer_list,
)
from chronotile.protocols.timeseries.terrascope_params import (
    EntryOptions,
    collection_request,
    entry_options,
    geometry_request,
    point_request,
)

MEDIA_TYPE = "application/json"
EncodeAreas = Callable[[AreasSeries, TimeDomain, EntryOptions], bytes]


async def get_layers(request: Request) -> Response:
    """Return Terrascope's list of layers."""
    catalogue = services_of(request).catalogue
    body = await in_documents(request, lambda: orjson.dumps(layer_list(catalogue)))
    return respond_with_content(body, MEDIA_TYPE, request)


async def get_point(request: Request) -> Response:
    """Return the series of a point."""
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    query = Kvp(request.query_params.multi_items())
    series_request, options = point_request(layer, query), entry_options(query)
    encode = partial(encode_point_series, domain=layer.times, options=options)
    written = SeriesFormat(name=options.name, media_type=MEDIA_TYPE, encode=encode)
    limiter = state_of(request).limiters.series
    work = partial(deliver_series, series_request, written, services, known=known_etags(request))
    return respond(await for_client(request, limiter, layer.id, work, services=services))


async def post_geometry(request: Request) -> Response:
    """Return the series of the polygon, or the point, in the body."""
    return await _answer_body(request, geometry_request, encode_area_series)


async def post_collection(request: Request) -> Response:
    """Return a series for each geometry in the body."""
    return await _answer_body(request, collection_request, encode_areas_series)


async def _answer_body(
    request: Request, read: Callable[..., AreaSeriesRequest | SeriesRequest], encode: EncodeAreas
) -> Response:
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    limiter = state_of(request).limiters.areas
    refuse_if_busy(request, limiter, layer.id)
    body = await body_of(request)
    query = Kvp(request.query_params.multi_items())
    has_parsed = body_parsed(request)

    def work(is_active: IsActive) -> tuple[bytes, dict[str, str]]:
        series_request, options = read(layer, query, body, services.catalogue), entry_options(query)
        has_parsed()
        is_open = has_open_times(layer, series_request.time)
        if isinstance(series_request, SeriesRequest):
            series = extract_series(series_request, services)
            headers = caching(series.unreadable, is_open=is_open, left_out=series.left_out)
            return encode_point_series(series, layer.times, options), headers
        found = extract_area_series(series_request, services, is_active=is_active)
        headers = caching(found.unreadable, is_open=is_open, left_out=found.left_out)
        return encode(found, layer.times, options), headers

    document, headers = await make_for_client(request, limiter, layer.id, work, services=services)
    return warned_of_live(Response(document, media_type=MEDIA_TYPE, headers=headers), [layer], services)


def _routes(path: str, handler: Handler, *methods: str) -> list[Route]:
    """In both versions, with and without a slash at the end."""
    return [
        Route(f"/timeseries/{version}/ts{path}{end}", endpoint(handler, terrascope_fault), methods=list(methods))
        for version in ("v1.0", "v1.1")
        for end in ("", "/")
    ]


routes = [
    *_routes("", get_layers, "GET"),
    *_routes("/{layer}/point", get_point, "GET"),
    *_routes("/{layer}/geometry", post_geometry, "POST"),
    *_routes("/{layer}/geometries", post_collection, "POST"),
    *_routes("/{layer}/features", post_collection, "POST"),
]
