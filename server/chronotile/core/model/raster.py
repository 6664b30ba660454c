"""Pixels of sources and rasters on requested grids: digital numbers, and the reason for each missing value."""

from dataclasses import dataclass

import numpy as np

from chronotile.core.model.encoding import FIRST_FLAG_CODE, NODATA_CODE, REASON_NODATA, Encoding
from chronotile.core.model.types import BoolArray, Float32Array, Float64Array, NumberArray, UInt8Array


@dataclass(frozen=True, slots=True)
class Pixels:
    """Digital numbers of a source, and the mask of the source if it has one."""

    numbers: NumberArray
    """(y, x) of a window, or (time,) of one cell."""
    valid: BoolArray | None = None
    """Same shape; `None` if the numbers alone decide."""
    reasons: tuple[str | None, ...] | None = None
    """(time,) of one cell: why values are missing; `None` if `cell_reasons` derives it from the rest."""
    codes: "Codes | None" = None
    """Why values of a block are missing; `None` if `pixel_codes` derives it from the rest."""


def reinterpret_numbers(numbers: NumberArray, dtype: str) -> NumberArray:
    """Return numbers in native byte order; if their dtype is not `dtype`, their bits are reinterpreted."""
    if not numbers.dtype.isnative:
        numbers = numbers.astype(numbers.dtype.newbyteorder("="))
    return numbers if numbers.dtype == dtype else np.ascontiguousarray(numbers).view(dtype)


@dataclass(frozen=True, slots=True)
class Codes:
    """Reasons why pixels have no value."""

    numbers: UInt8Array
    """Shape of the pixels: 0 for a value, else a position in `names` plus 1."""
    names: tuple[str, ...]


def pixel_codes(pixels: Pixels, encoding: Encoding) -> Codes:
    """Return why pixels have no value; pixels that the source masks are nodata."""
    if pixels.codes is not None:
        return pixels.codes
    numbers = encoding.codes(pixels.numbers)
    if pixels.valid is not None:
        numbers[~pixels.valid] = NODATA_CODE
    return Codes(numbers, encoding.code_names)


def replace_codes_by_mask(pixels: Pixels) -> Pixels:
    """Return pixels with a mask instead of codes; the mask is true for values and flags."""
    if pixels.codes is None:
        return pixels
    codes = pixels.codes.numbers
    present: BoolArray = (codes == 0) | (codes >= FIRST_FLAG_CODE)
    return Pixels(pixels.numbers, None if present.all() else present)


def valid_pixels(pixels: Pixels, encoding: Encoding) -> BoolArray:
    """Return an array that is true for values."""
    if pixels.codes is not None:
        return np.equal(pixels.codes.numbers, 0)
    valid = encoding.valid(pixels.numbers)
    return valid if pixels.valid is None else valid & pixels.valid


def cell_reasons(pixels: Pixels, encoding: Encoding) -> tuple[str | None, ...]:
    """Return why the (time,) pixels of a cell have no value; pixels that the source masks are nodata."""
    if pixels.reasons is not None:
        return pixels.reasons
    reasons = encoding.reasons(pixels.numbers, valid_pixels(pixels, encoding))
    if pixels.valid is None:
        return tuple(reasons)
    return tuple(
        reason if present else REASON_NODATA for reason, present in zip(reasons, pixels.valid.tolist(), strict=True)
    )


@dataclass(frozen=True, slots=True)
class Raster:
    """Digital numbers on a requested grid."""

    numbers: NumberArray
    """(y, x), row 0 in the north; meaningless if `present` is false."""
    encoding: Encoding
    present: BoolArray | None = None
    """(y, x), false outside the source and for pixels that it masks; `None`: all are present."""

    @property
    def valid(self) -> BoolArray:
        """(y, x): true for values."""
        valid = self.encoding.valid(self.numbers)
        return valid if self.present is None else valid & self.present

    def part(self, rows: slice) -> "Raster":
        """Return a view of some rows."""
        return Raster(self.numbers[rows], self.encoding, None if self.present is None else self.present[rows])

    def values(self) -> Float64Array:
        """Return physical values (y, x), NaN if missing."""
        return np.where(self.valid, self.encoding.values(self.numbers), np.nan)

    def values_for_files(self) -> Float32Array:
        """Return physical values (y, x) for files: NaN if missing, infinite beyond the range of float32."""
        with np.errstate(over="ignore"):
            return self.values().astype(np.float32)
