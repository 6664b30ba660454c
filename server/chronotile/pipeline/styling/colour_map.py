"""Styles as colour maps of SLD and SE, and colour maps as styles.

Colour maps cannot express the colours of flags, and in SLD 1.0.0 the colour of missing values.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.style import TRANSPARENT, Colour, Stop, Style, StyleClass
from chronotile.pipeline.styling.legend import number_text

ColourMapType = Literal["ramp", "values"]


ColourSteps = tuple[tuple[float, ...], tuple[Colour, ...]]
"""n ascending thresholds and n + 1 colours: below the first, between two, above the last."""

CLASS_SHARE = 0.5
"""Half the width of the interval of a class, as a fraction of the distance to the nearest class, at most of 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourEntry:
    """A colour at a quantity."""

    quantity: float
    colour: Colour
    label: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ColourMap:
    """The entries of a colour map; those of a ramp are in ascending order.

    If the first two entries of a ramp have one quantity, the first is the colour below the ramp. If the last two have
    one quantity, the last is the colour above it.
    """

    type: ColourMapType
    entries: tuple[ColourEntry, ...]
    nodata: Colour = TRANSPARENT


def colour_map_of(style: Style) -> ColourMap:
    """Return a style as a colour map that gives values the same colours."""
    if style.is_categorical:
        classes = tuple(
            ColourEntry(quantity=entry.value, colour=entry.colour, label=entry.label) for entry in style.classes
        )
        return ColourMap(type="values", entries=classes, nodata=style.nodata)
    entries = [
        ColourEntry(
            quantity=stop.value,
            colour=stop.colour,
            label=number_text(stop.value) if stop.value in style.labels else None,
        )
        for stop in style.ramp
    ]
    if style.below != style.ramp[0].colour or _meet(style.ramp[:2]):
        entries.insert(0, ColourEntry(quantity=style.ramp[0].value, colour=style.below))
    if style.above != style.ramp[-1].colour or _meet(style.ramp[-2:]):
        entries.append(ColourEntry(quantity=style.ramp[-1].value, colour=style.above))
    return ColourMap(type="ramp", entries=tuple(entries), nodata=style.nodata)


def style_of(colour_map: ColourMap, *, id: str, title: str) -> Style:
    """Return a colour map as a style.

    Raises:
        InvalidParameter: It has no entries, two entries for one class, or a ramp that does not ascend.
    """
    if not colour_map.entries:
        raise InvalidParameter("the colour map has no entries", locator="sld")
    if colour_map.type == "values":
        return _style_of_classes(colour_map, id=id, title=title)
    entries = colour_map.entries
    if any(entry.quantity > following.quantity for entry, following in pairwise(entries)):
        raise InvalidParameter("the quantities of a colour map must ascend", locator="sld")
    if not math.isfinite(entries[-1].quantity - entries[0].quantity):
        raise InvalidParameter("the quantities of a colour map are too far apart", locator="sld")
    below, above = entries[0].colour, entries[-1].colour
    if len(entries) > 1 and entries[0].quantity == entries[1].quantity:
        entries = entries[1:]
    if len(entries) > 1 and entries[-1].quantity == entries[-2].quantity:
        entries = entries[:-1]
    return Style(
        id=id,
        title=title,
        range=(entries[0].quantity, entries[-1].quantity),
        ramp=tuple(Stop(entry.quantity, entry.colour) for entry in entries),
        below=below,
        above=above,
        nodata=colour_map.nodata,
        labels=tuple(entry.quantity for entry in entries if entry.label),
    )


def step_entries(thresholds: Sequence[float], colours: Sequence[Colour]) -> tuple[ColourEntry, ...]:
    """Return the entries of a ramp with a constant colour between two thresholds.

    Args:
        thresholds: n ascending quantities; a value equal to a threshold has the colour above it.
        colours: n + 1 colours, from below the first threshold to above the last.
    """
    inner = [
        ColourEntry(quantity=quantity, colour=colour)
        for span, colour in zip(pairwise(thresholds), colours[1:-1], strict=True)
        for quantity in span
    ]
    first, last = (
        ColourEntry(quantity=thresholds[0], colour=colours[0]),
        ColourEntry(quantity=thresholds[-1], colour=colours[-1]),
    )
    return first, *inner, last, last


def as_steps(colour_map: ColourMap) -> ColourSteps | None:
    """Return a colour map as the arguments of `step_entries`, or `None` if colours are interpolated.

    A class becomes the narrow interval around its value in which painting selects it.
    """
    if colour_map.type == "values":
        return _steps_of_classes(colour_map)
    thresholds, colours = list[float](), [colour_map.entries[0].colour]
    for entry, following in pairwise(colour_map.entries[:-1]):
        if entry.quantity == following.quantity:
            thresholds.append(entry.quantity)
            colours.append(following.colour)
    entries = tuple(replace(entry, label=None) for entry in colour_map.entries)
    if not thresholds or entries != step_entries(thresholds, colours):
        return None
    return tuple(thresholds), tuple(colours)


def _meet(stops: Sequence[Stop]) -> bool:
    # Two stops with one value; as entries, the first would become the colour beyond the ramp.
    return len(stops) == 2 and stops[0].value == stops[1].value


def _steps_of_classes(colour_map: ColourMap) -> ColourSteps:
    """Return one threshold between intervals that touch; between others, missing values are shown."""
    entries = sorted(colour_map.entries, key=lambda entry: entry.quantity)
    gaps = [following.quantity - entry.quantity for entry, following in pairwise(entries)]
    reach = CLASS_SHARE * min([1.0, *gaps])
    thresholds, colours = [entries[0].quantity - reach], [colour_map.nodata]
    for entry, gap in zip(entries, [*gaps, math.inf], strict=True):
        colours.append(entry.colour)
        thresholds.append(entry.quantity + reach)
        if math.isfinite(gap) and gap > 2 * reach:
            colours.append(colour_map.nodata)
            thresholds.append(entry.quantity + gap - reach)
    return tuple(thresholds), (*colours, colour_map.nodata)


def _style_of_classes(colour_map: ColourMap, *, id: str, title: str) -> Style:
    quantities = [entry.quantity for entry in colour_map.entries]
    if len(set(quantities)) < len(quantities):
        raise InvalidParameter("a colour map has two colours for one value", locator="sld")
    return Style(
        id=id,
        title=title,
        range=(min(quantities), max(quantities)),
        classes=tuple(
            StyleClass(entry.quantity, entry.colour, entry.label or number_text(entry.quantity))
            for entry in colour_map.entries
        ),
        nodata=colour_map.nodata,
    )
