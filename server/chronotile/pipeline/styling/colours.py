"""The definition of painting: the colour of each number. Faster ways in this package give the same colours."""

import re

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.style import TRANSPARENT, Colour, Style
from chronotile.core.model.types import ColourArray, Float64Array, IndexArray, NumberArray

TOLERANCE = 1e-6
"""Tolerance for ends, stops and classes, as a fraction of the range: `3 * 0.1` and a float32 0.3 are 0.3."""


def colours_of_numbers(style: Style, encoding: Encoding, numbers: NumberArray) -> ColourArray:
    """Return the colours of (n,) digital numbers: of their flag, else of nodata, else of their value."""
    valid = encoding.valid(numbers)
    values = encoding.values(np.where(valid, numbers, numbers.dtype.type(0)))
    colours = colours_of_values(style, values)
    colours[~valid] = style.nodata
    for number, colour in flag_colours(style, encoding):
        colours[numbers == number] = colour
    return colours


def colours_of_values(style: Style, values: Float64Array) -> ColourArray:
    """Return the colours of (n,) finite physical values."""
    return _class_colours(style, values) if style.is_categorical else _ramp_colours(style, values)


def flag_colours(style: Style, encoding: Encoding) -> tuple[tuple[int, Colour], ...]:
    """Return the flag numbers with their colours; a flag without a colour is painted as nodata."""
    colours = dict(style.flags)
    return tuple((number, colours.get(name, style.nodata)) for number, name in encoding.flags)


def slack(style: Style) -> float:
    """Return the tolerance for ends and classes in physical units."""
    low, high = style.range
    return TOLERANCE * ((high - low) or abs(high) or 1.0)


def class_indexes(style: Style, values: Float64Array) -> IndexArray:
    """Return the index into `style.classes` of each value; -1 if no class has it."""
    class_values = np.array([entry.value for entry in style.classes])
    order = np.argsort(class_values, kind="stable")
    class_values = class_values[order]
    size = class_values.size
    after = np.clip(np.searchsorted(class_values, values), 1, size - 1) if size > 1 else np.zeros(values.shape, int)
    is_before = np.abs(values - class_values[after - 1]) <= np.abs(values - class_values[after])
    nearest = np.where(is_before, after - 1, after)
    return np.where(np.abs(values - class_values[nearest]) <= slack(style), order[nearest], -1)


def _class_colours(style: Style, values: Float64Array) -> ColourArray:
    table = np.array([*(entry.colour for entry in style.classes), style.nodata], dtype=np.uint8)
    return table.take(class_indexes(style, values), axis=0)


def _ramp_colours(style: Style, values: Float64Array) -> ColourArray:
    positions = np.array([stop.value for stop in style.ramp])
    stops = np.array([stop.colour for stop in style.ramp], dtype=np.float64)
    last = positions.size - 1
    with np.errstate(over="ignore"):  # infinity is above all stops too
        reached = values + slack(style)
    low = np.clip(np.searchsorted(positions, reached, side="right") - 1, 0, last)
    high = np.minimum(low + 1, last)
    width = positions[high] - positions[low]
    inside = np.clip(values, positions[0], positions[-1])
    fraction = np.divide(inside - positions[low], width, out=np.zeros_like(values), where=width > 0)
    mixed = stops[low] + np.clip(fraction, 0, 1)[:, np.newaxis] * (stops[high] - stops[low])
    colours: ColourArray = np.rint(mixed).astype(np.uint8)
    colours[values < style.range[0] - slack(style)] = style.below
    colours[values > style.range[1] + slack(style)] = style.above
    return colours


# Colours in configurations and parameters.

_HEX = re.compile(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")
_NAMED = {
    "transparent": TRANSPARENT,
    "black": Colour(0, 0, 0),
    "silver": Colour(192, 192, 192),
    "gray": Colour(128, 128, 128),
    "grey": Colour(128, 128, 128),
    "white": Colour(255, 255, 255),
    "maroon": Colour(128, 0, 0),
    "red": Colour(255, 0, 0),
    "purple": Colour(128, 0, 128),
    "fuchsia": Colour(255, 0, 255),
    "green": Colour(0, 128, 0),
    "lime": Colour(0, 255, 0),
    "olive": Colour(128, 128, 0),
    "yellow": Colour(255, 255, 0),
    "navy": Colour(0, 0, 128),
    "blue": Colour(0, 0, 255),
    "teal": Colour(0, 128, 128),
    "aqua": Colour(0, 255, 255),
}
"""The basic colours of CSS (CSS Color 4 §6.1)."""


def parse_colour(text: str) -> Colour:
    """Return the colour of `#rgb`, `#rrggbb`, `#rrggbbaa`, `transparent` or a basic colour name of CSS.

    Raises:
        ValueError: The text is not a colour.
    """
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    if not _HEX.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a colour; accepted are #rgb, #rrggbb, #rrggbbaa, transparent, red …")
    digits = text[1:] if len(text) > 4 else "".join(digit * 2 for digit in text[1:])
    return Colour(*bytes.fromhex(digits))
