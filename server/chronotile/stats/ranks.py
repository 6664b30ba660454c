"""Medians and percentiles of rows in order, with gaps."""

import numpy as np

from chronotile.model.analysis import FloatArray, IntArray


def percentile_of_ordered(ordered: FloatArray, percent: float) -> FloatArray:
    """Return a percentile of each row (row, n) in ascending order with NaN last; NaN of a row without values.

    Interpolated linearly between values (Hyndman and Fan 1996, definition 7); 50 is the median.
    """
    counts = np.isfinite(ordered).sum(axis=1)
    position = np.maximum(counts - 1, 0) * (percent / 100)
    lower = np.floor(position).astype(np.int64)
    low = at_ranks(ordered, lower)
    high = at_ranks(ordered, np.minimum(lower + 1, np.maximum(counts - 1, 0)))
    found: FloatArray = low + (high - low) * (position - lower)
    return found


def at_ranks(ordered: FloatArray, ranks: IntArray) -> FloatArray:
    """Return the value at its rank, from 0, of each row (row, n); NaN where rows hold nothing."""
    if ordered.shape[1] == 0:
        return np.full(len(ordered), np.nan)
    return np.take_along_axis(ordered, ranks[:, np.newaxis], axis=1)[:, 0]
