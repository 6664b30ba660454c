"""Values of many dates to one a period."""

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from chronotile.model.series.analysis import Curves, IntArray
from chronotile.model.time.instants import InstantArray, Period

Number = TypeVar("Number", np.float64, np.int64)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Periods:
    """The periods that hold a time of a series."""

    starts: InstantArray
    """(period,), ascending."""
    bounds: NDArray[np.intp]
    """(period,): the index of the first time of each."""


def periods_of(times: InstantArray, period: Period) -> Periods:
    """Return the periods that hold ascending times (time,); periods without a time are left out."""
    starts, bounds = np.unique(period_starts(times, period), return_index=True)
    return Periods(starts=starts, bounds=bounds)


def period_means(curves: Curves, periods: Periods) -> tuple[Curves, IntArray]:
    """Return the mean of the values of each period, NaN without any, and their counts (series, period)."""
    valid = np.isfinite(curves.values)
    counts = period_sums(valid.astype(np.int64).T, periods).T
    sums = period_sums(np.where(valid, curves.values, 0.0).T, periods).T
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return Curves(times=periods.starts, values=means), counts


def period_sums(values: NDArray[Number], periods: Periods) -> NDArray[Number]:
    """Return the sums of values (time, …) over each period, (period, …)."""
    if periods.starts.size == 0:
        return values[:0]
    return np.asarray(np.add.reduceat(values, periods.bounds, axis=0))


def period_counts(times: InstantArray, periods: Periods) -> IntArray:
    """Return how many of the times (time,) each period holds, (period,)."""
    return period_sums(np.ones(times.size, dtype=np.int64), periods)


def period_starts(times: InstantArray, period: Period) -> InstantArray:
    """Return the start of the period that holds each of the times (time,).

    Months and years are counted from the beginning of the calendar, so `P3M` are quarters and `P10Y` decades; dekads
    begin on days 1, 11 and 21; all others on 1 January of each year again, the last of a year being cut short, as in
    composites of 8 and 16 days.
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
