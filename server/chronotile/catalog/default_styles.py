"""Which style a layer has whose configuration names none."""

import re
from collections.abc import Mapping
from dataclasses import replace

from chronotile.core.model.collection import VariableInfo
from chronotile.core.model.style import Colour, Stop, Style

_TEMPERATURE = ("temperature", "inferno")
_CANDIDATES = {
    "ndvi": ("ndvi",),
    **dict.fromkeys(("evi", "evi2"), ("evi", "ndvi")),
    "lai": ("lai",),
    **dict.fromkeys(("fapar", "fpar"), ("fapar", "fcover")),
    "fcover": ("fcover", "fapar"),
    "ndmi": ("ndmi", "ndwi"),
    "ndwi": ("ndwi", "ndmi"),
    **dict.fromkeys(("chl", "chla", "chlor", "chlorophyll"), ("chlorophyll", "chl", "viridis")),
    "scl": ("scene-classes",),
    "qa_pixel": ("landsat-qa",),
    **dict.fromkeys(("lst", "sst", "skt", "t2m", "d2m", "tas", "tmp", "temp", "temperature"), _TEMPERATURE),
}
"""Styles that suit a variable's name or a word of it, the best first."""

GREYS = "greys"
_CELSIUS = frozenset(("degc", "deg_c", "°c", "celsius", "degree_celsius", "degrees_celsius", "degreesc", "degree_c"))
_KELVIN = frozenset(("k", "kelvin", "kelvins", "degk", "degree_kelvin", "degrees_kelvin", "degree_k"))
ZERO_CELSIUS_K = 273.15
"""In kelvin."""
_FALLBACK_RANGE = (0.0, 1.0)
_MIN_RELATIVE_HALF_WIDTH = 1e-6
"""Half the width of the range of a single value, as a share of that."""
_MIN_RANGE_FRACTION = 0.05
"""Values that fill less of a style's range than this would show one colour."""


def default_style(variable: VariableInfo, styles: Mapping[str, Style], *, layer: str) -> Style:
    """Return the file's own classes, else the style that suits the variable's name, else greys over its values.

    A style of classes that has all those of the file has more in it than they; a named ramp whose range the values do
    not fit is stretched over the values. Units of temperature go before the name; kelvin have a range in kelvin.
    """
    named = temperature_style(variable, styles) or style_for_name(variable.name, styles)
    if variable.classes:
        return named if named is not None and _has_all_classes(named, variable) else class_style(variable, layer=layer)
    if named is None:
        return _greys(styles, variable.observed_range or _FALLBACK_RANGE)
    seen = variable.observed_range
    if named.is_categorical or seen is None or _is_suitable_range(seen, named.range):
        return named
    return stretch_style(named, seen)


def is_temperature(variable: VariableInfo) -> bool:
    """Return whether units, or without any the name, say that a variable is a temperature."""
    units = variable.encoding.units.lower().replace(" ", "_")
    if units not in {"", "1"}:
        return units in _CELSIUS | _KELVIN
    return any(_CANDIDATES.get(word) == _TEMPERATURE for word in _split_words(variable.name))


def temperature_style(variable: VariableInfo, styles: Mapping[str, Style]) -> Style | None:
    """Return the style of a temperature, over kelvin if that is what it is in; nothing of another quantity."""
    found = next((styles[name] for name in _TEMPERATURE if name in styles), None)
    if found is None or found.is_categorical or variable.classes or not is_temperature(variable):
        return None
    if variable.encoding.units.lower() not in _KELVIN or found.id != _TEMPERATURE[0]:
        return found
    return stretch_style(found, (found.range[0] + ZERO_CELSIUS_K, found.range[1] + ZERO_CELSIUS_K))


def class_style(variable: VariableInfo, *, layer: str) -> Style:
    """Return the style of the classes that the file itself carries."""
    values = [each.value for each in variable.classes]
    return Style(
        id=f"{layer}-classes",
        title=f"{variable.title or variable.name}, classes of the file",
        range=(min(values), max(values)),
        classes=variable.classes,
    )


def composite_style(bounds: tuple[float, float]) -> Style:
    """Return the one style of a composite, which paints each of its three variables from nothing to full."""
    return stretch_style(replace(_GREYS, id="rgb", title="Red, green and blue"), bounds)


def stretch_style(style: Style, bounds: tuple[float, float]) -> Style:
    """Return a ramp's style over another range; one of classes as it is."""
    low, high = bounds
    if style.is_categorical or style.range == bounds:
        return style
    low, high = widen_range(low, high)
    return replace(style, range=(low, high), ramp=style.stops_over(low, high), labels=())


def widen_range(low: float, high: float) -> tuple[float, float]:
    """Return a range of values, one of a single value with what doubles of its size can tell from it on either side."""
    if low < high:
        return low, high
    half = max(0.5, abs(low) * _MIN_RELATIVE_HALF_WIDTH)
    return low - half, high + half


def style_for_name(variable: str, styles: Mapping[str, Style]) -> Style | None:
    """Return the style that suits a variable's name: a word of it is the style's id, or one known to go with it."""
    candidates = [style for word in _split_words(variable) for style in _CANDIDATES.get(word, (word,))]
    return next((styles[style] for style in candidates if style in styles), None)


def _split_words(name: str) -> list[str]:
    return [name.lower(), *filter(None, re.split(r"[^a-z0-9]+", name.lower()))]


def _has_all_classes(style: Style, variable: VariableInfo) -> bool:
    return {each.value for each in style.classes} >= {each.value for each in variable.classes}


def _is_suitable_range(seen: tuple[float, float], bounds: tuple[float, float]) -> bool:
    """Whether the values lie in or near the range and fill more than a sliver of it."""
    low, high = bounds
    slack = 0.5 * (high - low)
    lies_in = low - slack <= seen[0] and seen[1] <= high + slack
    return lies_in and seen[1] - seen[0] >= _MIN_RANGE_FRACTION * (high - low)


def _greys(styles: Mapping[str, Style], bounds: tuple[float, float]) -> Style:
    greys = styles.get(GREYS, _GREYS)
    return stretch_style(_GREYS if greys.is_categorical else greys, bounds)


_BLACK, _WHITE = Colour(0, 0, 0), Colour(255, 255, 255)
_RAMP = (Stop(0.0, _BLACK), Stop(1.0, _WHITE))
_GREYS = Style(id=GREYS, title="Greys", range=_FALLBACK_RANGE, ramp=_RAMP, below=_BLACK, above=_WHITE)
