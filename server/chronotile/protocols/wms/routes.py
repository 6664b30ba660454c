"""The endpoints of WMS: one path, the operation is a parameter."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.catalogue import Catalogue
from chronotile.model.payload import TimeUsed
from chronotile.model.request import IdentifyRequest, MapRequest
from chronotile.protocols.common.capabilities.layer_entries import capabilities_context
from chronotile.protocols.common.capabilities.time_warnings import slip_warnings
from chronotile.protocols.common.capabilities.update_sequence import update_sequence
from chronotile.protocols.common.drawn_maps import draw_maps
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.form import pairs_of
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.protocols.common.sld import MEDIA_TYPE as SLD_TYPE
from chronotile.protocols.common.state import for_client, in_documents, in_thread, services_of, state_of
from chronotile.protocols.wms.documents import MEDIA_TYPES, axes_warning, capabilities, time_warnings
from chronotile.protocols.wms.faults import fault, or_in_picture
from chronotile.protocols.wms.feature_info import answer_info, info_query
from chronotile.protocols.wms.legend import answer_legend, legend_query
from chronotile.protocols.wms.params import (
    OF_MAP,
    VERSION,
    Operation,
    check_update_sequence,
    is_quickly_read,
    negotiated_version,
    operation,
    wms_map,
)
from chronotile.protocols.wms.sld_address import with_document
from chronotile.protocols.wms.styled_layers import describe_layer, get_styles
from chronotile.web.places import Places, web_places

Parsed = TypeVar("Parsed")

OF_GET_MAP = ("SERVICE", "REQUEST", *(each.name for each in OF_MAP))
WITH_OWN_STYLES: tuple[Operation, ...] = ("GetMap", "GetFeatureInfo", "GetLegendGraphic")
"""Operations that take SLD and SLD_BODY."""


async def answer(request: Request, *, path: str, places: Places) -> Response:
    """Return what REQUEST requests."""
    request.state.pairs = await pairs_of(request)
    query = last_of_each(request.state.pairs)
    requested = operation(query)
    if requested in WITH_OWN_STYLES:
        query = await with_document(request, query, places)
    match requested:
        case "GetMap":
            return await or_in_picture(get_map, request, query)
        case "GetFeatureInfo":
            return await get_feature_info(request, query)
        case "GetLegendGraphic":
            return await get_legend_graphic(request, query)
        case "GetStyles":
            return await _document(request, query, get_styles, media_type=SLD_TYPE)
        case "DescribeLayer":
            return await _document(request, query, describe_layer, media_type="text/xml")
        case "GetCapabilities":
            return await get_capabilities(request, query, path=path)


async def get_capabilities(request: Request, query: Kvp, *, path: str) -> Response:
    """Return the capabilities in the version that suits the client; FORMAT has no say (WMS 1.3.0 §7.2.3.1)."""
    version = negotiated_version(query)
    services = services_of(request)
    check_update_sequence(query, update_sequence(services))
    context = capabilities_context(request, query)
    key = ("WMS", version, path, context.base, context.language, context.layers, context.time_text)
    make = partial(capabilities, context, version, path=path)
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPES[version])


async def get_map(request: Request, query: Kvp) -> Response:
    """Return a map, with a warning for each layer whose time the client did not name."""
    services = services_of(request)
    maps = await _parsed(request, query, wms_map)
    _maps, found = await draw_maps(request, [each.layer for each in maps.layers], lambda: maps.layers)
    response = respond(replace(found.payload, media_type=maps.media_type))
    axes = axes_warning(maps.layers, VERSION.of(query), services.catalogue)
    beside = [*slip_warnings(query, OF_GET_MAP), *([] if axes is None else [axes])]
    return _with_warnings(response, maps.layers, found.times, services.catalogue, beside=beside)


async def get_feature_info(request: Request, query: Kvp) -> Response:
    """Return what layers show at a pixel of a map, with the warnings of that map."""
    services = services_of(request)
    info = await _parsed(request, query, info_query)
    first = info.requests[0]
    work = partial(answer_info, info, services, known=known_etags(request))
    limiter, others = state_of(request).limiters.series, [each.layer for each in info.requests[1:]]
    found = await for_client(request, limiter, first.layer, work, services=services, others=others)
    return _with_warnings(respond(found.payload), info.requests, found.times, services.catalogue)


def _with_warnings(
    response: Response,
    requests: Sequence[MapRequest] | Sequence[IdentifyRequest],
    times: Sequence[TimeUsed],
    catalogue: Catalogue,
    *,
    beside: Iterable[str] = (),
) -> Response:
    for warning in (*time_warnings(requests, times, catalogue), *beside):
        response.headers.append("Warning", warning)
    return response


async def get_legend_graphic(request: Request, query: Kvp) -> Response:
    """Return a layer's legend as picture or document."""
    services = services_of(request)
    legend = await _parsed(request, query, legend_query)
    return respond(await in_documents(request, answer_legend, legend, services, known=known_etags(request)))


async def _parsed(request: Request, query: Kvp, parse: Callable[[Kvp, Catalogue], Parsed]) -> Parsed:
    """What a query requests; in a thread where reading it takes milliseconds."""
    catalogue = services_of(request).catalogue
    if is_quickly_read(query, catalogue):
        return parse(query, catalogue)
    return await in_thread(state_of(request).limiters.pictures, parse, query, catalogue)


async def _document(
    request: Request, query: Kvp, write: Callable[[Kvp, Catalogue], bytes], *, media_type: str
) -> Response:
    body = await in_documents(request, write, query, services_of(request).catalogue)
    return respond_with_content(body, media_type, request, cache_control=SHORT)


def routes(paths: Sequence[str], *, sld_prefixes: Sequence[str] = ()) -> list[Route]:
    """Return the routes of the service under each of its paths.

    Args:
        paths: Of the service.
        sld_prefixes: URLs below which documents may lie that SLD names; without any none is fetched.

    Raises:
        ConfigurationError: One of `sld_prefixes` is none.
    """
    places = web_places(sld_prefixes, setting="CHRONOTILE_SLD_PREFIXES")
    return [
        Route(path, endpoint(partial(answer, path=path, places=places), fault), methods=["GET", "POST"])
        for path in paths
    ]
