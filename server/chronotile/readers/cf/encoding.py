"""Meaning of the numbers of an array: scale, missing values, valid range, flags (CF §2.5, §3.5, §8)."""

import re
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.finding import Finding
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.quality import NamedFlag
from chronotile.core.model.raster import reinterpret_numbers
from chronotile.core.model.style import TRANSPARENT, Colour, StyleClass
from chronotile.core.model.types import AnyArray, BoolArray
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.configured_encoding import CIRCLE, REAL_KINDS, circle_of, fits, is_scaled, reinterpret

_CLASS_COLOURS = tuple(
    Colour((rgb >> 16) & 255, (rgb >> 8) & 255, rgb & 255)
    for rgb in (0x4477AA, 0xEE6677, 0x228833, 0xCCBB44, 0x66CCEE, 0xAA3377, 0x994F00, 0x999933, 0x882255, 0x44AA99)
)
"""Colours of classes without stated colours: Tol's bright and muted sets, distinct in colour-vision deficiency."""

MISSING = "missing"
"""Reason of cells whose number is an additional missing value of the array."""

_NO_DATA_MEANINGS = {"no_data", "nodata", "no-data", "fill", "fill_value", "missing"}
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
_INT64 = range(-(2**63), 2**63)
_UNITLESS = {"", "1", "-", "class", "classes", "none"}


class Meaning(NamedTuple):
    """The encoding of an array, and its classes or flags if its numbers have them."""

    encoding: Encoding
    classes: tuple[StyleClass, ...] = ()
    bit_flags: tuple[NamedFlag, ...] = ()
    findings: tuple[Finding, ...] = ()


def meaning_of(field: Field) -> Meaning:
    """Return encoding (scale, offset, nodata, valid range), classes and flags from the attributes of an array."""
    dtype = _meant_type(field)
    scale, offset = _packing(field, "scale_factor"), _packing(field, "add_offset")
    nodata, others, findings = _nodata(field, dtype)
    valid_range, notes = _valid_range(field, dtype, 1.0 if scale is None else scale, 0.0 if offset is None else offset)
    flags = _flags(field, dtype)
    is_packed = scale is not None or offset is not None
    is_unitless = field.text("units").lower() in _UNITLESS
    is_classification = dtype.kind in "iu" and len(flags) > 1 and not is_packed and is_unitless
    missing = [(number, MISSING) for number in others if all(number != flag for flag, _name in flags)]
    name = field.text("standard_name") or field.text("long_name")
    encoding = Encoding(
        dtype=dtype.name,
        scale=1.0 if scale is None else scale,
        offset=0.0 if offset is None else offset,
        nodata=nodata,
        valid_range=valid_range,
        flags=tuple(missing if is_classification else [*flags, *missing]),
        units=field.text("units") or "1",
        circle=_number(field, CIRCLE) or circle_of(name, field.text("units")),
    )
    bit_flags = () if is_packed or dtype.kind not in "iu" else _bit_flags(field, dtype)
    return Meaning(encoding, _classes(field, flags) if is_classification else (), bit_flags, (*findings, *notes))


def _meant_type(field: Field) -> np.dtype[Any]:
    """Return the dtype to read numbers as; `_Unsigned` changes whether integers have a sign (NetCDF user's guide)."""
    dtype = field.dtype.newbyteorder("=")
    if dtype.kind == "b":
        return np.dtype("uint8")
    turned = {("true", "i"): "u", ("false", "u"): "i"}.get((field.text("_Unsigned").lower(), dtype.kind))
    return dtype if turned is None else np.dtype(f"{turned}{dtype.itemsize}")


def _number(field: Field, attribute: str) -> float | None:
    values = _numbers(field, attribute)
    return values[0] if values else None


def _packing(field: Field, attribute: str) -> float | None:
    """Return the number of an attribute; `None` without the attribute.

    Raises:
        UnsupportedSource: The attribute has several numbers, or a text that is no number.
    """
    numbers = _numbers(field, attribute)
    if field.attrs.get(attribute) is not None and len(numbers) != 1:
        raise UnsupportedSource(f"its {attribute} is not one number: {field.text(attribute)[:60]}")
    return numbers[0] if numbers else None


def _numbers(field: Field, attribute: str) -> list[float]:
    """Return the numbers of an attribute; empty for text without numbers."""
    value = field.attrs.get(attribute)
    if value is None:
        return []
    numbers = np.ravel(value)
    try:
        # The float32 0.01 means 0.01, not 0.00999999978.
        return [float(str(each)) if numbers.dtype == np.float32 else float(each) for each in numbers]
    except (TypeError, ValueError):
        return []


