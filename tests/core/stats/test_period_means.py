"""Means of periods."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.series.analysis import Curves
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.stats.period_means import period_means, period_starts, periods_of
from tests.core.stats.curves import curves, uneven


@pytest.mark.parametrize(
    ("period", "time", "start"),
    [
        ("P1M", "2020-02-29", "2020-02-01"),
        ("P3M", "2020-02-29", "2020-01-01"),
        ("P3M", "1969-12-31", "1969-10-01"),
        ("P1Y", "2020-12-31T23:59:59", "2020-01-01"),
        ("P10Y", "2019-05-01", "2010-01-01"),
        ("dekad", "2020-02-10", "2020-02-01"),
        ("dekad", "2020-01-31", "2020-01-21"),
        ("P8D", "2019-01-08", "2019-01-01"),
        ("P8D", "2019-01-09", "2019-01-09"),
        ("P8D", "2020-12-31", "2020-12-26"),
        ("P16D", "1968-12-31", "1968-12-18"),
        ("P1W", "2021-01-10", "2021-01-08"),
        ("PT6H", "2020-02-29T13:00:00", "2020-02-29T12:00:00"),
    ],
)
def test_periods_start_like_calendars_and_composites(period, time, start):
    found = period_starts(np.array([time], dtype="datetime64[ns]"), parse_period(period))

    assert found.astype("datetime64[s]").tolist() == np.array([start], dtype="datetime64[s]").tolist()


def test_values_of_a_period_count_alike_and_gaps_do_not():
    days = ["2020-01-03", "2020-01-05", "2020-03-01", "2020-04-02", "2020-04-30"]
    series = curves(days, [1.0, 2.0, None, 4.0, None], [None, 3.0, 5.0, 1.0, 2.0])

    means, counts = period_means(series, periods_of(series.times, parse_period("P1M")))

    assert means.times.astype("datetime64[D]").astype(str).tolist() == ["2020-01-01", "2020-03-01", "2020-04-01"]
    np.testing.assert_array_equal(means.values, [[1.5, np.nan, 4.0], [3.0, 5.0, 1.5]])
    assert counts.tolist() == [[2, 0, 1], [1, 1, 2]]


def test_no_times_have_no_periods():
    nothing = Curves(times=np.array([], dtype="datetime64[ns]"), values=np.empty((3, 0)))

    means, counts = period_means(nothing, periods_of(nothing.times, parse_period("P1M")))

    assert (means.values.shape, counts.shape) == ((3, 0), (3, 0))


@given(uneven(), st.sampled_from(["P1M", "P2M", "P1Y", "dekad", "P8D", "P10D", "PT36H"]))
def test_means_weighed_by_their_counts_are_the_mean_of_all(series, period):
    means, counts = period_means(series, periods_of(series.times, parse_period(period)))

    assert np.all(np.diff(means.times) > np.timedelta64(0, "ns"))
    assert np.nansum(means.values * counts) == pytest.approx(np.nansum(series.values), abs=1e-9)
    assert counts.sum() == np.isfinite(series.values).sum()
