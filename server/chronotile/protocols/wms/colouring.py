"""How ncWMS changes the colours of a style: COLORSCALERANGE, NUMCOLORBANDS, LOGSCALE and the colours beyond a range."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

from chronotile.errors import MAX_SHOWN, InvalidParameter
from chronotile.model.request import Colouring, Extend
from chronotile.model.style import TRANSPARENT, Colour
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp, value_range
from chronotile.protocols.common.query.parameter import Parameter, custom, whole

STYLE_FAMILIES = frozenset({"boxfill", "default-scalar", "raster"})
"""What ncWMS and THREDDS write before a ramp, `boxfill/viridis`: a layer's first style."""

Beyond = Colour | Extend
"""How a value beyond the range is shown."""

_COLOUR = re.compile(r"(?:0[xX]|#)?([0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})")
_RANGES: Mapping[str, Literal["auto", "default"]] = {"auto": "auto", "default": "default"}
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


def truth(name: str, description: str) -> Parameter[bool]:
    """Return a parameter that is TRUE or FALSE, the default, for which clients write YES and NO too, in any case."""

    def parse(given: str) -> bool:
        if given.upper() not in _TRUTH:
            raise InvalidParameter(f"{name} must be TRUE or FALSE, got {given[:MAX_SHOWN]!r}", locator=name)
        return _TRUTH[given.upper()]

    return custom(name, description, parse, schema=enum_of(["TRUE", "FALSE"]), default=False)


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


def _range(given: str) -> tuple[float, float] | Literal["auto", "default"]:
    return _RANGES.get(given) or value_range(given, locator="COLORSCALERANGE")


def _beyond(name: str, which: str) -> Parameter[Beyond]:
    def parse(given: str) -> Beyond:
        if given.lower() == "extend":
            return "extend"
        return TRANSPARENT if given.lower() == "transparent" else colour(given, locator=name, may_be_translucent=True)

    description = f"Of values {which}: `0xRRGGBB`, `0xAARRGGBB`, `transparent`, or `extend` for the colour of that end"
    return custom(name, description, parse)


RANGE: Parameter[tuple[float, float] | Literal["auto", "default"]] = custom(
    "COLORSCALERANGE",
    "`low,high`: the values at the ends of the ramp; `auto`: those of the picture; `default`: the style's",
    _range,
)
BANDS = whole("NUMCOLORBANDS", "As many equal steps of one colour each", least=1)
LOGARITHMIC = truth("LOGSCALE", "Whether colours follow the logarithm of values")
BELOW = _beyond("BELOWMINCOLOR", "below the range")
ABOVE = _beyond("ABOVEMAXCOLOR", "above the range")
COLOURS: tuple[Parameter[object], ...] = (RANGE, BANDS, LOGARITHMIC, BELOW, ABOVE)


def colour_range(query: Kvp) -> tuple[float, float] | None:
    """Return what COLORSCALERANGE names, or `None` where the style or the values say it.

    Raises:
        InvalidParameter: It is neither two numbers in order nor `auto` or `default`.
    """
    requested = RANGE.given(query)
    return requested if isinstance(requested, tuple) else None


def colouring(query: Kvp) -> Colouring:
    """Return the other colour parameters.

    Raises:
        InvalidParameter: A number, a truth or a colour is none.
    """
    return Colouring(
        bands=BANDS.given(query),
        is_logarithmic=LOGARITHMIC.of(query),
        is_stretched=RANGE.given(query) == "auto",
        below=BELOW.given(query),
        above=ABOVE.given(query),
    )
