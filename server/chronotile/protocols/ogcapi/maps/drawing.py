"""The layers of a picture and their appearance, without its area: common parameters of maps and map tiles."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.catalog.catalogue import MAX_LISTED, Catalogue
from chronotile.catalog.offered import offered_collection
from chronotile.catalog.resolve_style import resolve_style
from chronotile.core.errors import (
    MAX_SHOWN,
    ChronotileError,
    InvalidParameter,
    UnknownCollection,
    UnknownPath,
    UnknownStyle,
    translate_error,
)
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import GEOTIFF_TYPE, MapFormat
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.request import MapRequest
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.selection import TimeSelection
from chronotile.http.problems import problem_response
from chronotile.protocols.common.openapi import PAIR, TEXT, list_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F, Parameter, datetime, text
from chronotile.protocols.common.query.picture import (
    ANOMALY,
    DIFFERENCE,
    EXPRESSION,
    RAMP,
    RANGE,
    REDUCER,
    REFERENCE,
    anomaly_of,
    reducer_of,
)
from chronotile.protocols.ogcapi.maps.background import BACKGROUND, background_of
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.subset import CoveragePart, requested_subset


def time_headers(time: TimeUsed) -> dict[str, str]:
    """Return `Content-Datetime`: the instant of the picture, or the interval of its instants."""
    if not time.instants:
        return {}
    newest, oldest = format_instant(time.instants[0]), format_instant(time.instants[-1])
    return {"Content-Datetime": newest if newest == oldest else f"{oldest}/{newest}"}


SPELLING = {
    "format": "f",
    "layer": "collections",
    "tile_matrix_set": "tileMatrixSetId",
    "tile_matrix": "tileMatrix",
    "row": "tileRow",
    "y": "tileRow",
    "column": "tileCol",
    "x": "tileCol",
    "style": "styleId",
}


def picture_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error, with parameter names of maps and map tiles."""
    names = {name.lower() for name in request.query_params}
    time = "subset" if "subset" in names and "datetime" not in names else "datetime"
    return problem_response(error, request, spelling={**SPELLING, "time": time})


LAYER_LIMIT = 20
"""Layers of one picture; `max_cube_values` limits their pixels together."""
FORMATS: Mapping[str, MapFormat] = {
    "png": MapFormat.PNG,
    "jpeg": MapFormat.JPEG,
    "webp": MapFormat.WEBP,
    "tiff": MapFormat.GEOTIFF,
}
"""Format per value of `f`."""
MEDIA_TYPES: Mapping[str, str] = {name: str(f) for name, f in FORMATS.items()} | {"tiff": GEOTIFF_TYPE}
"""Media type of the response per value of `f`."""
ALIASES: Mapping[str, str] = {"jpg": "jpeg", "image/jpg": "jpeg", "tif": "tiff", "gtiff": "tiff", "geotiff": "tiff"}
COLLECTIONS = text(
    "collections",
    f"What is shown, the last on top; at most {LAYER_LIMIT}; default: the first collection, or layer with the style",
    schema={**list_of(TEXT), "minItems": 1, "maxItems": LAYER_LIMIT},
)
DATETIME = datetime(
    "An instant, a period such as a month, or an interval, of which `reducer` makes one picture; default: the layer's "
    "default"
)
SUBSET = text(
    "subset",
    'Parts along axes, instead of `bbox` and `datetime`: `Lat(50.8:50.9),Lon(4.5:4.7),time("2020-06-01")`; open ends '
    "are `*`; may be repeated",
)
SUBSET_CRS = text("subset-crs", "CRS of the axes in `subset`; default: CRS84 for `Lat` and `Lon`")
RANGE_OF_TWO = replace(RANGE, schema=PAIR)
COLOURING: tuple[Parameter[object], ...] = (*(RANGE_OF_TWO, RAMP, REDUCER, EXPRESSION, DIFFERENCE, ANOMALY, REFERENCE),)
"""Parameters that tiles at `/tiles` accept, too."""
OF_DRAWING: tuple[Parameter[object], ...] = (
    *(COLLECTIONS, DATETIME, SUBSET, SUBSET_CRS),
    *(*BACKGROUND, *COLOURING, F, LANG),
)
"""Parameters of maps and of map tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Layers and their appearance."""

    layers: tuple[Layer, ...]
    """Bottom to top."""
    time: TimeSelection
    expression: str | None
    media_type: str
    """Media type of the response."""
    request: "partial[MapRequest]"
    """A request without layer and grid."""

    def requests(self, grid: Grid) -> tuple[MapRequest, ...]:
        """Return one request per layer."""
        return tuple(self.request(layer=layer.id, grid=grid) for layer in self.layers)


