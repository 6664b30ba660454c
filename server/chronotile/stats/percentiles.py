"""Percentiles of the values of many areas at many times."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import BoolArray, Encoding, Numbers
from chronotile.stats.ranks import last_ranks, lerp, share_needed, value_at

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Sortable:
    """Numbers in the order of their values, NaN where there is none, which take less than values."""

    numbers: NDArray[Any]
    """(time, cell) floats."""
    values_of: Callable[[NDArray[Any]], FloatArray]

    @classmethod
    def of(cls, numbers: Numbers, valid: BoolArray, values: FloatArray, encoding: Encoding) -> "Sortable":
        """Return numbers that 32 bits hold as such floats, others as the values that they stand for."""
        is_small = numbers.dtype == np.float32 or (numbers.dtype.kind in "iu" and numbers.dtype.itemsize <= 2)
        if encoding.scale > 0 and is_small:
            return cls(
                numbers=np.where(valid, numbers.astype(np.float32), np.float32("nan")), values_of=encoding.values
            )
        return cls(numbers=np.where(valid, values, np.nan), values_of=np.asarray)


def percentiles(
    sortable: Sortable, bounds: IntArray, percents: Sequence[float], *, weights: FloatArray | None = None
) -> FloatArray:
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
            found[:, :, areas] = sortable.values_of(np.array(_inverted(rows, own, shares)))
    return found


def percentiles_of_many(
    numbers: Numbers,
    valid: BoolArray,
    encoding: Encoding,
    percents: Sequence[float],
    *,
    weights: FloatArray | None = None,
) -> FloatArray:
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


def _linear(
    rows: NDArray[Any], shares: list[float], values_of: Callable[[NDArray[Any]], FloatArray]
) -> list[FloatArray]:
    """Between the two nearest of each row, which are sorted in place."""
    rows.sort(axis=-1)
    last = last_ranks(rows)
    found = []
    for place in (last * share for share in shares):
        lower = np.floor(place).astype(np.int64)
        low, high = (values_of(value_at(rows, each)) for each in (lower, np.minimum(lower + 1, last)))
        found.append(lerp(low, high, place - lower))
    return found


def _inverted(rows: FloatArray, weights: FloatArray, shares: list[float]) -> list[FloatArray]:
    """The first of the sorted values of each row at which the part of the weight is reached."""
    order = np.argsort(rows, axis=-1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=-1)
    held = np.take_along_axis(np.broadcast_to(weights, rows.shape), order, axis=-1)
    sums = np.cumsum(np.where(np.isnan(rows), 0.0, held), axis=-1)
    is_reached = ((sums >= share_needed(share) * sums[..., -1:]) & (sums > 0) for share in shares)
    return [value_at(rows, np.argmax(each, axis=-1)) for each in is_reached]
