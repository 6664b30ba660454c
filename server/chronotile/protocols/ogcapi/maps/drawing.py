"""Which layers a picture shows and how they are drawn, whatever its area: what maps and map tiles share."""

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from PIL import ImageColor
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
    raised_as,
)
from chronotile.core.model.collection import Layer
from chronotile.core.model.formats import GEOTIFF_TYPE, MapFormat
from chronotile.core.model.grid import Grid
from chronotile.core.model.payload import TimeUsed
from chronotile.core.model.request import Backdrop, MapRequest
from chronotile.core.model.style import Colour
from chronotile.core.model.time.instants import TimeSelection, format_instant
from chronotile.http.problems import problem_response
from chronotile.protocols.common.openapi import PAIR, TEXT, TRUTH, list_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import LANG, F, Parameter, code, custom, datetime, text
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
from chronotile.protocols.ogcapi.negotiate_format import negotiate_format
from chronotile.protocols.ogcapi.subset import CoveragePart, requested_subset


def time_headers(time: TimeUsed) -> dict[str, str]:
    """Return `Content-Datetime`: the instant that is shown, or the interval in which those lie that are."""
    if not time.instants:
        return {}
    newest, oldest = format_instant(time.instants[0]), format_instant(time.instants[-1])
    return {"Content-Datetime": newest if newest == oldest else f"{oldest}/{newest}"}


# Errors of maps and map tiles in the words of their parameters.

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
    """Return the problem document of an error; time is `datetime` unless `subset` has it."""
    names = {name.lower() for name in request.query_params}
    time = "subset" if "subset" in names and "datetime" not in names else "datetime"
    return problem_response(error, request, spelling={**SPELLING, "time": time})


WHITE = Colour(255, 255, 255)
_HEX = re.compile(r"(?:0x|#)?(?P<alpha>[0-9a-f]{2})?(?P<rgb>[0-9a-f]{6})", re.IGNORECASE | re.ASCII)


def _colour(given: str, name: str) -> Colour:
    """`RRGGBB` or `AARRGGBB` with or without 0x or #, or a name of CSS in any case."""
    if given.lower() in ImageColor.colormap:
        return Colour(*ImageColor.getrgb(given.lower())[:3])
    found = _HEX.fullmatch(given)
    if found is None:
        raise InvalidParameter(
            f"{name} must be RRGGBB in hexadecimal, 0x or # before it or not, or the name of a web colour, "
            f"got {given[:MAX_SHOWN]!r}",
            locator=name,
        )
    return Colour(*bytes.fromhex(found["rgb"] + (found["alpha"] or "ff")))


def _colour_parameter(name: str, description: str) -> Parameter[Colour]:
    return custom(name, description, partial(_colour, name=name))


def _truth(name: str, description: str) -> Parameter[bool]:
    return replace(code(name, description, {"true": True, "false": False}), schema=TRUTH)


BGCOLOR = _colour_parameter(
    "bgcolor",
    "Colour where there are no data, as `RRGGBB` in hexadecimal, `0x` or `#` before it or not, or the name of a web "
    "colour in any case",
)
TRANSPARENT = _truth("transparent", "Whether nothing lies there; default: so unless there is a `bgcolor`")
VOID_COLOR = _colour_parameter("void-color", "Colour where the CRS has no place on earth; default: as `bgcolor`")
VOID_TRANSPARENT = _truth("void-transparent", "Whether nothing lies there; default: as `transparent`")
BACKGROUND: tuple[Parameter[object], ...] = (BGCOLOR, TRANSPARENT, VOID_COLOR, VOID_TRANSPARENT)


def background_of(query: Kvp, *, is_opaque: bool) -> tuple[int, int, int] | Backdrop | None:
    """Return what lies under a map.

    Without `transparent` it is transparent, but under a `bgcolor` it is not; what the void has not of its own it has of
    the background. A colour that is given is that of transparent pixels too, unseen.

    Args:
        query: The request.
        is_opaque: Whether the format has no transparency.

    Raises:
        InvalidParameter: A parameter is not a colour, or neither true nor false.
    """
    named, named_void = BGCOLOR.given(query), VOID_COLOR.given(query)
    given, given_void = TRANSPARENT.given(query), VOID_TRANSPARENT.given(query)
    is_transparent = named is None if given is None else given
    is_void_transparent = is_transparent if given_void is None else given_void
    colour = _under(named or WHITE, is_transparent=is_transparent, is_opaque=is_opaque)
    void = _under(named_void or named or WHITE, is_transparent=is_void_transparent, is_opaque=is_opaque)
    is_left_open = named is None and named_void is None and is_transparent and is_void_transparent
    if is_left_open:
        return None
    if void == colour and colour.alpha == 255:
        return colour.red, colour.green, colour.blue
    return Backdrop(colour=colour, void=void)


def _under(colour: Colour, *, is_transparent: bool, is_opaque: bool) -> Colour:
    if is_opaque:
        return colour._replace(alpha=255)
    return colour._replace(alpha=0) if is_transparent else colour


