"""Coarser copies of digital numbers, by what all native cells below a coarse one hold."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.directions import mean_directions, vectors_of
from chronotile.core.model.types import BoolArray, Float64Array, NumberArray

MAX_CLASSES = 256
"""Numbers of a variable of classes that are distinguished."""

STRIP_ROWS = 128
"""Rows counted at once, few enough to stay in the processor's caches; even, so that pairs stay together."""


COPYING = frozenset({"NEAREST", "MODE"})
"""Resamplings of GDAL, as it notes them in overviews, whose numbers are native ones; those of all others are means."""


_OF_BLOCKS = {"NEAREST", "AVERAGE", "RMS"}
"""Resampling that takes one or all cells of a block."""
FIRST_FACTOR = 2
"""Of the finest overview; its mask is sampled from that of the image."""


def means_fault(
    resampling: str | None, nodata: float | None, encoding: Encoding, *, is_categorical: bool
) -> str | None:
    """Return why the numbers of an overview are no values: they are means over classes, flags or missing cells.

    Args:
        resampling: The one that made it; `None` if it is unknown.
        nodata: What the overview states, which its means leave out.
        encoding: Of the file's numbers, under what the configuration says.
        is_categorical: Whether they are classes.
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
    """Return whether the mask of an overview may be that of other cells than its numbers.

    GDAL makes each level of a mask from the level before, but samples nearest numbers from the image. It resamples a
    mask in a separate file (`.msk`) like numbers, so that only means over whole blocks of cells have the same cells.

    Args:
        resampling: In GDAL's words; `None` if it is unknown.
        height: Of the overview, in cells.
        width: Of the overview, in cells.
        native: Height and width of the image.
        is_external: Whether the mask is in a separate file.
    """
    factor = round(native[1] / width)
    if is_external and resampling not in _OF_BLOCKS:
        return True
    is_rounded = factor > FIRST_FACTOR and (height * factor, width * factor) != native
    return is_rounded and (is_external or resampling == "NEAREST")


def is_same_nodata(one: float | None, other: float | None) -> bool:
    """Return whether both stand for the same number, NaN included, or for none."""
    return one == other or (one is not None and other is not None and one != one and other != other)  # noqa: PLR0124 -- NaN


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How a variable's cells are counted."""

    encoding: Encoding
    is_categorical: bool

    def codes(self) -> tuple[float, ...]:
        """Return the numbers that are reasons of missing values; of equally frequent ones the first is taken."""
        nodata, flags = self.encoding.nodata, self.encoding.flags
        counted = [] if nodata is None or np.isnan(nodata) or not flags else [nodata]
        return (*(number for number, _name in flags), *counted)

    def may_be_lost(self) -> bool:
        """Whether the mean of values may be a number that is none: not where all such lie at the ends of the range."""
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
    """What the native cells below each cell hold; all planes (y, x)."""

    counting: Counting
    total: NumberArray
    """Sum of the valid numbers, of directions of their unit vectors; of classes nothing."""
    valid: NumberArray
    """How many cells are valid."""
    codes: Mapping[float, NumberArray]
    """How many cells have each number: the codes that are no values and, of classes, each class."""
    sample: NumberArray
    """The number of the cell in the corner, used if no other number gives the reason of a missing value."""

    def halved(self) -> "Summary":
        """Return the summary of cells twice as large; past an odd edge there is nothing to add."""
        return replace(
            self,
            total=_halve(self.total),
            valid=_halve(self.valid),
            codes={number: _halve(plane) for number, plane in self.codes.items()},
            sample=self.sample[::2, ::2],
        )

    def counted(self) -> BoolArray:
        """Return where any cell is valid or has a reason as its number; masked and out-of-range cells have neither."""
        counted: BoolArray = self.valid > 0
        for plane in self.codes.values():
            counted |= plane > 0
        return counted

    def numbers(self) -> NumberArray:
        """Return the mean of the valid cells, half to even, or the most frequent class; else the commonest code."""
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
            # Sums of short numbers are so small that a quotient is a half only if it truly is one.
            kind = np.float32 if self.total.itemsize <= np.dtype(np.int16).itemsize else np.float64
            means: NumberArray = np.divide(self.total, count, dtype=kind)
            np.rint(means, out=means)
            return self._never_a_code(means.astype(dtype))
        quotient, rest = np.divmod(self.total, count)
        twice = 2 * rest
        quotient += (twice > count) | ((twice == count) & (quotient % 2 == 1))
        return self._never_a_code(quotient.astype(dtype))

    def _mean_direction(self) -> NumberArray:
        """The mean direction of the valid cells; of those that cancel out the number in the corner."""
        encoding, sample = self.counting.encoding, self.sample
        circle, dtype = encoding.circle or 1.0, np.dtype(encoding.dtype)
        is_signed = encoding.valid(sample) & (encoding.values(sample) < 0)
        values = mean_directions(self.total, self.valid.astype(np.float64), circle, is_signed)
        turns = (0, -circle, circle)  # the first by which it is a number of the type, and within the valid range
        candidates = [numbers_of(values + turn, encoding, dtype) for turn in turns]
        chosen = [encoding.valid(each) & np.isfinite(values) for each in candidates]
        return np.select(chosen, candidates, default=sample)

    def _never_a_code(self, numbers: NumberArray) -> NumberArray:
        """A mean that falls on a number which is no value goes to one beside it, so that it stays one."""
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
        """The first of the most frequent numbers; where none was counted, nodata or else the corner's."""
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
        numbers: (y, x).
        counting: How they are counted.
        present: (y, x): the cells that the source's own mask lets stand, of which alone there is a summary; `None`
            where it has no mask.
    """
    strips: dict[tuple[int, int], Summary] = {}
    for start in range(0, numbers.shape[0], STRIP_ROWS):
        rows = slice(start, start + STRIP_ROWS)
        native = _native_summary(numbers[rows], counting, None if present is None else present[rows])
        strips[start // 2, 0] = native.halved()
    if len(strips) == 1:
        return strips[0, 0]
    height, width = numbers.shape
    return paste_summaries(strips, (-(-height // 2), -(-width // 2)), numbers.dtype)


def paste_summaries(parts: Mapping[tuple[int, int], Summary], shape: tuple[int, int], dtype: np.dtype[Any]) -> Summary:
    """Return one summary of parts by the row and column of their corners."""
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


def _native_summary(numbers: NumberArray, counting: Counting, present: BoolArray | None) -> Summary:
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
    """Return the numbers of values, the nearest of integers; values beyond the type become its limits."""
    numbers = (values - encoding.offset) / encoding.scale
    if dtype.kind == "f":
        return numbers.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(np.nan_to_num(numbers)), limits.min, limits.max).astype(dtype)


def _numbers_where(valid: BoolArray, numbers: NumberArray) -> NumberArray:
    """The numbers, 0 where they are not valid, in a type that can be summed."""
    if numbers.dtype.kind == "f":
        return np.where(valid, numbers, 0).astype(np.float64)
    only_valid = numbers * valid.view(np.uint8)
    return only_valid if only_valid.dtype in _SUMS else only_valid.astype(np.float64)


def _classes(valid: NumberArray) -> list[float]:
    found = np.flatnonzero(np.bincount(valid.ravel())) if valid.dtype == np.uint8 else np.unique(valid)
    if found.size > MAX_CLASSES:
        raise UnsupportedSource(f"it has more than {MAX_CLASSES} classes; write only --layout series of it")
    return [float(number) for number in found]


_SUMS = {
    np.dtype(narrow): np.dtype(wide)
    for narrow, wide in (
        *(("uint8", "uint16"), ("uint16", "uint32"), ("uint32", "uint64"), ("uint64", "uint64")),
        *(("int8", "int16"), ("int16", "int32"), ("int32", "int64"), ("int64", "int64")),
        ("float64", "float64"),
        ("complex128", "complex128"),
    )
}
"""Which type holds the sums of four numbers of a type; sums of whole numbers are whole, of others floats."""


def _halve(plane: NumberArray) -> NumberArray:
    """Return the sums of 2 by 2 cells."""
    height, width = plane.shape
    if height % 2 or width % 2:
        plane = np.pad(plane, [(0, height % 2), (0, width % 2)])
    dtype = _SUMS[plane.dtype]
    if dtype.kind == "u" and dtype != plane.dtype:
        # Two neighbours as one number twice as long: their sum takes no strides, which are four times slower.
        pairs, bits = np.ascontiguousarray(plane).view(dtype), dtype.type(8 * plane.itemsize)
        sums = (pairs & dtype.type(np.iinfo(plane.dtype).max)) + (pairs >> bits)
        return np.asarray(sums[0::2] + sums[1::2])
    rows = np.add(plane[0::2], plane[1::2], dtype=dtype)
    return np.asarray(rows[:, 0::2] + rows[:, 1::2])
