"""Series with gaps: straight lines across gaps, and groups of series with the same extent."""

from collections.abc import Iterator

import numpy as np

from chronotile.core.model.series.analysis import Curves
from chronotile.core.model.types import Float64Array, IndexArray


def fill_linear(curves: Curves) -> Float64Array:
    """Return (series, time): the values, and in gaps the straight line between their neighbours.

    NaN remains before the first and after the last value.
    """
    filled = curves.values.copy()
    days = days_of(curves)
    for row, valid in zip(filled, np.isfinite(curves.values), strict=True):
        gaps = ~valid
        if gaps.any() and valid.any():
            row[gaps] = np.interp(days[gaps], days[valid], row[valid], left=np.nan, right=np.nan)
    return filled


def days_of(curves: Curves) -> Float64Array:
    """Return (time,) days since the first time."""
    return (curves.times - curves.times[:1]).astype("timedelta64[ns]").astype(np.int64) / 86_400e9


def reaches(values: Float64Array) -> Iterator[tuple[IndexArray, slice]]:
    """Yield groups of series (n,) whose first and last values are at the same times, with the slice of these times.

    Computations along time can then handle many series in one call. Series without a value are skipped.
    """
    valid = np.isfinite(values)
    first = valid.argmax(axis=1) if valid.size else np.zeros(len(values), dtype=np.intp)
    last = values.shape[1] - 1 - valid[:, ::-1].argmax(axis=1) if valid.size else first
    has_value = valid.any(axis=1)
    for low, high in np.unique(np.stack([first[has_value], last[has_value]], axis=1), axis=0):
        rows = np.flatnonzero(has_value & (first == low) & (last == high))
        yield rows, slice(int(low), int(high) + 1)
