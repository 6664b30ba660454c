"""Observations: acquisitions that are so close in time that they count as one."""

from typing import NamedTuple

import numpy as np

from chronotile.core.model.series.analysis import Curves
from chronotile.core.model.types import Float64Array, IndexArray, InstantArray, Int64Array

HOUR = 3_600_000_000_000
"""Nanoseconds, like all spans of this module."""

DAY = 24 * HOUR

SPANS = (*(hours * HOUR for hours in (24, 12, 8, 6, 4, 3, 2, 1)), *(minutes * HOUR // 60 for minutes in (30, 15, 5, 1)))
"""Possible durations of an observation: a day and its whole parts, longest first."""

MIN_AGREEMENT = 0.5
"""Minimum agreement of the times of a span: mean of their directions on a circle of one span, as a length up to 1."""

MAX_ACQUISITIONS = 2.5
"""Maximum average number of acquisitions per observation; more are values of a finer series."""

MIDNIGHT_SHARE = 48
"""The last 1/48 of a span counts as midnight, because dates without a time of day have twins just before it."""


class Observations(NamedTuple):
    """The times of a series, grouped into observations."""

    times: InstantArray
    """(observation,): its day or part of a day, which does not depend on minutes between acquisitions."""
    firsts: IndexArray
    """(observation,): index of its first time."""
    of_time: IndexArray
    """(time,): index of the observation of this acquisition."""


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
        if agreement >= MIN_AGREEMENT and _are_observations(even):
            return even
    even = nanoseconds // DAY * DAY  # without a common time of day: calendar days
    return even if _are_observations(even) else nanoseconds


def _are_observations(even: Int64Array) -> bool:
    return bool(even.size <= MAX_ACQUISITIONS * (1 + np.count_nonzero(np.diff(even))))


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
