"""Medians, percentiles and counts: of rows, of areas, and out of how often each number occurs; bins of histograms."""

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
    """Numbers in the order of their values, NaN where there is none, which take less than values."""

    numbers: AnyArray
    """(time, cell) floats."""
    values_of: Callable[[AnyArray], Float64Array]

    @classmethod
    def from_numbers(
        cls, numbers: NumberArray, valid: BoolArray, values: Float64Array, encoding: Encoding
    ) -> "Sortable":
        """Return numbers that 32 bits hold as such floats, others as the values that they stand for."""
        is_small = numbers.dtype == np.float32 or (numbers.dtype.kind in "iu" and numbers.dtype.itemsize <= 2)
        if encoding.scale > 0 and is_small:
            return cls(
                numbers=np.where(valid, numbers.astype(np.float32), np.float32("nan")), values_of=encoding.values
            )
        return cls(numbers=np.where(valid, values, np.nan), values_of=np.asarray)


def percentiles(
    sortable: Sortable, bounds: Int64Array, percents: Sequence[float], *, weights: Float64Array | None = None
) -> Float64Array:
    """Return (percent, time, area) percentiles, NaN where there is no value.

    Without weights numpy's linear method (Hyndman and Fan 1996, definition 7); with weights its `inverted_cdf`
    (definition 1): the least value that holds, with all smaller ones, at least that part of the weight.

    Args:
        sortable: (time, cell).
        bounds: (area + 1,): cells of area `k` stand from `bounds[k]` to `bounds[k + 1]`, at least one each.
        percents: 0 to 100.
        weights: (cell,).
    """
    lengths, numbers = np.diff(bounds), sortable.numbers
    found = np.full((len(percents), numbers.shape[0], lengths.size), np.nan)
    shares = [percent / 100 for percent in percents]
    # Areas of about one size are sorted together, as rows that are filled up with NaN, which sorts last.
    sizes = np.ceil(np.log2(lengths) * 2).astype(np.int64)
    for size in np.unique(sizes):
        areas = np.flatnonzero(sizes == size)
        places = bounds[areas, None] + np.arange(lengths[areas].max())
        is_own = places < bounds[areas + 1, None]
        rows = numbers[:, np.where(is_own, places, 0)]
        rows[:, ~is_own] = np.nan
        if weights is None:
            found[:, :, areas] = _linear(rows, shares, sortable.values_of)
        else:
            own = np.where(is_own, weights[np.where(is_own, places, 0)], 0)
            found[:, :, areas] = sortable.values_of(np.array(_invert_rows(rows, own, shares)))
    return found


def percentiles_of_many(
    numbers: NumberArray,
    valid: BoolArray,
    encoding: Encoding,
    percents: Sequence[float],
    *,
    weights: Float64Array | None = None,
) -> Float64Array:
    """Return (percent,) percentiles, as `percentiles` does, of (cell,) numbers that are many; NaN without a value.

    They are sorted only as far as need be.
    """
    shares = [percent / 100 for percent in percents]
    if not valid.any():
        return np.full(len(shares), np.nan)
    if weights is not None:
        values = encoding.values(numbers[valid])
        order = np.argsort(values)
        sums = np.cumsum(weights[valid][order])
        places = [np.searchsorted(sums, share_needed(share) * sums[-1]) for share in shares]
        return values[order][np.minimum(places, values.size - 1)]
    # Numbers take less than values, but only a positive scale keeps their order.
    held = numbers[valid] if encoding.scale > 0 else encoding.values(numbers[valid])
    last = held.size - 1
    lower = [int(last * share) for share in shares]
    upper = [min(place + 1, last) for place in lower]
    held.partition(sorted({*lower, *upper}))
    low, high = (encoding.values(held[each]) if encoding.scale > 0 else held[each] for each in (lower, upper))
    return lerp(low, high, np.array([last * share for share in shares]) - lower)


def _linear(rows: AnyArray, shares: list[float], values_of: Callable[[AnyArray], Float64Array]) -> list[Float64Array]:
    """Between the two nearest of each row, which are sorted in place."""
    rows.sort(axis=-1)
    last = last_ranks(rows)
    found = []
    for place in (last * share for share in shares):
        lower = np.floor(place).astype(np.int64)
        low, high = (values_of(value_at(rows, each)) for each in (lower, np.minimum(lower + 1, last)))
        found.append(lerp(low, high, place - lower))
    return found


