"""Acquisitions that lie so near in time that they are one observation."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from chronotile.model.analysis import Curves, FloatArray
from chronotile.model.time import InstantArray

TWIN_HOURS = 12
"""What follows the first acquisition of an observation by less is part of it: overlapping datastrips, a second pass."""


class Observations(NamedTuple):
    """The times of a series, each acquisition given to an observation."""

    times: InstantArray
    """(observation,): of the first acquisition of each."""
    firsts: NDArray[np.intp]
    """(observation,): index of the first acquisition of each."""
    of_time: NDArray[np.intp]
    """(time,): the observation that each acquisition is part of."""


def observations_of(times: InstantArray) -> Observations:
    """Return which of the ascending times (time,) are one observation.

    One begins with each acquisition that is `TWIN_HOURS` or more after the beginning of the one before. Where times are
    nearer than that throughout, half of their mean spacing decides, so that hourly values stay hourly values.
    """
    nanoseconds = times.astype("datetime64[ns]").astype(np.int64)
    within = TWIN_HOURS * 3_600_000_000_000
    if times.size > 1:
        within = min(within, int(nanoseconds[-1] - nanoseconds[0]) // (2 * (times.size - 1)))
    is_first = np.ones(times.size, dtype=bool)
    if times.size > 1 and np.diff(nanoseconds).min() < within:
        begin = nanoseconds[0]
        for index, moment in enumerate(nanoseconds[1:].tolist(), 1):
            is_first[index] = moment - begin >= within
            if is_first[index]:
                begin = moment
    firsts = np.flatnonzero(is_first)
    return Observations(times=times[firsts], firsts=firsts, of_time=np.cumsum(is_first) - 1)


def merge_twins(curves: Curves, observations: Observations) -> Curves:
    """Return one value an observation: the mean of its acquisitions that have one, NaN where none has."""
    if observations.times.size == curves.times.size:
        return curves
    valid = np.isfinite(curves.values)
    sums, counts = (
        np.add.reduceat(each, observations.firsts, axis=1)
        for each in (np.where(valid, curves.values, 0.0), valid.astype(np.int64))
    )
    means: FloatArray = np.divide(sums, counts, out=np.full(sums.shape, np.nan), where=counts > 0)
    return Curves(times=observations.times, values=means)
