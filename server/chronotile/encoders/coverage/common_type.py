"""One type of numbers, with one number for no value, in which several fields lie exactly."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronotile.errors import UnsupportedFormat
from chronotile.model.coverage import CoverageField, Numbers
from chronotile.model.raster import Encoding


@dataclass(frozen=True, slots=True)
class CommonType:
    """What all bands of a file are in."""

    dtype: np.dtype[Any]
    nodata: float | None

    def taking(self, numbers: Numbers, encoding: Encoding) -> Numbers:
        """Return numbers of a field in this type."""
        if encoding.nodata is None or _are_same(encoding.nodata, self.nodata):
            return numbers.astype(self.dtype, copy=False)
        taken = numbers.astype(self.dtype)
        taken[~encoding.valid(numbers)] = self.nodata
        return taken


def common_type(fields: Sequence[CoverageField]) -> CommonType:
    """Return the smallest type that holds the numbers of all fields as they are; integers beside floats become floats.

    Raises:
        UnsupportedFormat: There is none.
    """
    encodings = [field.encoding for field in fields]
    for dtype in _wider(_least([np.dtype(each.dtype) for each in encodings])):
        if all(_are_same(each.nodata, encodings[0].nodata) for each in encodings):
            return CommonType(dtype, encodings[0].nodata)
        for number in _candidates(encodings, dtype):
            if all(_is_free(number, each) for each in encodings):
                return CommonType(dtype, number)
    raise _apart(fields)


def _least(dtypes: Sequence[np.dtype[Any]]) -> np.dtype[Any]:
    """The smallest type for all numbers of these, or bytes where there is none."""
    dtype = np.result_type(*dtypes, np.float32) if any(each.kind == "f" for each in dtypes) else np.result_type(*dtypes)
    is_exact = dtype.kind in "iu" or not any(each.kind in "iu" and each.itemsize == 8 for each in dtypes)
    return dtype if is_exact else np.dtype("S1")


def _wider(dtype: np.dtype[Any]) -> Iterator[np.dtype[Any]]:
    """The type, and those of the same kind with more bytes; numbers only."""
    if dtype.kind in "iuf":
        for size in (1, 2, 4, 8):
            if size >= dtype.itemsize:
                yield np.dtype(f"{dtype.kind}{size}")


def _candidates(encodings: Sequence[Encoding], dtype: np.dtype[Any]) -> list[float]:
    if dtype.kind == "f":
        return [np.nan]
    nodata = [each.nodata for each in encodings if each.nodata is not None]
    limits = np.iinfo(dtype)
    return [*(number for number in nodata if limits.min <= number <= limits.max), float(limits.max), float(limits.min)]


def _is_free(number: float, encoding: Encoding) -> bool:
    """Whether it is no value of a field."""
    if _are_same(number, encoding.nodata) or np.isnan(number):
        return True
    limits = np.iinfo(encoding.dtype)
    return not limits.min <= number <= limits.max


def _are_same(first: float | None, second: float | None) -> bool:
    if first is None or second is None:
        return first is second
    return first == second or bool(np.isnan(first) and np.isnan(second))


def _apart(fields: Sequence[CoverageField]) -> UnsupportedFormat:
    types = ", ".join(f"{field.name} {field.encoding.dtype}" for field in fields)
    return UnsupportedFormat(
        f"no type of GeoTIFF holds all of {types}; request them one by one with properties, or as NetCDF or zarr",
        locator="f",
    )
