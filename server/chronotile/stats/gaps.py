"""Gaps in series filled from the values around them."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from chronotile.model.series.analysis import Curves, FloatArray


def fill_linear(curves: Curves) -> FloatArray:
    """Return (series, time): values as they are, and in gaps those of the straight line between their neighbours.

    Before the first and after the last value NaN stays: there is no second neighbour.
    """
    filled = curves.values.copy()
    days = days_of(curves)
    for row, valid in zip(filled, np.isfinite(curves.values), strict=True):
        gaps = ~valid
        if gaps.any() and valid.any():
            row[gaps] = np.interp(days[gaps], days[valid], row[valid], left=np.nan, right=np.nan)
    return filled


def days_of(curves: Curves) -> FloatArray:
    """Return the times as days since the first one, (time,)."""
    elapsed: FloatArray = (curves.times - curves.times[:1]).astype("timedelta64[ns]").astype(np.int64) / 86_400e9
    return elapsed


def reaches(values: FloatArray) -> Iterator[tuple[NDArray[np.intp], slice]]:
    """Return which series (n,) have their first and last value at the same two times, and the slice of those times.

    Series without a value are left out. What is computed along time can so be computed for many series at once.
    """
    valid = np.isfinite(values)
    first = valid.argmax(axis=1) if valid.size else np.zeros(len(values), dtype=np.intp)
    last = values.shape[1] - 1 - valid[:, ::-1].argmax(axis=1) if valid.size else first
    known = valid.any(axis=1)
    for low, high in np.unique(np.stack([first[known], last[known]], axis=1), axis=0):
        rows = np.flatnonzero(known & (first == low) & (last == high))
        yield rows, slice(int(low), int(high) + 1)
