"""`/tiles` and `/ramps` in OpenAPI."""

from functools import partial

from chronotile.pipeline.maps.legend import LEGEND_TYPES
from chronotile.protocols.common.examples import Examples, extension_in_path, tile_in_path
from chronotile.protocols.common.openapi import FILE, Json, in_path, operation, ref
from chronotile.protocols.common.query.parameter import documents
from chronotile.protocols.common.query.picture import COLOURS, REDUCER
from chronotile.protocols.tiles.params import FORMATS, OF_TILE, OF_TILEJSON

TAG = "Tiles"


def tile_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of tiles."""
    layer = in_path("layer", "Id or alias", example=examples.layer)
    address = tile_in_path(examples.tile_matrix_set, examples.tile)
    tile = partial(
        operation,
        tag=TAG,
        parameters=[layer, *address, extension_in_path(FORMATS), *documents(OF_TILE)],
        answers=dict.fromkeys(FORMATS.values(), FILE),
    )
    twice = "The same tile with twice the pixels of a side, for screens of high resolution"
    return {
        "/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}": {"get": tile("getTile", "A tile as a picture, or as values")},
        "/tiles/{layer}/{tms}/{z}/{x}/{y}@2x.{extension}": {"get": tile("getLargeTile", twice)},
        "/tiles/{layer}/{tms}/tilejson.json": {
            "get": operation(
                "getTileJson",
                "TileJSON 3.0.0 of a layer",
                tag=TAG,
                parameters=[layer, address[0], *documents(OF_TILEJSON)],
                answers={"application/json": ref("TileJson")},
            )
        },
        "/tiles/{layer}/legend.{extension}": {
            "get": operation(
                "getLegend",
                "The legend of a layer",
                tag=TAG,
                parameters=[layer, extension_in_path(LEGEND_TYPES), *documents((*COLOURS, REDUCER))],
                answers=dict.fromkeys(LEGEND_TYPES.values(), FILE),
            )
        },
        "/ramps": {
            "get": operation(
                "getRamps",
                "The ramps that `ramp` takes, with their colours",
                tag=TAG,
                answers={"application/json": ref("Ramps")},
                refusals=("Unavailable",),
            )
        },
    }