def _invert_rows(rows: Float64Array, weights: Float64Array, shares: list[float]) -> list[Float64Array]:
    """The first of the sorted values of each row at which the part of the weight is reached."""
    order = np.argsort(rows, axis=-1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=-1)
    held = np.take_along_axis(np.broadcast_to(weights, rows.shape), order, axis=-1)
    sums = np.cumsum(np.where(np.isnan(rows), 0.0, held), axis=-1)
    is_reached = ((sums >= share_needed(share) * sums[..., -1:]) & (sums > 0) for share in shares)
    return [value_at(rows, np.argmax(each, axis=-1)) for each in is_reached]


COUNTED_AT_ONCE = 1 << 18
"""Numbers; what numpy makes of them to count them takes eight times their size."""


def table_size(dtype: np.dtype[Any]) -> int | None:
    """Return how many numbers a type has, if it is one of integers whose numbers may be counted one by one."""
    return 256**dtype.itemsize if dtype.kind in "iu" and dtype.itemsize <= 2 else None


class NumberCounts:
    """Some times of one area; results are (time, 1).

    Args:
        numbers: (time, cell) of a type that is `table_size`.
        codes: (time, cell): 0 where there is a value.
        encoding: What the numbers mean.
        weights: Gives (cell,) what cells from one to before another count for; `None` of all the same.
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
        counts, held, whole = _count(numbers.view(unsigned), codes, every.size, weights)
        if (values[1:] < values[:-1]).any():
            order = np.argsort(values, kind="stable")
            values, counts, held = values[order], counts[:, order], None if held is None else held[:, order]
        self._values = values
        """(number,), ascending."""
        self._counts = counts
        """(time, number)."""
        self._is_weighted = held is not None
        self._weighted = counts.astype(np.float64) if held is None else held
        """(time, number): weights."""
        self.count = counts.sum(axis=1, keepdims=True)
        self.weight = self._weighted.sum(axis=1, keepdims=True)
        self.whole = np.array([whole])

    def count_code(self, code: int) -> Int64Array:
        """Return how many cells have a code."""
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
        """Return the least value, any where there is none."""
        least: Float64Array = self._values[np.argmax(self._counts > 0, axis=1)][:, None]
        return least

    def greatest(self) -> Float64Array:
        """Return the greatest value, any where there is none."""
        greatest: Float64Array = self._values[::-1][np.argmax(self._counts[:, ::-1] > 0, axis=1)][:, None]
        return greatest

    def histogram(self, edges: Float64Array) -> Float64Array:
        """Return (time, 1, bin) weights by bin; the last has its upper edge."""
        bins = edges.size - 1
        bin_of = bins_of(self._values, edges)
        is_own = (bin_of >= 0) & (bin_of < bins)
        found = np.zeros((bins, self._counts.shape[0]))
        np.add.at(found, bin_of[is_own], self._weighted.T[is_own])
        return found.T[:, None]

    def percentiles(self, percents: Sequence[float]) -> Float64Array:
        """Return (percent, time, 1) percentiles as `stats.percentiles` defines them; NaN where there is no value."""
        sums = np.cumsum(self._weighted, axis=1)
        find = self._invert_rows if self._is_weighted else self._linear
        found = np.array([find(sums, percent / 100) for percent in percents])
        found[:, self.count[:, 0] == 0] = np.nan
        return found[..., None]

    def _linear(self, sums: Float64Array, share: float) -> Float64Array:
        last = np.maximum(sums[:, -1] - 1, 0)
        place = last * share
        lower = np.floor(place).astype(np.int64)
        low, high = (
            self._values[np.minimum((sums <= each[:, None]).sum(axis=1), self._values.size - 1)]
            for each in (lower, np.minimum(lower + 1, last))
        )
        return lerp(low, high, place - lower)

    def _invert_rows(self, sums: Float64Array, share: float) -> Float64Array:
        is_reached = (sums >= share_needed(share) * sums[:, -1:]) & (sums > 0)
        found: Float64Array = self._values[np.argmax(is_reached, axis=1)]
        return found


def _count(
    numbers: NumberArray, codes: UInt8Array, bins: int, weights: Callable[[int, int], Float64Array] | None
) -> tuple[Int64Array, Float64Array | None, float]:
    """(time, number) counts of values, and their weights if they have some; and the weight of all cells."""
    times, cells = numbers.shape
    counts = np.zeros((times, bins + 1), dtype=np.int64)
    held = None if weights is None else np.zeros((times, bins + 1))
    whole = float(cells) if weights is None else 0.0
    across = min(cells, COUNTED_AT_ONCE)
    rows = max(1, COUNTED_AT_ONCE // across)
    for first in range(0, cells, across):
        part = slice(first, min(first + across, cells))
        weigh = None if weights is None else weights(part.start, part.stop)
        whole += 0.0 if weigh is None else float(weigh.sum())
        for row in range(0, times, rows):
            own = slice(row, min(row + rows, times))
            slots = numbers[own, part].astype(np.intp)
            slots[codes[own, part] != 0] = bins  # the slot of what is no value
            slots += np.arange(len(slots))[:, None] * (bins + 1)
            shape = (len(slots), bins + 1)
            counts[own] += np.bincount(slots.ravel(), minlength=shape[0] * shape[1]).reshape(shape)
            if held is not None and weigh is not None:
                spread = np.broadcast_to(weigh, slots.shape).ravel()
                held[own] += np.bincount(slots.ravel(), spread, shape[0] * shape[1]).reshape(shape)
    return counts[:, :-1], None if held is None else held[:, :-1], whole


ROUNDING = 1e-9
"""Of sums of weights, relative to all weight: half a weight and half but its rounding are the same percentile."""


def percentile_of_ordered(ordered: Float64Array, percent: float) -> Float64Array:
    """Return a percentile of each row (…, n) in ascending order with NaN last; NaN of a row without values.

    Interpolated linearly between values (Hyndman and Fan 1996, definition 7); 50 is the median.
    """
    last = last_ranks(ordered)
    return value_between(ordered, last * (percent / 100), last)


def last_ranks(ordered: Float64Array) -> Int64Array:
    """Return the rank, from 0, of the last value of each row (…, n) with NaN last; 0 of a row without values."""
    return np.asarray(np.maximum(np.count_nonzero(~np.isnan(ordered), axis=-1) - 1, 0))


def value_between(ordered: Float64Array, place: FloatArray, last: Int64Array) -> Float64Array:
    """Return the value of each row (…, n) at a place between two ranks (…)."""
    lower = np.floor(place).astype(np.int64)
    low, high = (value_at(ordered, each) for each in (lower, np.minimum(lower + 1, last)))
    return lerp(low, high, place - lower)


def lerp(low: Float64Array, high: Float64Array, part: FloatArray) -> Float64Array:
    """Return what lies a part of the way from one to the other, from the nearer end as numpy does."""
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))


def value_at(ordered: Float64Array, ranks: Int64Array) -> Float64Array:
    """Return the value of each row (…, n) at its rank (…); NaN where rows hold nothing."""
    if ordered.shape[-1] == 0:
        return np.full(ordered.shape[:-1], np.nan)
    return np.asarray(np.take_along_axis(ordered, ranks[..., None], axis=-1)[..., 0])


def share_needed(share: float) -> float:
    """Return the part of all weight that the least values must hold to reach a share, however sums are rounded.

    Without the allowance the median of two values of equal weight would be the one or the other by the order in which
    weights are added. The whole has none: the greatest value may weigh less than the allowance.
    """
    return share * (1 - ROUNDING) if share < 1 else 1.0


# Bins of histograms: where their edges are, and which value falls into which.
#
# A value that is a decimal, such as 300 * 0.001, may be a few last bits of a float64 away from the edge that is the
# same decimal. Both count as equal, so that the edges in a document are those that were counted.

SLACK = 1e-12
"""Of the greatest edge: how far below an edge a value still counts as the edge."""


def even_edges(low: float, high: float, bins: int) -> Float64Array:
    """Return (bin + 1,) edges of bins of one width, as documents tell them."""
    return np.array([strip_noise(edge) for edge in np.linspace(low, high, bins + 1).tolist()])


def bins_of(values: Float64Array, edges: Float64Array) -> IndexArray:
    """Return the bin of each value: -1 below the first edge, as many as there are bins above the last.

    Each bin has its lower edge, the last its upper one too.
    """
    slack = SLACK * np.abs(edges).max()
    found = np.searchsorted(edges - slack, values, side="right") - 1
    last = edges.size - 2
    found[(found > last) & (values <= edges[-1] + slack)] = last
    return found
