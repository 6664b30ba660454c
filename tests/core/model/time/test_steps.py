"""Steps between times, by the calendar."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.time.domain import NO_TIME, domain_of_instants, domain_of_periods
from chronotile.core.model.time.period_parser import parse_period
from chronotile.core.model.time.periods import DEKAD as DEKADS
from chronotile.core.model.time.periods import Period
from chronotile.core.model.time.steps import gap_tolerance, step_of


def domain(*texts):
    return domain_of_instants(np.datetime64(text.removesuffix("Z"), "ns") for text in texts)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2020-01-01", "2020-01-02", "2020-01-03"], "P1D"),
        (["2020-01-01", "2020-01-09", "2020-01-17"], "P8D"),
        (["2020-01-15", "2020-02-15", "2020-03-15"], "P1M"),
        (["2018-06-01", "2019-06-01", "2020-06-01"], "P12M"),
        (["2020-01-31", "2020-02-29", "2020-03-31"], None),
        (["2020-01-01T00:00:00", "2020-01-01T06:00:00", "2020-01-01T12:00:00"], "PT6H"),
        (["2020-01-01T00:00:00", "2020-01-01T00:00:30", "2020-01-01T00:01:00"], "PT30S"),
        (["2020-01-01T00:00:00", "2020-01-01T00:00:00.5", "2020-01-01T00:00:01"], None),
        (["2020-01-21", "2020-02-01", "2020-02-11", "2020-02-21", "2020-03-01"], "dekad"),
        (["2020-01-21", "2020-02-01", "2020-02-21"], None),
        (["2020-01-01", "2020-01-11", "2020-01-22"], None),
        (["2020-01-01T01:00:00", "2020-01-11T01:00:00", "2020-01-21T01:00:00", "2020-02-01T01:00:00"], None),
        (["2020-01-01", "2020-01-02", "2020-01-04"], None),
        (["2020-01-01", "2020-01-02"], None),
        (["2020-01-01"], None),
    ],
)
def test_step_is_that_between_all_times(texts, expected):
    assert step_of(domain(*texts)) == expected


def test_three_dekads_of_one_month_are_ten_days_apart():
    assert step_of(domain("2020-01-01", "2020-01-11", "2020-01-21")) == "P10D"


def test_without_time_there_is_no_step():
    assert step_of(NO_TIME) is None


@given(
    st.integers(1, 36),
    st.integers(3, 40),
    st.dates(min_value=np.datetime64("1950-01-01").item(), max_value=np.datetime64("2050-01-01").item()),
)
def test_months_are_recognised(months, count, day):
    start = np.datetime64(day.replace(day=min(day.day, 28)), "ns")

    found = step_of(domain_of_periods(start, Period(months=months), count))

    assert parse_period(found) == Period(months=months)


@given(st.integers(7, 100), st.integers(0, 1000))
def test_dekads_are_recognised_from_any_first_one(count, skipped):
    """Six may be ten days apart: those from the first of a month of 30 days on."""
    first = DEKADS.step(np.datetime64("1990-01-01", "ns"), skipped)

    assert step_of(domain_of_periods(first, DEKADS, count)) == "dekad"


def test_tolerance_is_one_and_a_half_times_the_95th_percentile_of_the_gaps():
    days = np.cumsum([0, *[5] * 19, 60, 10]).astype("timedelta64[D]") + np.datetime64("2020-01-01")

    # The 95th percentile of 21 gaps is the 20th.
    assert gap_tolerance(domain(*days.astype(str))) == np.timedelta64(15, "D")


@pytest.mark.parametrize(
    "texts",
    [
        [],
        ["2020-01-01"],
        ["2020-01-01", "2020-03-01"],
        ["2020-01-01", "2020-01-09", "2020-01-17"],
        ["2020-01-31", "2020-03-02", "2020-04-02"],
        ["2020-01-21", "2020-02-01", "2020-02-11", "2020-02-21", "2020-03-01"],
        ["2020-01-01T00:00:00", "2020-01-01T00:00:00.5", "2020-01-01T00:00:01"],
    ],
    ids=["no time", "one", "two", "days", "31 days", "dekads", "half seconds"],
)
def test_regular_times_have_no_tolerance(texts):
    assert gap_tolerance(domain(*texts)) is None
