"""`/zarr` in OpenAPI."""

from functools import partial

from chronotile.pipeline.coverage.layer_store import CHUNK_TYPE, DOCUMENT_TYPE
from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import FILE, OBJECT, Json, in_path, operation

TAG = "Zarr"


def zarr_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of stores."""
    layer = in_path("layer", "Id or alias of a layer with values, or `id@revision`", example=examples.store)
    array = in_path("array", "Name of an array of the store", example="spatial_ref")
    chunk = in_path("chunk", "Name of a chunk, such as `c/0/0/0`", example="c")
    document = partial(operation, tag=TAG, answers={DOCUMENT_TYPE: OBJECT})
    group = partial(document, parameters=[layer])
    return {
        "/zarr/{layer}": {"get": group("getStore", "A layer as a Zarr 3 store: its metadata")},
        "/zarr/{layer}/zarr.json": {"get": group("getStoreGroup", "The metadata of the store and of its arrays")},
        "/zarr/{layer}/{array}/zarr.json": {
            "get": document("getStoreArray", "The metadata of one array", parameters=[layer, array])
        },
        "/zarr/{layer}/{array}/{chunk}": {
            "get": operation(
                "getStoreChunk",
                "A chunk of an array on the native grid",
                tag=TAG,
                parameters=[layer, array, chunk],
                answers={CHUNK_TYPE: FILE},
            )
        },
    }
