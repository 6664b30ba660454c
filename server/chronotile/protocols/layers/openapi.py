"""`/layers` in OpenAPI."""

from functools import partial

from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import FILE, Json, in_path, operation, ref
from chronotile.protocols.common.query.parameter import documents, language
from chronotile.protocols.layers.params import OF_PREVIEW, OF_TIMES

TAG = "Layers"


def layer_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of layers."""
    layer = in_path("layer", "Id or alias", example=examples.layer)
    lang = language(examples.languages)
    describe = partial(operation, tag=TAG)
    return {
        "/layers": {
            "get": describe(
                "getLayers",
                "All layers",
                parameters=[lang],
                answers={"application/json": ref("Layers")},
                refusals=("BadRequest", "Unavailable"),
            )
        },
        "/layers/{layer}": {
            "get": describe(
                "getLayer",
                "Description of a layer",
                parameters=[layer, lang],
                answers={"application/json": ref("Layer")},
            )
        },
        "/layers/{layer}.qlr": {
            "get": describe(
                "getLayerDefinition",
                "A layer definition for QGIS, with its times",
                parameters=[layer, lang],
                answers={"application/x-qgis-layer-definition": FILE},
            )
        },
        "/layers/{layer}/preview.png": {
            "get": describe(
                "getPreview",
                "A small picture of all of a layer in its own CRS",
                parameters=[layer, *documents(OF_PREVIEW)],
                answers={"image/png": FILE},
            )
        },
        "/layers/{layer}/times": {
            "get": describe(
                "getTimes",
                "The times of a layer, in pages",
                parameters=[layer, *documents(OF_TIMES, {"datetime": examples.times or None})],
                answers={"application/json": ref("Times")},
            )
        },
    }
