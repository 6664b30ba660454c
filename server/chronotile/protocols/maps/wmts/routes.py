"""The endpoints of WMTS: one path for key-value pairs, and REST paths below it."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.core.errors import ChronotileError, LimitExceeded, MissingParameter, OperationNotSupported
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import Payload
from chronotile.http.answers import answer_content, answer_payload
from chronotile.http.document_answers import answer_document
from chronotile.http.endpoint import endpoint
from chronotile.http.if_none_match import client_etags
from chronotile.http.replay import allow_replay
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import DOCUMENTS, PICTURES, SERIES
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import capabilities_context
from chronotile.protocols.common.capabilities.time_warnings import nearest_warnings
from chronotile.protocols.common.capabilities.update_sequence import update_sequence
from chronotile.protocols.common.ows import MEDIA_TYPE, exception_report
from chronotile.protocols.common.query.kvp import Kvp, last_of_each
from chronotile.protocols.maps.wmts import params
from chronotile.protocols.maps.wmts.documents import capabilities
from chronotile.protocols.maps.wmts.domains import describe_domains, domain_values
from chronotile.protocols.maps.wmts.feature_info import (
    EXTENSIONS,
    InfoNames,
    answer_info,
    info_names_in_path,
    info_names_in_query,
)


async def answer(request: Request, *, path: str) -> Response:
    """Answer the operation that REQUEST names.

    Raises:
        OperationNotSupported: The method is POST, which the standard defines only for XML in SOAP (WMTS 1.0.0 §9).
        ChronotileError: A parameter is missing or not accepted.
    """
    if request.method == "POST":
        raise OperationNotSupported("WMTS is offered by GET, in key-value pairs and paths", locator="POST")
    query, services = last_of_each(request.query_params.multi_items()), services_of(request)
    match params.operation(query):
        case "GetTile":
            tile = params.names_in_query(query, params.offered_formats(services.catalogue))
            response = await _tile(request, services, tile)
            for warning in query.slip_warnings(params.OF_TILE):
                response.headers.append("Warning", warning)
            return response
        case "GetFeatureInfo":
            names = info_names_in_query(query, params.offered_formats(services.catalogue))
            return await _feature_info(request, services, names)
        case "DescribeDomains":
            return await _domains(request, partial(describe_domains, query))
        case "GetDomainValues":
            return await _domains(request, partial(domain_values, query))
        case "GetCapabilities":
            sequence = update_sequence(services)
            return await _capabilities(request, query, params.sections(query, sequence=sequence), path=path)


async def get_capabilities_document(request: Request, *, path: str) -> Response:
    """Return the whole capabilities, the resource that ServiceMetadataURL names."""
    params.check_accepted(request.headers.get("accept", ""))
    query = last_of_each(request.query_params.multi_items())
    return await _capabilities(request, query, frozenset(params.SECTIONS), path=path)


async def get_tile(request: Request) -> Response:
    """Return the tile of the path, or the feature info of a pixel."""
    query, services = last_of_each(request.query_params.multi_items()), services_of(request)
    if request.path_params["extension"] in EXTENSIONS:
        return await _feature_info(request, services, info_names_in_path(request.path_params, query))
    names = params.names_in_path(request.path_params, query, params.offered_formats(services.catalogue))
    return await _tile(request, services, names)


async def _tile(request: Request, services: Services, names: params.TileNames) -> Response:
    work = partial(_draw, names, services, client_etags=client_etags(request))
    payload = await run(request, PICTURES, work, layers=[names.layer])
    allow_replay(request, payload, layer=names.layer)
    return _add_warnings(answer_payload(payload), payload, services.catalogue.layer(names.layer))


async def _feature_info(request: Request, services: Services, names: InfoNames) -> Response:
    work = partial(answer_info, names, services, client_etags=client_etags(request))
    payload = await run(request, SERIES, work, layers=[names.tile.layer])
    return _add_warnings(answer_payload(payload), payload, services.catalogue.layer(names.tile.layer))


def _add_warnings(response: Response, payload: Payload, layer: Layer) -> Response:
    """Report the time that replaced the requested one, in the header of WMS; WMTS does not define one."""
    for warning in nearest_warnings(payload.time, layer.times):
        response.headers.append("Warning", warning)
    return response


async def _domains(request: Request, tell: Callable[[Services], bytes]) -> Response:
    body = await run(request, DOCUMENTS, partial(tell, services_of(request)))
    return answer_content(body, MEDIA_TYPE, request)


def _draw(names: params.TileNames, services: Services, *, client_etags: Collection[str]) -> Payload:
    # Limits are checked in this thread too: their first computation calls PROJ, which takes milliseconds.
    return overlay_maps([params.map_request(names, services)], services, client_etags=client_etags)


async def _capabilities(
    request: Request, query: Kvp, sections: frozenset[params.CapabilitiesSection], *, path: str
) -> Response:
    services = services_of(request)
    context = capabilities_context(request, query)
    key = ("WMTS", path, sections, context.base, context.language, context.layers, context.time_text)
    make = partial(capabilities, context, sections, path=path)
    return await answer_document(request, services, make, key=key, media_type=MEDIA_TYPE)


def routes(paths: Sequence[str]) -> list[Route]:
    """Return the routes of the service under all its paths; a time may be an interval, which contains slashes."""
    tile = "{tms}/{matrix}/{row}/{column}.{extension}"
    return [
        route
        for path in paths
        for route in (
            Route(path, endpoint(partial(answer, path=path), fault), methods=["GET", "POST"]),
            *(
                # Capabilities name the first URL for RESTful operations; the second is the document.
                Route(f"{path}/1.0.0/{name}", endpoint(partial(get_capabilities_document, path=path), path_fault))
                for name in ("", "WMTSCapabilities.xml")
            ),
            Route(f"{path}/1.0.0/{{layer}}/{{style}}/{tile}", endpoint(get_tile, path_fault)),
            Route(f"{path}/1.0.0/{{layer}}/{{style}}/{{time:path}}/{tile}", endpoint(get_tile, path_fault)),
        )
    ]


SPELLING = {
    "layer": "layer",
    "style": "Style",
    "time": "Time",
    "tile_matrix_set": "TileMatrixSet",
    "tile_matrix": "TileMatrix",
    "row": "TileRow",
    "column": "TileCol",
}
"""Names of parameters in WMTS by names of the core, for wrong values; missing parameters keep the name of the query."""
IN_QUERY = {name.lower() for name in params.OURS}
"""Parameters that REST paths take in the query."""
OWS_CODES = {
    *("OperationNotSupported", "MissingParameterValue", "InvalidParameterValue", "VersionNegotiationFailed"),
    *("NoApplicableCode", "TileOutOfRange", "PointIJOutOfRange", "InvalidUpdateSequence"),
}
"""Codes of OWS Common 1.1 Table 27 and WMTS 1.0.0 Tables 23 and 30; other errors are `InvalidParameterValue`."""


def fault(error: ChronotileError, _request: Request) -> Response:
    """Return the exception report of a key-value request: the error's status from 500 on, else 400."""
    return _report(error, error.status if error.status >= 500 else 400)


def path_fault(error: ChronotileError, _request: Request) -> Response:
    """Return the exception report of a REST path: 404 for a wrong name in the path, as the resource does not exist.

    A mistake in the query is 400, except a time that does not exist, which is 404 there too.
    """
    is_of_query = error.locator in IN_QUERY and error.status == 400
    is_about_path = error.status in {400, 404} and not isinstance(error, LimitExceeded) and not is_of_query
    return _report(error, 404 if is_about_path else error.status)


def _report(error: ChronotileError, status: int) -> Response:
    locator = error.locator
    if locator is not None and not isinstance(error, MissingParameter):
        locator = SPELLING.get(locator, locator)
    code = error.code if error.code in OWS_CODES else "InvalidParameterValue"
    return exception_report(error.message, code=code, locator=locator, status=status, common="1.1", version="1.0.0")
