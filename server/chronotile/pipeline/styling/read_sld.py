"""Colour maps read from SLD 1.0.0 (OGC 02-070) and SLD 1.1.0 with SE 1.1.0 (OGC 05-078r4, 05-077r4).

Elements are identified by their local names, as clients use either namespace with any prefix.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml import etree

from chronotile.core.errors import InvalidParameter, raised_instead
from chronotile.core.model.style import TRANSPARENT, Colour, Style
from chronotile.core.xml_text import local_name, parse_xml
from chronotile.pipeline.styling.colour_map import ColourEntry, ColourMap, step_entries, style_of
from chronotile.pipeline.styling.colours import parse_colour

STYLES = {"NamedStyle", "UserStyle"}
MAX_ENTRIES = 1024
"""Maximum number of entries of a colour map."""
MAX_STYLES = 256
"""Maximum number of layers, and of styles of all layers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetStyle:
    """A style that a document defines or refers to."""

    name: str
    is_default: bool
    style: Style | None
    """`None` for a reference (NamedStyle)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetLayer:
    """A layer that a document styles."""

    name: str
    styles: tuple[SheetStyle, ...]


def read_sld(document: bytes, *, id: str = "sld") -> tuple[SheetLayer, ...]:
    """Return the layers of a document with their styles, in order.

    Args:
        document: XML; entities, document types and external references are not followed.
        id: Id of the styles.

    Raises:
        InvalidParameter: The document is too large, has too many parts, is not XML or SLD, or has an unsupported colour
            map.
    """
    root = parse_xml(document, what="the SLD", locator="sld")
    if local_name(root) != "StyledLayerDescriptor":
        raise _mistake(f"its root is {local_name(root)[:40]}, which must be StyledLayerDescriptor")
    elements = [child for child in root if local_name(child) in {"NamedLayer", "UserLayer"}]
    styles = sum(local_name(child) in STYLES for element in elements for child in element)
    if max(styles, len(elements)) > MAX_STYLES:
        raise _mistake(f"it has {len(elements)} layers with {styles} styles; at most {MAX_STYLES} of each are read")
    layers = [_layer(element, id) for element in elements]
    if not layers:
        raise _mistake("it has no NamedLayer")
    return tuple(layers)


def _layer(element: etree._Element, id: str) -> SheetLayer:
    styles = []
    for child in element:
        name = _text(child, "Name")
        if local_name(child) == "NamedStyle":
            styles.append(SheetStyle(name=name, is_default=False, style=None))
        elif local_name(child) == "UserStyle":
            is_default = _text(child, "IsDefault") in {"1", "true"}
            title = _text(child, "Title") or _text(child, "Description", "Title") or name or id
            styles.append(SheetStyle(name=name, is_default=is_default, style=_user_style(child, id=id, title=title)))
    return SheetLayer(name=_text(element, "Name"), styles=tuple(styles))


def _user_style(element: etree._Element, *, id: str, title: str) -> Style:
    """Return the first colour map of a style; other symbolizers are ignored."""
    for symbolizer in element.iter():
        # Only direct children, so that nested symbolizers are not searched several times.
        colour_map = _child(symbolizer, "ColorMap") if local_name(symbolizer) == "RasterSymbolizer" else None
        if colour_map is not None:
            opacity = _number(_text(symbolizer, "Opacity") or "1", "Opacity")
            return style_of(_apply_opacity(_colour_map(colour_map), opacity), id=id, title=title)
    raise _mistake("its style has no RasterSymbolizer with a ColorMap")


def _apply_opacity(colour_map: ColourMap, opacity: float) -> ColourMap:
    """Apply the opacity of a symbolizer to all its colours."""
    if not 0 <= opacity <= 1:
        raise _mistake("an opacity is not from 0 to 1")
    entries = tuple(replace(entry, colour=_fade(entry.colour, opacity)) for entry in colour_map.entries)
    return replace(colour_map, entries=entries, nodata=_fade(colour_map.nodata, opacity))


def _colour_map(element: etree._Element) -> ColourMap:
    for child in element:
        if local_name(child) == "Interpolate":
            return _read_interpolate(child)
        if local_name(child) == "Categorize":
            return _read_categorize(child)
    entries = tuple(_entry(entry) for entry in _children(element, "ColorMapEntry"))
    match element.get("type", "ramp").lower():
        case "ramp" | "linear":
            _require_finite(entry.quantity for entry in entries)
            return ColourMap(type="ramp", entries=entries)
        case "values" | "exact":
            _require_finite(entry.quantity for entry in entries)
            return ColourMap(type="values", entries=entries)
        case "intervals" | "discrete":
            return _intervals(entries)
        case other:
            raise _mistake(f"a ColorMap of type {other[:40]} is not understood; use ramp, intervals or values")


def _entry(element: etree._Element) -> ColourEntry:
    colour = _colour(element.get("color", ""))
    opacity = _number(element.get("opacity") or "1", "opacity")
    if not 0 <= opacity <= 1:
        raise _mistake("an opacity is not from 0 to 1")
    quantity = _number(element.get("quantity", ""), "quantity", may_be_infinite=True)
    return ColourEntry(quantity=quantity, colour=_fade(colour, opacity), label=element.get("label") or None)


def _intervals(entries: tuple[ColourEntry, ...]) -> ColourMap:
    """Return the map of intervals: each colour is below its quantity, and above the last quantity is nothing."""
    thresholds = [entry.quantity for entry in entries]
    colours = [entry.colour for entry in entries]
    if thresholds and thresholds[-1] == math.inf:  # end of the last interval, as QGIS writes it
        thresholds = thresholds[:-1]
    else:
        colours.append(TRANSPARENT)
    return _map_of_steps(thresholds, colours, TRANSPARENT)


def _read_interpolate(element: etree._Element) -> ColourMap:
    """Read `Interpolate` (SE 1.1.0 §11.6.2)."""
    if element.get("mode", "linear") != "linear":
        raise _mistake("an Interpolate of colours must be linear")
    entries = tuple(
        ColourEntry(quantity=_number(_text(point, "Data"), "Data"), colour=_colour(_text(point, "Value")))
        for point in _children(element, "InterpolationPoint")
    )
    return ColourMap(type="ramp", entries=entries, nodata=_fallback(element))


def _read_categorize(element: etree._Element) -> ColourMap:
    """Read `Categorize` (SE 1.1.0 §11.6.3); a value at a threshold belongs to the following interval by default."""
    belongs = element.get("thresholdsBelongTo") or element.get("threshholdsBelongTo") or "succeeding"
    if belongs != "succeeding":
        raise _mistake("thresholds must belong to the succeeding interval")
    colours = [_colour((value.text or "").strip()) for value in _children(element, "Value")]
    thresholds = [_number((threshold.text or "").strip(), "Threshold") for threshold in _children(element, "Threshold")]
    return _map_of_steps(thresholds, colours, _fallback(element))


def _map_of_steps(thresholds: list[float], colours: list[Colour], nodata: Colour) -> ColourMap:
    if not thresholds or len(colours) != len(thresholds) + 1:
        raise _mistake("its intervals need at least one threshold, and a colour on either side of each")
    _require_finite(thresholds)
    return ColourMap(type="ramp", entries=step_entries(thresholds, colours), nodata=nodata)


def _fallback(element: etree._Element) -> Colour:
    text = element.get("fallbackValue", "")
    try:
        return parse_colour(text)
    except ValueError:
        return TRANSPARENT  # the attribute is required, and may contain anything


def _colour(text: str) -> Colour:
    try:
        return parse_colour(text if not text.lower().startswith("0x") else f"#{text[2:]}")
    except ValueError as error:
        raise _mistake(str(error)) from error


def _fade(colour: Colour, opacity: float) -> Colour:
    return colour._replace(alpha=round(colour.alpha * opacity))


def _number(text: str, name: str, *, may_be_infinite: bool = False) -> float:
    with raised_instead(ValueError, _mistake(f"{name} is not a number: {text[:40]!r}")):
        value = float(text)
    if math.isnan(value) or (math.isinf(value) and not may_be_infinite):
        raise _mistake(f"{name} is not finite: {text[:40]!r}")
    return value


def _require_finite(quantities: Iterator[float] | list[float]) -> None:
    if not all(map(math.isfinite, quantities)):
        raise _mistake("a quantity is not finite")


def _children(element: etree._Element, name: str) -> list[etree._Element]:
    children = [child for child in element if local_name(child) == name]
    if len(children) > MAX_ENTRIES:
        raise _mistake(f"it has {len(children)} entries; at most {MAX_ENTRIES} are read")
    return children


def _child(element: etree._Element, name: str) -> etree._Element | None:
    return next((child for child in element if local_name(child) == name), None)


def _text(element: etree._Element, *path: str) -> str:
    """Return the text of the first element at a path, or an empty text."""
    for name in path:
        child = _child(element, name)
        if child is None:
            return ""
        element = child
    return (element.text or "").strip()


def _mistake(problem: str) -> InvalidParameter:
    return InvalidParameter(f"the SLD cannot be used: {problem}", locator="sld")
