"""The endpoints of WMTS: one path for key-value pairs, and those of REST under it."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import OperationNotSupported
from chronotile.model.collection import Layer
from chronotile.model.payload import Payload
from chronotile.pipeline.maps.render import render_map
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import capabilities_context
from chronotile.protocols.common.capabilities.time_warnings import nearest_warnings, slip_warnings
from chronotile.protocols.common.capabilities.update_sequence import update_sequence
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.remembered import remember
from chronotile.protocols.common.responses.respond import known_etags, respond, respond_with_content
from chronotile.protocols.common.state import for_client, in_documents, services_of, state_of
from chronotile.protocols.wmts.documents import capabilities
from chronotile.protocols.wmts.domains import describe_domains, domain_values
from chronotile.protocols.wmts.faults import fault, path_fault
from chronotile.protocols.wmts.feature_info import (
    EXTENSIONS,
    InfoNames,
    answer_info,
    info_names_in_path,
    info_names_in_query,
)
from chronotile.protocols.wmts.params import (
    MEDIA_TYPE,
    OF_TILE,
    SECTIONS,
    Section,
    TileNames,
    check_accepted,
    map_request,
    names_in_path,
    names_in_query,
    offered_formats,
    operation,
    sections,
)


async def answer(request: Request, *, path: str) -> Response:
    """Return what REQUEST requests.

    Raises:
        OperationNotSupported: It comes by POST, which the standard has for XML in SOAP alone (WMTS 1.0.0 §9).
        ChronotileError: A parameter is missing or not accepted.
    """
    if request.method == "POST":
        raise OperationNotSupported("WMTS is offered by GET, in key-value pairs and paths", locator="POST")
    query, services = last_of_each(request.query_params.multi_items()), services_of(request)
    match operation(query):
        case "GetTile":
            response = await _tile(request, services, names_in_query(query, offered_formats(services.catalogue)))
            for warning in slip_warnings(query, OF_TILE):
                response.headers.append("Warning", warning)
            return response
        case "GetFeatureInfo":
            names = info_names_in_query(query, offered_formats(services.catalogue))
            return await _feature_info(request, services, names)
        case "DescribeDomains":
            return await _domains(request, partial(describe_domains, query))
        case "GetDomainValues":
            return await _domains(request, partial(domain_values, query))
        case "GetCapabilities":
            sequence = update_sequence(services)
            return await _capabilities(request, query, sections(query, sequence=sequence), path=path)


async def get_capabilities_document(request: Request, *, path: str) -> Response:
    """Return the whole capabilities as the resource that their ServiceMetadataURL names."""
    check_accepted(request.headers.get("accept", ""))
    query = last_of_each(request.query_params.multi_items())
    return await _capabilities(request, query, frozenset(SECTIONS), path=path)


async def get_tile(request: Request) -> Response:
    """Return the tile that the path names, or the feature info of one of its pixels."""
    query, services = last_of_each(request.query_params.multi_items()), services_of(request)
    if request.path_params["extension"] in EXTENSIONS:
        return await _feature_info(request, services, info_names_in_path(request.path_params, query))
    names = names_in_path(request.path_params, query, offered_formats(services.catalogue))
    return await _tile(request, services, names)


async def _tile(request: Request, services: Services, names: TileNames) -> Response:
    limiter = state_of(request).limiters.pictures
    work = partial(_draw, names, services, known=known_etags(request))
    payload = await for_client(request, limiter, names.layer, work, services=services)
    remember(request, payload, layer=names.layer)
    return _with_warnings(respond(payload), payload, services.catalogue.layer(names.layer))


async def _feature_info(request: Request, services: Services, names: InfoNames) -> Response:
    work = partial(answer_info, names, services, known=known_etags(request))
    limiter = state_of(request).limiters.series
    payload = await for_client(request, limiter, names.tile.layer, work, services=services)
    return _with_warnings(respond(payload), payload, services.catalogue.layer(names.tile.layer))


def _with_warnings(response: Response, payload: Payload, layer: Layer) -> Response:
    """Name the time used in place of the one requested, in the header that WMS has for it; WMTS has none."""
    for warning in nearest_warnings(payload.time, layer.times):
        response.headers.append("Warning", warning)
    return response


async def _domains(request: Request, tell: Callable[[Services], bytes]) -> Response:
    body = await in_documents(request, tell, services_of(request))
    return respond_with_content(body, MEDIA_TYPE, request)


def _draw(names: TileNames, services: Services, *, known: Collection[str]) -> Payload:
    """The tile; what limits it has is found here, too, since the first time that asks PROJ for milliseconds."""
    return render_map(map_request(names, services), services, known=known)


async def _capabilities(request: Request, query: Kvp, sections: frozenset[Section], *, path: str) -> Response:
    services = services_of(request)
    context = capabilities_context(request, query)
    key = ("WMTS", path, sections, context.base, context.language, context.layers, context.time_text)
    make = partial(capabilities, context, sections, path=path)
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPE)


def routes(paths: Sequence[str]) -> list[Route]:
    """Return the routes of the service under each of its paths; a time may be an interval, which has slashes."""
    tile = "{tms}/{matrix}/{row}/{column}.{extension}"
    return [
        route
        for path in paths
        for route in (
            Route(path, endpoint(partial(answer, path=path), fault), methods=["GET", "POST"]),
            *(
                # The address that capabilities give of RESTful operations, and that of the document itself.
                Route(f"{path}/1.0.0/{name}", endpoint(partial(get_capabilities_document, path=path), path_fault))
                for name in ("", "WMTSCapabilities.xml")
            ),
            Route(f"{path}/1.0.0/{{layer}}/{{style}}/{tile}", endpoint(get_tile, path_fault)),
            Route(f"{path}/1.0.0/{{layer}}/{{style}}/{{time:path}}/{tile}", endpoint(get_tile, path_fault)),
        )
    ]
