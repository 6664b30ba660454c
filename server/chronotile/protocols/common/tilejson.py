"""TileJSON 3.0.0 (Mapbox, 2022)."""

from typing import Any

from chronotile.core.model.collection import Layer
from chronotile.core.model.number_text import strip_noise
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, box_in
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.space.tiles import TileMatrixSet
from chronotile.pipeline.tile_ranges import box_in_set, native_matrix
from chronotile.protocols.common.localised_text import text_in

SHOWN_PX = 512
"""A side of the box at the zoom of `center` at most: more than half of it, since zooms double, so that clients that
count zooms of 512-pixel tiles show 512 to 1,024 pixels."""


def layer_tilejson(layer: Layer, tile_matrix_set: TileMatrixSet, *, tiles: str, language: str) -> dict[str, Any]:
    """Return the TileJSON of a layer's pictures; `tiles` is their template with `{z}`, `{x}` and `{y}`."""
    box = box_in_set(layer.main_variable.grid, tile_matrix_set)
    return tilejson(
        name=text_in(layer.title, language),
        tiles=tiles,
        tile_matrix_set=tile_matrix_set,
        finest=native_matrix(layer.main_variable.grid, tile_matrix_set),
        attribution=layer.attribution or "",
        box=None if box is None else box_in(box, tile_matrix_set.crs, CRS84),
    )


def tilejson(
    *, name: str, tiles: str, tile_matrix_set: TileMatrixSet, finest: int, attribution: str, box: BBox | None
) -> dict[str, Any]:
    """Return a TileJSON.

    Args:
        name: Title for users.
        tiles: Template with `{z}`, `{x}` and `{y}`.
        tile_matrix_set: Tile matrix set of the tiles.
        finest: Number of the last matrix that shows more than coarser ones.
        attribution: May be empty.
        box: Extent in CRS84; `None` if it is unknown or outside the set.
    """
    document: dict[str, Any] = {
        "tilejson": "3.0.0",
        "name": name,
        "tiles": [tiles],
        "scheme": "xyz",
        "minzoom": 0,
        "maxzoom": finest,
        "attribution": attribution,
    }
    if box is not None:
        bounds = document["bounds"] = [round(edge, 6) for edge in box]
        centre = ((bounds[0] + bounds[2]) / 2, (bounds[1] + bounds[3]) / 2)
        # A box around the Earth may be a box across the antimeridian, so its middle may be far from the data.
        is_round = bounds[2] - bounds[0] >= WHOLE_CIRCLE
        fitting = 0 if is_round else tile_matrix_set.fitting_matrix(box_in(box, CRS84, tile_matrix_set.crs), SHOWN_PX)
        document["center"] = [*map(strip_noise, centre), min(fitting, finest)]
    return document
