"""Bands of the assets of STAC items: `bands` of STAC 1.1, `raster:bands` and `eo:bands` of earlier versions."""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from itertools import zip_longest

import numpy as np

from chronotile.core.model.items import AssetBand
from chronotile.core.model.style import Colour, StyleClass
from chronotile.core.model.types import JsonMapping
from chronotile.readers.stac.fields import MAX_MEMBERS, list_of, number_of, object_of, objects_of, text_of

_DTYPES = frozenset(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)) | {"float32", "float64"}
_NAN = {"nan", "NaN"}
_OFFSET_IS_APPLIED = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")
_BASELINES = ("s2:processing_baseline", "processing:version")
PROPERTIES_OF_BANDS = ("eo:bands", *_OFFSET_IS_APPLIED, *_BASELINES)
"""Properties of an item that describe the bands of its assets."""
_FIRST_WITH_OFFSET = 4.0
"""The processing baseline of Sentinel-2 since which its reflectances have an offset."""


def bands_of(asset: JsonMapping, properties: JsonMapping) -> tuple[AssetBand, ...]:
    """Return the bands of an asset, in order; empty if nothing is stated.

    An asset with metadata but without a list of bands has one band.
    """
    rasters = [_of_raster_band(band) for band in objects_of(asset.get("raster:bands"))]
    names = [text_of(band.get("name")) for band in eo_bands(asset, properties)]
    common = _of_band(asset)
    bands = [_of_band(band, common) for band in objects_of(asset.get("bands"))]
    if not bands and common != AssetBand():
        bands = [common]
    nothing, merged = AssetBand(), []
    for band, raster, name in zip_longest(bands, rasters, names):
        own = band or nothing
        merged.append(_filled(raster or nothing, replace(own, name=own.name or name)))
    return tuple(_without_applied_offset(band, properties) for band in merged)


def eo_bands(asset: JsonMapping, properties: JsonMapping) -> Sequence[JsonMapping]:
    """Return the members of `eo:bands`; before STAC 1.0 they may be indexes into the item's `eo:bands`."""
    of_item = list(list_of(properties.get("eo:bands")))
    found = []
    for band in list_of(asset.get("eo:bands")):
        is_position = isinstance(band, int) and not isinstance(band, bool) and 0 <= band < len(of_item)
        found.append(object_of(of_item[band] if is_position and isinstance(band, int) else band))
    return found[:MAX_MEMBERS]


def _of_raster_band(band: JsonMapping) -> AssetBand:
    return AssetBand(
        dtype=_dtype(band.get("data_type")),
        scale=_scale(band.get("scale")),
        offset=number_of(band.get("offset")),
        nodata=_nodata(band.get("nodata")),
        unit=text_of(band.get("unit"), most=100),
    )


def _of_band(band: JsonMapping, common: AssetBand | None = None) -> AssetBand:
    """Return a band of STAC 1.1; fields of its asset apply to all bands."""
    own = AssetBand(
        name=text_of(band.get("name"), most=200),
        dtype=_dtype(band.get("data_type")),
        scale=_scale(band.get("raster:scale")),
        offset=number_of(band.get("raster:offset")),
        nodata=_nodata(band.get("nodata")),
        unit=text_of(band.get("unit"), most=100),
    )
    return own if common is None else _filled(own, replace(common, name=None))


def _filled(band: AssetBand, other: AssetBand) -> AssetBand:
    # A band, completed by the statements of another one.
    lacking = [each.name for each in fields(band) if getattr(band, each.name) is None]
    return replace(band, **{name: getattr(other, name) for name in lacking})


def _without_applied_offset(band: AssetBand, properties: JsonMapping) -> AssetBand:
    """Earth Search states the offset of reflectances also in items whose files have it applied already."""
    flags = [properties[key] for key in _OFFSET_IS_APPLIED if isinstance(properties.get(key), bool)]
    if not flags or not band.offset:
        return band
    is_before = any(_baseline(properties.get(key)) < _FIRST_WITH_OFFSET for key in _BASELINES)
    return replace(band, offset=0.0) if any(flags) or is_before else band


def _baseline(value: object) -> float:
    # The baseline `05.09` is 5.09; infinite if it is missing or not a number.
    text = text_of(value, most=5) or ""
    return float(text) if text.replace(".", "", 1).isascii() and text.replace(".", "", 1).isdigit() else math.inf


def _dtype(value: object) -> str | None:
    return value if isinstance(value, str) and value in _DTYPES else None


def _scale(value: object) -> float | None:
    return number_of(value) or None


def _nodata(value: object) -> float | None:
    # Infinity is ignored, because no raster has it as a value.
    return math.nan if isinstance(value, str) and value in _NAN else number_of(value)


# Classes of STAC's classification extension: their colours, and which of them leave a value standing.

