"""Styles to paint with, and the definition of painting written a second time, one number at a time."""

import math
from fractions import Fraction

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.style import Colour, Stop, Style, StyleClass

BROWN = Colour(0x8C, 0x5A, 0x2B)
SAND = Colour(0xE8, 0xD9, 0xA0)
GREEN = Colour(0x0B, 0x4D, 0x14)
BELOW = Colour(1, 2, 3)
ABOVE = Colour(4, 5, 6)
NODATA = Colour(7, 8, 9, 10)
CLOUD = Colour(255, 255, 255, 128)
SNOW = Colour(200, 220, 255)

RAMP = Style(
    id="ndvi",
    title="NDVI",
    range=(-0.08, 0.92),
    ramp=(Stop(-0.08, BROWN), Stop(0.3, SAND), Stop(0.92, GREEN)),
    below=BELOW,
    above=ABOVE,
    nodata=NODATA,
    flags=(("cloud", CLOUD), ("snow", SNOW)),
)


def classes_of(count: int) -> Style:
    """Return a style with classes of values 0, 1, 2 …, all of different colours."""
    classes = tuple(
        StyleClass(float(value), Colour(value % 256, value // 256, 99), f"class {value}") for value in range(count)
    )
    return Style(id="classes", title="Classes", range=(0.0, count - 1.0), classes=classes, nodata=NODATA)


def colour_of(style: Style, encoding: Encoding, number: float) -> Colour:
    """Return the colour of one number as docs/reference/configuration.md defines it."""
    names = dict(encoding.flags)
    if number in names:
        return dict(style.flags).get(names[number], style.nodata)
    if not math.isfinite(number) or number == encoding.nodata:
        return style.nodata
    if encoding.valid_range and not encoding.valid_range[0] <= number <= encoding.valid_range[1]:
        return style.nodata
    value = float(number) * encoding.scale + encoding.offset
    if style.classes:
        found = (each.colour for each in style.classes if math.isclose(each.value, value, abs_tol=1e-6))
        return next(found, style.nodata)
    return ramp_colour_of(style, value)


def ramp_colour_of(style: Style, value: float) -> Colour:
    """Return the colour of a value between two stops, in exact arithmetic, or outside them."""
    if value < style.range[0] - 1e-9:
        return style.below
    if value > style.range[1] + 1e-9:
        return style.above
    if value <= style.ramp[0].value:
        return style.ramp[0].colour
    for first, second in zip(style.ramp, style.ramp[1:], strict=False):
        if value <= second.value:
            share = (Fraction(value) - Fraction(first.value)) / (Fraction(second.value) - Fraction(first.value))
            return Colour(*(round(a + share * (b - a)) for a, b in zip(first.colour, second.colour, strict=True)))
    return style.ramp[-1].colour


def colours_of(style: Style, encoding: Encoding, numbers: np.ndarray) -> np.ndarray:
    """Return (…, 4) colours of all numbers, computed individually."""
    colours = [colour_of(style, encoding, number) for number in numbers.ravel().tolist()]
    return np.array(colours, dtype=np.uint8).reshape(*numbers.shape, 4)


def colour_distance(picture: np.ndarray, truth: np.ndarray) -> int:
    """Return the greatest difference of any channel of any pixel."""
    return int(np.abs(picture.astype(int) - truth.astype(int)).max())
