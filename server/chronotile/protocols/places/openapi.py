"""`/places` in OpenAPI."""

from chronotile.protocols.common.examples import Examples, tile_in_path
from chronotile.protocols.common.openapi import FILE, TEXT, Json, in_path, operation, ref
from chronotile.protocols.common.query.parameter import documents, language
from chronotile.protocols.common.query.picture import REV
from chronotile.protocols.places.params import OF_SET, OF_VALUES

TAG = "Places"


def place_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of places."""
    places = in_path("set", "A set of places", example=examples.place_set or None)
    lang = language(examples.languages)
    limit = {"limit": 2}
    shown = {"layer": examples.layer, "datetime": examples.times or None, "reducer": "mean", **limit}
    return {
        "/places": {
            "get": operation(
                "getPlaceSets",
                "All sets of named places",
                tag=TAG,
                parameters=[lang],
                answers={"application/json": ref("PlaceSets")},
                refusals=("BadRequest", "Unavailable"),
            )
        },
        "/places/{set}": {
            "get": operation(
                "getPlaceSet",
                "One set with its places, in pages",
                tag=TAG,
                parameters=[places, *documents(OF_SET, limit), lang],
                answers={"application/json": ref("PlaceSet"), "application/geo+json": ref("FeatureCollection")},
            )
        },
        "/places/{set}/values": {
            "get": operation(
                "getPlaceValues",
                "The values of all places of a set: one matrix, places by times",
                tag=TAG,
                parameters=[places, *documents(OF_VALUES, shown, required=("layer",))],
                answers={"application/json": ref("PlaceValues"), "text/csv": TEXT},
            )
        },
        "/places/{set}/tiles/{tms}/{z}/{x}/{y}.mvt": {
            "get": operation(
                "getPlaceTile",
                "The outlines of a set as a vector tile",
                tag=TAG,
                parameters=[places, *tile_in_path(examples.tile_matrix_set, examples.tile), *documents([REV])],
                answers={"application/vnd.mapbox-vector-tile": FILE},
            )
        },
    }