MAX_CLASSES = 256
MAX_KEPT = 4096
"""Numbers of a mask."""
_MAX_BITS = 16
_HINT = re.compile(r"#?([0-9A-Fa-f]{6})")
_WORD = re.compile(r"[a-z]+")
_NOT_CLEAR = frozenset(
    ("cloud", "clouds", "cirrus", "shadow", "shadows", "snow", "ice", "fill", "nodata", "saturated", "defective")
)
_UNCLEAR = frozenset(("dark", "unclassified", "unknown", "invalid", "missing"))
_NEGATIONS = frozenset(("not", "no", "non", "without", "clear"))
_PALETTE = (
    "4e79a7", "f28e2b", "59a14f", "e15759", "76b7b2", "edc948", "b07aa1", "9c755f", "bab0ac", "86bcb6", "d37295",
    "8cd17d",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Classification:
    """Meanings of the numbers of a band."""

    classes: tuple[StyleClass, ...] = ()
    """Classes of values; the numbers in `nodata` are excluded."""
    is_coloured: bool = False
    """Whether the document gives the colours of all classes."""
    nodata: tuple[int, ...] = ()
    """Numbers that are no values."""
    clear: tuple[int, ...] = ()
    """Numbers of places without cloud, shadow or snow; empty if no class is about clouds."""


def classification_of(band: JsonMapping) -> Classification:
    """Return classes from `classification:classes`, otherwise only the clear numbers of `classification:bitfields`."""
    written = [(number, each) for each in objects_of(band.get("classification:classes")) for number in _number(each)]
    if not written:
        return Classification(clear=_clear_of_bits(band))
    written = list({number: (number, each) for number, each in written}.values())[:MAX_CLASSES]
    nodata = tuple(number for number, each in written if each.get("nodata") is True)
    kept = [(number, each) for number, each in written if number not in nodata]
    speaks_of_clouds = any("cloud" in word for _number, each in kept for word in _words(each))
    return Classification(
        classes=tuple(_class(number, each, index) for index, (number, each) in enumerate(kept)),
        is_coloured=bool(kept) and all(_hint(each) is not None for _number, each in kept),
        nodata=nodata,
        clear=tuple(number for number, each in kept if _is_clear(each)) if speaks_of_clouds else (),
    )


def _number(each: JsonMapping) -> Iterator[int]:
    number = number_of(each.get("value"))
    if number is not None and number == int(number):
        yield int(number)


def _class(number: int, each: JsonMapping, index: int) -> StyleClass:
    title = text_of(each.get("title"), most=100) or text_of(each.get("name"), most=100)
    label = title or text_of(each.get("description"), most=100) or str(number)
    return StyleClass(float(number), _hint(each) or _colour(_PALETTE[index % len(_PALETTE)]), label.replace("_", " "))


def _hint(each: JsonMapping) -> Colour | None:
    found = _HINT.fullmatch(text_of(each.get("color_hint")) or text_of(each.get("color-hint")) or "")
    return None if found is None else _colour(found[1])


def _colour(digits: str) -> Colour:
    red, green, blue = bytes.fromhex(digits)
    return Colour(red, green, blue)


def _words(each: JsonMapping) -> list[str]:
    name = text_of(each.get("name")) or text_of(each.get("title")) or text_of(each.get("description")) or ""
    return _WORD.findall(name.lower().replace("no data", "nodata").replace("no_data", "nodata"))


def _is_clear(each: JsonMapping) -> bool:
    words = _words(each)
    return _is_without(words) and not _UNCLEAR.intersection(words)


def _is_without(words: list[str]) -> bool:
    # Whether a name means a clear sky: the name contains no word for clouds, or a negation.
    return not _NOT_CLEAR.intersection(words) or bool(_NEGATIONS.intersection(words))


def _clear_of_bits(band: JsonMapping) -> tuple[int, ...]:
    """Return the numbers without a class of clouds in any bit field; empty if there are too many."""
    refused = list[tuple[int, int, int]]()
    bits = 8
    for field in objects_of(band.get("classification:bitfields")):
        offset, length = number_of(field.get("offset")), number_of(field.get("length"))
        if offset is None or length is None or min(offset, length - 1) < 0 or offset + length > _MAX_BITS:
            return ()
        bits = max(bits, int(offset + length))
        for each in objects_of(field.get("classes")):
            if not _is_without(_words(each)):
                refused += [(int(offset), (1 << int(length)) - 1, number) for number in _number(each)]
    if not refused:
        return ()
    bits = _MAX_BITS if bits > 8 else 8
    numbers = np.arange(1 << bits)
    is_clear = np.ones(numbers.shape, dtype=bool)
    for offset, mask, value in refused:
        is_clear &= (numbers >> offset) & mask != value
    return tuple(np.flatnonzero(is_clear).tolist()) if is_clear.sum() <= MAX_KEPT else ()
