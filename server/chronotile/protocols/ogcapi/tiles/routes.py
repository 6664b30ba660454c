"""`/ogcapi/…/map/tiles`, `/ogcapi/tiles` and `/ogcapi/tileMatrixSets`: tiles, their tilesets and their sets."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.collection import Layer
from chronotile.core.model.grid import BBox
from chronotile.core.model.payload import Payload
from chronotile.core.model.tiles import TileMatrixSet
from chronotile.core.model.time.instants import TimeSelection
from chronotile.http.endpoint import Handler
from chronotile.http.respond import CURRENT, SHORT, known_etags, remember, respond
from chronotile.http.run import PICTURES, run, services_of
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.place_tiles import overlay_place_tiles
from chronotile.pipeline.services import Services
from chronotile.pipeline.tile_ranges import native_matrix
from chronotile.protocols.common.openapi import BINARY, INDEX, TEXT, Examples, enum_of, in_path, list_of, ref
from chronotile.protocols.common.operation import Described, Operation, language
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import documents, format_of, names_of
from chronotile.protocols.common.query.picture import REV, NamedState, settled
from chronotile.protocols.common.tilejson import tilejson
from chronotile.protocols.ogcapi.block import (
    JSON_ALONE,
    OF_DOCUMENTS,
    DocumentContext,
    Json,
    describe,
    has_collections,
    respond_with,
    segments_in,
)
from chronotile.protocols.ogcapi.maps.responses import grid_headers, picture_fault, time_headers
from chronotile.protocols.ogcapi.maps.routes import DRAWN, OF_PICTURES, ORIGINS, PICTURE_FORMAT, drawing
from chronotile.protocols.ogcapi.subset import query_of
from chronotile.protocols.ogcapi.tiles.params import (
    DOCUMENT_FORMATS,
    HEIGHT,
    METADATA,
    OF_PLACE_TILE,
    OF_TILE,
    WIDTH,
    PlaceTileQuery,
    TileQuery,
    parse_place_tile,
    parse_tile,
    tile_drawing,
)
from chronotile.protocols.ogcapi.tiles.tilesets import (
    COLLECTIONS_OF_PLACES,
    FORMATS,
    TILEJSON,
    Origin,
    layers_box,
    map_origin,
    places_box,
    places_origin,
    requested_places,
    template,
    tileset,
    tilesets,
    vector_layers,
)
from chronotile.protocols.ogcapi.tiles.tiling_schemes import (
    JSON,
    Limits,
    finest,
    limits_of_boxes,
    limits_of_grids,
    tiling_scheme,
    tiling_schemes,
)

Write = Callable[[Mapping[str, str], Kvp, DocumentContext], Json]
WriteTileJson = Callable[[Mapping[str, str], Kvp, DocumentContext, Services], Json]


async def get_map_tile(request: Request) -> Response:
    """Return one tile of a map, the same as at `/tiles`."""
    services = services_of(request)
    query = query_of(request.query_params.multi_items())
    tile_query = parse_tile(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    work = partial(_map_tile, tile_query, services, known=known_etags(request))
    layers = [layer.id for layer in tile_query.drawing.layers]
    payload, is_current = await run(request, PICTURES, work, layers=layers)
    if (
        len(layers) == 1
        and "f" in query
        and tile_query.drawing.expression is None
        and is_current == (tile_query.revision is not None)
    ):
        remember(request, payload, layer=layers[0])
    response = respond(replace(payload, media_type=tile_query.drawing.media_type), is_immutable=is_current)
    response.headers.update({**grid_headers(tile_query.grid()), **time_headers(payload.time), "Vary": "Accept"})
    return response


async def get_place_tile(request: Request) -> Response:
    """Return one vector tile, the same as at `/places` where it is of one set."""
    services = services_of(request)
    query = Kvp(request.query_params.multi_items())
    work = partial(_place_tile, request.path_params, query, request.headers.get("accept", ""), services)
    payload, is_current = await run(request, PICTURES, partial(work, known=known_etags(request)))
    return respond(payload, is_immutable=is_current)


async def get_tiling_schemes(request: Request) -> Response:
    """Return all tile matrix sets."""

    def write(_path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
        query.check_names(names_of(OF_DOCUMENTS))
        return tiling_schemes(context)

    return await _document(request, write, cache_control=SHORT)


async def get_tiling_scheme(request: Request) -> Response:
    """Return one tile matrix set."""

    def write(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
        query.check_names(names_of(OF_DOCUMENTS))
        return tiling_scheme(context.catalogue.tile_matrix_set(path["tileMatrixSetId"]), context)

    return await _document(request, write, cache_control=SHORT)


async def get_map_tilesets(request: Request) -> Response:
    """Return the tilesets of a map."""
    return await _document(request, map_tilesets)


async def get_place_tilesets(request: Request) -> Response:
    """Return the tilesets of places."""
    return await _document(request, place_tilesets)


async def get_map_tileset(request: Request) -> Response:
    """Return one tileset of a map, as OGC's metadata or as TileJSON."""
    return await _metadata(request, map_tileset, map_tilejson)


