"""Numbers of coverages in files: those of the source, with one number for all missing values."""

import math
from dataclasses import replace

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, valid_pixels
from chronotile.core.model.types import NumberArray

LARGER = {
    "int8": "int16",
    "uint8": "uint16",
    "int16": "int32",
    "uint16": "uint32",
    "int32": "int64",
    "uint32": "uint64",
}
"""The smallest type that has more numbers than another and contains all of them."""


def output_encoding(encoding: Encoding) -> Encoding:
    """Return the encoding of a source's numbers in files: the same scale and offset, and one number for missing values.

    The number is NaN for floats; else the source's nodata, or a number that its values do not use: the greatest of an
    unsigned type, the least of a signed one, or that of a flag. If all numbers may be values, the type is the next
    larger one. For 64 bits there is no larger type: the last number that a float64 holds exactly then means no value,
    since encodings and GDAL store it as a float64.
    """
    dtype = np.dtype(encoding.dtype)
    if dtype.kind == "f":
        return replace(encoding, nodata=math.nan, flags=(), valid_range=None)
    limits = np.iinfo(dtype)
    greatest = limits.max if dtype.itemsize < 8 else int(np.nextafter(float(limits.max), 0))
    last, first = (greatest, limits.min) if dtype.kind == "u" else (limits.min, greatest)
    flags = [number for number, _name in encoding.flags]
    candidates = [] if encoding.nodata is None or not float(encoding.nodata).is_integer() else [int(encoding.nodata)]
    for number in (*candidates, last, first, *flags):
        if limits.min <= float(number) <= limits.max and (
            number in candidates or number in flags or _is_outside(number, encoding)
        ):
            return replace(encoding, nodata=float(number), flags=(), valid_range=None)
    if dtype.name in LARGER:
        return output_encoding(replace(encoding, dtype=LARGER[dtype.name], valid_range=(limits.min, limits.max)))
    return replace(encoding, nodata=float(last), flags=(), valid_range=None)


def output_numbers(pixels: Pixels, source: Encoding, output: Encoding) -> NumberArray:
    """Return the numbers as they are written, in the shape of the pixels; possibly the array of the pixels itself."""
    numbers = pixels.numbers
    is_plain = not source.flags and source.valid_range is None and pixels.valid is None and pixels.codes is None
    if is_plain and output.dtype == source.dtype and output.nodata == source.nodata:
        return numbers
    valid = valid_pixels(pixels, source)
    if valid.all():
        return numbers.astype(output.dtype, copy=False)
    out = numbers.astype(output.dtype)
    out[~valid] = nodata_of(output)
    return out


def blank_numbers(shape: tuple[int, ...], encoding: Encoding) -> NumberArray:
    """Return numbers without a value."""
    return np.full(shape, nodata_of(encoding), dtype=encoding.dtype)


def nodata_of(encoding: Encoding) -> float | int:
    """Return the number for missing values, as an integer or float like its type."""
    assert encoding.nodata is not None  # noqa: S101 -- set by `output_encoding`
    return encoding.nodata if np.dtype(encoding.dtype).kind == "f" else int(encoding.nodata)


def _is_outside(number: int, encoding: Encoding) -> bool:
    if encoding.valid_range is None:
        return False
    low, high = encoding.valid_range
    return not low <= number <= high
