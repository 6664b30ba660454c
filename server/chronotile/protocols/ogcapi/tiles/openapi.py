"""Paths of tiles in OpenAPI 3.0 (OGC 20-057 §13)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered
from chronotile.model.tiles import TileMatrixSet
from chronotile.protocols.common.openapi import (
    ADDRESS,
    BINARY,
    INDEX,
    NUMBER,
    PAIR,
    TEXT,
    Json,
    enum_of,
    get,
    in_path,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.common.query.parameter import documents, format_of
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.ogcapi.maps.openapi import (
    ORIGINS,
    PICTURES,
    drawing,
    first_offered,
    languages_of,
    origin_parameters,
)
from chronotile.protocols.ogcapi.tiles.limits import Limits, finest, limits_of_boxes, limits_of_grids
from chronotile.protocols.ogcapi.tiles.params import HEIGHT, WIDTH
from chronotile.protocols.ogcapi.tiles.place_tilesets import COLLECTIONS_OF_PLACES, FORMATS
from chronotile.protocols.ogcapi.tiles.tilesets import TILEJSON
from chronotile.protocols.ogcapi.tiles.tiling_schemes import JSON

TAG = "Tiles"
PLACE = "/{tileMatrixSetId}/{tileMatrix}/{tileRow}/{tileCol}"
_CRS: Json = {"oneOf": [ADDRESS, object_of({"wkt": {"type": "object"}})]}
_LINKS = list_of(ref("Link"))
_LIMITS = object_of(
    {
        "tileMatrix": TEXT,
        "minTileRow": INDEX,
        "maxTileRow": INDEX,
        "minTileCol": INDEX,
        "maxTileCol": INDEX,
    }
)
_ITEM: Mapping[str, Json] = {
    "dataType": enum_of(["map", "vector"]),
    "crs": _CRS,
    "tileMatrixSetURI": ADDRESS,
    "tileMatrixSetId": TEXT,
    "tileMatrixSetLimits": list_of(_LIMITS),
    "links": _LINKS,
}
_MATRIX = object_of(
    {
        "id": TEXT,
        "scaleDenominator": NUMBER,
        "cellSize": NUMBER,
        "pointOfOrigin": PAIR,
        "tileWidth": INDEX,
        "tileHeight": INDEX,
        "matrixWidth": INDEX,
        "matrixHeight": INDEX,
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
            "attribution": TEXT,
            "license": TEXT,
        },
    ),
    "TileJson": object_of(
        {"tilejson": enum_of(["3.0.0"]), "tiles": {**list_of(TEXT), "minItems": 1}, "minzoom": INDEX, "maxzoom": INDEX},
        {
            "name": TEXT,
            "attribution": TEXT,
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


def tile_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address."""
    shown = first_offered(catalogue)
    sets = catalogue.tile_matrix_sets
    if not sets:
        return {}
    return {
        **_schemes(catalogue),
        **({} if shown is None else _of_maps(catalogue, shown)),
        **(_of_places(catalogue) if catalogue.places else {}),
    }


def _schemes(catalogue: Catalogue) -> Mapping[str, Json]:
    both = [format_of(["json"]), languages_of(catalogue)]
    return {
        "/tileMatrixSets": get(
            "tiles.getTileMatrixSetsList",
            "All tile matrix sets",
            tag=TAG,
            parameters=both,
            answers={JSON: ref("TileMatrixSetList")},
        ),
        "/tileMatrixSets/{tileMatrixSetId}": get(
            "tiles.getTileMatrixSet",
            "One tile matrix set",
            tag=TAG,
            parameters=[_set(catalogue), *both],
            answers={JSON: ref("TileMatrixSet")},
        ),
    }


def _of_maps(catalogue: Catalogue, shown: Offered) -> Mapping[str, Json]:
    tile_matrix_set = catalogue.tile_matrix_sets[0]
    limits = limits_of_grids([shown.drawn.main_variable.grid], tile_matrix_set)
    paths: dict[str, Json] = {}
    for origin, name in ORIGINS.items():
        first, drawn = origin_parameters(origin, shown), drawing(origin, shown)
        tiles = _paths(f"{origin}/map/tiles", f"{name}.map", catalogue, metadata=[*first, *drawn[:-1]])
        tile = get(
            f"tiles.{name}.map.getTile",
            "A tile of a map",
            tag=TAG,
            parameters=[*first, *_place(catalogue, tile_matrix_set, limits), *drawn, *documents([WIDTH, HEIGHT, REV])],
            answers=PICTURES,
        )
        paths |= {**tiles, f"{origin}/map/tiles{PLACE}": tile}
    return paths


def _of_places(catalogue: Catalogue) -> Mapping[str, Json]:
    tile_matrix_set = catalogue.tile_matrix_sets[0]
    limits = limits_of_boxes([each.bbox for each in catalogue.places.values()], tile_matrix_set)
    (listed,) = documents([replace(COLLECTIONS_OF_PLACES, schema=list_of(enum_of(list(catalogue.places))))])
    tile = get(
        "tiles.dataset.vector.getTile",
        "A vector tile of places",
        tag=TAG,
        parameters=[*_place(catalogue, tile_matrix_set, limits), listed, format_of(list(FORMATS)), *documents([REV])],
        answers=dict.fromkeys(FORMATS.values(), BINARY),
    )
    return {**_paths("/tiles", "dataset.vector", catalogue, metadata=[listed]), f"/tiles{PLACE}": tile}


def _paths(path: str, name: str, catalogue: Catalogue, *, metadata: Sequence[Json]) -> Mapping[str, Json]:
    lang = languages_of(catalogue)
    return {
        path: get(
            f"tiles.{name}.getTileSetsList",
            "Tilesets, one per tile matrix set",
            tag=TAG,
            parameters=[*metadata, format_of(["json"]), lang],
            answers={JSON: ref("TileSetList")},
        ),
        f"{path}/{{tileMatrixSetId}}": get(
            f"tiles.{name}.getTileSet",
            "Metadata of a tileset; templates of tiles carry its parameters on",
            tag=TAG,
            parameters=[*metadata, _set(catalogue), format_of(["json", "tilejson"]), lang],
            answers={JSON: ref("TileSet"), TILEJSON: ref("TileJson")},
        ),
    }


def _set(catalogue: Catalogue) -> Json:
    names = [each.id for each in catalogue.tile_matrix_sets]
    return in_path("tileMatrixSetId", "Id of a tile matrix set", enum_of(names), example=names[0])


def _place(catalogue: Catalogue, tile_matrix_set: TileMatrixSet, limits: Limits) -> list[Json]:
    matrix = finest(limits, tile_matrix_set) or tile_matrix_set.matrices[0]
    held = limits.get(matrix.id)
    row, column = (0, 0) if held is None else (held.row_min, held.column_min)
    return [
        _set(catalogue),
        in_path("tileMatrix", "Id of a tile matrix of the set", TEXT, example=matrix.id),
        in_path("tileRow", "Row, from the north", INDEX, example=row),
        in_path("tileCol", "Column, from the west", INDEX, example=column),
    ]
