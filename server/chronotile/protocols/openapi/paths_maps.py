"""Layers, tiles, places and operations in OpenAPI."""

from functools import partial

from chronotile.model.request import PICTURE_REDUCERS
from chronotile.protocols.common.examples import Examples
from chronotile.protocols.common.openapi import (
    FILE,
    INDEX,
    NUMBER,
    TEXT,
    WHOLE,
    Json,
    enum_of,
    in_path,
    in_query,
    operation,
    ref,
)

LAYERS, TILES, ANIMATIONS, PLACES, SERVICE = "Layers", "Tiles", "Time-lapses", "Places", "Service"
PICTURES = {
    "png": "image/png",
    "webp": "image/webp",
    "jpg": "image/jpeg",
    "tif": "image/tiff",
    "npy": "application/x-npy",
}
VIDEOS = {"gif": "image/gif", "webp": "image/webp", "mp4": "video/mp4"}
LEGENDS = {"png": "image/png", "svg": "image/svg+xml", "json": "application/json"}
DATETIME = "An instant, interval or list"


def tile_paths(examples: Examples) -> dict[str, Json]:
    """Return the paths of tiles."""
    layer = in_path("layer", "Id or alias", example=examples.layer)
    tms = in_path("tms", "Tile matrix set", example=examples.tile_matrix_set)
    style = _style()
    shown = [
        in_query("datetime", f"{DATETIME}; otherwise the layer's default"),
        in_query("reducer", "What a pixel shows of several times", enum_of(PICTURE_REDUCERS)),
        in_query("expression", "Arithmetic over the variables of the layer's collection"),
        *style,
    ]
    tile = partial(
        operation,
        tag=TILES,
        parameters=[layer, tms, *_address(), _extension(PICTURES), *shown, _revision()],
        answers=dict.fromkeys(PICTURES.values(), FILE),
    )
    twice = "The same tile with twice the pixels of a side, for screens of high resolution"
    return {
        "/tiles/{layer}/{tms}/{z}/{x}/{y}.{extension}": {"get": tile("getTile", "A tile as a picture, or as values")},
        "/tiles/{layer}/{tms}/{z}/{x}/{y}@2x.{extension}": {"get": tile("getLargeTile", twice)},
        "/tiles/{layer}/{tms}/tilejson.json": {
            "get": operation(
                "getTileJson",
                "TileJSON 3.0.0 of a layer",
                tag=TILES,
                parameters=[layer, tms, *shown],
                answers={"application/json": ref("TileJson")},
            )
        },
        "/tiles/{layer}/legend.{extension}": {
            "get": operation(
                "getLegend",
                "The legend of a layer",
                tag=TILES,
                parameters=[layer, _extension(LEGENDS), *style],
                answers=dict.fromkeys(LEGENDS.values(), FILE),
            )
        },
        "/ramps": {
            "get": operation(
                "getRamps",
                "The ramps that `ramp` takes, with their colours",
                tag=TILES,
                answers={"application/json": ref("Ramps")},
                refusals=("Unavailable",),
            )
        },
    }


def animation_paths(examples: Examples) -> dict[str, Json]:
    """Return the path of time-lapses."""
    whole = {**WHOLE, "minimum": 16}
    return {
        "/animations/{layer}.{extension}": {
            "get": operation(
                "getAnimation",
                "A time-lapse",
                tag=ANIMATIONS,
                parameters=[
                    in_path("layer", "Id or alias", example=examples.layer),
                    _extension(VIDEOS),
                    in_query("bbox", "West, south, east, north; otherwise the layer's extent"),
                    in_query("crs", "Of `bbox` and the pictures; otherwise CRS84"),
                    in_query("width", "In pixels; otherwise 640", whole, example=64),
                    in_query("height", "In pixels; otherwise pixels are square on the ground", whole, example=48),
                    in_query(
                        "datetime", f"{DATETIME}; otherwise the whole time domain", example=examples.times or None
                    ),
                    in_query(
                        "step", "Every how many times one is a frame, or a period of which each is: `P1M`, `dekad`"
                    ),
                    in_query("fps", "Frames a second; otherwise 4", {**NUMBER, "minimum": 0.1, "maximum": 30}),
                    in_query("labels", "`none`, or any of `date`, `legend`, `attribution`; otherwise all"),
                    in_query("reducer", "What a pixel shows of the times of a frame", enum_of(PICTURE_REDUCERS)),
                    in_query("expression", "Arithmetic over the variables of the layer's collection"),
                    *_style(),
                    _revision(),
                ],
                answers=dict.fromkeys(VIDEOS.values(), FILE),
            )
        },
    }


def service_paths() -> dict[str, Json]:
    """Return the paths that tell of the service itself."""
    return {
        "/": {
            "get": operation(
                "getLanding",
                "What is here: JSON for programs, a page for people",
                tag=SERVICE,
                parameters=[in_query("f", "Otherwise `Accept` decides", enum_of(("json", "html")))],
                answers={"application/json": ref("Landing"), "text/html": TEXT},
                refusals=("BadRequest", "Unavailable"),
            )
        },
        "/openapi.json": {
            "get": operation(
                "getOpenApi",
                "This document",
                tag=SERVICE,
                answers={"application/vnd.oai.openapi+json;version=3.1": FILE},
                refusals=("Unavailable",),
            )
        },
        "/docs": {
            "get": operation(
                "getDocs", "The same as a page", tag=SERVICE, answers={"text/html": TEXT}, refusals=("Unavailable",)
            )
        },
        "/health/live": {"get": _health("getLive", "That the process answers")},
        "/health/ready": {"get": _health("getReady", "Whether at least one layer can be read")},
        "/metrics": {
            "get": operation(
                "getMetrics", "Metrics for Prometheus", tag=SERVICE, answers={"text/plain": TEXT}, refusals=()
            )
        },
    }


def _style() -> list[Json]:
    return [
        in_query("style", "A style of the layer; otherwise its first"),
        in_query("range", "`low,high`: the values at the ends of the ramp"),
        in_query("ramp", "A style whose colours are taken in place of the style's own"),
        in_query("reversed", "Whether the ramp's colours are the other way round", enum_of(("true", "false"))),
        in_query(
            "logarithmic", "Whether the ramp's colours follow the logarithm of values", enum_of(("true", "false"))
        ),
        in_query("difference", "A second time, whose values are taken away"),
    ]


def _revision() -> Json:
    return in_query("rev", "The layer's `revision`: while it holds, the answer may be kept for a year")


def _health(name: str, summary: str) -> Json:
    return operation(name, summary, tag=SERVICE, answers={"application/json": ref("Health")}, refusals=())


def _address() -> list[Json]:
    return [
        in_path("z", "Tile matrix", {"type": ["integer", "string"]}, example=0),
        in_path("x", "Column", INDEX, example=0),
        in_path("y", "Row, from the top", INDEX, example=0),
    ]


def _extension(types: dict[str, str]) -> Json:
    return in_path("extension", "Of the format", enum_of(list(types)), example=next(iter(types)))
