"""`/timeseries/{layer}/area` and `/areas`."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import NamedTuple

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import ChronotileError
from chronotile.model.cancellation import IsActive
from chronotile.model.collection import Layer
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series.series import SeriesCost
from chronotile.model.time.instants import Instant
from chronotile.pipeline.resolve_series import has_open_times
from chronotile.pipeline.series.analyse_areas import analyse_area_series, widen_request
from chronotile.pipeline.series.areas import cost_of_area_series
from chronotile.pipeline.series.pages import page_times
from chronotile.pipeline.series.rough_area_work import rough_seconds
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.job_offer import offer_job
from chronotile.protocols.common.limits.refusals import refuse_alike
from chronotile.protocols.common.query.form import body_of, body_parsed
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.unanswered import warned_of_live
from chronotile.protocols.common.state import (
    USUAL_S,
    make_for_client,
    refuse_if_busy,
    services_of,
    state_of,
)
from chronotile.protocols.timeseries.analysis_params import refuse_in_columns
from chronotile.protocols.timeseries.area_params import DRY_RUN, area_request, areas_request
from chronotile.protocols.timeseries.faults import area_fault
from chronotile.protocols.timeseries.formats import encode_areas, negotiate_format, respond_in, series_csv_options
from chronotile.protocols.timeseries.job_offers import statistics_offer
from chronotile.protocols.timeseries.pages import link_to_next, page_of

ParseAreas = Callable[[Layer, Kvp, bytes, Catalogue], AreaSeriesRequest]


class _Answer(NamedTuple):
    body: bytes | Iterable[bytes]
    following: Instant | None
    """Where the next page begins."""
    is_open: bool
    """Whether its times may be others soon (`has_open_times`)."""
    unreadable: tuple[Instant, ...] = ()
    left_out: tuple[str, ...] = ()


async def get_area(request: Request) -> Response:
    """Return the series of the area in the body, of `bbox` or of a place."""
    return await _answer(request, area_request)


async def get_areas(request: Request) -> Response:
    """Return the series of each feature of the body."""
    return await _answer(request, areas_request)


async def _answer(request: Request, parse: ParseAreas) -> Response:
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    limiter = state_of(request).limiters.areas
    if request.method == "POST":
        refuse_if_busy(request, limiter, layer.id)
    body = await body_of(request)
    query = Kvp(request.query_params.multi_items())
    name = negotiate_format(query, request.headers.get("accept", ""))
    is_dry = DRY_RUN.of(query)
    offer_job(request, lambda: statistics_offer(layer, query, body, services.catalogue, name=name))
    has_parsed = body_parsed(request)

    def work(is_active: IsActive) -> _Answer:
        series_request, following = _paged(parse(layer, query, body, services.catalogue), query, services)
        options = series_csv_options(query, [layer], name, series_request.analysis)
        has_parsed()
        is_open = has_open_times(layer, series_request.time, series_request.analysis)
        if is_dry:
            cost = cost_of_area_series(widen_request(series_request, services).request, services, is_active=is_active)
            return _Answer(_encode_cost(cost, layer), following, is_open)
        if name != "json":
            refuse_in_columns(series_request.analysis)
        series = analyse_area_series(series_request, services, is_active=is_active)
        encoded = encode_areas(series, name, layer, reducers=series_request.reducers, options=options)
        return _Answer(encoded, following, is_open, series.unreadable, series.left_out)

    refuse_alike(request)
    if not body and not is_dry:
        request.scope[USUAL_S] = _rough_seconds(layer, query, services)
    answer = await make_for_client(request, limiter, layer.id, work, services=services)
    response = respond_in(
        "json" if is_dry else name,
        answer.body,
        layer,
        unreadable=answer.unreadable,
        left_out=answer.left_out,
        is_open=answer.is_open,
    )
    response.headers.update(link_to_next(request, answer.following))
    warned_of_live(response, () if is_dry else [layer], services)
    if request.method != "POST" and body.strip():  # caches know it by its address alone
        response.headers["Cache-Control"] = "no-store"
    return response


def _rough_seconds(layer: Layer, query: Kvp, services: Services) -> float:
    """The assumed time of what is requested without a body; 0 where it is not found at once.

    Faults of the request are reported later, in order.
    """
    if "crs" in query or "limit" in query:
        return 0.0
    try:
        series_request = area_request(layer, query, b"", services.catalogue)
        return rough_seconds(series_request.areas[0], series_request.time, layer, services)
    except ChronotileError:
        return 0.0


def _paged(
    series_request: AreaSeriesRequest, query: Kvp, services: Services
) -> tuple[AreaSeriesRequest, Instant | None]:
    """The request for one page of its times, and where the next begins."""
    page = page_of(query, series_request.analysis)
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


routes = [
    Route("/timeseries/{layer}/area", endpoint(get_area, area_fault), methods=["GET", "POST"]),
    Route("/timeseries/{layer}/areas", endpoint(get_areas, area_fault), methods=["POST"]),
]
