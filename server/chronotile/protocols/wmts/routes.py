"""The endpoints of WMTS: one path for key-value pairs, and those of REST under it."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import OperationNotSupported
from chronotile.model.collection import Layer
from chronotile.model.payload import Payload
from chronotile.pipeline.render_map import render_map
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.kept_answers import remember
from chronotile.protocols.common.kept_documents import respond_with_document
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.layer_entries import asked_telling
from chronotile.protocols.common.respond import known_etags, respond, respond_with_content
from chronotile.protocols.common.state import for_client, in_documents, services_of, state_of
from chronotile.protocols.common.time_warnings import nearest_warnings
from chronotile.protocols.common.update_sequence import update_sequence
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
    SECTIONS,
    Section,
    TileNames,
    check_accepted,
    names_in_path,
    names_in_query,
    operation,
    sections,
    tile_request,
)


async def answer(request: Request, *, path: str) -> Response:
    """Return what REQUEST asks for.

    Raises:
        OperationNotSupported: It comes by POST, which the standard has for XML in SOAP alone (WMTS 1.0.0 §9).
        ChronotileError: A parameter is missing or not accepted.
    """
    if request.method == "POST":
        raise OperationNotSupported("WMTS is offered by GET, in key-value pairs and paths", locator="POST")
    query = Kvp(request.query_params.multi_items())
    match operation(query):
        case "GetTile":
            return await _tile(request, services_of(request), names_in_query(query))
        case "GetFeatureInfo":
            return await _feature_info(request, services_of(request), info_names_in_query(query))
        case "DescribeDomains":
            return await _domains(request, partial(describe_domains, query))
        case "GetDomainValues":
            return await _domains(request, partial(domain_values, query))
        case "GetCapabilities":
            sequence = update_sequence(services_of(request))
            return await _capabilities(request, query, sections(query, sequence=sequence), path=path)


async def get_capabilities_document(request: Request, *, path: str) -> Response:
    """Return the whole capabilities as the resource that their ServiceMetadataURL names."""
    check_accepted(request.headers.get("accept", ""))
    query = Kvp(request.query_params.multi_items())
    return await _capabilities(request, query, frozenset(SECTIONS), path=path)


async def get_tile(request: Request) -> Response:
    """Return the tile that the path names, or the feature info of one of its pixels."""
    query = Kvp(request.query_params.multi_items())
    if request.path_params["extension"] in EXTENSIONS:
        return await _feature_info(request, services_of(request), info_names_in_path(request.path_params, query))
    return await _tile(request, services_of(request), names_in_path(request.path_params, query))


async def _tile(request: Request, services: Services, names: TileNames) -> Response:
    gate = state_of(request).gates.pictures
    work = partial(_draw, names, services, known=known_etags(request))
    payload = await for_client(request, gate, names.layer, work, services=services)
    remember(request, payload, layer=names.layer)
    return _with_warnings(respond(payload), payload, services.catalogue.layer(names.layer))


async def _feature_info(request: Request, services: Services, names: InfoNames) -> Response:
    work = partial(answer_info, names, services, known=known_etags(request))
    gate = state_of(request).gates.series
    payload = await for_client(request, gate, names.tile.layer, work, services=services)
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
    return render_map(tile_request(names, services), services, known=known)


async def _capabilities(request: Request, query: Kvp, asked: frozenset[Section], *, path: str) -> Response:
    services = services_of(request)
    telling = asked_telling(request, query)
    key = ("WMTS", path, asked, telling.base, telling.language, telling.layers, telling.time)
    make = partial(capabilities, telling, asked, path=path)
    return await respond_with_document(request, services, make, key=key, media_type=MEDIA_TYPE)


def routes(paths: Sequence[str]) -> list[Route]:
    """Return the routes of the service under each of its paths; a time may be an interval, which has slashes."""
    tile = "{tms}/{matrix}/{row}/{column}.{extension}"
    return [
        route
        for path in paths
        for route in (
            Route(path, endpoint(partial(answer, path=path), fault), methods=["GET", "POST"]),
            Route(
                f"{path}/1.0.0/WMTSCapabilities.xml",
                endpoint(partial(get_capabilities_document, path=path), path_fault),
            ),
            Route(f"{path}/1.0.0/{{layer}}/{{style}}/{tile}", endpoint(get_tile, path_fault)),
            Route(f"{path}/1.0.0/{{layer}}/{{style}}/{{time:path}}/{tile}", endpoint(get_tile, path_fault)),
        )
    ]