LAYER_LIMIT = 20
"""Layers that one picture shows; their pixels together are bounded by `max_cube_values`."""
FORMATS: Mapping[str, MapFormat] = {
    "png": MapFormat.PNG,
    "jpeg": MapFormat.JPEG,
    "webp": MapFormat.WEBP,
    "tiff": MapFormat.GEOTIFF,
}
"""By the names that `f` takes."""
MEDIA_TYPES: Mapping[str, str] = {name: str(each) for name, each in FORMATS.items()} | {"tiff": GEOTIFF_TYPE}
"""Of answers."""
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
"""Parameters that tiles at `/tiles` have too."""
OF_DRAWING: tuple[Parameter[object], ...] = (
    *(COLLECTIONS, DATETIME, SUBSET, SUBSET_CRS),
    *(*BACKGROUND, *COLOURING, F, LANG),
)
"""Those of maps and of map tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """Layers and how they are drawn."""

    layers: tuple[Layer, ...]
    """The first at the bottom."""
    time: TimeSelection
    expression: str | None
    media_type: str
    """Of the answer."""
    request: "partial[MapRequest]"
    """The core's, without layer and grid."""

    def requests(self, grid: Grid) -> tuple[MapRequest, ...]:
        """Return the core's request, one request a layer."""
        return tuple(self.request(layer=layer.id, grid=grid) for layer in self.layers)


def drawing_of(path: Mapping[str, str], query: Kvp, accept: str, catalogue: Catalogue) -> tuple[Drawing, CoveragePart]:
    """Return what the path and the query ask to be drawn, and what `subset` cuts out.

    Raises:
        ChronotileError: A name is unknown or a parameter is not accepted.
    """
    query.refuse(("style", "styles"), instead="…/styles/{styleId}/map in the path")
    if "collectionId" in path:
        query.refuse(("collections",), instead="the map of the dataset")
    format_name = negotiate_format(query, accept, MEDIA_TYPES, aliases=ALIASES)
    layers = drawn_layers(path, query, catalogue)
    subset = requested_subset(query, layers[0], catalogue, has_time=True)
    time, expression, anomaly = _time(query, subset), EXPRESSION.given(query), anomaly_of(query)
    request = partial(
        MapRequest,
        time=time,
        difference=DIFFERENCE.given(query),
        style=path.get("styleId", ""),
        format=FORMATS[format_name],
        range=RANGE.given(query),
        ramp=RAMP.given(query),
        reducer=reducer_of(query, anomaly),
        anomaly=anomaly,
        expression=expression,
        background=background_of(query, is_opaque=format_name == "jpeg"),
    )
    media_type = MEDIA_TYPES[format_name]
    return Drawing(layers=layers, time=time, expression=expression, media_type=media_type, request=request), subset


def drawn_layers(path: Mapping[str, str], query: Kvp, catalogue: Catalogue) -> tuple[Layer, ...]:
    """Return what is shown of a collection, or of the dataset: `collections`, else the first that has the style.

    Raises:
        UnknownCollection: The path names one that is not there.
        UnknownPath: The path names a style that is not there, or not one of what is shown.
        InvalidParameter: `collections` names one that is not there, or too many.
    """
    style = path.get("styleId", "")
    if "collectionId" in path:
        layers: tuple[Layer, ...] = (offered_collection(catalogue, path["collectionId"]).drawn_layer,)
    elif (named := COLLECTIONS.given(query)) is not None:
        names = named.split(",")
        if len(names) > LAYER_LIMIT:
            message = f"collections names {len(names)}, at most {LAYER_LIMIT} are shown"
            raise InvalidParameter(message, locator="collections")
        with raised_as(UnknownCollection, InvalidParameter, locator="collections"):
            layers = tuple(offered_collection(catalogue, name.strip()).drawn_layer for name in names)
    else:
        layers = _default_layers(style, catalogue)
    for layer in layers:
        with raised_as(UnknownStyle, UnknownPath, locator="styleId"):
            resolve_style(layer, style)
    return layers


def layer_with_style(style: str, catalogue: Catalogue) -> Layer:
    """Return the first layer that has a style.

    Raises:
        UnknownPath: None has it.
    """
    for layer in catalogue.layers:
        if any(each.id == style for each in layer.styles):
            return layer
    known = dict.fromkeys(each.id for layer in catalogue.layers for each in layer.styles)
    listed = ", ".join(itertools.islice(known, MAX_LISTED))
    raise UnknownPath(f"style {style[:MAX_SHOWN]!r} is not known; there are {listed}", locator="styleId")


def _default_layers(style: str, catalogue: Catalogue) -> tuple[Layer, ...]:
    """A dataset is too much for one picture: of it the first collection is shown (OGC 20-058 §20.4.2 permits it)."""
    if style:
        return (layer_with_style(style, catalogue),)
    first = next(catalogue.layers, None)
    if first is None:
        raise UnknownPath("there is no collection to show", locator="collections")
    return (first,)


def _time(query: Kvp, subset: CoveragePart) -> TimeSelection:
    if subset.time is None:
        return DATETIME.of(query)
    if query.optional(DATETIME.name) is not None:
        raise InvalidParameter("give either datetime or the axis time of subset", locator="datetime")
    return subset.time