async def get_place_tileset(request: Request) -> Response:
    """Return one tileset of places, as OGC's metadata or as TileJSON."""
    return await _metadata(request, place_tileset, place_tilejson)


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
    query, path = query_of(request.query_params.multi_items()), request.path_params

    def written(context: DocumentContext, _name: str) -> bytes:
        return orjson.dumps(write(path, query, context))

    return await respond_with(request, query, written, DOCUMENT_FORMATS, cache_control=cache_control)


async def _metadata(request: Request, write: Write, write_tilejson: WriteTileJson) -> Response:
    query, path = query_of(request.query_params.multi_items()), request.path_params
    services = services_of(request)

    def written(context: DocumentContext, name: str) -> bytes:
        document = write(path, query, context) if name == "json" else write_tilejson(path, query, context, services)
        return orjson.dumps(document)

    return await respond_with(request, query, written, METADATA, cache_control=CURRENT)


SET, TILE = "/{tileMatrixSetId}", "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"


def _has_sets(examples: Examples) -> bool:
    return bool(examples.catalogue.tile_matrix_sets)


def _has_maps(examples: Examples) -> bool:
    return _has_sets(examples) and has_collections(examples)


def _has_places(examples: Examples) -> bool:
    return _has_sets(examples) and bool(examples.catalogue.places)


def _set_in_path(examples: Examples) -> Json:
    names = [each.id for each in examples.catalogue.tile_matrix_sets]
    return in_path("tileMatrixSetId", "Id of a tile matrix set", enum_of(names), example=names[0])


def _map_tile_in_path(examples: Examples) -> list[Json]:
    tile_matrix_set = examples.catalogue.tile_matrix_sets[0]
    limits = limits_of_grids([examples.offered[0].drawn.main_variable.grid], tile_matrix_set)
    return [_set_in_path(examples), *_tile_in_path(tile_matrix_set, limits)]


def _place_tile_in_path(examples: Examples) -> list[Json]:
    tile_matrix_set = examples.catalogue.tile_matrix_sets[0]
    limits = limits_of_boxes([each.bbox for each in examples.catalogue.places.values()], tile_matrix_set)
    return [_set_in_path(examples), *_tile_in_path(tile_matrix_set, limits)]


def _tile_in_path(tile_matrix_set: TileMatrixSet, limits: Limits) -> list[Json]:
    matrix = finest(limits, tile_matrix_set) or tile_matrix_set.matrices[0]
    held = limits.get(matrix.id)
    row, column = (0, 0) if held is None else (held.row_min, held.column_min)
    return [
        in_path("tileMatrix", "Id of a tile matrix of the set", TEXT, example=matrix.id),
        in_path("tileRow", "Row, from the north", INDEX, example=row),
        in_path("tileCol", "Column, from the west", INDEX, example=column),
    ]


def _sets_of_places(examples: Examples) -> list[Json]:
    names = list_of(enum_of(list(examples.catalogue.places)))
    return documents([replace(COLLECTIONS_OF_PLACES, schema=names)])


described = partial(describe, tag="Tiles", faults=picture_fault)
scheme = partial(described, is_offered=_has_sets)


def _tilesets(
    path: str, given: Sequence[Described], of: Callable[..., Operation], *, name: str, handlers: tuple[Handler, Handler]
) -> Iterator[Operation]:
    yield of(
        path,
        handlers[0],
        f"tiles.{name}.getTileSetsList",
        "Tilesets, one per tile matrix set",
        parameters=[*given, *JSON_ALONE],
        answers={JSON: ref("TileSetList")},
    )
    yield of(
        f"{path}{SET}",
        handlers[1],
        f"tiles.{name}.getTileSet",
        "Metadata of a tileset; templates of tiles carry its parameters on",
        parameters=[*given, _set_in_path, format_of(["json", "tilejson"]), language],
        answers={JSON: ref("TileSet"), TILEJSON: ref("TileJson")},
    )


def _of_maps(origin: str, name: str) -> Iterator[Operation]:
    path, segments, drawn = f"{origin}/map/tiles", segments_in(origin), drawing(origin)
    of = partial(described, examples=DRAWN, is_offered=_has_maps)
    handlers = get_map_tilesets, get_map_tileset
    yield from _tilesets(path, [*segments, *drawn], of, name=f"{name}.map", handlers=handlers)
    yield of(
        f"{path}{TILE}",
        get_map_tile,
        f"tiles.{name}.map.getTile",
        "A tile of a map",
        parameters=[*segments, _map_tile_in_path, *drawn, PICTURE_FORMAT, WIDTH, HEIGHT, REV],
        answers=OF_PICTURES,
    )


def _of_places() -> Iterator[Operation]:
    of = partial(described, is_offered=_has_places)
    handlers = get_place_tilesets, get_place_tileset
    yield from _tilesets("/tiles", [_sets_of_places], of, name="dataset.vector", handlers=handlers)
    yield of(
        f"/tiles{TILE}",
        get_place_tile,
        "tiles.dataset.vector.getTile",
        "A vector tile of places",
        parameters=[_place_tile_in_path, _sets_of_places, format_of(list(FORMATS)), REV],
        answers=dict.fromkeys(FORMATS.values(), BINARY),
    )


