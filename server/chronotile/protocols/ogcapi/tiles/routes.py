"""`/ogcapi/…/map/tiles`, `/ogcapi/tiles` and `/ogcapi/tileMatrixSets`: tiles, tilesets and tile matrix sets."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.offered import OfferedCollection
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import Payload
from chronotile.core.model.places import PlaceSet
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Json
from chronotile.http.answers import answer_payload
from chronotile.http.cache_headers import CACHE_CHANGING, CACHE_STABLE
from chronotile.http.endpoint import Endpoint
from chronotile.http.if_none_match import client_etags
from chronotile.http.replay import allow_replay
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import PICTURES
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.place_tiles import overlay_place_tiles
from chronotile.pipeline.services import Services
from chronotile.pipeline.tile_ranges import native_matrix
from chronotile.protocols.common.coverage_files import grid_headers
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BINARY,
    INDEX,
    NUMBER,
    PAIR,
    TEXT,
    enum_of,
    in_path,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.openapi_examples import Examples
from chronotile.protocols.common.operation import Described, Operation, language
from chronotile.protocols.common.query.axes import query_of
from chronotile.protocols.common.query.immutable_answers import REV, RevisionCheck
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import documents, format_of, names_of
from chronotile.protocols.common.query.picture import pin_times
from chronotile.protocols.common.tilejson import tilejson
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.document_requests import DOCUMENT_PARAMETERS, respond_in_format
from chronotile.protocols.ogcapi.maps.drawing import picture_fault, time_headers
from chronotile.protocols.ogcapi.maps.routes import EXAMPLE_DRAWING, OF_PICTURES, ORIGINS, PICTURE_FORMAT, drawing
from chronotile.protocols.ogcapi.operation_parts import JSON_ALONE, describe, has_collections, shown_segments
from chronotile.protocols.ogcapi.tiles.params import (
    DOCUMENT_FORMATS,
    HEIGHT,
    METADATA,
    OF_PLACE_TILE,
    OF_TILE,
    WIDTH,
    TileQuery,
    parse_place_tile,
    parse_tile,
    tile_drawing,
)
from chronotile.protocols.ogcapi.tiles.tilesets import (
    COLLECTIONS_OF_PLACES,
    FORMATS,
    TILEJSON,
    TilesetOrigin,
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
    REL_SCHEMES,
    TileMatrixSetLimits,
    finest,
    limits_of_boxes,
    limits_of_grids,
    schemes_url,
    tiling_scheme,
    tiling_schemes,
)

WriteTileset = Callable[[Mapping[str, str], Kvp, DocumentContext], Json]
Places = tuple[PlaceSet, ...]
WriteTileJson = Callable[[Mapping[str, str], Kvp, DocumentContext, Services], Json]


async def get_map_tile(request: Request) -> Response:
    """Return one tile of a map, the same as at `/tiles`."""
    services = services_of(request)
    query = query_of(request.query_params.multi_items())
    tile_query = parse_tile(request.path_params, query, request.headers.get("accept", ""), services.catalogue)
    work = partial(_map_tile, tile_query, services, client_etags=client_etags(request))
    layers = [layer.id for layer in tile_query.drawing.layers]
    payload, is_immutable = await run(request, PICTURES, work, layers=layers)
    if (
        len(layers) == 1
        and "f" in query
        and tile_query.drawing.expression is None
        and is_immutable == (tile_query.revision is not None)
    ):
        allow_replay(request, payload, layer=layers[0])
    response = answer_payload(replace(payload, media_type=tile_query.drawing.media_type), is_immutable=is_immutable)
    response.headers.update({**grid_headers(tile_query.grid()), **time_headers(payload.time), "Vary": "Accept"})
    return response


async def get_place_tile(request: Request) -> Response:
    """Return one vector tile; for a single place set the same as at `/places`."""
    services, etags = services_of(request), client_etags(request)
    query, accept = Kvp(request.query_params.multi_items()), request.headers.get("accept", "")

    def draw() -> tuple[Payload, bool]:
        tiles, revision = parse_place_tile(request.path_params, query, accept, services.catalogue)
        payload = overlay_place_tiles(tiles, services, client_etags=etags)
        return payload, revision == payload.revision

    payload, is_immutable = await run(request, PICTURES, draw)
    return answer_payload(payload, is_immutable=is_immutable)


async def get_tiling_schemes(request: Request) -> Response:
    """Return all tile matrix sets, or the tile matrix set of the path."""

    def write(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
        query.check_names(names_of(DOCUMENT_PARAMETERS))
        if "tileMatrixSetId" in path:
            return tiling_scheme(context.catalogue.tile_matrix_set(path["tileMatrixSetId"]), context)
        return tiling_schemes(context)

    return await get_document(write, request, cache_control=CACHE_STABLE)


def _map_tile(tile_query: TileQuery, services: Services, *, client_etags: Collection[str]) -> tuple[Payload, bool]:
    """Return the tile, and whether its URL contains the current revision."""
    drawing = tile_query.drawing
    revision = tile_query.revision if len(drawing.layers) == 1 else None
    check = RevisionCheck(revision, drawing.layers[0].id, services, expression=drawing.expression)
    payload = overlay_maps(tile_query.requests(), services, client_etags=client_etags)
    return payload, check.is_immutable((payload.time, payload.states))


async def get_document(write: WriteTileset, request: Request, *, cache_control: str = CACHE_CHANGING) -> Response:
    """Return the document that a path and query request."""
    query, path = query_of(request.query_params.multi_items()), request.path_params

    def write_document(context: DocumentContext, _name: str) -> bytes:
        return orjson.dumps(write(path, query, context))

    return await respond_in_format(request, query, write_document, DOCUMENT_FORMATS, cache_control=cache_control)


async def get_metadata(write: WriteTileset, write_tilejson: WriteTileJson, request: Request) -> Response:
    """Return the metadata of one tileset, in the form of OGC or as TileJSON."""
    query, path = query_of(request.query_params.multi_items()), request.path_params
    services = services_of(request)

    def write_metadata(context: DocumentContext, name: str) -> bytes:
        document = write(path, query, context) if name == "json" else write_tilejson(path, query, context, services)
        return orjson.dumps(document)

    return await respond_in_format(request, query, write_metadata, METADATA, cache_control=CACHE_CHANGING)


XYZ = "{z}/{y}/{x}"
"""Placeholders of a TileJSON, in the path order of OGC API."""


def map_tilesets(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the tilesets of a map, one per tile matrix set.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    origin, layers, _time = _map(path, query, context)
    return tilesets(origin, context, limits_in=partial(limits_of_grids, [layer.main_variable.grid for layer in layers]))


def map_tileset(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the metadata of one tileset of a map.

    Raises:
        ChronotileError: As `map_tilesets`; or the tile matrix set is not offered.
    """
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    origin, layers, _time = _map(path, query, context)
    limits = limits_of_grids([layer.main_variable.grid for layer in layers], tile_matrix_set)
    return tileset(origin, tile_matrix_set, context, limits=limits, box=layers_box(layers, tile_matrix_set))