def drawing_of(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> tuple[Drawing, CoveragePart]:
    """Return the drawing requested by a path and a query, and the part requested by `subset`.

    Raises:
        ChronotileError: A name does not exist, or a parameter is not accepted.
    """
    query.refuse(("style", "styles"), instead="…/styles/{styleId}/map in the path")
    if "collectionId" in path:
        query.refuse(("collections",), instead="the map of the dataset")
    format_name = negotiate_format(query, accept, MEDIA_TYPES, aliases=ALIASES)
    layers = drawn_layers(path, query, catalogue)
    subset = requested_subset(query, layers[0], catalogue, has_time=True)
    time, expression, anomaly = _time(query, subset), EXPRESSION.optional(query), anomaly_of(query)
    request = partial(
        MapRequest,
        time=time,
        difference=DIFFERENCE.optional(query),
        style=path.get("styleId", ""),
        format=FORMATS[format_name],
        range=RANGE.optional(query),
        ramp=RAMP.optional(query),
        reducer=reducer_of(query, anomaly),
        anomaly=anomaly,
        expression=expression,
        background=background_of(query, is_opaque=format_name == "jpeg"),
    )
    media_type = MEDIA_TYPES[format_name]
    return Drawing(layers=layers, time=time, expression=expression, media_type=media_type, request=request), subset


def drawn_layers(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> tuple[Layer, ...]:
    """Return the layers of a collection or of `collections`; by default the first layer with the style.

    Raises:
        UnknownCollection: The collection of the path does not exist.
        UnknownPath: The style of the path does not exist for a layer.
        InvalidParameter: A collection of `collections` does not exist, or the list is too long.
    """
    style = path.get("styleId", "")
    if "collectionId" in path:
        layers: tuple[Layer, ...] = (offered_collection(catalogue, path["collectionId"]).drawn_layer,)
    elif (collections := COLLECTIONS.optional(query)) is not None:
        names = collections.split(",")
        if len(names) > LAYER_LIMIT:
            message = f"collections names {len(names)}, at most {LAYER_LIMIT} are shown"
            raise InvalidParameter(message, locator="collections")
        with translate_error(UnknownCollection, InvalidParameter, locator="collections"):
            layers = tuple(offered_collection(catalogue, name.strip()).drawn_layer for name in names)
    else:
        layers = _default_layers(style, catalogue)
    for layer in layers:
        with translate_error(UnknownStyle, UnknownPath, locator="styleId"):
            resolve_style(layer, style)
    return layers


def layer_with_style(style: str, catalogue: Catalogue) -> Layer:
    """Return the first layer with a style.

    Raises:
        UnknownPath: No layer has it.
    """
    for layer in catalogue.layers:
        if any(s.id == style for s in layer.styles):
            return layer
    styles = dict.fromkeys(s.id for layer in catalogue.layers for s in layer.styles)
    listed = ", ".join(itertools.islice(styles, MAX_LISTED))
    raise UnknownPath(f"style {style[:MAX_SHOWN]!r} does not exist; styles are {listed}", locator="styleId")


def _default_layers(style: str, catalogue: Catalogue) -> tuple[Layer, ...]:
    """Return the first layer: one picture cannot show a whole dataset (permitted by OGC 20-058 §20.4.2)."""
    if style:
        return (layer_with_style(style, catalogue),)
    first = next(catalogue.layers, None)
    if first is None:
        raise UnknownPath("there is no collection to show", locator="collections")
    return (first,)


def _time(query: Kvp, subset: CoveragePart) -> TimeSelection:
    if subset.time is None:
        return DATETIME.value(query)
    if query.optional(DATETIME.name) is not None:
        raise InvalidParameter("give either datetime or the axis time of subset", locator="datetime")
    return subset.time
