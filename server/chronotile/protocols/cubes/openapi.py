"""Cube tiles in OpenAPI."""

from chronotile.model.cube import CUBE_TYPE
from chronotile.protocols.common.examples import Examples, tile_in_path
from chronotile.protocols.common.openapi import FILE, Json, in_path, operation
from chronotile.protocols.common.query.parameter import documents
from chronotile.protocols.cubes.params import OF_CUBE

NO_CONTENT: Json = {"description": "No date has a pixel in the tile"}


def cube_paths(examples: Examples) -> dict[str, Json]:
    """Return the path of cube tiles."""
    found = operation(
        "getCube",
        "All dates of a tile as numbers (CTC1)",
        tag="Cubes",
        parameters=[
            in_path("layer", "Id or alias of a layer with values", example=examples.layer),
            *tile_in_path(examples.tile_matrix_set, examples.tile),
            *documents(OF_CUBE, {"datetime": examples.times or None}),
        ],
        answers={CUBE_TYPE: FILE},
    )
    found["responses"]["204"] = NO_CONTENT
    return {"/cubes/{layer}/{tms}/{z}/{x}/{y}.ctc": {"get": found}}
