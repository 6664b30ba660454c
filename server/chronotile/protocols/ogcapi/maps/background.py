"""What lies under a map: `bgcolor`, `transparent`, `void-color` and `void-transparent` (OGC 20-058 §8)."""

import re

from PIL import ImageColor

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.request import Backdrop
from chronotile.model.style import Colour
from chronotile.protocols.common.query.kvp import Kvp

PARAMETERS = ("bgcolor", "transparent", "void-color", "void-transparent")
WHITE = Colour(255, 255, 255)
_HEX = re.compile(r"(?:0x|#)?(?P<alpha>[0-9a-f]{2})?(?P<rgb>[0-9a-f]{6})", re.IGNORECASE | re.ASCII)
_TRUTH = {"true": True, "false": False}


def background_of(query: Kvp, *, is_opaque: bool) -> tuple[int, int, int] | Backdrop | None:
    """Return what lies under a map.

    Without `transparent` it is transparent, but under a `bgcolor` it is not; what the void has not of its own it has of
    the background. A colour that is given is that of transparent pixels too, unseen.

    Args:
        query: The request.
        is_opaque: Whether the format has no transparency.

    Raises:
        InvalidParameter: A parameter is no colour or no truth.
    """
    named, named_void = _colour(query, "bgcolor"), _colour(query, "void-color")
    is_transparent = _truth(query, "transparent", otherwise=named is None)
    is_void_transparent = _truth(query, "void-transparent", otherwise=is_transparent)
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


def _colour(query: Kvp, name: str) -> Colour | None:
    """`RRGGBB` or `AARRGGBB` with or without 0x or #, or a name of CSS in any case; none where it is not given."""
    text = query.optional(name)
    if text is None:
        return None
    if text.lower() in ImageColor.colormap:
        return Colour(*ImageColor.getrgb(text.lower())[:3])
    found = _HEX.fullmatch(text)
    if found is None:
        raise InvalidParameter(
            f"{name} must be RRGGBB in hexadecimal, 0x or # before it or not, or the name of a web colour, "
            f"got {text[:MAX_SHOWN]!r}",
            locator=name,
        )
    return Colour(*bytes.fromhex(found["rgb"] + (found["alpha"] or "ff")))


def _truth(query: Kvp, name: str, *, otherwise: bool) -> bool:
    text = query.optional(name)
    if text is None:
        return otherwise
    if text.lower() not in _TRUTH:
        raise InvalidParameter(f"{name} must be true or false, got {text[:MAX_SHOWN]!r}", locator=name)
    return _TRUTH[text.lower()]
