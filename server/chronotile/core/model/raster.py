"""Pixels of sources and rasters on requested grids: digital numbers, and the reason for each missing value."""

from dataclasses import dataclass

import numpy as np

from chronotile.core.model.encoding import FIRST_FLAG_CODE, NODATA_CODE, REASON_NODATA, Encoding
from chronotile.core.model.types import BoolArray, Float32Array, Float64Array, NumberArray, UInt8Array


@dataclass(frozen=True, slots=True)
class Pixels:
    """Digital numbers as a source holds them, with its own mask where it has one."""

    numbers: NumberArray
    """(y, x) of a window, or (time,) of one cell."""
    valid: BoolArray | None = None
    """Same shape; `None` where the numbers alone tell."""
    reasons: tuple[str | None, ...] | None = None
    """(time,) of one cell: why each is no value; `None` where `cell_reasons` finds it from the rest."""
    codes: "Codes | None" = None
    """Of a block: why each is no value; `None` where `pixel_codes` finds it from the rest."""


def reinterpret_numbers(numbers: NumberArray, dtype: str) -> NumberArray:
    """Return the numbers in the machine's byte order, their bits taken as `dtype` where that is another type."""
    if not numbers.dtype.isnative:
        numbers = numbers.astype(numbers.dtype.newbyteorder("="))
    return numbers if numbers.dtype == dtype else np.ascontiguousarray(numbers).view(dtype)


@dataclass(frozen=True, slots=True)
class Codes:
    """Why pixels are no values."""

    numbers: UInt8Array
    """In the shape of the pixels: 0 where there is a value, else a count from 1 into `names`."""
    names: tuple[str, ...]


def pixel_codes(pixels: Pixels, encoding: Encoding) -> Codes:
    """Return why pixels are no values; one that the source's own mask takes away is nodata."""
    if pixels.codes is not None:
        return pixels.codes
    numbers = encoding.codes(pixels.numbers)
    if pixels.valid is not None:
        numbers[~pixels.valid] = NODATA_CODE
    return Codes(numbers, encoding.code_names)


def replace_codes_by_mask(pixels: Pixels) -> Pixels:
    """Return pixels with a mask in place of codes: flags are there, though they are no values."""
    if pixels.codes is None:
        return pixels
    codes = pixels.codes.numbers
    present: BoolArray = (codes == 0) | (codes >= FIRST_FLAG_CODE)
    return Pixels(pixels.numbers, None if present.all() else present)


def valid_pixels(pixels: Pixels, encoding: Encoding) -> BoolArray:
    """Return where pixels are values."""
    if pixels.codes is not None:
        return np.equal(pixels.codes.numbers, 0)
    valid = encoding.valid(pixels.numbers)
    return valid if pixels.valid is None else valid & pixels.valid


def cell_reasons(pixels: Pixels, encoding: Encoding) -> tuple[str | None, ...]:
    """Return why each of a cell's (time,) pixels is no value; one that the source's own mask takes away is nodata."""
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
    """(y, x), row 0 in the north; meaningless where `present` is false."""
    encoding: Encoding
    present: BoolArray | None = None
    """(y, x), false outside the source and where its own mask marks it; `None` where all are present."""

    @property
    def valid(self) -> BoolArray:
        """(y, x): where there is a value."""
        valid = self.encoding.valid(self.numbers)
        return valid if self.present is None else valid & self.present

    def part(self, rows: slice) -> "Raster":
        """Return some rows, in the same memory."""
        return Raster(self.numbers[rows], self.encoding, None if self.present is None else self.present[rows])

    def values(self) -> Float64Array:
        """Return physical values (y, x), NaN where there is none."""
        return np.where(self.valid, self.encoding.values(self.numbers), np.nan)

    def values_for_files(self) -> Float32Array:
        """Return physical values (y, x) as files have them, infinite where they are larger; NaN where there is none."""
        with np.errstate(over="ignore"):
            return self.values().astype(np.float32)
