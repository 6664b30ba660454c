"""How a layer is drawn: what tiles, time-lapses, legends and maps of OGC API have alike in their queries."""

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

from chronotile.catalog.resolve_times import resolve_picture_times
from chronotile.errors import UnknownPath
from chronotile.model.collection import Layer
from chronotile.model.grid import Grid
from chronotile.model.request import PICTURE_REDUCERS, Colouring, LegendRequest, MapRequest
from chronotile.model.time.instants import TimeSelection, format_instant
from chronotile.pipeline.maps.resolve import with_expression
from chronotile.pipeline.revision import dated_revision
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.kvp import Kvp, value_range
from chronotile.protocols.common.query.parameter import Parameter, choice, custom, text, times, truth

Format = TypeVar("Format")

MAX_SIDE_PX = 4096
"""Of a legend."""
IS_HORIZONTAL = {"vertical": False, "horizontal": True}
"""How the colours of a legend lie, by the word for it."""

STYLE = text("style", "A style of the layer; default: its first")
RANGE = custom(
    "range",
    "`low,high`: the values at the ends of the ramp, instead of the style's own",
    partial(value_range, locator="range"),
)
RAMP = text("ramp", "Id of a style whose colours are stretched over the range, instead of the style's own")
REVERSED = truth("reversed", "Whether the ramp is reversed")
LOGARITHMIC = truth("logarithmic", "Whether the ramp's colours follow the logarithm of values")
DIFFERENCE = times("difference", "A second time, whose values are subtracted")
REDUCER = choice("reducer", "Reducer of several times to one pixel", PICTURE_REDUCERS, default="latest", any_case=False)
EXPRESSION = text("expression", "Arithmetic over the variables of the layer's collection, instead of its own values")
REV = text(
    "rev",
    "The `revision` of the layer or the places, or that of TileJSON: an answer of that state may be cached for a year",
)
COLOURS: tuple[Parameter[object], ...] = (STYLE, RANGE, RAMP, REVERSED, LOGARITHMIC, DIFFERENCE)
"""Those of legends, too."""


def settled(layer: Layer, query: Kvp, time: TimeSelection, services: Services) -> dict[str, str]:
    """Return what the address of a picture names in place of a time: the instant, if it is one, and their revision.

    Raises:
        ChronotileError: There is nothing at that time, or at that of the difference.
    """
    shown, reading = with_expression(layer, EXPRESSION.given(query), services)
    difference, now = DIFFERENCE.given(query), services.clock()
    used, base = (
        () if each is None else resolve_picture_times(shown, each, now=now).used(shown.times).instants
        for each in (time, difference)
    )
    named = {"datetime": format_instant(used[0])} if len(used) == 1 else {}
    return {**named, "rev": dated_revision(shown, used + base, reading)}


def map_request(layer: Layer, grid: Grid, query: Kvp, *, time: TimeSelection) -> MapRequest:
    """Return the map of a layer, drawn as a query says.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    return MapRequest(
        layer=layer.id,
        grid=grid,
        time=time,
        difference=DIFFERENCE.given(query),
        style=STYLE.given(query) or "",
        range=RANGE.given(query),
        ramp=RAMP.given(query),
        colouring=_colouring(query),
        reducer=REDUCER.of(query),
        expression=EXPRESSION.given(query),
    )


def legend_request(layer: str, query: Kvp) -> LegendRequest:
    """Return the colours of a layer, by its id or alias, that a query requests.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    return LegendRequest(
        layer=layer,
        style=STYLE.given(query) or "",
        is_difference=DIFFERENCE.given(query) is not None,
        reducer=REDUCER.of(query),
        range=RANGE.given(query),
        ramp=RAMP.given(query),
        colouring=_colouring(query),
    )


def by_extension(extension: str, formats: Mapping[str, Format]) -> Format:
    """Return the format of an extension in a path.

    Raises:
        UnknownPath: It is not one of those offered.
    """
    if extension not in formats:
        raise UnknownPath(
            f"extension {extension[:20]!r} is not offered; accepted are {', '.join(formats)}", locator="format"
        )
    return formats[extension]


def _colouring(query: Kvp) -> Colouring:
    return Colouring(is_reversed=REVERSED.of(query), is_logarithmic=LOGARITHMIC.of(query))
