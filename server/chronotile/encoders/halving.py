"""Overviews: numbers at half the resolution."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[Any]


def picked(numbers: Numbers) -> Numbers:
    """Return of (y, x) the north-western one of each four cells, for numbers of which there is no mean."""
    return numbers[::2, ::2]


def averaged(numbers: Numbers, nodata: float | None) -> Numbers:
    """Return of (y, x) the means of those of each four cells that are values, `nodata` where none is.

    Integers are rounded half up. At an odd edge two cells, or one, stand for four.
    """
    rows, columns = numbers.shape
    if rows % 2 or columns % 2:
        numbers = np.pad(numbers, ((0, rows % 2), (0, columns % 2)), mode="edge")
    four = [numbers[row::2, column::2] for row in (0, 1) for column in (0, 1)]
    if numbers.dtype.kind == "f":
        return _mean_of_floats(four, numbers.dtype, nodata)
    return _mean_of_integers(four, numbers.dtype, nodata)


def _mean_of_floats(four: list[Numbers], dtype: np.dtype[Any], nodata: float | None) -> Numbers:
    total = np.zeros(four[0].shape)
    count = np.zeros(four[0].shape, dtype=np.uint8)
    for part in four:
        valid = np.isfinite(part) if nodata is None or np.isnan(nodata) else np.isfinite(part) & (part != nodata)
        np.add(total, part, out=total, where=valid)
        count += valid
    with np.errstate(invalid="ignore"):
        mean = (total / count).astype(dtype)
    mean[count == 0] = np.nan if nodata is None else nodata
    return mean


def _mean_of_integers(four: list[Numbers], dtype: np.dtype[Any], nodata: float | None) -> Numbers:
    """In the next larger type, of which four numbers do not flow over; those of 64 bits by halves."""
    if dtype.itemsize == 8:
        return _mean_of_floats(four, np.dtype(np.float64), nodata).round().astype(dtype)
    wide = np.dtype(f"{dtype.kind}{dtype.itemsize * 2}")
    lacking = None if nodata is None else [part == int(nodata) for part in four]
    if lacking is None or not any(each.any() for each in lacking):
        total = four[0].astype(wide)
        for part in four[1:]:
            total += part
        mean: Numbers = ((total + 2) >> 2).astype(dtype)
        return mean if nodata is None else _beside(mean, int(nodata), lacking=None)
    total = np.zeros(four[0].shape, dtype=wide)
    count = np.zeros(four[0].shape, dtype=wide)
    for part, lacks in zip(four, lacking, strict=True):
        np.add(total, part, out=total, where=~lacks)
        count += ~lacks
    none = count == 0
    np.maximum(count, 1, out=count)
    mean = ((2 * total + count) // (2 * count)).astype(dtype)
    return _beside(mean, int(nodata or 0), lacking=none)


def _beside(mean: Numbers, nodata: int, *, lacking: NDArray[np.bool_] | None) -> Numbers:
    """A mean that happens to be the number for no value becomes its neighbour."""
    mean[mean == nodata] = nodata - 1 if nodata > 0 else nodata + 1
    if lacking is not None:
        mean[lacking] = nodata
    return mean
