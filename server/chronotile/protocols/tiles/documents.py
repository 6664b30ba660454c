"""A layer as TileJSON 3.0.0 (Mapbox, 2022)."""

from typing import Any
from urllib.parse import quote, urlencode

from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.grid import box_in
from chronotile.model.tiles import TileMatrixSet
from chronotile.protocols.common.texts import text_in
from chronotile.protocols.common.tile_ranges import box_in_set, native_matrix


def tilejson(
    layer: Layer, tile_matrix_set: TileMatrixSet, *, base: str, language: str, query: dict[str, str]
) -> dict[str, Any]:
    """Return the TileJSON of a layer; `query` goes into the template, with the instant and revision it stands for."""
    path = f"{base}/tiles/{quote(layer.id)}/{quote(tile_matrix_set.id)}/{{z}}/{{x}}/{{y}}.png"
    box = box_in_set(layer.main_variable.grid, tile_matrix_set)
    document: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": text_in(layer.title, language),
        "tiles": [f"{path}?{urlencode(query)}"],
        "scheme": "xyz",
        "minzoom": 0,
        "maxzoom": native_matrix(layer.main_variable.grid, tile_matrix_set),
        "attribution": layer.attribution or "",
    }
    if box is not None:
        bounds = [round(edge, 6) for edge in box_in(box, tile_matrix_set.crs, CRS84)]
        document["bounds"] = bounds
        document["center"] = [(bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2, 0]
    return document
