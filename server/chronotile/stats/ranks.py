"""Medians and percentiles of rows in order, with gaps."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


def percentile_of_ordered(ordered: FloatArray, percent: float) -> FloatArray:
    """Return a percentile of each row (…, n) in ascending order with NaN last; NaN of a row without values.

    Interpolated linearly between values (Hyndman and Fan 1996, definition 7); 50 is the median.
    """
    last = last_ranks(ordered)
    return value_between(ordered, np.asarray(last * (percent / 100), dtype=np.float64), last)


def last_ranks(ordered: FloatArray) -> IntArray:
    """Return the rank, from 0, of the last value of each row (…, n) with NaN last; 0 of a row without values."""
    return np.asarray(np.maximum(np.count_nonzero(~np.isnan(ordered), axis=-1) - 1, 0))


def value_between(ordered: FloatArray, place: FloatArray, last: IntArray) -> FloatArray:
    """Return the value of each row (…, n) at a place between two ranks (…)."""
    lower = np.floor(place).astype(np.int64)
    low, high = (value_at(ordered, each) for each in (lower, np.minimum(lower + 1, last)))
    part = place - lower
    # As numpy does, from the nearer end: the result never leaves what lies between.
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))


def value_at(ordered: FloatArray, ranks: IntArray) -> FloatArray:
    """Return the value of each row (…, n) at its rank (…); NaN where rows hold nothing."""
    if ordered.shape[-1] == 0:
        return np.full(ordered.shape[:-1], np.nan)
    return np.asarray(np.take_along_axis(ordered, ranks[..., None], axis=-1)[..., 0])
