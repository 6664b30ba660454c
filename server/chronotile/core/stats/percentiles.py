"""Medians, percentiles and counts: of rows, of areas, and from the frequencies of numbers; bins of histograms."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.number_text import strip_noise
from chronotile.core.model.series.directions import vectors_of
from chronotile.core.model.types import (
    AnyArray,
    BoolArray,
    ComplexArray,
    Float64Array,
    FloatArray,
    IndexArray,
    Int64Array,
    NumberArray,
    UInt8Array,
)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sortable:
    """Numbers in the order of their values, NaN if missing; they take less memory than values."""

    numbers: AnyArray
    """(time, cell) floats."""
    values_of: Callable[[AnyArray], Float64Array]

    @classmethod
    def from_numbers(
        cls, numbers: NumberArray, valid: BoolArray, values: Float64Array, encoding: Encoding
    ) -> "Sortable":
        """Return numbers that fit into 32 bits as float32, otherwise their values."""
        is_small = numbers.dtype == np.float32 or (numbers.dtype.kind in "iu" and numbers.dtype.itemsize <= 2)
        if encoding.scale > 0 and is_small:
            return cls(
                numbers=np.where(valid, numbers.astype(np.float32), np.float32("nan")), values_of=encoding.values
            )
        return cls(numbers=np.where(valid, values, np.nan), values_of=np.asarray)


def percentiles(
    sortable: Sortable, bounds: Int64Array, percents: Sequence[float], *, weights: Float64Array | None = None
) -> Float64Array:
    """Return (percent, time, area) percentiles, NaN without a value.

    Without weights, numpy's linear method (Hyndman and Fan 1996, definition 7); with weights, `inverted_cdf`
    (definition 1): the smallest value that has, with all smaller values, at least this fraction of the weight.

    Args:
        sortable: (time, cell).
        bounds: (area + 1,): cells of area `k` are from `bounds[k]` to `bounds[k + 1]`, at least one.
        percents: 0 to 100.
        weights: (cell,).
    """
    lengths, numbers = np.diff(bounds), sortable.numbers
    results = np.full((len(percents), numbers.shape[0], lengths.size), np.nan)
    fractions = [percent / 100 for percent in percents]
    # Areas of similar size are sorted together, as rows that are padded with NaN, which sorts last.
    sizes = np.ceil(np.log2(lengths) * 2).astype(np.int64)
    for size in np.unique(sizes):
        areas = np.flatnonzero(sizes == size)
        positions = bounds[areas, None] + np.arange(lengths[areas].max())
        is_own = positions < bounds[areas + 1, None]
        rows = numbers[:, np.where(is_own, positions, 0)]
        rows[:, ~is_own] = np.nan
        if weights is None:
            results[:, :, areas] = _linear(rows, fractions, sortable.values_of)
        else:
            row_weights = np.where(is_own, weights[np.where(is_own, positions, 0)], 0)
            results[:, :, areas] = sortable.values_of(np.array(_invert_rows(rows, row_weights, fractions)))
    return results


def percentiles_of_many(
    numbers: NumberArray,
    valid: BoolArray,
    encoding: Encoding,
    percents: Sequence[float],
    *,
    weights: Float64Array | None = None,
) -> Float64Array:
    """Return (percent,) percentiles of many (cell,) numbers, like `percentiles`; NaN without a value.

    The numbers are only partly sorted.
    """
    fractions = [percent / 100 for percent in percents]
    if not valid.any():
        return np.full(len(fractions), np.nan)
    if weights is not None:
        values = encoding.values(numbers[valid])
        order = np.argsort(values)
        sums = np.cumsum(weights[valid][order])
        positions = [np.searchsorted(sums, share_needed(share) * sums[-1]) for share in fractions]
        return values[order][np.minimum(positions, values.size - 1)]
    # Numbers take less memory than values, but only a positive scale preserves their order.
    ordered = numbers[valid] if encoding.scale > 0 else encoding.values(numbers[valid])
    last = ordered.size - 1
    lower = [int(last * share) for share in fractions]
    upper = [min(place + 1, last) for place in lower]
    ordered.partition(sorted({*lower, *upper}))
    low, high = (encoding.values(ordered[ranks]) if encoding.scale > 0 else ordered[ranks] for ranks in (lower, upper))
    return lerp(low, high, np.array([last * share for share in fractions]) - lower)


def _linear(
    rows: AnyArray, fractions: list[float], values_of: Callable[[AnyArray], Float64Array]
) -> list[Float64Array]:
    """Return values between the two nearest of each row; the rows are sorted in place."""
    rows.sort(axis=-1)
    last = last_ranks(rows)
    results = []
    for place in (last * share for share in fractions):
        lower = np.floor(place).astype(np.int64)
        low, high = (values_of(value_at(rows, ranks)) for ranks in (lower, np.minimum(lower + 1, last)))
        results.append(lerp(low, high, place - lower))
    return results


def _invert_rows(rows: Float64Array, weights: Float64Array, fractions: list[float]) -> list[Float64Array]:
    """Return the first sorted value of each row whose cumulative weight reaches the fraction."""
    order = np.argsort(rows, axis=-1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=-1)
    sorted_weights = np.take_along_axis(np.broadcast_to(weights, rows.shape), order, axis=-1)
    sums = np.cumsum(np.where(np.isnan(rows), 0.0, sorted_weights), axis=-1)
    is_reached = ((sums >= share_needed(share) * sums[..., -1:]) & (sums > 0) for share in fractions)
    return [value_at(rows, np.argmax(mask, axis=-1)) for mask in is_reached]


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
        weights: Returns (cell,) weights of the cells from one to before another; `None`: equal weights.
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
        """Return (percent, time, 1) percentiles, like `percentiles` of this module; NaN without a value."""
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
            slots[codes[part_times, part] != 0] = bins  # the slot of cells without a value
            slots += np.arange(len(slots))[:, None] * (bins + 1)
            shape = (len(slots), bins + 1)
            counts[part_times] += np.bincount(slots.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
            if weighted is not None and weigh is not None:
                spread = np.broadcast_to(weigh, slots.shape).ravel()
                weighted[part_times] += np.bincount(slots.ravel(), spread, shape[0] * shape[1]).reshape(shape)
    return counts[:, :-1], None if weighted is None else weighted[:, :-1], whole


ROUNDING = 1e-9
"""Relative tolerance of sums of weights: rounding must not change a percentile."""


def percentile_of_ordered(ordered: Float64Array, percent: float) -> Float64Array:
    """Return a percentile of each row (…, n) in ascending order with NaN last; NaN for a row without values.

    Interpolated linearly between values (Hyndman and Fan 1996, definition 7); 50 is the median.
    """
    last = last_ranks(ordered)
    return value_between(ordered, last * (percent / 100), last)


def last_ranks(ordered: Float64Array) -> Int64Array:
    """Return the rank, from 0, of the last value of each row (…, n) with NaN last; 0 for a row without values."""
    return np.asarray(np.maximum(np.count_nonzero(~np.isnan(ordered), axis=-1) - 1, 0))


def value_between(ordered: Float64Array, place: FloatArray, last: Int64Array) -> Float64Array:
    """Return the value of each row (…, n) at a fractional rank (…)."""
    lower = np.floor(place).astype(np.int64)
    low, high = (value_at(ordered, ranks) for ranks in (lower, np.minimum(lower + 1, last)))
    return lerp(low, high, place - lower)


def lerp(low: Float64Array, high: Float64Array, part: FloatArray) -> Float64Array:
    """Interpolate linearly, from the nearer end like numpy."""
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))


def value_at(ordered: Float64Array, ranks: Int64Array) -> Float64Array:
    """Return the value of each row (…, n) at its rank (…); NaN for empty rows."""
    if ordered.shape[-1] == 0:
        return np.full(ordered.shape[:-1], np.nan)
    return np.asarray(np.take_along_axis(ordered, ranks[..., None], axis=-1)[..., 0])


def share_needed(share: float) -> float:
    """Return the fraction of all weight that the smallest values must reach, with a tolerance for rounded sums.

    Without the tolerance, the median of two values with equal weights would depend on the order of summation. The
    whole has no tolerance, because the largest value may weigh less than it.
    """
    return share * (1 - ROUNDING) if share < 1 else 1.0


# Bins of histograms: edges, and the bin of each value.
#
# A decimal value such as 300 * 0.001 may differ in its last bits from the edge with the same decimal text. Both count
# as equal, so that documents list the edges that were used.

SLACK = 1e-12
"""Tolerance as a fraction of the largest edge: values slightly below an edge count as the edge."""


def even_edges(low: float, high: float, bins: int) -> Float64Array:
    """Return (bin + 1,) edges of bins of equal width, rounded for documents."""
    return np.array([strip_noise(edge) for edge in np.linspace(low, high, bins + 1).tolist()])


def bins_of(values: Float64Array, edges: Float64Array) -> IndexArray:
    """Return the bin of each value: -1 below the first edge, the number of bins above the last.

    Every bin includes its lower edge, and the last bin its upper edge too.
    """
    slack = SLACK * np.abs(edges).max()
    bins = np.searchsorted(edges - slack, values, side="right") - 1
    last = edges.size - 2
    bins[(bins > last) & (values <= edges[-1] + slack)] = last
    return bins
