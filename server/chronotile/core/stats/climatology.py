"""Usual values for times of the year, and anomalies.

World Meteorological Organization (2017): Guidelines on the calculation of climate normals (WMO-No. 1203); for values
per day, taken over eleven days, Hobday, A. J. et al. (2016): A hierarchical approach to defining marine heatwaves.
Progress in Oceanography 141, 227-238.
"""

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from chronotile.core.model.series.analysis import AnomalyKind, Climatology, Curves, Normals, SlotKind
from chronotile.core.model.series.directions import mean_of_sums, shortest, summands
from chronotile.core.model.time.instants import format_instant
from chronotile.core.model.types import BoolArray, Float64Array, IndexArray, InstantArray, Int64Array
from chronotile.core.stats.observations import observations_of
from chronotile.core.stats.percentiles import percentile_of_ordered

SLOT_COUNTS: dict[SlotKind, int] = {"day": 365, "dekad": 36, "month": 12}
HALF_WINDOW_DAYS = 5
"""A day has the values of the eleven days around it, because one day has at most one value per year."""
MONTHLY = np.timedelta64(28, "D")


def slot_kind(times: InstantArray, requested: SlotKind | None) -> SlotKind:
    """Return the requested slots of a year; by default months if values are at least four weeks apart, else dekads.

    Dekads have ten times the values of days, so that ten years are enough for a mean and a deviation, and they still
    follow a season.
    """
    if requested is not None:
        return requested
    observed = observations_of(times).times
    return "month" if observed.size > 1 and np.median(np.diff(observed)) >= MONTHLY else "dekad"


