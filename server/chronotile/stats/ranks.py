"""Medians and percentiles of rows in order, with gaps."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ROUNDING = 1e-9
"""Of sums of weights, relative to all weight: half a weight and half but its rounding are the same percentile."""


def percentile_of_ordered(ordered: FloatArray, percent: float) -> FloatArray:
    """Return a percentile of each row (…, n) in ascending order with NaN last; NaN of a row without values.

    Interpolated linearly between values (Hyndman and Fan 1996, definition 7); 50 is the median.
    """
    last = last_ranks(ordered)
    return value_between(ordered, last * (percent / 100), last)


def last_ranks(ordered: FloatArray) -> IntArray:
    """Return the rank, from 0, of the last value of each row (…, n) with NaN last; 0 of a row without values."""
    return np.asarray(np.maximum(np.count_nonzero(~np.isnan(ordered), axis=-1) - 1, 0))


def value_between(ordered: FloatArray, place: NDArray[np.floating[Any]], last: IntArray) -> FloatArray:
    """Return the value of each row (…, n) at a place between two ranks (…)."""
    lower = np.floor(place).astype(np.int64)
    low, high = (value_at(ordered, each) for each in (lower, np.minimum(lower + 1, last)))
    return lerp(low, high, place - lower)


def lerp(low: FloatArray, high: FloatArray, part: NDArray[np.floating[Any]]) -> FloatArray:
    """Return what lies a part of the way from one to the other, from the nearer end as numpy does."""
    return np.where(part < 0.5, low + (high - low) * part, high - (high - low) * (1 - part))


def value_at(ordered: FloatArray, ranks: IntArray) -> FloatArray:
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
