"""Overviews: coarser copies of digital numbers, computed from all native cells below each coarse cell.

Cells are summarised as sums and counts, which are halved level by level, so that no level is a
mean of means. A coarse cell gets the mean of the valid cells below it or their most frequent class; without valid
cells, their most frequent code.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.directions import mean_directions, vectors_of
from chronotile.core.model.types import BoolArray, Float64Array, NumberArray

MAX_CLASSES = 256
"""Largest number of classes of a variable."""

STRIP_ROWS = 128
"""Rows per step: few enough for the caches of the processor; even, so that each pair of rows is in one strip."""


COPYING = frozenset({"NEAREST", "MODE"})
"""Resamplings of GDAL that copy native numbers; all others compute means."""


_OF_BLOCKS = {"NEAREST", "AVERAGE", "RMS"}
"""Resamplings that use the cells of whole blocks only."""
FIRST_FACTOR = 2
"""Factor of the finest overview, whose mask is sampled from the mask of the image."""


def means_fault(
    resampling: str | None, nodata: float | None, encoding: Encoding, *, is_categorical: bool
) -> str | None:
    """Return why the numbers of an overview are no values: means over classes, flags or missing cells; else `None`.

    Args:
        resampling: GDAL's name of the resampling that made the overview; `None` if unknown.
        nodata: Nodata number of the overview, which its means omit.
        encoding: Encoding of the file, with the configuration applied.
        is_categorical: Whether the numbers are classes.
    """
    if resampling is None or resampling in COPYING:
        return None
    if is_categorical:
        return f"its numbers are means ({resampling}) of classes"
    if encoding.flags or encoding.valid_range or not is_same_nodata(nodata, encoding.nodata):
        return f"its numbers are means ({resampling}) that include numbers without a value"
    return None


def is_mask_of_other_cells(
    resampling: str | None, height: int, width: int, *, native: tuple[int, int], is_external: bool = False
) -> bool:
    """Return whether the mask of an overview may belong to other cells than its numbers.

    GDAL makes each level of a mask from the previous level, but samples nearest numbers from the image. It resamples a
    mask in a separate file (`.msk`) like numbers, so that the cells agree only for means over whole blocks.

    Args:
        resampling: GDAL's name; `None` if unknown.
        height: Height of the overview in cells.
        width: Width of the overview in cells.
        native: Height and width of the image in cells.
        is_external: Whether the mask is in a separate file.
    """
    factor = round(native[1] / width)
    if is_external and resampling not in _OF_BLOCKS:
        return True
    is_rounded = factor > FIRST_FACTOR and (height * factor, width * factor) != native
    return is_rounded and (is_external or resampling == "NEAREST")


def is_same_nodata(one: float | None, other: float | None) -> bool:
    """Return whether two nodata numbers are equal; NaN equals NaN, and `None` equals `None`."""
    return one == other or (one is not None and other is not None and one != one and other != other)  # noqa: PLR0124 -- NaN


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How a variable's cells are counted."""

    encoding: Encoding
    is_categorical: bool

    def codes(self) -> tuple[float, ...]:
        """Return the numbers that stand for reasons of missing values; in a tie of counts, the first wins."""
        nodata, flags = self.encoding.nodata, self.encoding.flags
        counted = [] if nodata is None or np.isnan(nodata) or not flags else [nodata]
        return (*(number for number, _name in flags), *counted)

    def may_be_lost(self) -> bool:
        """Whether a mean may equal a number without a value; not if all these are at the ends of the range."""
        encoding = self.encoding
        dtype = np.dtype(encoding.dtype)
        if dtype.kind == "f":
            return False
        low, high = encoding.valid_range or (-np.inf, np.inf)
        low, high = max(low, np.iinfo(dtype).min), min(high, np.iinfo(dtype).max)
        codes = {number for number, _name in encoding.flags} | ({encoding.nodata} - {None})
        while low in codes:
            low += 1
        while high in codes:
            high -= 1
        return any(low < code < high for code in codes if code is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Sums and counts of the native cells below each cell; all planes have the shape (y, x)."""

    counting: Counting
    total: NumberArray
    """Sum of the valid numbers; for directions, sum of unit vectors; for classes, zeros."""
    valid: NumberArray
    """Number of valid cells."""
    codes: Mapping[float, NumberArray]
    """Number of cells by digital number: codes without a value and, for classes, each class."""
    sample: NumberArray
    """Number of the corner cell, used if no other number gives the reason of a missing value."""

    def halved(self) -> "Summary":
        """Return the summary of cells twice as large; an odd last row or column is counted alone."""
        return self.sum_planes(_halve, self.sample[::2, ::2])

    def sum_planes(self, add: Callable[[NumberArray], NumberArray], sample: NumberArray) -> "Summary":
        """Return the summary of other cells, whose planes are sums of the planes of these."""
        codes = {number: add(plane) for number, plane in self.codes.items()}
        return replace(self, total=add(self.total), valid=add(self.valid), codes=codes, sample=sample)

    def counted(self) -> BoolArray:
        """Return a mask of cells with at least one native cell that is valid or has a code."""
        counted: BoolArray = self.valid > 0
        for plane in self.codes.values():
            counted |= plane > 0
        return counted

    def numbers(self) -> NumberArray:
        """Return the mean of the valid cells (half to even) or their most frequent class.

        Without valid cells it is the most frequent number without a value.
        """
        empty = self.valid == 0
        classes = [number for number in sorted(self.codes) if number not in self.counting.codes()]
        result = self._most_frequent(classes) if self.counting.is_categorical else self._mean()
        if empty.any():
            np.copyto(result, self._most_frequent(self.counting.codes()), where=empty)
        return result

    def _mean(self) -> NumberArray:
        dtype = np.dtype(self.counting.encoding.dtype)
        if self.total.dtype.kind == "c":
            return self._mean_direction()
        count = np.maximum(self.valid, 1).astype(self.total.dtype)
        if dtype.kind == "f":
            mean: NumberArray = self.total / count
            return mean.astype(dtype)
        if self.total.dtype.kind == "f" or dtype.itemsize < 4:
            # Sums of short numbers are so small that a quotient is never rounded to a half.
            kind = np.float32 if self.total.itemsize <= np.dtype(np.int16).itemsize else np.float64
            means: NumberArray = np.divide(self.total, count, dtype=kind)
            np.rint(means, out=means)
            return self._never_a_code(means.astype(dtype))
        quotient, rest = np.divmod(self.total, count)
        twice = 2 * rest
        quotient += (twice > count) | ((twice == count) & (quotient % 2 == 1))
        return self._never_a_code(quotient.astype(dtype))

    def _mean_direction(self) -> NumberArray:
        """The mean direction of the valid cells; the number of the corner cell if they cancel out."""
        encoding, sample = self.counting.encoding, self.sample
        circle, dtype = encoding.circle or 1.0, np.dtype(encoding.dtype)
        is_signed = encoding.valid(sample) & (encoding.values(sample) < 0)
        values = mean_directions(self.total, self.valid.astype(np.float64), circle, is_signed)
        turns = (0, -circle, circle)  # the first turn that gives a valid number is used
        candidates = [numbers_of(values + turn, encoding, dtype) for turn in turns]
        chosen = [encoding.valid(candidate) & np.isfinite(values) for candidate in candidates]
        return np.select(chosen, candidates, default=sample)

    def _never_a_code(self, numbers: NumberArray) -> NumberArray:
        """Move means that equal a code without a value to a neighbouring number."""
        encoding = self.counting.encoding
        if not self.counting.may_be_lost():
            return numbers
        for step in (1, -1):
            lost = (self.valid > 0) & ~encoding.valid(numbers)
            if not lost.any():
                break
            moved = numbers + np.asarray(step, dtype=numbers.dtype)
            numbers = np.where(lost & encoding.valid(moved), moved, numbers)
        return numbers

    def _most_frequent(self, candidates: Iterable[float]) -> NumberArray:
        """The first of the most frequent candidates; without any, nodata, else the number of the corner cell."""
        nodata = self.counting.encoding.nodata
        best = self.sample.copy() if nodata is None else np.full_like(self.sample, nodata)
        most = np.zeros_like(self.valid)
        for number in candidates:
            plane = self.codes.get(number)
            if plane is not None:
                more = plane > most
                best[more] = number
                np.maximum(most, plane, out=most)
        return best


def summary_of(numbers: NumberArray, counting: Counting, present: BoolArray | None = None) -> Summary:
    """Return the summary at half the resolution of (y, x) native numbers.

    Args:
        numbers: Native numbers (y, x).
        counting: How cells are counted.
        present: Mask (y, x) of the source, True for cells to count; `None` without a mask.
    """
    strips: dict[tuple[int, int], Summary] = {}
    for start in range(0, numbers.shape[0], STRIP_ROWS):
        rows = slice(start, start + STRIP_ROWS)
        native = native_summary(numbers[rows], counting, None if present is None else present[rows])
        strips[start // 2, 0] = native.halved()
    if len(strips) == 1:
        return strips[0, 0]
    height, width = numbers.shape
    return paste_summaries(strips, (-(-height // 2), -(-width // 2)), numbers.dtype)


def paste_summaries(parts: Mapping[tuple[int, int], Summary], shape: tuple[int, int], dtype: np.dtype[Any]) -> Summary:
    """Return one summary composed of parts, given by the row and column of their corners."""
    first = next(iter(parts.values()))
    numbers = sorted({number for part in parts.values() for number in part.codes})

    def paste(plane_of: Callable[[Summary], NumberArray | None], kind: np.dtype[Any]) -> NumberArray:
        whole = np.zeros(shape, dtype=kind)
        for (row, column), part in parts.items():
            plane = plane_of(part)
            if plane is not None:
                whole[row : row + plane.shape[0], column : column + plane.shape[1]] = plane
        return whole

    return Summary(
        counting=first.counting,
        total=paste(lambda part: part.total, first.total.dtype),
        valid=paste(lambda part: part.valid, first.valid.dtype),
        codes={number: paste(lambda part, n=number: part.codes.get(n), first.valid.dtype) for number in numbers},  # type: ignore[misc]  # mypy infers no type for a lambda's default
        sample=paste(lambda part: part.sample, dtype),
    )


def native_summary(numbers: NumberArray, counting: Counting, present: BoolArray | None = None) -> Summary:
    """Return the summary (y, x) of each number alone; see `summary_of`."""
    valid = counting.encoding.valid(numbers)
    codes = {number: numbers == number for number in counting.codes()}
    if present is not None:
        valid &= present
        codes = {number: plane & present for number, plane in codes.items()}
    codes = {number: plane for number, plane in codes.items() if plane.any()}
    if counting.is_categorical:
        codes |= {number: (numbers == number) & valid for number in _classes(numbers[valid])}
    return Summary(
        counting=counting,
        total=np.zeros(numbers.shape, dtype=np.uint8) if counting.is_categorical else _summed(valid, numbers, counting),
        valid=valid.view(np.uint8),
        codes={number: plane.view(np.uint8) for number, plane in codes.items()},
        sample=numbers,
    )


def _summed(valid: BoolArray, numbers: NumberArray, counting: Counting) -> NumberArray:
    circle = counting.encoding.circle
    if circle is None:
        return _numbers_where(valid, numbers)
    return np.where(valid, vectors_of(counting.encoding.values(numbers), circle), 0)


def numbers_of(values: Float64Array, encoding: Encoding, dtype: np.dtype[Any]) -> NumberArray:
    """Return the digital numbers of values, rounded and clipped to the type if it is an integer type."""
    numbers = (values - encoding.offset) / encoding.scale
    if dtype.kind == "f":
        return numbers.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(np.nan_to_num(numbers)), limits.min, limits.max).astype(dtype)


def _numbers_where(valid: BoolArray, numbers: NumberArray) -> NumberArray:
    """The numbers, with 0 for invalid cells, in a type that can be summed."""
    if numbers.dtype.kind == "f":
        return np.where(valid, numbers, 0).astype(np.float64)
    only_valid = numbers * valid.view(np.uint8)
    return only_valid if only_valid.dtype in _SUMS else only_valid.astype(np.float64)


def _classes(valid: NumberArray) -> list[float]:
    classes = np.flatnonzero(np.bincount(valid.ravel())) if valid.dtype == np.uint8 else np.unique(valid)
    if classes.size > MAX_CLASSES:
        raise UnsupportedSource(f"it has more than {MAX_CLASSES} classes; write only --layout series of it")
    return [float(number) for number in classes]


_SUMS = {
    np.dtype(narrow): np.dtype(wide)
    for narrow, wide in (
        *(("uint8", "uint16"), ("uint16", "uint32"), ("uint32", "uint64"), ("uint64", "uint64")),
        *(("int8", "int16"), ("int16", "int32"), ("int32", "int64"), ("int64", "int64")),
        ("float64", "float64"),
        ("complex128", "complex128"),
    )
}
"""Type for sums of four numbers of a type."""


def _halve(plane: NumberArray) -> NumberArray:
    """Return the sums of 2 by 2 cells."""
    height, width = plane.shape
    if height % 2 or width % 2:
        plane = np.pad(plane, [(0, height % 2), (0, width % 2)])
    dtype = _SUMS[plane.dtype]
    if dtype.kind == "u" and dtype != plane.dtype:
        # Two neighbours are read as one number of twice the size; adding its halves avoids strides (4 times slower).
        pairs, bits = np.ascontiguousarray(plane).view(dtype), dtype.type(8 * plane.itemsize)
        sums = (pairs & dtype.type(np.iinfo(plane.dtype).max)) + (pairs >> bits)
        return np.asarray(sums[0::2] + sums[1::2])
    rows = np.add(plane[0::2], plane[1::2], dtype=dtype)
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])
