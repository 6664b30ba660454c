"""The endpoints of WMS: one path, the operation is a parameter."""

from collections.abc import Sequence
from functools import partial

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.pipeline.render_map import render_map
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.kvp import Kvp
from chronotile.protocols.common.layer_entries import Telling
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.respond import known_etags, respond, respond_with_content
from chronotile.protocols.common.state import for_client, in_thread, services_of, state_of
from chronotile.protocols.wms.documents import MEDIA_TYPES, capabilities, time_warning
from chronotile.protocols.wms.faults import fault
from chronotile.protocols.wms.feature_info import answer_info, info_query
from chronotile.protocols.wms.params import map_request, negotiated_version, operation


async def answer(request: Request, *, path: str) -> Response:
    """Return what REQUEST asks for."""
    query = Kvp(request.query_params.multi_items())
    match operation(query):
        case "GetMap":
            return await get_map(request, query)
        case "GetFeatureInfo":
            return await get_feature_info(request, query)
        case "GetCapabilities":
            return await get_capabilities(request, query, path=path)


async def get_capabilities(request: Request, query: Kvp, *, path: str) -> Response:
    """Return the capabilities in the version that suits the client; FORMAT has no say (WMS 1.3.0 §7.2.3.1)."""
    version = negotiated_version(query)
    services = services_of(request)
    telling = Telling(services=services, base=base_url(request), language=services.catalogue.service.languages[0])
    body = await in_thread(state_of(request).gates.documents, capabilities, telling, version, path=path)
    return respond_with_content(body, MEDIA_TYPES[version], request)


async def get_map(request: Request, query: Kvp) -> Response:
    """Return a map, with a warning where the client did not name its time."""
    services = services_of(request)
    asked = map_request(query, services.catalogue)
    gate = state_of(request).gates.pictures
    work = partial(render_map, asked, services, known=known_etags(request))
    payload = await for_client(request, gate, asked.layer, work, services=services)
    response = respond(payload)
    warning = time_warning(asked.time, payload.time, services.catalogue.layer(asked.layer))
    if warning is not None:
        response.headers["Warning"] = warning
    return response


async def get_feature_info(request: Request, query: Kvp) -> Response:
    """Return what layers show at a pixel of a map; of one layer, with a warning as of its map."""
    services = services_of(request)
    asked = info_query(query, services.catalogue)
    first = asked.requests[0]
    work = partial(answer_info, asked, services, known=known_etags(request))
    payload = await for_client(request, state_of(request).gates.series, first.layer, work, services=services)
    response = respond(payload)
    warning = time_warning(first.time, payload.time, services.catalogue.layer(first.layer))
    if warning is not None:
        response.headers["Warning"] = warning
    return response


def routes(paths: Sequence[str]) -> list[Route]:
    """Return the routes of the service under each of its paths."""
    return [Route(path, endpoint(partial(answer, path=path), fault)) for path in paths]
