"""Paths of maps in OpenAPI 3.0 (OGC 20-058 §23), and what those of tiles and styles have of them."""

from collections.abc import Mapping

from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.offered import Offered, offered_collections
from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84
from chronotile.model.request import PICTURE_REDUCERS
from chronotile.model.time.instants import format_instant
from chronotile.protocols.common.openapi import (
    BINARY,
    BOX,
    COUNT,
    NUMBER,
    PAIR,
    TEXT,
    TRUTH,
    Json,
    format_of,
    get,
    in_path,
    in_query,
    language,
    list_of,
)
from chronotile.protocols.ogcapi.maps.drawing import LAYER_LIMIT, MEDIA_TYPES

TAG = "Maps"
PICTURES: Mapping[str, Json] = dict.fromkeys(MEDIA_TYPES.values(), BINARY)
ORIGINS: Mapping[str, str] = {
    "": "dataset",
    "/styles/{styleId}": "dataset.style",
    "/collections/{collectionId}": "collection",
    "/collections/{collectionId}/styles/{styleId}": "collection.style",
}
"""What operations are called after, by the beginning of their paths."""


def map_paths(catalogue: Catalogue) -> Mapping[str, Json]:
    """Return the path items, below the tree's own address; none where there is nothing to show."""
    shown = first_offered(catalogue)
    if shown is None:
        return {}
    return {
        f"{origin}/map": get(
            f"maps.{name}.getMap",
            "A map",
            tag=TAG,
            parameters=[*origin_parameters(origin, shown), *_placing(catalogue, shown), *drawing(origin, shown)],
            answers=PICTURES,
        )
        for origin, name in ORIGINS.items()
    }


def first_offered(catalogue: Catalogue) -> Offered | None:
    """Return what examples are of."""
    return next(iter(offered_collections(catalogue)), None)


def origin_parameters(origin: str, shown: Offered) -> list[Json]:
    """Return the segments of a path that say what is shown."""
    segments = {
        "collectionId": in_path(
            "collectionId", "Id of a collection, or id or alias of a layer", TEXT, example=shown.id
        ),
        "styleId": in_path("styleId", "Id of a style of what is shown", TEXT, example=shown.drawn.styles[0].id),
    }
    return [segment for name, segment in segments.items() if f"{{{name}}}" in origin]


def drawing(origin: str, shown: Offered) -> list[Json]:
    """Return the parameters that maps and map tiles have alike."""
    listed = in_query(
        "collections",
        f"What is shown, the last on top; at most {LAYER_LIMIT}. Otherwise the first collection, or layer with "
        "the style",
        {**list_of(TEXT), "minItems": 1, "maxItems": LAYER_LIMIT},
        example=[shown.id],
    )
    return [
        *([] if "collectionId" in origin else [listed]),
        in_query(
            "datetime",
            "An instant, a period such as a month, or an interval, of which `reducer` makes one picture; otherwise the "
            "layer's default",
            TEXT,
            example=_time_example(shown.drawn),
        ),
        *_background(),
        *_colouring(),
        format_of(list(MEDIA_TYPES)),
    ]


def languages_of(catalogue: Catalogue) -> Json:
    """Return the parameter of the language of titles."""
    return language(catalogue.service.languages)


def _placing(catalogue: Catalogue, shown: Offered) -> list[Json]:
    uris = [uri for each in (CRS84, *catalogue.crs) if (uri := each.uri) is not None]
    west, south, east, north = (round(edge, 6) for edge in shown.collection.bbox)
    crs = {**TEXT, "example": uris[0]}
    return [
        in_query(
            "bbox",
            "Lower and upper corner in the axis order of `bbox-crs`; heights are left out. Across the antimeridian the "
            "first longitude is greater than the second",
            BOX,
            example=[west, south, east, north],
        ),
        in_query("bbox-crs", "Of `bbox`, as a URI or a safe CURIE; otherwise CRS84", crs),
        in_query(
            "crs",
            "Of the map; otherwise that of the data, of a map of the dataset CRS84",
            crs,
            example=uris[0],
        ),
        in_query("width", "Columns; otherwise what makes pixels square on the ground", COUNT, example=256),
        in_query("height", "Rows; otherwise what makes pixels square on the ground", COUNT, example=256),
        in_query("center", "The middle of the map, in place of `bbox`, in the axis order of `center-crs`", PAIR),
        in_query("center-crs", "Of `center`; otherwise CRS84", crs),
        in_query(
            "scale-denominator",
            "How many times smaller than the ground the map is, on a display of `mm-per-pixel`; not beside both `bbox` "
            "and `width` or `height`",
            {**NUMBER, "minimum": 0, "exclusiveMinimum": True},
        ),
        in_query(
            "mm-per-pixel",
            "Size of a pixel of the display, of which `scale-denominator` speaks",
            {**NUMBER, "minimum": 0, "exclusiveMinimum": True, "default": 0.28},
        ),
        in_query(
            "subset",
            'Parts along axes, in place of `bbox` and `datetime`: `Lat(50.8:50.9),Lon(4.5:4.7),time("2020-06-01")`; '
            "open ends are `*`; may be repeated",
            TEXT,
        ),
        in_query("subset-crs", "Of the axes in `subset`; otherwise CRS84 for `Lat` and `Lon`", crs),
    ]


def _background() -> list[Json]:
    colour = "as `RRGGBB` in hexadecimal, `0x` or `#` before it or not, or the name of a web colour in any case"
    return [
        in_query("bgcolor", f"Colour where there are no data, {colour}", TEXT),
        in_query("transparent", "Whether nothing lies there; otherwise so unless there is a `bgcolor`", TRUTH),
        in_query("void-color", "Colour where the CRS has no place on earth; otherwise as `bgcolor`", TEXT),
        in_query("void-transparent", "Whether nothing lies there; otherwise as `transparent`", TRUTH),
    ]


def _colouring() -> list[Json]:
    return [
        in_query("range", "Values at the ends of the ramp, in place of the style's own", PAIR),
        in_query("ramp", "Id of a style whose colours are stretched over the range", TEXT),
        in_query(
            "reducer",
            "What a pixel shows of several times",
            {**TEXT, "enum": list(PICTURE_REDUCERS), "default": "latest"},
        ),
        in_query("expression", "Arithmetic over the variables of the collection, shown in place of the layer", TEXT),
        in_query("difference", "A second time, whose values are taken away", TEXT),
    ]


def _time_example(layer: Layer) -> str | None:
    return format_instant(layer.times.instants[-1]) if len(layer.times) else None