def map_tilejson(path: Mapping[str, str], query: Kvp, context: DocumentContext, services: Services) -> Json:
    """Return the TileJSON of one tileset of a map; for a single layer its template contains the instant and revision.

    Raises:
        ChronotileError: As `map_tileset`; or no data exist at the requested time.
    """
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    origin, layers, time = _map(path, query, context)
    pinned = pin_times(layers[0], query, time, services) if len(layers) == 1 else {}
    replaced = {"subset"} if "datetime" in pinned else set()
    carried = {name: text for name, text in origin.query.items() if name not in replaced} | pinned
    return tilejson(
        name=origin.title,
        tiles=template(origin, tile_matrix_set, context, place=XYZ, query={"f": "png", **carried}),
        tile_matrix_set=tile_matrix_set,
        finest=max(native_matrix(layer.main_variable.grid, tile_matrix_set) for layer in layers),
        attribution="; ".join(dict.fromkeys(layer.attribution for layer in layers if layer.attribution)),
        box=layers_box(layers, tile_matrix_set),
    )


def place_tilesets(_path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the tilesets of places; empty if the server has no places.

    Raises:
        InvalidParameter: `collections` names an unknown set.
    """
    query.check_names(names_of(OF_PLACE_TILE))
    places = requested_places(query, context.catalogue) if context.catalogue.places or "collections" in query else ()
    limits_in = partial(limits_of_boxes, [p.bbox for p in places])
    document = tilesets(places_origin(places, query, context), context, limits_in=limits_in)
    return document if places else {**document, "tilesets": []}


def place_tileset(path: Mapping[str, str], query: Kvp, context: DocumentContext) -> Json:
    """Return the metadata of one tileset of places.

    Raises:
        ChronotileError: The server has no places, a name is unknown, or a parameter is not accepted.
    """
    tile_matrix_set, origin, places = _places(path, query, context)
    limits = limits_of_boxes([p.bbox for p in places], tile_matrix_set)
    return tileset(origin, tile_matrix_set, context, limits=limits, box=places_box(places) if limits else None)


def place_tilejson(path: Mapping[str, str], query: Kvp, context: DocumentContext, _services: Services) -> Json:
    """Return the TileJSON of one tileset of places.

    Raises:
        ChronotileError: As `place_tileset`.
    """
    tile_matrix_set, origin, places = _places(path, query, context)
    document = tilejson(
        name=origin.title,
        tiles=template(origin, tile_matrix_set, context, place=XYZ, query={"f": "mvt", **origin.query}),
        tile_matrix_set=tile_matrix_set,
        finest=len(tile_matrix_set.matrices) - 1,
        attribution=origin.members.get("attribution", ""),
        box=places_box(places),
    )
    return {**document, "vector_layers": vector_layers(places)}


def _map(
    path: Mapping[str, str], query: Kvp, context: DocumentContext
) -> tuple[TilesetOrigin, tuple[Layer, ...], TimeSelection]:
    """Return origin, layers and times; all parameters of a tile are parsed, so that the template works."""
    query.check_names(names_of(OF_TILE))
    drawing = tile_drawing(path, query.replace("f", "png"), "", context.catalogue)
    return map_origin(path, query, drawing.layers, context), drawing.layers, drawing.time


def _places(
    path: Mapping[str, str], query: Kvp, context: DocumentContext
) -> tuple[TileMatrixSet, TilesetOrigin, Places]:
    query.check_names(names_of(OF_PLACE_TILE))
    tile_matrix_set = context.catalogue.tile_matrix_set(path["tileMatrixSetId"])
    places = requested_places(query, context.catalogue)
    return tile_matrix_set, places_origin(places, query, context), places


SET, TILE = "/{tileMatrixSetId}", "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"


def _has_sets(examples: Examples) -> bool:
    return bool(examples.catalogue.tile_matrix_sets)


def _set_in_path(examples: Examples) -> Json:
    names = [s.id for s in examples.catalogue.tile_matrix_sets]
    return in_path("tileMatrixSetId", "Id of a tile matrix set", enum_of(names), example=names[0])


def _map_limits(examples: Examples, tile_matrix_set: TileMatrixSet) -> TileMatrixSetLimits:
    return limits_of_grids([examples.offered[0].drawn_layer.main_variable.grid], tile_matrix_set)


def _place_limits(examples: Examples, tile_matrix_set: TileMatrixSet) -> TileMatrixSetLimits:
    return limits_of_boxes([p.bbox for p in examples.catalogue.places.values()], tile_matrix_set)


def _tile_in_path(
    limits_of: Callable[[Examples, TileMatrixSet], TileMatrixSetLimits], examples: Examples
) -> list[Json]:
    tile_matrix_set = examples.catalogue.tile_matrix_sets[0]
    limits = limits_of(examples, tile_matrix_set)
    matrix = finest(limits, tile_matrix_set) or tile_matrix_set.matrices[0]
    tile_range = limits.get(matrix.id)
    row, column = (0, 0) if tile_range is None else (tile_range.row_min, tile_range.column_min)
    return [
        _set_in_path(examples),
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
    path: str,
    parameters: Sequence[Described],
    of: Callable[..., Operation],
    *,
    name: str,
    handlers: tuple[Endpoint, Endpoint],
) -> Iterator[Operation]:
    yield of(
        path,
        handlers[0],
        f"tiles.{name}.getTileSetsList",
        "Tilesets, one per tile matrix set",
        parameters=[*parameters, *JSON_ALONE],
        answers={JSON: ref("TileSetList")},
    )
    yield of(
        f"{path}{SET}",
        handlers[1],
        f"tiles.{name}.getTileSet",
        "Metadata of a tileset; templates of tiles carry its parameters on",
        parameters=[*parameters, _set_in_path, format_of(["json", "tilejson"]), language],
        answers={JSON: ref("TileSet"), TILEJSON: ref("TileJson")},
    )


def _map_operations(origin: str, name: str) -> Iterator[Operation]:
    path, segments, options = f"{origin}/map/tiles", shown_segments(origin), drawing(origin)
    of = partial(described, examples=EXAMPLE_DRAWING, is_offered=lambda of: _has_sets(of) and has_collections(of))
    handlers = partial(get_document, map_tilesets), partial(get_metadata, map_tileset, map_tilejson)
    yield from _tilesets(path, [*segments, *options], of, name=f"{name}.map", handlers=handlers)
    yield of(
        f"{path}{TILE}",
        get_map_tile,
        f"tiles.{name}.map.getTile",
        "A tile of a map",
        parameters=[*segments, partial(_tile_in_path, _map_limits), *options, PICTURE_FORMAT, WIDTH, HEIGHT, REV],
        answers=OF_PICTURES,
    )


def _place_operations() -> Iterator[Operation]:
    of = partial(described, is_offered=lambda of: _has_sets(of) and bool(of.catalogue.places))
    handlers = partial(get_document, place_tilesets), partial(get_metadata, place_tileset, place_tilejson)
    yield from _tilesets("/tiles", [_sets_of_places], of, name="dataset.vector", handlers=handlers)
    yield of(
        f"/tiles{TILE}",
        get_place_tile,
        "tiles.dataset.vector.getTile",
        "A vector tile of places",
        parameters=[partial(_tile_in_path, _place_limits), _sets_of_places, format_of(list(FORMATS)), REV],
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
        get_tiling_schemes,
        "tiles.getTileMatrixSet",
        "One tile matrix set",
        parameters=[_set_in_path, *JSON_ALONE],
        answers={JSON: ref("TileMatrixSet")},
    ),
    *(operation for origin, name in ORIGINS.items() for operation in _map_operations(origin, name)),
    *_place_operations(),
)


# The building block of OGC API - Tiles - Part 1: Core (OGC 20-057).

REL_MAP = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-map"
REL_VECTOR = "http://www.opengis.net/def/rel/ogc/1.0/tilesets-vector"
TILES = (
    *("core", "tileset", "tilesets-list", "dataset-tilesets", "geodata-tilesets", "collections-selection", "datetime"),
    *("png", "jpeg", "tiff", "mvt", "oas30"),
)
TILE_MATRIX_SETS = (
    *("tilematrixset", "tilematrixsetlimits", "tilesetmetadata"),
    *("json-tilematrixset", "json-tilematrixsetlimits", "json-tilesetmetadata"),
)


def landing_links(context: DocumentContext) -> Sequence[Json]:
    """Return links to the tilesets of the dataset and to the tile matrix sets."""
    vector = link(REL_VECTOR, f"{context.base}/tiles?f=json", JSON, "vector tiles of places")
    return [
        link(REL_MAP, f"{context.base}/map/tiles?f=json", JSON, "map tiles of the dataset"),
        *([vector] if context.catalogue.places else []),
        link(REL_SCHEMES, schemes_url(context), JSON, "tile matrix sets"),
    ]


def collection_links(offered: OfferedCollection, context: DocumentContext) -> Sequence[Json]:
    """Return links to the tilesets of a collection and of its styles, the default style last: GDAL uses that one."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    styled = [
        link(REL_MAP, f"{base}/styles/{quote(style.id)}/map/tiles?f=json", JSON, f"map tiles, {style.title}")
        for style in (*offered.drawn_layer.styles[1:], *offered.drawn_layer.styles[:1])
    ]
    return [link(REL_MAP, f"{base}/map/tiles?f=json", JSON, "map tiles"), *styled]


