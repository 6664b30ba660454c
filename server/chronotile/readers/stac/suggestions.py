"""What can be made of bands whose meaning is known: indices of vegetation, without clouds, and true colours."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chronotile.model.source import Mask
from chronotile.readers.stac.collection import StacVariable

TRUE_COLOUR = "TRUE_COLOUR"
_COLOURS = ("red", "green", "blue")
_REFLECTANCES = frozenset(
    (
        "coastal", "blue", "green", "yellow", "pan", "red", "rededge", "rededge071", "rededge075", "rededge078", "nir",
        "nir08", "nir09", "cirrus", "swir16", "swir22",
    )
)  # fmt: skip
"""Common names of bands that are reflectances in most collections; those of the far infrared are temperatures."""
_BRIGHT = 0.3
_BRIGHT_NUMBER = 3000.0
"""Of bands without a scale: reflectances times 10,000."""
_GAMMA = 1.6
_SCL, _SCL_CLEAR = "scl", (4, 5, 6)
"""Sentinel-2's scene classes: vegetation, bare soil, water."""
_INDICES = (
    ("NDVI", "Normalised difference vegetation index", ("nir", "nir08"), ("red",), "ndvi"),
    ("NDMI", "Normalised difference moisture index", ("nir08", "nir"), ("swir16",), "ndmi"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A variable computed from two bands."""

    id: str
    title: str
    formula: str
    style: str
    mask: Mask | None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrueColour:
    """Three bands as red, green and blue."""

    variables: tuple[StacVariable, StacVariable, StacVariable]
    range: tuple[float, float]
    gamma: float


def reflectance_range(variable: StacVariable) -> tuple[float, float] | None:
    """Return values between which a band of reflectances is drawn; `None` of other bands."""
    stated = variable.encoding
    if variable.common_name not in _REFLECTANCES:
        return None
    if stated.dtype == "uint8" and stated.scale in (None, 1):
        return 0.0, 255.0
    is_float = (stated.dtype or "uint16").startswith("float")
    return (0.0, _BRIGHT) if is_float or stated.scale not in (None, 1) else (0.0, _BRIGHT_NUMBER)


def indices_of(variables: Sequence[StacVariable]) -> Iterator[Index]:
    """Yield the indices whose bands are there in one resolution."""
    for name, title, minuends, subtrahends, style in _INDICES:
        pairs = [
            (first, second)
            for first in _named(variables, minuends)
            for second in _named(variables, subtrahends)
            if first.resolution == second.resolution
        ]
        if pairs:
            first, second = pairs[0]
            formula = f"({first.id} - {second.id}) / ({first.id} + {second.id})"
            yield Index(id=name, title=title, formula=formula, style=style, mask=_mask(variables, first))


def true_colour_of(variables: Sequence[StacVariable]) -> TrueColour | None:
    """Return the bands that make a picture in true colours: one made for it, or else reflectances."""
    by_asset: dict[str, list[StacVariable]] = {}
    for each in variables:
        by_asset.setdefault(each.asset, []).append(each)
    for bands in by_asset.values():
        if len(bands) in (3, 4) and all(each.encoding.dtype == "uint8" for each in bands):
            return TrueColour(variables=(bands[0], bands[1], bands[2]), range=(0.0, 255.0), gamma=1.0)
    found = [next(iter(_named(variables, (name,))), None) for name in _COLOURS]
    red, green, blue = found
    if red is None or green is None or blue is None:
        return None
    bounds = reflectance_range(red) or (0.0, _BRIGHT)
    return TrueColour(variables=(red, green, blue), range=bounds, gamma=_GAMMA)


def _named(variables: Sequence[StacVariable], names: Sequence[str]) -> list[StacVariable]:
    """Bands of reflectances by their common names, in the order of the names."""
    return [each for name in names for each in variables if each.common_name == name and each.encoding.dtype != "uint8"]


def _mask(variables: Sequence[StacVariable], of: StacVariable) -> Mask | None:
    """A quality variable whose cells are as large, or a whole number of times."""
    for each in variables:
        is_scl = each.id.lower().partition("_")[0] == _SCL
        clear = each.classification.clear or (_SCL_CLEAR if is_scl else ())
        times = each.resolution / of.resolution if each.resolution and of.resolution else 1.0
        if clear and times >= 1 and times == int(times):
            return Mask(each.id, clear)
    return None
