"""Overviews: numbers at half the resolution."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


def pick_cells(numbers: Numbers) -> Numbers:
    """Return of (y, x) the north-western one of each four cells, for numbers of which there is no mean."""
    return numbers[::2, ::2]


def average_cells(numbers: Numbers, nodata: float | None) -> Numbers:
    """Return of (y, x) the means of those of each four cells that are values, `nodata` where none is.

    Integers are rounded half up; a mean that happens to be `nodata` becomes its neighbour. At an odd edge two cells, or
    one, stand for four.
    """
    rows, columns = numbers.shape
    if rows % 2 or columns % 2:
        numbers = np.pad(numbers, ((0, rows % 2), (0, columns % 2)), mode="edge")
    dtype = numbers.dtype
    is_exact = dtype.kind != "f" and dtype.itemsize < 8
    half = (numbers.shape[0] // 2, numbers.shape[1] // 2)
    total = np.zeros(half, dtype=f"{dtype.kind}{2 * dtype.itemsize}" if is_exact else np.float64)
    count = np.zeros(half, dtype=np.uint8)
    for row in (0, 1):
        for column in (0, 1):
            part = np.ascontiguousarray(numbers[row::2, column::2])
            valid = _valid(part, nodata)
            total += part * valid if is_exact else np.where(valid, part, 0)
            count += valid
    mean = _quotient(total, count, dtype)
    if nodata is not None:
        if dtype.kind != "f":
            mean[mean == int(nodata)] = int(nodata) + (1 if nodata <= 0 else -1)
        mean[count == 0] = nodata
    return mean


def _valid(part: Numbers, nodata: float | None) -> NDArray[np.bool_]:
    valid = np.isfinite(part) if part.dtype.kind == "f" else np.ones(part.shape, dtype=np.bool_)
    if nodata is not None and not np.isnan(nodata):
        valid &= part != (nodata if part.dtype.kind == "f" else int(nodata))
    return valid


def _quotient(total: Numbers, count: NDArray[np.uint8], dtype: np.dtype[Any]) -> Numbers:
    """NaN, or 0 of integers, where nothing is counted. Of 16 bits `float32` separates thirds and quarters."""
    if dtype.kind == "f":
        with np.errstate(invalid="ignore"):
            mean: Numbers = (total / count).astype(dtype)
        return mean
    real = np.float32 if dtype.itemsize <= 2 else np.float64
    rounded = np.floor(total.astype(real) / np.maximum(count, 1).astype(real) + real(0.5))
    whole: Numbers = rounded.astype(dtype)
    return whole
