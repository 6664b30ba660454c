"""Values of many dates to one a period."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.model.analysis import Curves, IntArray
from chronotile.model.time import InstantArray, Period


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PeriodMeans:
    """Means of the values of each period."""

    curves: Curves
    """At the starts of the periods that hold a time; NaN in those without a value."""
    counts: IntArray
    """(series, period): values."""
    period_of: NDArray[np.intp]
    """(time,): the index of each time's period."""


def period_means(curves: Curves, period: Period) -> PeriodMeans:
    """Return the mean of the values of each period, all values alike; periods without a time are left out."""
    starts, period_of = np.unique(period_starts(curves.times, period), return_inverse=True)
    bounds = np.searchsorted(period_of, np.arange(starts.size))
    valid = np.isfinite(curves.values)
    if starts.size == 0:
        return PeriodMeans(curves=curves, counts=valid.astype(np.int64), period_of=period_of)
    counts = np.add.reduceat(valid, bounds, axis=1, dtype=np.int64)
    sums = np.add.reduceat(np.where(valid, curves.values, 0.0), bounds, axis=1)
    means = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return PeriodMeans(curves=Curves(times=starts, values=means), counts=counts, period_of=period_of)


def period_starts(times: InstantArray, period: Period) -> InstantArray:
    """Return the start of the period that holds each of the times (time,).

    Months and years are counted from the beginning of the calendar, so `P3M` are quarters and `P10Y` decades; dekads
    begin on days 1, 11 and 21; all others on 1 January of each year anew, the last of a year being cut short, as in
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
