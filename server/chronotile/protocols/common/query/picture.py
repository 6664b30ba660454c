"""Query parameters for drawing a layer, shared by tiles, animations, legends and OGC API Maps."""

from collections.abc import Mapping
from functools import partial
from typing import TypeVar

from chronotile.core.errors import InvalidParameter, UnknownPath
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import (
    PICTURE_REDUCERS,
    Colouring,
    LegendRequest,
    MapAnomaly,
    MapRequest,
    PictureReducer,
    ShownLayer,
)
from chronotile.core.model.series.analysis import ANOMALY_KINDS, AnomalyKind
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.time.selection import ABSENT, TimeSelection
from chronotile.pipeline.maps.expression import apply_expression
from chronotile.pipeline.maps.times import resolve_map_times
from chronotile.pipeline.revision import dated_revision
from chronotile.pipeline.services import Services
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, choice, custom, datetime, text, times, truth
from chronotile.protocols.common.query.values import value_range

Format = TypeVar("Format")

MAX_SIDE_PX = 4096
"""Limit of width and height of a legend."""
IS_HORIZONTAL = {"vertical": False, "horizontal": True}
"""Accepted values of a legend's `orientation`."""

STYLE = text("style", "A style of the layer; default: its first")
RANGE = custom(
    "range",
    "`low,high`: the values at the ends of the ramp, instead of those of the style",
    partial(value_range, locator="range"),
)
RAMP = text("ramp", "Id of a style whose colours are stretched over the range, instead of those of the style")
REVERSED = truth("reversed", "Whether the ramp is reversed")
LOGARITHMIC = truth("logarithmic", "Whether the ramp's colours follow the logarithm of values")
DIFFERENCE = times("difference", "A second time, whose values are subtracted")
REDUCER = choice(
    "reducer",
    "Reducer of several times to one pixel; default: `latest`, for an anomaly `mean`",
    PICTURE_REDUCERS,
    any_case=False,
)
ANOMALY = choice(
    "anomaly", "The deviation from the usual values of the time of the year", ANOMALY_KINDS, any_case=False
)
REFERENCE = times("reference", "Of an anomaly: the times of the usual values; default: all of the layer")
EXPRESSION = text("expression", "Arithmetic over the variables of the layer's collection, instead of its own values")
DATETIME = datetime("What the title of an anomaly's legend names")
COLOURS: tuple[Parameter[object], ...] = (STYLE, RANGE, RAMP, REVERSED, LOGARITHMIC, DIFFERENCE, ANOMALY, REFERENCE)
"""Parameters that also apply to legends."""


def anomaly_of(
    query: Kvp, anomaly: Parameter[AnomalyKind] = ANOMALY, reference: Parameter[TimeSelection] = REFERENCE
) -> MapAnomaly | None:
    """Return the requested anomaly, or `None`.

    Raises:
        InvalidParameter: A value is not accepted, or `reference` is set without `anomaly`.
    """
    kind, reference_times = anomaly.optional(query), reference.optional(query)
    if kind is None:
        if reference_times is not None:
            raise InvalidParameter(f"{reference.name} is that of an {anomaly.name}", locator=reference.name)
        return None
    return MapAnomaly(kind=kind, reference=ABSENT if reference_times is None else reference_times)


def reducer_of(query: Kvp, anomaly: MapAnomaly | None, reducer: Parameter[PictureReducer] = REDUCER) -> PictureReducer:
    """Return the requested reducer; by default the newest value of each pixel, or the mean for an anomaly.

    Raises:
        InvalidParameter: The reducer is unknown.
    """
    return reducer.optional(query) or ("latest" if anomaly is None else "mean")


def pin_times(layer: Layer, query: Kvp, time: TimeSelection, services: Services) -> dict[str, str]:
    """Return the parameters that pin a picture to the data it shows now: `rev`, and `datetime` if it shows one instant.

    Raises:
        ChronotileError: No data exist at the time, or at that of the difference.
    """
    layer, services = apply_expression(layer, EXPRESSION.optional(query), services)
    anomaly = anomaly_of(query)
    requested = ShownLayer(
        layer=layer.id,
        time=time,
        difference=DIFFERENCE.optional(query),
        anomaly=anomaly,
        reducer=reducer_of(query, anomaly),
    )
    used = resolve_map_times(requested, layer, services).used
    is_period = anomaly is not None and time.keyword == "parts"  # an instant cannot express a part of the year
    pinned = {"datetime": format_instant(used.instants[0])} if len(used.instants) == 1 and not is_period else {}
    return {**pinned, "rev": dated_revision(layer, used.instants + used.base, services)}


def map_request(layer: Layer, grid: Grid, query: Kvp, *, time: TimeSelection) -> MapRequest:
    """Return the request for a map in the colours of a query.

    Raises:
        InvalidParameter: A value is not accepted.
    """
    anomaly = anomaly_of(query)
    return MapRequest(
        layer=layer.id,
        grid=grid,
        time=time,
        difference=DIFFERENCE.optional(query),
        style=STYLE.optional(query) or "",
        range=RANGE.optional(query),
        ramp=RAMP.optional(query),
        colouring=_colouring(query),
        reducer=reducer_of(query, anomaly),
        anomaly=anomaly,
        expression=EXPRESSION.optional(query),
    )


def legend_request(layer: str, query: Kvp) -> LegendRequest:
    """Return the request for a legend; `layer` is an id or alias, and `datetime` only affects the title.

    Raises:
        InvalidParameter: A value is not accepted.
    """
    anomaly = anomaly_of(query)
    return LegendRequest(
        layer=layer,
        style=STYLE.optional(query) or "",
        is_difference=DIFFERENCE.optional(query) is not None,
        reducer=reducer_of(query, anomaly),
        anomaly=anomaly,
        time=ABSENT if anomaly is None else DATETIME.value(query),
        range=RANGE.optional(query),
        ramp=RAMP.optional(query),
        colouring=_colouring(query),
    )


def format_of_extension(extension: str, formats: Mapping[str, Format]) -> Format:
    """Return the format of an extension in a path.

    Raises:
        UnknownPath: The extension is not offered.
    """
    if extension not in formats:
        message = f"extension {extension[:20]!r} is not offered; accepted are {', '.join(formats)}"
        raise UnknownPath(message, locator="format")
    return formats[extension]


def _colouring(query: Kvp) -> Colouring:
    return Colouring(is_reversed=REVERSED.value(query), is_logarithmic=LOGARITHMIC.value(query))