def _nodata(field: Field, dtype: np.dtype[Any]) -> tuple[float | None, list[int], tuple[Finding, ...]]:
    """Return nodata, the additional missing values (CF §2.5.1), and a warning about ignored ones.

    Without `_FillValue`, the default fill value of the NetCDF library marks missing data, too (NetCDF user's guide,
    "fill values"). An additional missing value that is not a whole number is ignored: cells with it have a value.
    """
    numbers = [number for name in ("_FillValue", "missing_value") for number in _numbers(field, name)]
    numbers = numbers or _numbers(field, "nodata")
    if field.default_fill is not None and "_FillValue" not in field.attrs:
        numbers.append(field.default_fill)
    if dtype.kind != "f":
        numbers = [number for number in numbers if number == number]  # noqa: PLR0124 -- NaN
    numbers = [_as_stored(field, number, dtype) for number in numbers]
    distinct = [number for number in dict.fromkeys(numbers) if number == number]  # noqa: PLR0124 -- NaN
    if not distinct:
        return (float("nan") if numbers else None), [], ()
    if dtype.kind == "f":
        distinct.sort(key=_is_whole)
    first, *others = distinct
    whole = [int(number) for number in others if _is_whole(number)]
    ignored = [f"{number:g}" for number in others if not _is_whole(number)]
    if not ignored or dtype.kind != "f":
        return first, whole, ()
    note = f"has several numbers for missing values; {', '.join(ignored)} is served as a value; set nodata: for it"
    return first, whole, (Finding("warning", field.name, note),)


def _is_whole(number: float) -> bool:
    return float(number).is_integer()


def _as_stored(field: Field, number: float, dtype: np.dtype[Any]) -> float:
    """Return a number of an attribute as `dtype` stores it: rounded for floats, reinterpreted for `_Unsigned`."""
    if dtype.kind == "f":
        return float(dtype.type(number))
    if {dtype.kind, field.dtype.kind} == {"i", "u"} and not fits(number, dtype):
        turned = reinterpret(number, field.dtype.newbyteorder("=").name, dtype.name)
        return number if turned is None else turned
    return number


def _valid_range(
    field: Field, dtype: np.dtype[Any], scale: float, offset: float
) -> tuple[tuple[float, float] | None, tuple[Finding, ...]]:
    """Return the valid range in digital numbers, and a warning if it is empty and therefore ignored.

    CF §2.5.1 requires packed numbers. A range of floats for packed integers contains values instead (NetCDF user's
    guide, "valid_range"); they are converted to digital numbers.
    """
    low, high = _range_attributes(field)
    if low is None and high is None:
        return None, ()
    if _is_unpacked(field, dtype, scale, offset):
        ends = [None if end is None else round((end - offset) / scale, 6) for end in (low, high)]
        low, high = reversed(ends) if scale < 0 else ends
    elif dtype.kind in "iu":
        low, high = (None if end is None else _as_stored(field, end, dtype) for end in (low, high))
    both = (-np.inf if low is None else low, np.inf if high is None else high)
    if both[0] > both[1]:
        note = f"its valid range, {both[0]:g} to {both[1]:g}, is empty and not used; set valid_range: for it"
        return None, (Finding("warning", field.name, note),)
    return both, ()


def _range_attributes(field: Field) -> tuple[float | None, float | None]:
    both = _numbers(field, "valid_range")
    if len(both) == 2:
        return both[0], both[1]
    return _number(field, "valid_min"), _number(field, "valid_max")


def _is_unpacked(field: Field, dtype: np.dtype[Any], scale: float, offset: float) -> bool:
    if dtype.kind not in "iu" or (scale, offset) == (1.0, 0.0) or scale == 0:
        return False
    present = [field.attrs[name] for name in ("valid_range", "valid_min", "valid_max") if name in field.attrs]
    return any(np.asarray(value).dtype.kind == "f" for value in present)


def _flags(field: Field, dtype: np.dtype[Any]) -> list[tuple[int, str]]:
    """Return flags that are whole digital numbers (CF §3.5), not bits of numbers."""
    if "flag_masks" in field.attrs:
        return []
    named = zip(_flag_numbers(field, "flag_values", dtype), _flag_names(field), strict=False)
    return [(number, name) for number, name in named if number is not None]


def _bit_flags(field: Field, dtype: np.dtype[Any]) -> tuple[NamedFlag, ...]:
    """Return flags in bits of numbers (CF §3.5): each bit is one, or a field of bits has a value for each.

    Masks beyond 64 bits are ignored.
    """
    masks = _flag_numbers(field, "flag_masks", dtype)
    values = _flag_numbers(field, "flag_values", dtype) or [None] * len(masks)
    flags = zip(_flag_names(field), masks, values, strict=False)
    return tuple(NamedFlag(name, mask, value) for name, mask, value in flags if mask is not None and mask in _INT64)


