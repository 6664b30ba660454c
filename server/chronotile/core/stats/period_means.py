"""Means of the values of many dates per period."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from chronotile.core.model.series.analysis import Curves
from chronotile.core.model.series.directions import mean_of_sums, summands
from chronotile.core.model.time.periods import Period
from chronotile.core.model.types import IndexArray, InstantArray, Int64Array

Number = TypeVar("Number", np.float64, np.int64, np.complex128)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Periods:
    """Periods that contain a time of a series."""

    starts: InstantArray
    """(period,), ascending."""
    bounds: IndexArray
    """(period,): index of its first time."""


def periods_of(times: InstantArray, period: Period) -> Periods:
    """Return the periods that contain ascending times (time,); empty periods are skipped."""
    starts, bounds = np.unique(period_starts(times, period), return_index=True)
    return Periods(starts=starts, bounds=bounds)


def period_means(curves: Curves, periods: Periods) -> tuple[Curves, Int64Array]:
    """Return the mean of the values per period, NaN without any, and their number (series, period).

    Means of directions are circular.
    """
    valid = np.isfinite(curves.values)
    counts = period_sums(valid.astype(np.int64).T, periods).T
    sums = period_sums(np.where(valid, summands(curves.values, curves.circle), 0.0).T, periods).T
    is_signed = period_sums((curves.values < 0).astype(np.int64).T, periods).T > 0
    means = mean_of_sums(sums, counts, curves.circle, is_signed)
    return Curves(times=periods.starts, values=means, circle=curves.circle), counts


def period_sums(values: NDArray[Number], periods: Periods) -> NDArray[Number]:
    """Return the sums of values (time, …) per period, (period, …)."""
    if periods.starts.size == 0:
        return values[:0]
    return np.asarray(np.add.reduceat(values, periods.bounds, axis=0))


def period_counts(times: InstantArray, periods: Periods) -> Int64Array:
    """Return (period,) number of times in each period."""
    return period_sums(np.ones(times.size, dtype=np.int64), periods)


def period_starts(times: InstantArray, period: Period) -> InstantArray:
    """Return the start of the period of each time, (time,).

    Months and years are counted from the start of the calendar, so `P3M` are quarters and `P10Y` decades. Dekads start
    on days 1, 11 and 21. Other periods restart on 1 January, and the last period of a year is shorter, as in composites
    of 8 and 16 days.
    """
    if period.is_dekad:
        months = times.astype("datetime64[M]")
        days = (times.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
        dekad_days = (np.minimum(days // 10, 2) * 10).astype("timedelta64[D]")
        return np.asarray((months.astype("datetime64[D]") + dekad_days).astype("datetime64[ns]"))
    if period.months:
        numbers = times.astype("datetime64[M]").astype(np.int64) + 1970 * 12
        firsts = numbers // period.months * period.months - 1970 * 12
        return firsts.astype("datetime64[M]").astype("datetime64[ns]")
    years = times.astype("datetime64[Y]").astype("datetime64[ns]")
    return np.asarray(times - (times - years) % period.fixed)
