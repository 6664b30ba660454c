"""Styles of layers without configured styles."""

import re
from collections.abc import Mapping
from dataclasses import replace

from chronotile.core.model.source import VariableInfo
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
"""Styles for the name of a variable or a word in it, best first."""

GREYS = "greys"
_CELSIUS = frozenset(("degc", "deg_c", "°c", "celsius", "degree_celsius", "degrees_celsius", "degreesc", "degree_c"))
_KELVIN = frozenset(("k", "kelvin", "kelvins", "degk", "degree_kelvin", "degrees_kelvin", "degree_k"))
_DIFFERENCES = frozenset(("difference", "diff", "increment", "bias", "anomaly", "deviation", "error", "uncertainty"))
"""Words of names and titles of variables that are differences of temperatures."""
_DURATIONS = frozenset(("s", "sec", "second", "seconds", "min", "minutes", "h", "hour", "hours", "d", "day", "days"))
ZERO_CELSIUS_K = 273.15
_FALLBACK_RANGE = (0.0, 1.0)
_MIN_RELATIVE_HALF_WIDTH = 1e-6
"""Half the width of the range of a single value, as a share of that."""
_MIN_RANGE_FRACTION = 0.05
"""Values that cover a smaller fraction of a style's range would all have the same colour."""


def default_style(variable: VariableInfo, styles: Mapping[str, Style], *, layer: str) -> Style:
    """Return the classes of the file, or the style for the variable's units or name, or greys over its values.

    A style that contains all classes of the file is preferred to the classes themselves. A ramp that does not suit the
    observed values is stretched over them. Units of temperature take precedence over the name.
    """
    style = temperature_style(variable, styles) or style_for_name(variable.name, styles)
    if style is not None and style.id in _TEMPERATURE and _is_about_temperatures(variable):
        style = None
    if variable.classes:
        return style if style is not None and _has_all_classes(style, variable) else class_style(variable, layer=layer)
    if style is None:
        return _greys(styles, variable.observed_range or _FALLBACK_RANGE)
    observed = variable.observed_range
    if style.is_categorical or observed is None or _is_suitable_range(observed, style.range):
        return style
    return stretch_style(style, observed)


def is_temperature(variable: VariableInfo) -> bool:
    """Return whether a variable is a temperature according to its units or, without units, its name."""
    if _is_about_temperatures(variable):
        return False
    units = variable.encoding.units.lower().replace(" ", "_")
    if units not in {"", "1"}:
        return units in _CELSIUS | _KELVIN
    return any(_CANDIDATES.get(word) == _TEMPERATURE for word in _split_words(variable.name))


def _is_about_temperatures(variable: VariableInfo) -> bool:
    # Differences of temperatures, and times of their measurement.
    words = {*_split_words(variable.name), *_split_words(variable.title or "")}
    return not _DIFFERENCES.isdisjoint(words) or variable.encoding.units.lower() in _DURATIONS


def temperature_style(variable: VariableInfo, styles: Mapping[str, Style]) -> Style | None:
    """Return the style of a temperature, with a range in kelvin if its units are; `None` for other quantities."""
    style = next((styles[name] for name in _TEMPERATURE if name in styles), None)
    if style is None or style.is_categorical or variable.classes or not is_temperature(variable):
        return None
    if variable.encoding.units.lower() not in _KELVIN or style.id != _TEMPERATURE[0]:
        return style
    return stretch_style(style, (style.range[0] + ZERO_CELSIUS_K, style.range[1] + ZERO_CELSIUS_K))


def class_style(variable: VariableInfo, *, layer: str) -> Style:
    """Return a style made of the classes in the file."""
    values = [c.value for c in variable.classes]
    return Style(
        id=f"{layer}-classes",
        title=f"{variable.title or variable.name}, classes of the file",
        range=(min(values), max(values)),
        classes=variable.classes,
    )


def composite_style(bounds: tuple[float, float]) -> Style:
    """Return the style of a composite: each of its three variables from black to full colour over `bounds`."""
    return stretch_style(replace(_GREYS, id="rgb", title="Red, green and blue"), bounds)


def stretch_style(style: Style, bounds: tuple[float, float]) -> Style:
    """Return a ramp stretched over another range; a style with classes unchanged."""
    low, high = bounds
    if style.is_categorical or style.range == bounds:
        return style
    low, high = widen_range(low, high)
    return replace(style, range=(low, high), ramp=style.stops_over(low, high), labels=())


def widen_range(low: float, high: float) -> tuple[float, float]:
    """Return a range with low < high; a single value gets a margin that float64 can represent on both sides."""
    if low < high:
        return low, high
    half = max(0.5, abs(low) * _MIN_RELATIVE_HALF_WIDTH)
    return low - half, high + half


def style_for_name(variable: str, styles: Mapping[str, Style]) -> Style | None:
    """Return the style whose id is the name or a word in it, or that `_CANDIDATES` lists for that word."""
    candidates = [style for word in _split_words(variable) for style in _CANDIDATES.get(word, (word,))]
    return next((styles[style] for style in candidates if style in styles), None)


def _split_words(name: str) -> list[str]:
    return [name.lower(), *filter(None, re.split(r"[^a-z0-9]+", name.lower()))]


def _has_all_classes(style: Style, variable: VariableInfo) -> bool:
    return {c.value for c in style.classes} >= {c.value for c in variable.classes}


def _is_suitable_range(observed: tuple[float, float], bounds: tuple[float, float]) -> bool:
    """Return whether the observed values lie in or near the range and cover enough of it."""
    low, high = bounds
    slack = 0.5 * (high - low)
    lies_in = low - slack <= observed[0] and observed[1] <= high + slack
    return lies_in and observed[1] - observed[0] >= _MIN_RANGE_FRACTION * (high - low)


def _greys(styles: Mapping[str, Style], bounds: tuple[float, float]) -> Style:
    greys = styles.get(GREYS, _GREYS)
    return stretch_style(_GREYS if greys.is_categorical else greys, bounds)


_BLACK, _WHITE = Colour(0, 0, 0), Colour(255, 255, 255)
_RAMP = (Stop(0.0, _BLACK), Stop(1.0, _WHITE))
_GREYS = Style(id=GREYS, title="Greys", range=_FALLBACK_RANGE, ramp=_RAMP, below=_BLACK, above=_WHITE)
