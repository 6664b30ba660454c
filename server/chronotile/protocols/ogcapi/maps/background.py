"""The background of maps: colours of missing data and of areas off the earth."""

import re
from dataclasses import replace
from functools import partial

from PIL import ImageColor

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.request import Backdrop
from chronotile.core.model.style import Colour
from chronotile.protocols.common.openapi import TRUTH
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, custom

WHITE = Colour(255, 255, 255)
_HEX = re.compile(r"(?:0x|#)?(?P<alpha>[0-9a-f]{2})?(?P<rgb>[0-9a-f]{6})", re.IGNORECASE | re.ASCII)


def _colour(text: str, name: str) -> Colour:
    """Parse `RRGGBB` or `AARRGGBB` in hexadecimal, with or without `0x` or `#`, or a name of CSS in any case."""
    if text.lower() in ImageColor.colormap:
        return Colour(*ImageColor.getrgb(text.lower())[:3])
    match = _HEX.fullmatch(text)
    if match is None:
        raise InvalidParameter(
            f"{name} must be RRGGBB in hexadecimal, optionally after 0x or #, or the name of a web colour, "
            f"got {text[:MAX_SHOWN]!r}",
            locator=name,
        )
    return Colour(*bytes.fromhex(match["rgb"] + (match["alpha"] or "ff")))


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
    """Return the background of a map: transparent (`None`), one colour, or colours for no data and off the earth.

    The default is transparent, or opaque with `bgcolor`. The void off the earth has the background's colour and
    transparency unless they are requested. Transparent pixels have the requested colour, too.

    Args:
        query: Parameters of the request.
        is_opaque: Whether the format has no transparency.

    Raises:
        InvalidParameter: A colour or a boolean is not accepted.
    """
    bgcolor, void_color = BGCOLOR.optional(query), VOID_COLOR.optional(query)
    transparent, void_transparent = TRANSPARENT.optional(query), VOID_TRANSPARENT.optional(query)
    is_transparent = bgcolor is None if transparent is None else transparent
    is_void_transparent = is_transparent if void_transparent is None else void_transparent
    colour = _set_alpha(bgcolor or WHITE, is_transparent=is_transparent, is_opaque=is_opaque)
    void = _set_alpha(void_color or bgcolor or WHITE, is_transparent=is_void_transparent, is_opaque=is_opaque)
    if bgcolor is None and void_color is None and is_transparent and is_void_transparent:
        return None
    if void == colour and colour.alpha == 255:
        return colour.red, colour.green, colour.blue
    return Backdrop(colour=colour, void=void)


def _set_alpha(colour: Colour, *, is_transparent: bool, is_opaque: bool) -> Colour:
    if is_opaque:
        return colour._replace(alpha=255)
    return colour._replace(alpha=0) if is_transparent else colour
