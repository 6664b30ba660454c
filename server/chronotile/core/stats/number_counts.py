"""Frequencies of the numbers of an area, and results that are computed from them."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.series.directions import vectors_of
from chronotile.core.model.types import ComplexArray, Float64Array, Int64Array, NumberArray, UInt8Array
from chronotile.core.stats.histogram_bins import bins_of
from chronotile.core.stats.percentiles import lerp, share_needed

COUNTED_AT_ONCE = 1 << 18
"""Numbers that are counted in one call, which takes eight times their size."""


def table_size(dtype: np.dtype[Any]) -> int | None:
    """Return how many numbers a small integer type has; `None` for types whose numbers are not counted."""
    return 256**dtype.itemsize if dtype.kind in "iu" and dtype.itemsize <= 2 else None


class NumberCounts:
    """Frequencies of the numbers of one area at some times; results are (time, 1).

    Args:
        numbers: (time, cell) of a type with a `table_size`.
        codes: (time, cell): 0 for a value.
        encoding: Encoding of the numbers.
        weights: Returns (cell,) weights of the cells from a first index to before a last one; `None`: equal weights.
    """

    def __init__(
        self,
        numbers: NumberArray,
        codes: UInt8Array,
        encoding: Encoding,
        weights: Callable[[int, int], Float64Array] | None,
    ) -> None:
        unsigned = np.dtype(f"u{numbers.dtype.itemsize}")
        every = np.arange(256**numbers.dtype.itemsize, dtype=unsigned)
        values = encoding.values(every.view(numbers.dtype))
        self._codes = codes
        counts, weighted, whole = _count(numbers.view(unsigned), codes, every.size, weights)
        if (values[1:] < values[:-1]).any():
            order = np.argsort(values, kind="stable")
            values, counts, weighted = values[order], counts[:, order], None if weighted is None else weighted[:, order]
        self._values = values
        """(number,), ascending."""
        self._counts = counts
        """(time, number)."""
        self._is_weighted = weighted is not None
        self._weighted = counts.astype(np.float64) if weighted is None else weighted
        """(time, number): weights."""
        self.count = counts.sum(axis=1, keepdims=True)
        self.weight = self._weighted.sum(axis=1, keepdims=True)
        self.whole = np.array([whole])

    def count_code(self, code: int) -> Int64Array:
        """Return the number of cells with a code."""
        counts: Int64Array = np.count_nonzero(self._codes == code, axis=1)[:, None]
        return counts

    def sums(self) -> Float64Array:
        """Return the sum of values times weights."""
        return (self._weighted @ self._values)[:, None]

    def squares(self, mean: Float64Array) -> Float64Array:
        """Return the sum of squared distances from a mean times weights."""
        distances = self._values - np.nan_to_num(mean)
        squares: Float64Array = (self._weighted * distances * distances).sum(axis=1, keepdims=True)
        return squares

    def vectors(self, circle: float) -> ComplexArray:
        """Return the sum of unit vectors times weights."""
        return np.asarray(self._weighted @ vectors_of(self._values, circle))[:, None]

    def least(self) -> Float64Array:
        """Return the smallest value, arbitrary without values."""
        least: Float64Array = self._values[np.argmax(self._counts > 0, axis=1)][:, None]
        return least

    def greatest(self) -> Float64Array:
        """Return the largest value, arbitrary without values."""
        greatest: Float64Array = self._values[::-1][np.argmax(self._counts[:, ::-1] > 0, axis=1)][:, None]
        return greatest

    def histogram(self, edges: Float64Array) -> Float64Array:
        """Return (time, 1, bin) weights per bin; the last bin includes its upper edge."""
        bins = edges.size - 1
        bin_of = bins_of(self._values, edges)
        is_own = (bin_of >= 0) & (bin_of < bins)
        sums = np.zeros((bins, self._counts.shape[0]))
        np.add.at(sums, bin_of[is_own], self._weighted.T[is_own])
        return sums.T[:, None]

    def percentiles(self, percents: Sequence[float]) -> Float64Array:
        """Return (percent, time, 1) percentiles, like `percentiles.percentiles`; NaN without a value."""
        sums = np.cumsum(self._weighted, axis=1)
        find = self._invert_rows if self._is_weighted else self._linear
        results = np.array([find(sums, percent / 100) for percent in percents])
        results[:, self.count[:, 0] == 0] = np.nan
        return results[..., None]

    def _linear(self, sums: Float64Array, share: float) -> Float64Array:
        last = np.maximum(sums[:, -1] - 1, 0)
        place = last * share
        lower = np.floor(place).astype(np.int64)
        low, high = (
            self._values[np.minimum((sums <= ranks[:, None]).sum(axis=1), self._values.size - 1)]
            for ranks in (lower, np.minimum(lower + 1, last))
        )
        return lerp(low, high, place - lower)

    def _invert_rows(self, sums: Float64Array, share: float) -> Float64Array:
        is_reached = (sums >= share_needed(share) * sums[:, -1:]) & (sums > 0)
        values: Float64Array = self._values[np.argmax(is_reached, axis=1)]
        return values


def _count(
    numbers: NumberArray, codes: UInt8Array, bins: int, weights: Callable[[int, int], Float64Array] | None
) -> tuple[Int64Array, Float64Array | None, float]:
    """Return (time, number) counts of values, their weights if given, and the weight of all cells."""
    times, cells = numbers.shape
    counts = np.zeros((times, bins + 1), dtype=np.int64)
    weighted = None if weights is None else np.zeros((times, bins + 1))
    whole = float(cells) if weights is None else 0.0
    across = min(cells, COUNTED_AT_ONCE)
    rows = max(1, COUNTED_AT_ONCE // across)
    for first in range(0, cells, across):
        part = slice(first, min(first + across, cells))
        weigh = None if weights is None else weights(part.start, part.stop)
        whole += 0.0 if weigh is None else float(weigh.sum())
        for row in range(0, times, rows):
            part_times = slice(row, min(row + rows, times))
            slots = numbers[part_times, part].astype(np.intp)
            slots[codes[part_times, part] != 0] = bins  # an additional slot for cells without a value
            slots += np.arange(len(slots))[:, None] * (bins + 1)
            shape = (len(slots), bins + 1)
            counts[part_times] += np.bincount(slots.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
            if weighted is not None and weigh is not None:
                spread = np.broadcast_to(weigh, slots.shape).ravel()
                weighted[part_times] += np.bincount(slots.ravel(), spread, shape[0] * shape[1]).reshape(shape)
    return counts[:, :-1], None if weighted is None else weighted[:, :-1], whole
