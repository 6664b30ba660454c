"""What lies under a map: `bgcolor`, `transparent`, `void-color` and `void-transparent` (OGC 20-058 §8)."""

import re
from dataclasses import replace
from functools import partial

from PIL import ImageColor

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.request import Backdrop
from chronotile.model.style import Colour
from chronotile.protocols.common.openapi import TRUTH
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, code, custom

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
