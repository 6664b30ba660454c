"""The year of NDVI that cubes are measured on."""

from itertools import islice

import numpy as np
import pytest

from benchmarks.data.season import DATES, NODATA, SIDE, days, season


@pytest.mark.slow
def test_dates_are_the_same_each_time_and_differ():
    first, again = (np.stack(list(islice(season(), 3))) for _ in range(2))

    assert first.shape == (3, SIDE, SIDE)
    assert np.array_equal(first, again)
    assert (first[0] != first[1]).any()


def test_days_are_five_apart_and_fill_the_year():
    found = days()

    assert (len(found), found[0], found[-1]) == (DATES, "2019-01-01", "2019-12-27")


@pytest.mark.slow
def test_clouds_have_no_number():
    share = np.mean([np.mean(date == NODATA) for date in islice(season(), 20)])

    assert 0.2 < share < 0.7
