"""Percentiles of the values of many areas at many times."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from chronotile.model.raster import BoolArray, Encoding, Numbers
from chronotile.stats.ranks import last_ranks, lerp, value_at, value_between

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def percentiles(
    values: FloatArray, bounds: IntArray, percents: Sequence[float], *, weights: FloatArray | None = None
) -> FloatArray:
    """Return (percent, time, area) percentiles, NaN where there is no value.

    Without weights numpy's linear method (Hyndman and Fan 1996, definition 7); with weights its `inverted_cdf`
    (definition 1): the least value that holds, with all smaller ones, at least that part of the weight.

    Args:
        values: (time, cell), NaN where there is none.
        bounds: (area + 1,): cells of area `k` stand from `bounds[k]` to `bounds[k + 1]`, at least one each.
        percents: 0 to 100.
        weights: (cell,).
    """
    lengths = np.diff(bounds)
    found = np.full((len(percents), values.shape[0], lengths.size), np.nan)
    shares = [percent / 100 for percent in percents]
    # Areas of about one size are sorted together, as rows that are filled up with NaN, which sorts last.
    sizes = np.ceil(np.log2(lengths) * 2).astype(np.int64)
    for size in np.unique(sizes):
        areas = np.flatnonzero(sizes == size)
        places = bounds[areas, None] + np.arange(lengths[areas].max())
        is_own = places < bounds[areas + 1, None]
        rows = np.where(is_own, values[:, np.where(is_own, places, 0)], np.nan)
        if weights is None:
            found[:, :, areas] = _linear(rows, shares)
        else:
            found[:, :, areas] = _inverted(rows, np.where(is_own, weights[np.where(is_own, places, 0)], 0), shares)
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
        places = [np.searchsorted(sums, share * sums[-1]) for share in shares]
        return values[order][np.minimum(places, values.size - 1)]
    # Numbers take less than values, but only a positive scale keeps their order.
    held = numbers[valid] if encoding.scale > 0 else encoding.values(numbers[valid])
    last = held.size - 1
    lower = [int(last * share) for share in shares]
    upper = [min(place + 1, last) for place in lower]
    held.partition(sorted({*lower, *upper}))
    low, high = (encoding.values(held[each]) if encoding.scale > 0 else held[each] for each in (lower, upper))
    return lerp(low, high, np.array([last * share for share in shares]) - lower)


def _linear(rows: FloatArray, shares: list[float]) -> list[FloatArray]:
    """Between the two nearest of the values of each row, which are sorted in place."""
    rows.sort(axis=-1)
    last = last_ranks(rows)
    return [value_between(rows, last * share, last) for share in shares]


def _inverted(rows: FloatArray, weights: FloatArray, shares: list[float]) -> list[FloatArray]:
    """The first of the sorted values of each row at which the part of the weight is reached."""
    order = np.argsort(rows, axis=-1, kind="stable")
    rows = np.take_along_axis(rows, order, axis=-1)
    held = np.take_along_axis(np.broadcast_to(weights, rows.shape), order, axis=-1)
    sums = np.cumsum(np.where(np.isnan(rows), 0.0, held), axis=-1)
    return [value_at(rows, np.argmax((sums >= share * sums[..., -1:]) & (sums > 0), axis=-1)) for share in shares]
