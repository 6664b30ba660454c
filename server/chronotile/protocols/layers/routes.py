"""`/layers`: the list, one layer, its times."""

from functools import partial

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.catalog.resolve_times import matching_times
from chronotile.model.collection import Layer
from chronotile.model.payload import Payload
from chronotile.model.time.instants import Instant
from chronotile.pipeline.maps.render import render_map
from chronotile.pipeline.revision import last_layer_revision, layer_revision, look_at_layers
from chronotile.pipeline.services import Services
from chronotile.protocols.common.capabilities.layer_entries import CapabilitiesContext
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.localised_text import language_of
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.problem import dated_problem
from chronotile.protocols.common.responses.respond import known_etags, respond, respond_with_content
from chronotile.protocols.common.state import for_client, in_documents, services_of, state_of
from chronotile.protocols.layers.documents import (
    layer_list,
    layer_whole,
    next_page,
    times_page,
)
from chronotile.protocols.layers.layer_definition import MEDIA_TYPE, layer_definition
from chronotile.protocols.layers.params import TimesQuery, preview_request, times_query


async def get_layers(request: Request) -> Response:
    """Return all layers; their revisions are looked at each time, and the list is made again where one is another."""
    context = _telling(request)
    revisions = await in_documents(request, _revisions, context.services)
    key = ("layers", context.base, context.language, revisions)
    make = partial(_list, context)
    response = await respond_with_document(request, context.services, make, key=key, media_type="application/json")
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Encoding, Accept-Language"})
    return response


async def get_layer(request: Request) -> Response:
    """Return one layer: under the alias by which it was requested if the list has it, else under its id."""
    requested = request.path_params["layer"]
    layer = services_of(request).catalogue.layer(requested)
    name = requested if any(alias.name == requested and alias.advertise for alias in layer.aliases) else layer.id
    context = _telling(request)
    body = await in_documents(request, _whole, name, layer, context)
    response = respond_with_content(body, "application/json", request)
    response.headers.update({"Content-Language": context.language, "Vary": "Accept-Language"})
    return response


async def get_layer_definition(request: Request) -> Response:
    """Return what QGIS adds a layer by, as a file to open."""
    name = request.path_params["layer"]
    layer = services_of(request).catalogue.layer(name)
    body = await in_documents(request, layer_definition, name, layer, _telling(request))
    response = respond_with_content(body, MEDIA_TYPE, request)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}.qlr"'
    response.headers.update({"Content-Language": _telling(request).language, "Vary": "Accept-Language"})
    return response


async def get_preview(request: Request) -> Response:
    """Return a small picture of all of a layer, at its newest clear time unless another is requested."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    layer, known = services.catalogue.layer(request.path_params["layer"]), known_etags(request)

    def draw() -> Payload:
        return render_map(preview_request(layer, query, services), services, known=known)

    return respond(await for_client(request, state_of(request).limiters.pictures, layer.id, draw, services=services))


async def get_times(request: Request) -> Response:
    """Return the times of a layer, page by page."""
    services = services_of(request)
    layer = services.catalogue.layer(request.path_params["layer"])
    selection = times_query(Kvp(request.query_params.multi_items()), services.catalogue)
    body, is_whole = await in_documents(request, _times, request, layer, selection, now=services.clock())
    response = respond_with_content(body, "application/json", request)
    if not is_whole:
        response.headers["Cache-Control"] = "no-cache"  # in a second more is known
    return response


def _times(request: Request, layer: Layer, selection: TimesQuery, *, now: Instant) -> tuple[bytes, bool]:
    """One page, and whether all shares of it are counted."""
    instants = layer.times.instants[list(matching_times(layer, selection.time, now=now).indexes)]
    page, next_url = next_page(
        instants,
        cursor=selection.cursor,
        limit=selection.limit,
        path=f"{base_url(request)}/layers/{request.path_params['layer']}/times",
        query=request.query_params.multi_items(),
    )
    indexes = np.searchsorted(layer.times.instants, page).tolist()
    shares = state_of(request).valid_shares.shares(layer, indexes, services_of(request), area=selection.area)
    document = times_page(layer.times.at(indexes), shares, total=len(instants), next_url=next_url)
    return orjson.dumps(document), shares.pending == 0


def _revisions(services: Services) -> tuple[str, ...]:
    look_at_layers(services)
    return tuple(last_layer_revision(layer, services) for layer in services.catalogue.layers)


def _whole(name: str, layer: Layer, context: CapabilitiesContext) -> bytes:
    layer_revision(layer, context.services)
    return orjson.dumps(layer_whole(name, layer, context))


def _list(context: CapabilitiesContext) -> bytes:
    return orjson.dumps(layer_list(context))


def _telling(request: Request) -> CapabilitiesContext:
    query = Kvp(request.query_params.multi_items())
    query.check_names((LANG.name,))
    language = language_of(request, query)
    return CapabilitiesContext(services=services_of(request), base=base_url(request), language=language)


routes = [
    Route("/layers", endpoint(get_layers, dated_problem)),
    Route("/layers/{layer}.qlr", endpoint(get_layer_definition, dated_problem)),
    Route("/layers/{layer}", endpoint(get_layer, dated_problem)),
    Route("/layers/{layer}/preview.png", endpoint(get_preview, dated_problem)),
    Route("/layers/{layer}/times", endpoint(get_times, dated_problem)),
]
