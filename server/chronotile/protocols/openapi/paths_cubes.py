"""Cube tiles in OpenAPI."""

from chronotile.model.cube import CUBE_TYPE
from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import FILE, INDEX, Json, enum_of, in_path, in_query, operation

NO_CONTENT: Json = {"description": "No date has a pixel in the tile"}


def cube_paths(examples: Examples) -> dict[str, Json]:
    """Return the path of cube tiles."""
    matrix, column, row = examples.tile
    found = operation(
        "getCube",
        "All dates of a tile as numbers (CTC1)",
        tag="Cubes",
        parameters=[
            in_path("layer", "Id or alias of a layer with values", example=examples.layer),
            in_path("tms", "Tile matrix set", example=examples.tile_matrix_set),
            in_path("z", "Tile matrix", {"type": ["integer", "string"]}, example=matrix),
            in_path("x", "Column", INDEX, example=column),
            in_path("y", "Row, from the top", INDEX, example=row),
            in_query(
                "datetime",
                "An instant, interval or list; otherwise the whole time domain, within the limit",
                example=examples.times or None,
            ),
            in_query("res", "2 is half the resolution, for moving pictures", enum_of(("1", "2"))),
            in_query(
                "cells",
                "1 for the layer's own cells under the tile, with their places, instead of the tile's pixels",
                enum_of(("0", "1")),
            ),
            in_query("rev", "The layer's `revision`: while it holds, the answer may be kept for a year"),
        ],
        answers={CUBE_TYPE: FILE},
    )
    found["responses"]["204"] = NO_CONTENT
    return {"/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc": {"get": found}}
