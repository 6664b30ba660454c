"""Tilesets of maps: what they are of, and their TileJSON."""

from collections.abc import Mapping
from urllib.parse import quote

from chronotile.catalog.resolve import resolve_style
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import BBox, box_in, box_of_all
from chronotile.model.tiles import TileMatrixSet
from chronotile.pipeline.tile_ranges import box_in_set
from chronotile.protocols.common.localised_text import text_in
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import names_of
from chronotile.protocols.ogcapi.block import DocumentContext, Json, Link
from chronotile.protocols.ogcapi.maps.background import BACKGROUND
from chronotile.protocols.ogcapi.maps.drawing import COLLECTIONS, COLOURING, DATETIME, MEDIA_TYPES, SUBSET
from chronotile.protocols.ogcapi.tiles.tilesets import Origin
from chronotile.protocols.ogcapi.tiles.tiling_schemes import JSON

REL_GEODATA = "http://www.opengis.net/def/rel/ogc/1.0/geodata"
CARRIED = names_of((COLLECTIONS, DATETIME, SUBSET, *COLOURING, *BACKGROUND))
"""Parameters of metadata that their tiles have too."""


def map_origin(path: Mapping[str, str], query: Kvp, layers: tuple[Layer, ...], context: DocumentContext) -> Origin:
    """Return what the tiles of a path and query are of."""
    top = layers[-1]
    style = resolve_style(top, path.get("styleId", ""))
    title = ", ".join(_title(layer, context) for layer in layers)
    licensed = {"attribution": top.attribution, "license": top.license}
    style_url = f"{context.base}/collections/{quote(top.id)}/styles/{quote(style.id)}"
    return Origin(
        title=title,
        path=tiles_path(path),
        data_type="map",
        formats=MEDIA_TYPES,
        query={name: value for name in CARRIED if (value := query.optional(name))},
        layers=[_layer(layer, path.get("styleId", ""), context) for layer in layers],
        members={
            **{name: value for name, value in licensed.items() if value},
            "style": {
                "id": style.id,
                "title": style.title,
                "links": [Link(rel="style", href=style_url, type=JSON, title=style.title).document()],
            },
        },
        links=[
            Link(rel=REL_GEODATA, href=_collection_url(layer, context), type=JSON, title=_title(layer, context))
            for layer in layers
        ],
    )


def tiles_path(path: Mapping[str, str]) -> str:
    """Return the path of tilesets of maps, below `/ogcapi`."""
    collection = f"/collections/{quote(path['collectionId'])}" if "collectionId" in path else ""
    style = f"/styles/{quote(path['styleId'])}" if "styleId" in path else ""
    return f"{collection}{style}/map/tiles"


def layers_box(layers: tuple[Layer, ...], tile_matrix_set: TileMatrixSet) -> BBox | None:
    """Return the box in CRS84 of what layers have in a set, or `None` where none of them meets it."""
    found = [box_in_set(layer.main_variable.grid, tile_matrix_set) for layer in layers]
    boxes = [box_in(box, tile_matrix_set.crs, CRS84) for box in found if box is not None]
    return box_of_all(boxes) if boxes else None


def _layer(layer: Layer, style: str, context: DocumentContext) -> Json:
    drawn = resolve_style(layer, style)
    licensed = {"attribution": layer.attribution, "license": layer.license}
    return {
        "id": layer.id,
        "title": _title(layer, context),
        "dataType": "map",
        **{name: value for name, value in licensed.items() if value},
        "style": {"id": drawn.id, "title": drawn.title},
        "links": [
            Link(
                rel=REL_GEODATA, href=_collection_url(layer, context), type=JSON, title=_title(layer, context)
            ).document()
        ],
    }


def _collection_url(layer: Layer, context: DocumentContext) -> str:
    return f"{context.base}/collections/{quote(layer.id)}"


def _title(layer: Layer, context: DocumentContext) -> str:
    return text_in(layer.title, context.language) or layer.id
