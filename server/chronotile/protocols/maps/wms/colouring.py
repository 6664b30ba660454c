"""Colours that a WMS request changes: an SLD in the request or at a URL, and the colour parameters of ncWMS."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request

from chronotile.core.errors import MAX_SHOWN, InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.request import Colouring, Extend
from chronotile.core.model.style import TRANSPARENT, Colour, Style
from chronotile.core.web.fetch import fetch
from chronotile.core.web.places import AllowedPlaces
from chronotile.core.xml_text import MAX_BYTES
from chronotile.http.run import run
from chronotile.http.work_kinds import FETCHES
from chronotile.pipeline.styling.read_sld import SheetLayer, SheetStyle, read_sld
from chronotile.protocols.common.openapi import enum_of
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.query.parameter import Parameter, custom, whole
from chronotile.protocols.common.query.values import value_range

STYLE_FAMILIES = frozenset({"boxfill", "default-scalar", "raster"})
"""Style names of ncWMS and THREDDS before a ramp, as in `boxfill/viridis`; they stand for the layer's first style."""

Beyond = Colour | Extend
"""Colour of values outside the range: a fixed colour, or the colour at that end of the ramp."""

_COLOUR = re.compile(r"(?:0[xX]|#)?([0-9A-Fa-f]{2})?([0-9A-Fa-f]{6})")
_RANGES: Mapping[str, Literal["auto", "default"]] = {"auto": "auto", "default": "default"}
_TRUTH = {"TRUE": True, "YES": True, "FALSE": False, "NO": False}


def style_and_ramp(text: str, styles: Sequence[str]) -> tuple[str, str | None]:
    """Return the style and the ramp of a member of STYLES: `style`, `style/ramp` or `boxfill/ramp`.

    Args:
        text: The member.
        styles: Ids of the layer's styles.
    """
    style, _slash, ramp = text.partition("/")
    is_family = style in STYLE_FAMILIES and style not in styles and bool(ramp)
    return ("" if is_family else style), (ramp if ramp != "default" else None) or None


def truth(name: str, description: str) -> Parameter[bool]:
    """Return a boolean parameter, by default FALSE; YES, NO and any case are accepted, as clients send them."""

    def parse(text: str) -> bool:
        if text.upper() not in _TRUTH:
            raise InvalidParameter(f"{name} must be TRUE or FALSE, got {text[:MAX_SHOWN]!r}", locator=name)
        return _TRUTH[text.upper()]

    return custom(name, description, parse, schema=enum_of(["TRUE", "FALSE"]), default=False)


def colour(text: str, *, locator: str, may_be_translucent: bool = False) -> Colour:
    """Return the colour of `0xRRGGBB`, or of `0xAARRGGBB` with alpha first.

    Raises:
        InvalidParameter: The text is not a colour, or has alpha although that is not allowed.
    """
    match = _COLOUR.fullmatch(text)
    if match is None or (match[1] is not None and not may_be_translucent):
        raise InvalidParameter(f"{locator} must be 0xRRGGBB, got {text[:MAX_SHOWN]!r}", locator=locator)
    alpha = 255 if match[1] is None else int(match[1], 16)
    red, green, blue = bytes.fromhex(match[2])
    return Colour(red, green, blue, alpha)


def _outside_colour(name: str, which: str) -> Parameter[Beyond]:
    def parse(text: str) -> Beyond:
        if text.lower() == "extend":
            return "extend"
        return TRANSPARENT if text.lower() == "transparent" else colour(text, locator=name, may_be_translucent=True)

    description = f"Of values {which}: `0xRRGGBB`, `0xAARRGGBB`, `transparent`, or `extend` for the colour of that end"
    return custom(name, description, parse)


RANGE: Parameter[tuple[float, float] | Literal["auto", "default"]] = custom(
    "COLORSCALERANGE",
    "`low,high`: the values at the ends of the ramp; `auto`: those of the picture; `default`: the style's",
    lambda text: _RANGES.get(text) or value_range(text, locator="COLORSCALERANGE"),
)
BANDS = whole("NUMCOLORBANDS", "As many equal steps of one colour each", least=1)
LOGARITHMIC = truth("LOGSCALE", "Whether colours follow the logarithm of values")
BELOW = _outside_colour("BELOWMINCOLOR", "below the range")
ABOVE = _outside_colour("ABOVEMAXCOLOR", "above the range")
COLOURS: tuple[Parameter[object], ...] = (RANGE, BANDS, LOGARITHMIC, BELOW, ABOVE)


