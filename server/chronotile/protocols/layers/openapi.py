"""`/layers` in OpenAPI."""

from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import FILE, Json, in_path, operation, ref
from chronotile.protocols.common.query.parameter import documents, language
from chronotile.protocols.layers.params import OF_PREVIEW, OF_TIMES

TAG = "Layers"


def layer_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of layers."""
    layer = in_path("layer", "Id or alias", example=examples.layer)
    lang = language(examples.languages)
    return {
        "/layers": {
            "get": operation(
                "getLayers",
                "All layers",
                tag=TAG,
                parameters=[lang],
                answers={"application/json": ref("Layers")},
                refusals=("BadRequest", "Unavailable"),
            )
        },
        "/layers/{layer}": {
            "get": operation(
                "getLayer",
                "Description of a layer",
                tag=TAG,
                parameters=[layer, lang],
                answers={"application/json": ref("Layer")},
            )
        },
        "/layers/{layer}.qlr": {
            "get": operation(
                "getLayerDefinition",
                "A layer definition for QGIS, with its times",
                tag=TAG,
                parameters=[layer, lang],
                answers={"application/x-qgis-layer-definition": FILE},
            )
        },
        "/layers/{layer}/preview.png": {
            "get": operation(
                "getPreview",
                "A small picture of all of a layer in its own CRS",
                tag=TAG,
                parameters=[layer, *documents(OF_PREVIEW)],
                answers={"image/png": FILE},
            )
        },
        "/layers/{layer}/times": {
            "get": operation(
                "getTimes",
                "The times of a layer, in pages",
                tag=TAG,
                parameters=[layer, *documents(OF_TIMES, {"datetime": examples.times or None})],
                answers={"application/json": ref("Times")},
            )
        },
    }
