"""Percentiles of sorted rows, and of the cells of areas."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from chronotile.core.model.encoding import Encoding
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array, FloatArray, Int64Array, NumberArray


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
        """Return numbers that float32 stores exactly as float32, if the scale is positive; otherwise their values."""
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

    Without weights, the numbers are only partly sorted.
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