# Schemas of the documents for OpenAPI 3.0.

_CRS: Json = {"oneOf": [ADDRESS, object_of({"wkt": {"type": "object"}})]}
_LINKS = list_of(ref("Link"))
_ENDS = dict.fromkeys(("minTileRow", "maxTileRow", "minTileCol", "maxTileCol"), INDEX)
_ITEM: Mapping[str, Json] = {
    "dataType": enum_of(["map", "vector"]),
    "crs": _CRS,
    "tileMatrixSetURI": ADDRESS,
    "tileMatrixSetId": TEXT,
    "tileMatrixSetLimits": list_of(object_of({"tileMatrix": TEXT, **_ENDS})),
    "links": _LINKS,
}
_MATRIX = object_of(
    {
        "id": TEXT,
        **dict.fromkeys(("scaleDenominator", "cellSize"), NUMBER),
        "pointOfOrigin": PAIR,
        **dict.fromkeys(("tileWidth", "tileHeight", "matrixWidth", "matrixHeight"), INDEX),
    },
    {"cornerOfOrigin": enum_of(["topLeft"])},
)
SCHEMAS: Mapping[str, Json] = {
    "TileSetList": object_of({"tilesets": list_of(object_of(_ITEM, {"title": TEXT})), "links": _LINKS}),
    "TileSet": object_of(
        {**_ITEM, "layers": list_of(object_of({"id": TEXT, "dataType": TEXT}))},
        {
            "title": TEXT,
            "boundingBox": object_of({"lowerLeft": PAIR, "upperRight": PAIR, "crs": ADDRESS}),
            "centerPoint": object_of({"coordinates": PAIR, "crs": ADDRESS}, {"tileMatrix": TEXT}),
            "mediaTypes": list_of(TEXT),
            "style": object_of({"id": TEXT}, {"title": TEXT, "links": _LINKS}),
            **dict.fromkeys(("attribution", "license"), TEXT),
        },
    ),
    "TileJson": object_of(
        {"tilejson": enum_of(["3.0.0"]), "tiles": {**list_of(TEXT), "minItems": 1}, "minzoom": INDEX, "maxzoom": INDEX},
        {
            **dict.fromkeys(("name", "attribution"), TEXT),
            "bounds": {**list_of(NUMBER), "minItems": 4, "maxItems": 4},
            "center": {**list_of(NUMBER), "minItems": 3, "maxItems": 3},
            "vector_layers": list_of(object_of({"id": TEXT, "fields": {"type": "object"}})),
        },
    ),
    "TileMatrixSetList": object_of(
        {
            "tileMatrixSets": list_of(
                object_of({"id": TEXT, "crs": _CRS, "links": _LINKS}, {"title": TEXT, "uri": ADDRESS})
            )
        }
    ),
    "TileMatrixSet": object_of(
        {"id": TEXT, "crs": _CRS, "tileMatrices": {**list_of(_MATRIX), "minItems": 1}},
        {"title": TEXT, "uri": ADDRESS, "orderedAxes": list_of(TEXT), "wellKnownScaleSet": ADDRESS, "links": _LINKS},
    ),
}

block = BuildingBlock(
    operations=operations,
    conformance=(
        *(f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}" for name in TILES),
        *(f"http://www.opengis.net/spec/tms/2.0/conf/{name}" for name in TILE_MATRIX_SETS),
    ),
    schemas=SCHEMAS,
    landing_links=landing_links,
    collection_links=collection_links,
)
