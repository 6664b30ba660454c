"""Slices of several files are named as if they were in one."""

import numpy as np
import pytest

from chronotile.core.model.time.domain import TimeDomain, domain_of_instants
from chronotile.readers.cf.time import join_times, name_slices, naming_of

DAY = np.timedelta64(1, "D")
START = np.datetime64("2020-01-01", "ns")


def months(count: int) -> tuple[np.ndarray, np.ndarray]:
    edges = (np.datetime64("2020-01", "M") + np.arange(count + 1) * np.timedelta64(1, "M")).astype("datetime64[ns]")
    return edges[:-1] + 14 * DAY, np.stack([edges[:-1], edges[1:]], axis=1)


def means(count: int) -> tuple[np.ndarray, np.ndarray]:
    middles = START + np.arange(count) * DAY + np.timedelta64(12, "h")
    return middles, np.stack([middles - 15 * DAY, middles + 15 * DAY], axis=1)


def sums_to_date(count: int) -> tuple[np.ndarray, np.ndarray]:
    ends = START + np.arange(1, count + 1) * 10 * DAY
    return ends, np.stack([np.full(count, START), ends], axis=1)


def means_ahead(count: int) -> tuple[np.ndarray, np.ndarray]:
    starts = START + np.arange(count) * DAY
    return starts, np.stack([starts, starts + 10 * DAY], axis=1)


def hours_to_date(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of intervals, and the intervals from the start; only the last one is a whole day."""
    ends = START + np.arange(1, count + 1) * np.timedelta64(24, "h") // count
    return ends, np.stack([np.full(count, START), ends], axis=1)


def file_of(instants: np.ndarray, bounds: np.ndarray) -> TimeDomain:
    return name_slices(naming_of(instants, bounds), instants, bounds).domain


@pytest.mark.parametrize("made", [months, means, sums_to_date, means_ahead, hours_to_date])
@pytest.mark.parametrize("seed", range(5))
def test_slices_have_the_same_names_in_any_split_into_files(made, seed):
    instants, bounds = made(12)
    whole = file_of(instants, bounds)
    random = np.random.default_rng(seed)
    order = random.permutation(12)
    parts = np.split(order, np.sort(random.choice(np.arange(1, 12), size=seed * 2 + 3, replace=False)))

    joined = join_times([file_of(instants[part], bounds[part]) for part in parts])

    assert joined.domain.starts.tolist() == whole.starts.tolist()
    assert joined.domain.ends.tolist() == whole.ends.tolist()
    assert joined.domain.periods.tolist() == whole.periods.tolist()
    assert (joined.domain.bounds is None) == (whole.bounds is None)
    assert joined.repeated == ()


def test_slice_of_each_time_is_named():
    instants, bounds = sums_to_date(3)
    files = [file_of(instants[[2]], bounds[[2]]), file_of(instants[:2], bounds[:2])]

    assert join_times(files).slices == ((1, 0), (1, 1), (0, 0))


def test_of_equal_slices_the_first_counts():
    instants, bounds = means(3)
    files = [file_of(instants[[number]], bounds[[number]]) for number in (0, 1, 0, 2)]

    joined = join_times(files)

    assert joined.slices == ((0, 0), (1, 0), (3, 0))
    assert joined.repeated == (((2, 0), (0, 0)),)


def test_file_with_bounds_that_are_no_periods_is_reported():
    instants, bounds = months(3)
    bounds[1] += 90 * DAY

    joined = join_times([file_of(instants[[number]], bounds[[number]]) for number in range(3)])

    assert joined.domain.starts.tolist() == instants.tolist()
    assert joined.unlike == 1


def test_midnights_among_hours_are_instants_but_days_with_bounds_stay_days():
    days = START + np.arange(2) * DAY
    bounded = file_of(days, np.stack([days, days + DAY], axis=1))
    plain = domain_of_instants(np.array([START + 3 * DAY]))
    hour = domain_of_instants(np.array([START + 4 * DAY + np.timedelta64(6, "h")]))

    lengths = join_times([bounded, plain, hour]).domain

    assert ((lengths.ends - lengths.starts) / np.timedelta64(1, "ns")).tolist() == [864e11, 864e11, 1, 1]


def test_part_of_times_has_their_stated_times_and_bounds():
    instants, bounds = means(4)

    part = file_of(instants, bounds).at([1, 3])

    assert part.stated.tolist() == np.column_stack([instants, bounds])[[1, 3]].tolist()
