"""Legends of styles as documents for programs."""

import math
import sys
from dataclasses import dataclass
from typing import Literal

from chronotile.core.model.number_text import strip_noise
from chronotile.core.model.style import Colour, Style

TICKS = 6
"""Approximate number of labels of a ramp if its style has no labels."""
ROUND_STEPS = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class LegendStop:
    """A colour at a value of a ramp."""

    value: float
    color: str


@dataclass(frozen=True, slots=True)
class LegendLabel:
    """A value with a tick, and its text."""

    value: float
    text: str


@dataclass(frozen=True, slots=True)
class LegendClass:
    """A class with its colour and name."""

    value: float
    color: str
    label: str


@dataclass(frozen=True, slots=True)
class LegendFlag:
    """A flag with its colour."""

    name: str
    color: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LegendDocument:
    """The legend as JSON, field by field."""

    layer: str
    style: str
    title: str
    units: str
    type: Literal["ramp", "classes"]
    range: tuple[float, float]
    """Exact, like the values of stops and classes, so that programs can paint the same colours."""
    stops: tuple[LegendStop, ...]
    below: str
    """Colour of values below the range, as `#rrggbbaa`."""
    above: str
    labels: tuple[LegendLabel, ...]
    classes: tuple[LegendClass, ...]
    nodata: str
    """`#rrggbbaa`."""
    flags: tuple[LegendFlag, ...]


def legend_document(style: Style, *, layer: str, title: str, units: str) -> LegendDocument:
    """Return the legend of a style for a layer."""
    return LegendDocument(
        layer=layer,
        style=style.id,
        title=title,
        units=units,
        type="classes" if style.is_categorical else "ramp",
        range=style.range,
        stops=_stops(style),
        below=_hex_with_alpha(style.below),
        above=_hex_with_alpha(style.above),
        labels=tuple(LegendLabel(value, number_text(value)) for value in tick_values(style)),
        classes=tuple(LegendClass(entry.value, entry.colour.hex, entry.label) for entry in style.classes),
        nodata=_hex_with_alpha(style.nodata),
        flags=tuple(LegendFlag(name, colour.hex) for name, colour in style.flags),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RampDocument:
    """The colours of a ramp as JSON, field by field."""

    id: str
    title: str
    range: tuple[float, float]
    stops: tuple[LegendStop, ...]
    below: str
    """`#rrggbbaa`, as in legends."""
    above: str


def ramp_document(style: Style) -> RampDocument:
    """Return the colours of a style with a ramp."""
    return RampDocument(
        id=style.id,
        title=style.title,
        range=style.range,
        stops=_stops(style),
        below=_hex_with_alpha(style.below),
        above=_hex_with_alpha(style.above),
    )


def tick_values(style: Style) -> tuple[float, ...]:
    """Return the values with a tick: the labels of the style, else round values inside its range; empty for classes."""
    if style.is_categorical:
        return ()
    return tuple(strip_noise(value) for value in style.labels) or _round_values(*style.range)


def number_text(value: float) -> str:
    """Return a number in its usual form: `0.3`, `1000`, `-2.5`, `1e-07`."""
    text = repr(strip_noise(value)).removesuffix(".0")
    return "0" if text == "-0" else text


def _stops(style: Style) -> tuple[LegendStop, ...]:
    return tuple(LegendStop(stop.value, stop.colour.hex) for stop in style.ramp)


def _round_values(low: float, high: float) -> tuple[float, ...]:
    """Return about `TICKS` round values from `low` to `high` inclusive; `low` and `high` if there is none."""
    length = high - low
    if not length / TICKS > sys.float_info.min:
        return tuple(dict.fromkeys((strip_noise(low), strip_noise(high))))
    magnitude = 10.0 ** math.floor(math.log10(length / TICKS))
    step = next(step for step in ROUND_STEPS if step * magnitude * TICKS >= length * (1 - 1e-9)) * magnitude
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    values = dict.fromkeys(strip_noise(count * step) for count in range(first, last + 1))
    return tuple(values) or (strip_noise(low), strip_noise(high))


def _hex_with_alpha(colour: Colour) -> str:
    return f"#{colour.red:02x}{colour.green:02x}{colour.blue:02x}{colour.alpha:02x}"
