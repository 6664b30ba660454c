"""How ncWMS changes the colours of a style: COLORSCALERANGE, NUMCOLORBANDS, LOGSCALE and the colours beyond a range."""

import re
from collections.abc import Sequence

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.request import Colouring, Extend
from chronotile.model.style import TRANSPARENT, Colour
from chronotile.protocols.common.query.kvp import Kvp, integer, value_range

STYLE_FAMILIES = frozenset({"boxfill", "default-scalar", "raster"})
"""What ncWMS and THREDDS write before a ramp, `boxfill/viridis`: a layer's first style."""

_COLOUR = re.compile(r"(?:0[xX]|#)?([0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})")
_TRUTH = {"TRUE": True, "YES": True, "FALSE": False, "NO": False}


def style_and_ramp(text: str, styles: Sequence[str]) -> tuple[str, str | None]:
    """Return the style and the ramp that a member of STYLES names: `style`, `style/ramp` or `boxfill/ramp`.

    Args:
        text: The member.
        styles: Ids of the layer's styles.
    """
    style, _slash, ramp = text.partition("/")
    is_family = style in STYLE_FAMILIES and style not in styles and bool(ramp)
    return ("" if is_family else style), (ramp if ramp != "default" else None) or None


def colour_range(query: Kvp) -> tuple[float, float] | None:
    """Return what COLORSCALERANGE names, or `None` where the style or the values say it.

    Raises:
        InvalidParameter: It is neither two numbers in order nor `auto` or `default`.
    """
    text = query.optional("COLORSCALERANGE")
    return None if text is None or text in {"auto", "default"} else value_range(text, locator="COLORSCALERANGE")


def colouring(query: Kvp) -> Colouring:
    """Return what else is asked of the colours.

    Raises:
        InvalidParameter: A number, a truth or a colour is none.
    """
    bands = query.optional("NUMCOLORBANDS")
    return Colouring(
        bands=None if bands is None else integer(bands, locator="NUMCOLORBANDS", least=1),
        is_logarithmic=truth(query, "LOGSCALE"),
        is_stretched=query.optional("COLORSCALERANGE") == "auto",
        below=_beyond(query, "BELOWMINCOLOR"),
        above=_beyond(query, "ABOVEMAXCOLOR"),
    )


def truth(query: Kvp, name: str) -> bool:
    """Return TRUE or FALSE, for which clients write YES and NO too, in any case; absent is false.

    Raises:
        InvalidParameter: It is neither.
    """
    text = query.optional(name) or "FALSE"
    if text.upper() not in _TRUTH:
        raise InvalidParameter(f"{name} must be TRUE or FALSE, got {text[:MAX_SHOWN]!r}", locator=name)
    return _TRUTH[text.upper()]


def colour(text: str, *, locator: str, may_be_translucent: bool = False) -> Colour:
    """Return `0xRRGGBB`, or with alpha first `0xAARRGGBB`.

    Raises:
        InvalidParameter: It is neither, or translucent where it may not be.
    """
    found = _COLOUR.fullmatch(text)
    if found is None or (found[1] is not None and not may_be_translucent):
        raise InvalidParameter(f"{locator} must be 0xRRGGBB, got {text[:MAX_SHOWN]!r}", locator=locator)
    alpha = 255 if found[1] is None else int(found[1], 16)
    red, green, blue = bytes.fromhex(found[2])
    return Colour(red, green, blue, alpha)


def _beyond(query: Kvp, name: str) -> Colour | Extend | None:
    text = query.optional(name)
    if text is None:
        return None
    if text.lower() == "extend":
        return "extend"
    return TRANSPARENT if text.lower() == "transparent" else colour(text, locator=name, may_be_translucent=True)
