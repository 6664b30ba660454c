"""Colours as people write them."""

import re

from chronotile.model.style import TRANSPARENT, Colour

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
    """Return the colour that `#rgb`, `#rrggbb`, `#rrggbbaa`, `transparent` or a basic CSS name means.

    Raises:
        ValueError: It is not one of these.
    """
    if text.lower() in _NAMED:
        return _NAMED[text.lower()]
    if not _HEX.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is not a colour; accepted are #rgb, #rrggbb, #rrggbbaa, transparent, red …")
    digits = text[1:] if len(text) > 4 else "".join(digit * 2 for digit in text[1:])
    return Colour(*bytes.fromhex(digits))