def colour_range(query: Kvp) -> tuple[float, float] | None:
    """Return the range of COLORSCALERANGE, or `None` if the style or the values of the picture define it.

    Raises:
        InvalidParameter: It is neither two numbers in order nor `auto` or `default`.
    """
    requested = RANGE.optional(query)
    return requested if isinstance(requested, tuple) else None


def colouring(query: Kvp) -> Colouring:
    """Return the other colour parameters.

    Raises:
        InvalidParameter: A parameter is not accepted.
    """
    return Colouring(
        bands=BANDS.optional(query),
        is_logarithmic=LOGARITHMIC.value(query),
        is_stretched=RANGE.optional(query) == "auto",
        below=BELOW.optional(query),
        above=ABOVE.optional(query),
    )


@dataclass(frozen=True, slots=True)
class Styled:
    """The style of a layer in a map: the name of one of its styles, or a style defined by the request."""

    style: str
    own_style: Style | None = None


def sheets_of(query: Kvp) -> tuple[SheetLayer, ...]:
    """Return the styled layers of SLD_BODY; empty without it.

    Raises:
        InvalidParameter: The document cannot be used.
    """
    text = query.optional("SLD_BODY")
    return () if text is None else read_sld(text.encode("utf-8", "replace"))


def add_layers(query: Kvp, sheets: Sequence[SheetLayer]) -> Kvp:
    """Return the parameters, with the layers of the SLD as LAYERS if the request has no LAYERS."""
    if not sheets or query.optional("LAYERS") is not None:
        return query
    return query.replace("LAYERS", ",".join(sheet.name for sheet in sheets))


def resolve_styles(layers: Sequence[tuple[Layer, str]], sheets: Sequence[SheetLayer]) -> list[Styled]:
    """Return the style of each layer, from pairs of layer and style name.

    A name that the SLD defines for the layer selects that style. An empty name or `default` selects the default style
    of the SLD, else its first one. Any other name selects a style of the layer itself, and so do all names of a layer
    that the SLD does not mention.

    Raises:
        InvalidParameter: The SLD mentions no layer of the request.
    """
    styled_sheets = [_sheet(layer, sheets) for layer, _name in layers]
    if sheets and not any(styled_sheets):
        names = ", ".join(layer.id for layer, _name in layers)
        raise InvalidParameter(f"the SLD has no NamedLayer for {names}", locator="sld")
    return [_resolve_style(name, sheet) for (_layer, name), sheet in zip(layers, styled_sheets, strict=True)]


def _sheet(layer: Layer, sheets: Sequence[SheetLayer]) -> SheetLayer | None:
    names = {layer.id, *(alias.name for alias in layer.aliases)}
    return next((sheet for sheet in sheets if sheet.name in names and sheet.styles), None)


def _resolve_style(name: str, sheet: SheetLayer | None) -> Styled:
    if sheet is None:
        return Styled(name)
    chosen = _find_style(name, sheet.styles)
    if chosen is None:
        return Styled(name)
    return Styled(chosen.name if chosen.style is None else "", chosen.style)


def _find_style(name: str, styles: Sequence[SheetStyle]) -> SheetStyle | None:
    if name in {"", "default"}:
        return next((style for style in styles if style.is_default), styles[0])
    return next((style for style in styles if style.name == name), None)


async def fetch_document(request: Request, query: Kvp, places: AllowedPlaces) -> Kvp:
    """Return the parameters with the document at the URL in SLD as SLD_BODY; unchanged without SLD.

    Raises:
        InvalidParameter: SLD_BODY exists too, or the URL is not allowed, or its body is not text or too large.
        SourceUnavailable: The URL cannot be reached.
        ServerBusy: Too many requests are waiting.
    """
    address = query.optional("SLD")
    if address is None:
        return query
    if query.optional("SLD_BODY") is not None:
        raise InvalidParameter("SLD and SLD_BODY exclude one another", locator="SLD")
    if not places:
        raise InvalidParameter("SLD is not fetched here; send the document as SLD_BODY", locator="SLD")
    url = places.require_allowed(address, locator="SLD")
    document = await run(
        request, FETCHES, partial(fetch, url, max_bytes=MAX_BYTES, locator="SLD"), hosts={urlsplit(url).netloc}
    )
    if len(document.body) > MAX_BYTES:
        raise InvalidParameter(f"SLD has more than the {MAX_BYTES} bytes that are read", locator="SLD")
    try:
        return query.replace("SLD_BODY", document.body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidParameter("SLD is not UTF-8 text", locator="SLD") from error
