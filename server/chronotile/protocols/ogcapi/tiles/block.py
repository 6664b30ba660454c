"""OGC API - Tiles - Part 1: Core (OGC 20-057), of maps and of places."""

from collections.abc import Sequence
from urllib.parse import quote

from chronotile.catalog.offered import Offered
from chronotile.protocols.ogcapi.block import BuildingBlock, DocumentContext, Link
from chronotile.protocols.ogcapi.tiles.openapi import SCHEMAS, tile_paths
from chronotile.protocols.ogcapi.tiles.routes import routes
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


def landing_links(context: DocumentContext) -> Sequence[Link]:
    """Return the tilesets of the dataset and the tile matrix sets."""
    vector = Link(rel=REL_VECTOR, href=f"{context.base}/tiles?f=json", type=JSON, title="vector tiles of places")
    return [
        Link(rel=REL_MAP, href=f"{context.base}/map/tiles?f=json", type=JSON, title="map tiles of the dataset"),
        *([vector] if context.catalogue.places else []),
        Link(rel=REL_SCHEMES, href=schemes_url(context), type=JSON, title="tile matrix sets"),
    ]


def collection_links(offered: Offered, context: DocumentContext) -> Sequence[Link]:
    """Return the tilesets of a collection, and in each of its styles, the default last: GDAL takes the last."""
    base = f"{context.base}/collections/{quote(offered.id)}"
    styled = [
        Link(
            rel=REL_MAP,
            href=f"{base}/styles/{quote(style.id)}/map/tiles?f=json",
            type=JSON,
            title=f"map tiles, {style.title}",
        )
        for style in (*offered.drawn.styles[1:], *offered.drawn.styles[:1])
    ]
    return [Link(rel=REL_MAP, href=f"{base}/map/tiles?f=json", type=JSON, title="map tiles"), *styled]


block = BuildingBlock(
    routes=routes,
    conformance=(
        *(f"http://www.opengis.net/spec/ogcapi-tiles-1/1.0/conf/{name}" for name in TILES),
        *(f"http://www.opengis.net/spec/tms/2.0/conf/{name}" for name in TILE_MATRIX_SETS),
    ),
    paths=tile_paths,
    schemas=SCHEMAS,
    landing_links=landing_links,
    collection_links=collection_links,
)
