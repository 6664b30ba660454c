"""Means of the values of many dates per period."""

from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from chronotile.core.model.series.analysis import Curves
from chronotile.core.model.series.directions import mean_of_sums, summands
from chronotile.core.model.time.periods import Period
from chronotile.core.model.types import Float64Array, IndexArray, InstantArray, Int64Array

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


# Acquisitions that are so close in time that they are one observation.

HOUR = 3_600_000_000_000
"""Nanoseconds, like all spans of this module."""
DAY = 24 * HOUR
SPANS = (*(hours * HOUR for hours in (24, 12, 8, 6, 4, 3, 2, 1)), *(minutes * HOUR // 60 for minutes in (30, 15, 5, 1)))
"""Possible durations of an observation: a day and its whole parts, longest first."""
LEAST_AGREEMENT = 0.5
"""Minimum agreement of times within a span: the length of their mean direction on a circle."""
MOST_ACQUISITIONS = 2.5
"""Maximum average number of acquisitions per observation; more are values of a finer series."""
MIDNIGHT_SHARE = 48
"""The last 1/48 of a span counts as midnight, because dates without a time of day have twins just before it."""


class Observations(NamedTuple):
    """The times of a series, grouped into observations."""

    times: InstantArray
    """(observation,): its day or part of a day, which does not depend on minutes between acquisitions."""
    firsts: IndexArray
    """(observation,): index of its first acquisition."""
    of_time: IndexArray
    """(time,): observation of each acquisition."""


def observations_of(times: InstantArray) -> Observations:
    """Return the observations of ascending times (time,).

    All acquisitions of a day are one observation. A day is the 24 hours around the usual time of day of the series, so
    a second acquisition some hours earlier or later does not change observations or their times. If the times have no
    common time of day, as in six-hourly series, the longest of the `SPANS` with a common time replaces the day.
    """
    even = _even(times.astype("datetime64[ns]").astype(np.int64))
    is_first = np.ones(times.size, dtype=bool)
    is_first[1:] = np.diff(even) > 0
    firsts = np.flatnonzero(is_first)
    return Observations(times=even[firsts].astype("datetime64[ns]"), firsts=firsts, of_time=np.cumsum(is_first) - 1)


def _even(nanoseconds: Int64Array) -> Int64Array:
    """Return the start of the span of each time; spans are the days since 1970, or parts of days."""
    if not nanoseconds.size:
        return nanoseconds
    for span in SPANS:
        middle, agreement = _middle(nanoseconds, span)
        even = (nanoseconds - middle + span // 2) // span * span
        if agreement >= LEAST_AGREEMENT and _are_observations(even):
            return even
    even = nanoseconds // DAY * DAY  # no common time of day: days of the calendar
    return even if _are_observations(even) else nanoseconds


def _are_observations(even: Int64Array) -> bool:
    return bool(even.size <= MOST_ACQUISITIONS * (1 + np.count_nonzero(np.diff(even))))


def _middle(nanoseconds: Int64Array, span: int) -> tuple[int, float]:
    """Return the median time within the span, and the agreement of all times with it, from 0 to 1.

    The median around the mean direction does not move if some times have twins. It is negative just before a span.
    """
    mean = complex(np.exp(2j * np.pi * (nanoseconds % span) / span).mean())
    centre = round(float(np.angle(mean)) / (2 * np.pi) * span)
    apart = np.sort((nanoseconds - centre + span // 2) % span - span // 2)
    middle = centre + int(apart[apart.size // 2])
    margin = span // MIDNIGHT_SHARE
    return (middle + margin) % span - margin, abs(mean)


def merge_twins(curves: Curves, observations: Observations) -> Curves:
    """Return one value per observation: the mean of the values of its acquisitions, NaN without any."""
    if observations.times.size == curves.times.size:
        return Curves(times=observations.times, values=curves.values)
    valid = np.isfinite(curves.values)
    sums, counts = (
        np.add.reduceat(summed, observations.firsts, axis=1)
        for summed in (np.where(valid, curves.values, 0.0), valid.astype(np.int64))
    )
    means: Float64Array = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return Curves(times=observations.times, values=means)