def _flag_numbers(field: Field, attribute: str, dtype: np.dtype[Any]) -> list[int | None]:
    """Return the numbers of an attribute or of its text; `None` for fractions, which are no flags."""
    numbers = _numbers(field, attribute)
    if not numbers and isinstance(field.attrs.get(attribute), str):
        numbers = [float(text) for text in field.text(attribute).replace(",", " ").split() if _NUMBER.fullmatch(text)]
    return [int(_as_stored(field, number, dtype)) if number.is_integer() else None for number in numbers]


def _flag_names(field: Field) -> list[str]:
    """Return the names of flags: words of a text, or a list of texts in some Zarr stores."""
    meanings = field.attrs.get("flag_meanings")
    if isinstance(meanings, list):
        return ["_".join(str(text).split()) for text in meanings]
    return field.text("flag_meanings").split()


def _classes(field: Field, flags: list[tuple[int, str]]) -> tuple[StyleClass, ...]:
    colours = field.text("flag_colors").split()
    return tuple(
        StyleClass(float(number), _colour(index, name, colours), name.replace("_", " "))
        for index, (number, name) in enumerate(flags)
    )


def _colour(index: int, name: str, colours: list[str]) -> Colour:
    text = colours[index].lstrip("#") if index < len(colours) else ""
    if len(text) == 6 and all(each in "0123456789abcdefABCDEF" for each in text):
        return Colour(int(text[:2], 16), int(text[2:4], 16), int(text[4:], 16))
    return TRANSPARENT if name.lower() in _NO_DATA_MEANINGS else _CLASS_COLOURS[index % len(_CLASS_COLOURS)]


# Unpacked values of coordinates, bounds and times, and which of them are missing (CF §2.5.1, §3, §7.1, §8.1).

_NUMBER_ATTRIBUTES = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")
"""Attributes about stored numbers: bounds inherit them only if bounds and coordinate are stored in the same type."""
_RANGE = ("valid_range", "valid_min", "valid_max")
_TOLERANCE = 1e-6
"""Relative tolerance of the ends of a valid range, which many files store as float32."""


class Decoded(NamedTuple):
    """The unpacked values of a coordinate; arrays have the shape of the stored array."""

    values: AnyArray
    """float64 if packed; otherwise the stored dtype or its unsigned form, so that integers are exact."""
    is_missing: BoolArray
    rounding: float
    """Maximum rounding error of the difference of two values, in units of the values; 0 for unpacked integers."""


def decode(field: Field) -> Decoded:
    """Return the values of a coordinate, of bounds or of times; texts and dates are returned unchanged."""
    stored = np.asarray(field.load())
    if stored.dtype.kind not in REAL_KINDS:
        return Decoded(stored, np.isnat(stored) if stored.dtype.kind in "mM" else np.zeros(stored.shape, bool), 0.0)
    attrs = {name: value for name, value in field.attrs.items() if not name.startswith("flag_")}
    encoding = meaning_of(replace(field, attrs=attrs)).encoding
    if encoding.valid_range is not None:
        low, high = encoding.valid_range
        encoding = replace(encoding, valid_range=(low - _TOLERANCE * abs(low), high + _TOLERANCE * abs(high)))
    numbers = reinterpret_numbers(stored.ravel(), encoding.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # fill values, or an invalid scale
        values = encoding.values(numbers) if is_scaled(encoding) else numbers
    is_missing = (encoding.codes(numbers) != 0) | ~np.isfinite(values)
    step = 1.0 if is_scaled(encoding) else 0.0
    if numbers.dtype.kind == "f":
        step = float(np.abs(numbers[~is_missing]).max(initial=0) * np.finfo(numbers.dtype).eps)
    return Decoded(values.reshape(stored.shape), is_missing.reshape(stored.shape), abs(encoding.scale) * step)


def without_range(field: Field) -> Field:
    """Return a coordinate without its valid range: some files state -180 … 180 for longitudes from 0 to 360."""
    return replace(field, attrs={name: value for name, value in field.attrs.items() if name not in _RANGE})


def bounds_of(coordinate: Field, fields: FieldSet, name: str) -> Field | None:
    """Return the bounds called `name`, with attributes that they inherit from their coordinate (CF §7.1).

    `None` if no field has that name and the shape of the coordinate plus (2,). Bounds of a packed coordinate are often
    stored unpacked, in another type: then they do not inherit the packing.
    """
    bounds = fields.fields.get(name)
    if bounds is None or bounds.shape != (*coordinate.shape, 2):
        return None
    is_alike = bounds.dtype == coordinate.dtype or {bounds.dtype.kind, coordinate.dtype.kind} <= {"i", "u"}
    is_packed = "scale_factor" in bounds.attrs or "add_offset" in bounds.attrs
    left_out = _RANGE if is_alike and not is_packed else (*_RANGE, *_NUMBER_ATTRIBUTES)
    taken = {key: value for key, value in coordinate.attrs.items() if key not in left_out}
    return replace(bounds, attrs={**taken, **bounds.attrs})
