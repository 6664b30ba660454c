"""`/tiles` and `/ramps`: pictures by tile, TileJSON, legends, and the colours they may have."""

from functools import partial
from urllib.parse import quote, urlencode

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.payload import Payload
from chronotile.model.request import VALUE_FORMATS
from chronotile.pipeline.maps.expressions import with_expression
from chronotile.pipeline.maps.legend import LEGEND_TYPES, draw_legend
from chronotile.pipeline.maps.render import render_map, requested_style
from chronotile.pipeline.named_state import NamedState
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.public_url import base_url
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.common.query.picture import EXPRESSION, REDUCER, REV, by_extension, settled
from chronotile.protocols.common.responses.document_cache import respond_with_document
from chronotile.protocols.common.responses.problem import tile_problem
from chronotile.protocols.common.responses.ranges import in_parts
from chronotile.protocols.common.responses.remembered import remember
from chronotile.protocols.common.responses.respond import SHORT, known_etags, respond, respond_with_content
from chronotile.protocols.common.state import for_client, in_documents, services_of, state_of
from chronotile.protocols.common.tilejson import layer_tilejson
from chronotile.protocols.tiles.params import DATETIME, OF_TEMPLATE, style_request, tile_request
from chronotile.styling.legend import ramp_document


async def get_tile(request: Request, *, scale: int = 1) -> Response:
    """Return one tile as a picture, or as values, with `scale` times the pixels of a side."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    tile = tile_request(request.path_params, query, services.catalogue, scale=scale)
    limiter = state_of(request).limiters.pictures
    revision = REV.given(query)
    known = known_etags(request)

    def draw() -> tuple[Payload, bool]:
        named = NamedState(revision, tile.layer, services, expression=tile.expression)
        payload = render_map(tile, services, known=known)
        return payload, named.holds((payload.time, payload.states))

    payload, is_current = await for_client(request, limiter, tile.layer, draw, services=services)
    if tile.expression is None and is_current == (revision is not None):
        remember(request, payload, layer=tile.layer)
    response = respond(payload, is_immutable=is_current)
    return in_parts(response) if tile.format in VALUE_FORMATS else response


async def get_tilejson(request: Request) -> Response:
    """Return the TileJSON of a layer, whose template names the instant and the revision it is of."""
    services = services_of(request)
    body = await in_documents(request, _tilejson, request, services)
    return respond_with_content(body, "application/json", request)


async def get_legend(request: Request) -> Response:
    """Return a layer's legend as picture or document."""
    services = services_of(request)
    extension = by_extension(request.path_params["extension"], {name: name for name in LEGEND_TYPES})
    style = style_request(request.path_params, Kvp(request.query_params.multi_items()))
    return respond(await in_documents(request, draw_legend, style, extension, services, known=known_etags(request)))


async def get_ramps(request: Request) -> Response:
    """Return the ramps that `ramp` takes, with their colours."""
    Kvp(request.query_params.multi_items()).check_names(())
    services = services_of(request)
    make = partial(_ramps, services)
    return await respond_with_document(
        request, services, make, key="ramps", media_type="application/json", cache_control=SHORT
    )


def _ramps(services: Services) -> bytes:
    return orjson.dumps({"ramps": [ramp_document(style) for style in services.catalogue.ramps]})


def _tilejson(request: Request, services: Services) -> bytes:
    query = Kvp(request.query_params.multi_items())
    layer = services.catalogue.layer(request.path_params["layer"])
    tile_matrix_set = services.catalogue.tile_matrix_set(request.path_params["tms"])
    template = {name: value for name in names_of(OF_TEMPLATE) if (value := query.optional(name))}
    expression = EXPRESSION.given(query)
    REDUCER.of(query)
    shown, reading = with_expression(layer, expression, services)
    requested_style(style_request(request.path_params, query), shown, reading)
    found = settled(layer, query, DATETIME.of(query), services)
    if "datetime" not in found and len(shown.times):
        template["datetime"] = query.required(DATETIME.name)
    template |= found
    path = f"{base_url(request)}/tiles/{quote(shown.id)}/{quote(tile_matrix_set.id)}/{{z}}/{{x}}/{{y}}.png"
    language = services.catalogue.service.languages[0]
    tiles = f"{path}?{urlencode(template)}"
    return orjson.dumps(layer_tilejson(shown, tile_matrix_set, tiles=tiles, language=language))


routes = [
    Route("/ramps", endpoint(get_ramps, tile_problem)),
    Route("/tiles/{layer}/legend.{extension}", endpoint(get_legend, tile_problem)),
    Route("/tiles/{layer}/{tms}/tilejson.json", endpoint(get_tilejson, tile_problem)),
    Route("/tiles/{layer}/{tms}/{z}/{x}/{y}@2x.{extension}", endpoint(partial(get_tile, scale=2), tile_problem)),
    Route("/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}", endpoint(get_tile, tile_problem)),
]