def slot_numbers(times: InstantArray, by: SlotKind) -> Int64Array:
    """Return (time,) slots of the year, from 0; 29 February counts as the 28th."""
    months = times.astype("datetime64[M]")
    month = months.astype(np.int64) % 12
    day = (times.astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    if by == "month":
        return np.asarray(month)
    if by == "dekad":
        return np.asarray(month * 3 + np.minimum(day // 10, 2))
    lengths = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
    before: Int64Array = np.append(0, np.cumsum(lengths)[:-1])[month]
    return np.asarray(before + np.minimum(day, lengths[month] - 1))


def slot_names(by: SlotKind) -> tuple[str, ...]:
    """Return the first month and day of each slot, `MM-DD`."""
    if by == "month":
        return tuple(f"{month:02}-01" for month in range(1, 13))
    if by == "dekad":
        return tuple(f"{month:02}-{day:02}" for month in range(1, 13) for day in (1, 11, 21))
    days = np.arange(np.datetime64("2001-01-01"), np.datetime64("2002-01-01"))
    return tuple(str(day)[5:] for day in days)


def find_normals(reference: Curves, times: InstantArray, how: Climatology) -> Normals:
    """Return the mean or percentile of the reference per slot, and the same at the slots of `times`.

    Percentiles are interpolated linearly between the values (Hyndman and Fan 1996, definition 7).
    """
    by = slot_kind(times, how.by)
    percent = how.reducer.percent
    means = partial(_means, circle=reference.circle)
    values = _reduce_slots(reference, by, means if percent is None else partial(_percentiles, percent=percent))
    return Normals(
        by=by,
        slots=slot_names(by),
        reference=_ends(reference.times),
        values=values,
        counts=np.nan_to_num(_reduce_slots(reference, by, _counts)).astype(np.int64),
        at_times=values[:, slot_numbers(times, by)],
    )


def find_anomalies(curves: Curves, reference: Curves, normals: Normals, kind: AnomalyKind) -> Float64Array:
    """Return the anomalies of values relative to the same slot of the reference, (series, time).

    Args:
        curves: The values.
        reference: The values of the reference.
        normals: Usual values of the reference; means if `kind` is `z`.
        kind: `abs`: the difference in units of the values; of directions the shorter way round. `z`: the difference
            divided by the sample standard deviation (ddof 1) of the slot, NaN without two different values.
            `percentile`: the percentage of smaller values in the slot; equal values count half.
    """
    if kind == "abs":
        return shortest(curves.values - normals.at_times, curves.circle)
    if kind == "percentile":
        return _ranks(curves, reference, normals.by)
    numbers = slot_numbers(curves.times, normals.by)
    deviations = _reduce_slots(reference, normals.by, _deviations)[:, numbers]
    is_defined = deviates(deviations, normals.at_times)
    anomalies = np.full(curves.values.shape, np.nan)
    return np.asarray(np.divide(curves.values - normals.at_times, deviations, out=anomalies, where=is_defined))


def deviates(deviations: Float64Array, means: Float64Array) -> BoolArray:
    """Return whether values differ; the deviation of equal values is only rounding."""
    return np.asarray(deviations > 1e-12 * np.maximum(np.abs(means), np.finfo(np.float64).tiny))


def rank_count(times: InstantArray, reference: InstantArray, by: SlotKind) -> int:
    """Return the number of comparisons per series for anomalies in percent."""
    counts = np.bincount(slot_numbers(times, by), minlength=SLOT_COUNTS[by])
    return sum(int(counts[slot]) * members.size for slot, members in _members(reference, by))


def fill_from_normals(curves: Curves, normals: Normals) -> Float64Array:
    """Return (series, time): the values, and in gaps the usual value of the slot."""
    return np.asarray(np.where(np.isfinite(curves.values), curves.values, normals.at_times))


def _reduce_slots(reference: Curves, by: SlotKind, reduce: Callable[[Float64Array], Float64Array]) -> Float64Array:
    """Return (series, slot): the values (series, n) of each slot reduced by a function; NaN for empty slots."""
    values = np.full((len(reference.values), SLOT_COUNTS[by]), np.nan)
    for slot, members in _members(reference.times, by):
        values[:, slot] = reduce(reference.values[:, members])
    return values


def _counts(values: Float64Array) -> Float64Array:
    return np.asarray(np.isfinite(values).sum(axis=1), dtype=np.float64)


def _means(values: Float64Array, circle: float | None = None) -> Float64Array:
    total = np.nansum(summands(values, circle), axis=1)
    return mean_of_sums(total, _counts(values), circle, np.any(values < 0, axis=1))


def _deviations(values: Float64Array) -> Float64Array:
    """Return sample standard deviations (ddof 1)."""
    freedom = _counts(values) - 1
    squares = np.nansum((values - _means(values)[:, np.newaxis]) ** 2, axis=1)
    return np.asarray(np.sqrt(np.divide(squares, freedom, out=np.full(freedom.shape, np.nan), where=freedom > 0)))


def _percentiles(values: Float64Array, *, percent: float) -> Float64Array:
    return percentile_of_ordered(np.sort(values, axis=1), percent)


def _members(times: InstantArray, by: SlotKind) -> Iterator[tuple[int, IndexArray]]:
    """Yield the slots with times, and the indexes of these times."""
    numbers, count = slot_numbers(times, by), SLOT_COUNTS[by]
    reach = HALF_WINDOW_DAYS if by == "day" else 0
    for slot in range(count):
        apart = np.abs(numbers - slot)
        members = np.flatnonzero(np.minimum(apart, count - apart) <= reach)
        if members.size:
            yield slot, members


def _ranks(curves: Curves, reference: Curves, by: SlotKind) -> Float64Array:
    ranks = np.full(curves.values.shape, np.nan)
    numbers = slot_numbers(curves.times, by)
    for slot, members in _members(reference.times, by):
        usual = reference.values[:, members]
        counts = np.isfinite(usual).sum(axis=1)
        for index in np.flatnonzero(numbers == slot):
            value = curves.values[:, index, np.newaxis]
            below = (usual < value).sum(axis=1) + 0.5 * (usual == value).sum(axis=1)
            is_defined = (counts > 0) & np.isfinite(value[:, 0])
            np.divide(100 * below, counts, out=ranks[:, index], where=is_defined)
    return ranks


def _ends(times: InstantArray) -> tuple[str, str] | None:
    return (format_instant(times[0]), format_instant(times[-1])) if times.size else None
