"""`/ogcapi/…/map/tiles`, `/ogcapi/tiles` and `/ogcapi/tileMatrixSets`: tiles, their tilesets and their sets."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.model.payload import Payload
from chronotile.pipeline.maps.overlay import overlay_maps
from chronotile.pipeline.named_state import NamedState
from chronotile.pipeline.place_tiles.overlay import overlay_place_tiles
from chronotile.pipeline.services import Services
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F, names_of
from chronotile.protocols.common.responses.remembered import remember
from chronotile.protocols.common.responses.respond import CURRENT, SHORT, known_etags, respond, respond_with_content
from chronotile.protocols.common.state import for_client, in_documents, in_thread, services_of, state_of
from chronotile.protocols.ogcapi.block import DocumentContext, Json
from chronotile.protocols.ogcapi.document_context import context_for, in_language
from chronotile.protocols.ogcapi.maps.faults import picture_fault
from chronotile.protocols.ogcapi.maps.response_headers import grid_headers, time_headers
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.subset import query_of
from chronotile.protocols.ogcapi.tiles import documents
from chronotile.protocols.ogcapi.tiles.params import (
    DOCUMENTS,
    METADATA,
    PlaceTileQuery,
    TileQuery,
    parse_place_tile,
    parse_tile,
)
from chronotile.protocols.ogcapi.tiles.tiling_schemes import tiling_scheme, tiling_schemes

OF_SCHEMES = names_of((F, LANG))
Write = Callable[[Mapping[str, str], Kvp, DocumentContext], Json]
WriteTileJson = Callable[[Mapping[str, str], Kvp, DocumentContext, Services], Json]


async def get_map_tile(request: Request) -> Response:
    """Return one tile of a map, the same as at `/tiles`."""
    services = services_of(request)
    query = query_of(request.query_params.multi_items())
    tile_query = parse_tile(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    limiter = state_of(request).limiters.pictures
    work = partial(_map_tile, tile_query, services, known=known_etags(request))
    first, *others = (layer.id for layer in tile_query.drawing.layers)
    payload, is_current = await for_client(request, limiter, first, work, services=services, others=others)
    if (
        not others
        and "f" in query
        and tile_query.drawing.expression is None
        and is_current == (tile_query.revision is not None)
    ):
        remember(request, payload, layer=first)
    response = respond(replace(payload, media_type=tile_query.drawing.media_type), is_immutable=is_current)
    response.headers.update({**grid_headers(tile_query.grid()), **time_headers(payload.time), "Vary": "Accept"})
    return response


async def get_place_tile(request: Request) -> Response:
    """Return one vector tile, the same as at `/places` where it is of one set."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    limiter = state_of(request).limiters.pictures
    work = partial(_place_tile, request.path_params, query, request.headers.get("accept", ""), services)
    payload, is_current = await in_thread(limiter, work, known=known_etags(request))
    return respond(payload, is_immutable=is_current)


async def get_tiling_schemes(request: Request) -> Response:
    """Return all tile matrix sets."""

    def write(_path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
        query.check_names(OF_SCHEMES)
        return tiling_schemes(context)

    return await _document(request, write, cache_control=SHORT)


async def get_tiling_scheme(request: Request) -> Response:
    """Return one tile matrix set."""

    def write(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
        query.check_names(OF_SCHEMES)
        return tiling_scheme(context.catalogue.tile_matrix_set(path["tileMatrixSetId"]), context)

    return await _document(request, write, cache_control=SHORT)


async def get_map_tilesets(request: Request) -> Response:
    """Return the tilesets of a map."""
    return await _document(request, documents.map_tilesets)


async def get_place_tilesets(request: Request) -> Response:
    """Return the tilesets of places."""
    return await _document(request, documents.place_tilesets)


async def get_map_tileset(request: Request) -> Response:
    """Return one tileset of a map, as OGC's metadata or as TileJSON."""
    return await _metadata(request, documents.map_tileset, documents.map_tilejson)


async def get_place_tileset(request: Request) -> Response:
    """Return one tileset of places, as OGC's metadata or as TileJSON."""
    return await _metadata(request, documents.place_tileset, documents.place_tilejson)


def _map_tile(tile_query: TileQuery, services: Services, *, known: Collection[str]) -> tuple[Payload, bool]:
    """The tile, and whether its address carries the revision of now."""
    drawing = tile_query.drawing
    revision = tile_query.revision if len(drawing.layers) == 1 else None
    named = NamedState(revision, drawing.layers[0].id, services, expression=drawing.expression)
    payload = overlay_maps(tile_query.requests(), services, known=known).payload
    return payload, named.holds((payload.time, payload.states))


def _place_tile(
    path: Mapping[str, str], query: Kvp, accept: str, services: Services, *, known: Collection[str]
) -> tuple[Payload, bool]:
    tile_query: PlaceTileQuery = parse_place_tile(path, query, accept, services.catalogue)
    payload = overlay_place_tiles(tile_query.requests, services, known=known)
    return payload, tile_query.revision == payload.revision


async def _document(request: Request, write: Write, *, cache_control: str = CURRENT) -> Response:
    query = query_of(request.query_params.multi_items())
    negotiate_format(query, request.headers.get("accept", ""), DOCUMENTS)
    context = context_for(request, query)
    body = await in_documents(request, lambda: orjson.dumps(write(request.path_params, query, context)))
    response = respond_with_content(body, DOCUMENTS["json"], request, cache_control=cache_control)
    return in_language(response, context)


async def _metadata(request: Request, write: Write, write_tilejson: WriteTileJson) -> Response:
    query = query_of(request.query_params.multi_items())
    name = negotiate_format(query, request.headers.get("accept", ""), METADATA)
    context, services, path = context_for(request, query), services_of(request), request.path_params

    def body() -> bytes:
        document = write(path, query, context) if name == "json" else write_tilejson(path, query, context, services)
        return orjson.dumps(document)

    return in_language(respond_with_content(await in_documents(request, body), METADATA[name], request), context)


MAPS = ("", "/styles/{styleId}", "/collections/{collectionId}", "/collections/{collectionId}/styles/{styleId}")
"""What there are maps of, below `/ogcapi`."""
SET, TILE = "/{tileMatrixSetId}", "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"

routes = [
    Route("/ogcapi/tileMatrixSets", endpoint(get_tiling_schemes, picture_fault)),
    Route(f"/ogcapi/tileMatrixSets{SET}", endpoint(get_tiling_scheme, picture_fault)),
    *(Route(f"/ogcapi{origin}/map/tiles{TILE}", endpoint(get_map_tile, picture_fault)) for origin in MAPS),
    *(Route(f"/ogcapi{origin}/map/tiles{SET}", endpoint(get_map_tileset, picture_fault)) for origin in MAPS),
    *(Route(f"/ogcapi{origin}/map/tiles", endpoint(get_map_tilesets, picture_fault)) for origin in MAPS),
    Route(f"/ogcapi/tiles{TILE}", endpoint(get_place_tile, picture_fault)),
    Route(f"/ogcapi/tiles{SET}", endpoint(get_place_tileset, picture_fault)),
    Route("/ogcapi/tiles", endpoint(get_place_tilesets, picture_fault)),
]
