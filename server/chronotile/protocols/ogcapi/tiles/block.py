"""OGC API - Tiles - Part 1: Core (OGC 20-057), of maps and of places."""

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from chronotile.catalog.offered import Offered
from chronotile.protocols.common.links import link
from chronotile.protocols.common.openapi import (
    ADDRESS,
    INDEX,
    NUMBER,
    PAIR,
    TEXT,
    Json,
    enum_of,
    list_of,
    object_of,
    ref,
)
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext
from chronotile.protocols.ogcapi.tiles.routes import operations
from chronotile.protocols.ogcapi.tiles.tiling_schemes import JSON, REL_SCHEMES, schemes_url

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
    """Return the tilesets of the dataset and the tile matrix sets."""
    vector = link(REL_VECTOR, f"{context.base}/tiles?f=json", JSON, "vector tiles of places")
    return [
        link(REL_MAP, f"{context.base}/map/tiles?f=json", JSON, "map tiles of the dataset"),
        *([vector] if context.catalogue.places else []),
        link(REL_SCHEMES, schemes_url(context), JSON, "tile matrix sets"),
    ]


def collection_links(offered: Offered, context: DocumentContext) -> Sequence[Json]:
    """Return the tilesets of a collection, and in each of its styles, the default last: GDAL takes the last."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    styled = [
        link(REL_MAP, f"{base}/styles/{quote(style.id)}/map/tiles?f=json", JSON, f"map tiles, {style.title}")
        for style in (*offered.drawn.styles[1:], *offered.drawn.styles[:1])
    ]
    return [link(REL_MAP, f"{base}/map/tiles?f=json", JSON, "map tiles"), *styled]


# The documents as OpenAPI 3.0 has them.

_CRS: Json = {"oneOf": [ADDRESS, object_of({"wkt": {"type": "object"}})]}
_LINKS = list_of(ref("Link"))
_LIMITS = object_of(
    {"tileMatrix": TEXT, "minTileRow": INDEX, "maxTileRow": INDEX, "minTileCol": INDEX, "maxTileCol": INDEX}
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