operations = (
    scheme(
        "/tileMatrixSets",
        get_tiling_schemes,
        "tiles.getTileMatrixSetsList",
        "All tile matrix sets",
        parameters=JSON_ALONE,
        answers={JSON: ref("TileMatrixSetList")},
    ),
    scheme(
        f"/tileMatrixSets{SET}",
        get_tiling_scheme,
        "tiles.getTileMatrixSet",
        "One tile matrix set",
        parameters=[_set_in_path, *JSON_ALONE],
        answers={JSON: ref("TileMatrixSet")},
    ),
    *(each for origin, name in ORIGINS.items() for each in _of_maps(origin, name)),
    *_of_places(),
)


XYZ = "{z}/{y}/{x}"
"""What a TileJSON fills in, in the order of OGC API."""


def map_tilesets(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the tilesets of a map, one for each tile matrix set.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    origin, layers, _time = _map(path, query, context)
    return tilesets(origin, context, limits_in=partial(limits_of_grids, [layer.main_variable.grid for layer in layers]))


def map_tileset(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the metadata of one of them.

    Raises:
        ChronotileError: As `map_tilesets`; or the tile matrix set is not offered.
    """
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    origin, layers, _time = _map(path, query, context)
    limits = limits_of_grids([layer.main_variable.grid for layer in layers], tile_matrix_set)
    return tileset(origin, tile_matrix_set, context, limits=limits, box=layers_box(layers, tile_matrix_set))


def map_tilejson(path: Mapping[str, str], query: Kvp, context: DocumentContext, services: Services) -> Json:
    """Return the TileJSON of one of them; the template of a single layer names the instant and the revision it is of.

    Raises:
        ChronotileError: As `map_tileset`; or there is nothing at the requested time.
    """
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    origin, layers, time = _map(path, query, context)
    named = settled(layers[0], query, time, services) if len(layers) == 1 else {}
    replaced = {"subset"} if "datetime" in named else set()
    carried = {name: text for name, text in origin.query.items() if name not in replaced} | named
    return tilejson(
        name=origin.title,
        tiles=template(origin, tile_matrix_set, context, place=XYZ, query={"f": "png", **carried}),
        tile_matrix_set=tile_matrix_set,
        finest=max(native_matrix(layer.main_variable.grid, tile_matrix_set) for layer in layers),
        attribution="; ".join(dict.fromkeys(layer.attribution for layer in layers if layer.attribution)),
        box=layers_box(layers, tile_matrix_set),
    )


def place_tilesets(_path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the tilesets of places; none where there are no places.

    Raises:
        InvalidParameter: `collections` names a set that is not there.
    """
    query.check_names(names_of(OF_PLACE_TILE))
    places = requested_places(query, context.catalogue) if context.catalogue.places or "collections" in query else ()
    limits_in = partial(limits_of_boxes, [each.bbox for each in places])
    found = tilesets(places_origin(places, query, context), context, limits_in=limits_in)
    return found if places else {**found, "tilesets": []}


def place_tileset(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the metadata of one of them.

    Raises:
        ChronotileError: There are no places, a name is unknown, or a parameter is not accepted.
    """
    tile_matrix_set, origin, box = _places(path, query, context)
    places = requested_places(query, context.catalogue)
    limits = limits_of_boxes([each.bbox for each in places], tile_matrix_set)
    return tileset(origin, tile_matrix_set, context, limits=limits, box=box if limits else None)


def place_tilejson(path: Mapping[str, str], query: Kvp, context: DocumentContext, _services: Services) -> Json:
    """Return the TileJSON of one of them.

    Raises:
        ChronotileError: As `place_tileset`.
    """
    tile_matrix_set, origin, box = _places(path, query, context)
    document = tilejson(
        name=origin.title,
        tiles=template(origin, tile_matrix_set, context, place=XYZ, query={"f": "mvt", **origin.query}),
        tile_matrix_set=tile_matrix_set,
        finest=len(tile_matrix_set.matrices) - 1,
        attribution=origin.members.get("attribution", ""),
        box=box,
    )
    return {**document, "vector_layers": vector_layers(requested_places(query, context.catalogue))}


def _map(
    path: Mapping[str, str], query: Kvp, context: DocumentContext
) -> tuple[Origin, tuple[Layer, ...], TimeSelection]:
    """All parameters of a tile are parsed, so that a template is one that works."""
    query.check_names(names_of(OF_TILE))
    drawing = tile_drawing(path, query.replacing("f", "png"), "", context.catalogue)
    return map_origin(path, query, drawing.layers, context), drawing.layers, drawing.time


def _places(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> tuple[TileMatrixSet, Origin, BBox]:
    query.check_names(names_of(OF_PLACE_TILE))
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    places = requested_places(query, context.catalogue)
    return tile_matrix_set, places_origin(places, query, context), places_box(places)
