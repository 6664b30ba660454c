"""Numbers of coordinates, bounds and times as values: unpacked, and which are missing (CF §2.5.1, §3, §7.1, §8.1)."""

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import BoolArray
from chronotile.readers.cf.encoding import meaning_of
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.encoding import REAL_KINDS, as_meant, is_scaled

_OF_NUMBERS = ("scale_factor", "add_offset", "_FillValue", "missing_value", "_Unsigned")
"""What bounds have from their coordinate only where they are stored as it is."""
_RANGE = ("valid_range", "valid_min", "valid_max")
_ROUNDED = 1e-6
"""Of an end of a valid range, which many files have as float32."""


class Decoded(NamedTuple):
    """The values of a coordinate, in its shape."""

    values: NDArray[Any]
    """float64 where they were packed; else of the type that is meant, so that whole numbers are exact."""
    is_missing: BoolArray
    rounding: float
    """What their type or packing rounds off, of two values together."""


def decode(field: Field) -> Decoded:
    """Return the values of a coordinate, of its bounds, or of times; text and dates are as stored."""
    stored = np.asarray(field.load())
    if stored.dtype.kind not in REAL_KINDS:
        return Decoded(stored, np.isnat(stored) if stored.dtype.kind in "mM" else np.zeros(stored.shape, bool), 0.0)
    attrs = {name: value for name, value in field.attrs.items() if not name.startswith("flag_")}
    encoding = meaning_of(replace(field, attrs=attrs)).encoding
    if encoding.valid_range is not None:
        low, high = encoding.valid_range
        encoding = replace(encoding, valid_range=(low - _ROUNDED * abs(low), high + _ROUNDED * abs(high)))
    numbers = as_meant(stored.ravel(), encoding.dtype)
    with np.errstate(over="ignore", invalid="ignore"):  # of fill values, and of a scale that is none
        values = encoding.values(numbers) if is_scaled(encoding) else numbers
    is_missing = (encoding.codes(numbers) != 0) | ~np.isfinite(values)
    step = 1.0 if is_scaled(encoding) else 0.0
    if numbers.dtype.kind == "f":
        step = float(np.abs(numbers[~is_missing]).max(initial=0) * np.finfo(numbers.dtype).eps)
    return Decoded(values.reshape(stored.shape), is_missing.reshape(stored.shape), abs(encoding.scale) * step)


def without_range(field: Field) -> Field:
    """Return a coordinate without its valid range: that of regular cells may be of another turn of longitudes."""
    return replace(field, attrs={name: value for name, value in field.attrs.items() if name not in _RANGE})


def bounds_of(coordinate: Field, fields: FieldSet, name: str) -> Field | None:
    """Return the bounds of that name with the attributes that they take from their coordinate; `None` if it has none.

    Bounds are often stored as they are beside a packed coordinate: then they are of another type.
    """
    bounds = fields.fields.get(name)
    if bounds is None or bounds.shape != (*coordinate.shape, 2):
        return None
    is_alike = bounds.dtype == coordinate.dtype or {bounds.dtype.kind, coordinate.dtype.kind} <= {"i", "u"}
    is_packed = "scale_factor" in bounds.attrs or "add_offset" in bounds.attrs
    left_out = _RANGE if is_alike and not is_packed else (*_RANGE, *_OF_NUMBERS)
    taken = {key: value for key, value in coordinate.attrs.items() if key not in left_out}
    return replace(bounds, attrs={**taken, **bounds.attrs})
