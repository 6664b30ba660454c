"""How a request changes colours: SLD that it brings along or names by an address, and the parameters of ncWMS."""

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
    lambda given: _RANGES.get(given) or value_range(given, locator="COLORSCALERANGE"),
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
    requested = RANGE.optional(query)
    return requested if isinstance(requested, tuple) else None


def colouring(query: Kvp) -> Colouring:
    """Return the other colour parameters.

    Raises:
        InvalidParameter: A number, a truth or a colour is none.
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
    """How a layer is drawn: by the name of one of its styles, or by a style of the request's own."""

    style: str
    own_style: Style | None = None


def sheets_of(query: Kvp) -> tuple[SheetLayer, ...]:
    """Return the layers that SLD_BODY styles; none without it.

    Raises:
        InvalidParameter: It cannot be used.
    """
    text = query.optional("SLD_BODY")
    return () if text is None else read_sld(text.encode("utf-8", "replace"))


def with_layers(query: Kvp, sheets: Sequence[SheetLayer]) -> Kvp:
    """Return the parameters with the document's layers for LAYERS, where the request names none."""
    if not sheets or query.optional("LAYERS") is not None:
        return query
    return query.replace("LAYERS", ",".join(sheet.name for sheet in sheets))


def resolve_styles(layers: Sequence[tuple[Layer, str]], sheets: Sequence[SheetLayer]) -> list[Styled]:
    """Return how layers are drawn, each with the name that STYLES gives it, which may be empty.

    A name that the document defines for the layer means that style; an empty one the document's default, else its
    first; another one is that of the layer itself, as is all of a layer which the document does not name.

    Raises:
        InvalidParameter: The document names none of the layers.
    """
    found = [_sheet(layer, sheets) for layer, _name in layers]
    if sheets and not any(found):
        names = ", ".join(layer.id for layer, _name in layers)
        raise InvalidParameter(f"the SLD has no NamedLayer for {names}", locator="sld")
    return [_styled(name, sheet) for (_layer, name), sheet in zip(layers, found, strict=True)]


def _sheet(layer: Layer, sheets: Sequence[SheetLayer]) -> SheetLayer | None:
    names = {layer.id, *(alias.name for alias in layer.aliases)}
    return next((sheet for sheet in sheets if sheet.name in names and sheet.styles), None)


def _styled(name: str, sheet: SheetLayer | None) -> Styled:
    if sheet is None:
        return Styled(name)
    chosen = _chosen(name, sheet.styles)
    if chosen is None:
        return Styled(name)
    return Styled(chosen.name if chosen.style is None else "", chosen.style)


def _chosen(name: str, styles: Sequence[SheetStyle]) -> SheetStyle | None:
    if name in {"", "default"}:
        return next((style for style in styles if style.is_default), styles[0])
    return next((style for style in styles if style.name == name), None)


async def with_document(request: Request, query: Kvp, places: AllowedPlaces) -> Kvp:
    """Return the parameters with what SLD names as SLD_BODY; as they are without it.

    Raises:
        InvalidParameter: Both are there, or the address is not allowed, or gives no text or too much.
        SourceUnavailable: The address cannot be reached.
        ServerBusy: Too much is waiting already.
    """
    address = query.optional("SLD")
    if address is None:
        return query
    if query.optional("SLD_BODY") is not None:
        raise InvalidParameter("SLD and SLD_BODY exclude one another", locator="SLD")
    if not places:
        raise InvalidParameter("SLD is not fetched here; send the document as SLD_BODY", locator="SLD")
    url = places.require_allowed(address, locator="SLD")
    found = await run(
        request, FETCHES, partial(fetch, url, max_bytes=MAX_BYTES, locator="SLD"), hosts={urlsplit(url).netloc}
    )
    if len(found.body) > MAX_BYTES:
        raise InvalidParameter(f"SLD has more than the {MAX_BYTES} bytes that are read", locator="SLD")
    try:
        return query.replace("SLD_BODY", found.body.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise InvalidParameter("SLD is not UTF-8 text", locator="SLD") from error
