"""Styles derived from others: with other colours, or over another range."""

import math
from dataclasses import replace

import numpy as np

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.request import Colouring, Extend
from chronotile.core.model.style import Colour, Stop, Style
from chronotile.pipeline.styling.colours import colours_of_values

SMOOTH_STEPS = 253
"""Number of steps of a logarithmic ramp without bands: the maximum number of colours of an indexed picture."""
MAX_BANDS = 253


def stretch_ramp(style: Style, span: tuple[float, float]) -> Style:
    """Return the style stretched over other physical values, with new labels.

    Raises:
        InvalidParameter: The style has classes, or `span` is not two finite ascending numbers.
    """
    if style.is_categorical:
        raise InvalidParameter(f"style {style.id} has classes, which no range can stretch", locator="range")
    low, high = span
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise InvalidParameter(f"a range is two numbers, the smaller first, not {low:g},{high:g}", locator="range")
    return replace(style, range=(low, high), ramp=style.stops_over(low, high), labels=())


def replace_ramp(style: Style, other: Style) -> Style:
    """Return the style with the colours of another style, stretched over its range.

    Raises:
        InvalidParameter: The other style has classes, or the range is empty.
    """
    if other.is_categorical:
        raise InvalidParameter(f"style {other.id} has classes and cannot be used as a ramp", locator="ramp")
    if style.range[0] >= style.range[1]:
        raise InvalidParameter(f"style {style.id} has no range that a ramp could fill", locator="ramp")
    return replace(
        style, title=other.title, ramp=other.stops_over(*style.range), classes=(), below=other.below, above=other.above
    )


def difference_style(style: Style, diverging: Style, *, ends: tuple[float, float] | None = None) -> Style:
    """Return the style for differences of values: diverging colours over a symmetric range of the same length.

    Args:
        style: The style of the values.
        diverging: The style with the colours.
        ends: The range; `None` for half the length of the range to either side of 0.

    Raises:
        InvalidParameter: The style has classes, which have no differences.
    """
    if style.is_categorical:
        raise InvalidParameter(f"style {style.id} has classes, which have no difference", locator="difference")
    half = (style.range[1] - style.range[0]) / 2
    coloured = stretch_ramp(diverging, ends or (-half, half))
    return replace(coloured, id=style.id, nodata=style.nodata, below=diverging.below, above=diverging.above)


def apply_colouring(style: Style, colouring: Colouring) -> Style:
    """Return the style with its colours distributed over its range in another way.

    Raises:
        InvalidParameter: The style has classes; the scale is logarithmic and the range starts at 0 or less; or the
            number of bands is not allowed.
    """
    if colouring == Colouring():
        return style
    if style.is_categorical:
        raise InvalidParameter(f"style {style.id} has classes, which have no scale of colours", locator="style")
    low, high = style.range
    if colouring.is_logarithmic and low <= 0:
        raise InvalidParameter(f"a logarithmic scale begins above 0, not at {low:g}", locator="logarithmic")
    bands = colouring.bands
    if bands is not None and not 1 <= bands <= MAX_BANDS:
        raise InvalidParameter(f"there may be 1 to {MAX_BANDS} bands of colour, not {bands}", locator="bands")
    if colouring.is_reversed:
        style = _reverse(style)
    below, above = (Colour(*end) for end in colours_of_values(style, np.array([low, high])).tolist())
    ramp = style.ramp
    if colouring.is_logarithmic or bands is not None:
        ramp = _split_into_steps(style, bands or SMOOTH_STEPS, is_logarithmic=colouring.is_logarithmic)
    return replace(
        style,
        ramp=ramp,
        below=_outside(colouring.below, style.below, below),
        above=_outside(colouring.above, style.above, above),
        labels=() if colouring.is_logarithmic else style.labels,
    )


def _reverse(style: Style) -> Style:
    """Return the style with its colours in opposite order.

    Colours beyond the range stay, unless they are equal to the colour of their end.
    """
    low, high = style.range
    first, last = (Colour(*end) for end in colours_of_values(style, np.array([low, high])).tolist())
    fractions = [(stop.value - low) / ((high - low) or 1.0) for stop in style.ramp]
    stops = zip(reversed(fractions), reversed(style.ramp), strict=True)
    return replace(
        style,
        ramp=tuple(Stop(low * fraction + high * (1 - fraction), stop.colour) for fraction, stop in stops),
        below=last if style.below == first else style.below,
        above=first if style.above == last else style.above,
    )


def _split_into_steps(style: Style, count: int, *, is_logarithmic: bool) -> tuple[Stop, ...]:
    """Return equal steps of the scale with one colour each; the first and last have the colours of the ramp's ends."""
    low, high = style.range
    edges = np.geomspace(low, high, count + 1) if is_logarithmic else np.linspace(low, high, count + 1)
    edges[0], edges[-1] = low, high  # `geomspace` has rounding errors at the ends
    colours = colours_of_values(style, np.linspace(low, high, count)).tolist()
    steps = zip(edges[:-1].tolist(), edges[1:].tolist(), colours, strict=True)
    return tuple(Stop(edge, Colour(*colour)) for start, end, colour in steps for edge in (start, end))


def _outside(requested: Colour | Extend | None, style_colour: Colour, end: Colour) -> Colour:
    if requested is None:
        return style_colour
    return end if requested == "extend" else requested
