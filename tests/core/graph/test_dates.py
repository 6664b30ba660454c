"""Processes on dates: forms of RFC 3339, months of different lengths, and times of the day."""

from datetime import date, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.core.graph.dates import DATES, seconds_of
from chronotile.core.graph.errors import ProcessFault


def call(name, **arguments):
    return DATES[name].call(**arguments)


@pytest.mark.parametrize(
    ("text", "value", "unit", "expected"),
    [
        ("2020-03-31", -1, "month", "2020-02-29"),
        ("2020-12-31", 2, "month", "2021-02-28"),
        ("2000-02-29", 100, "year", "2100-02-28"),
        ("2020-01-31T23:30:00-03:00", 1, "month", "2020-02-29T23:30:00-03:00"),
        ("2020-01-01T00:00:00.5Z", -500, "millisecond", "2020-01-01T00:00:00Z"),
        ("2020-01-01t00:00:00z", 2, "week", "2020-01-15T00:00:00Z"),
        ("2016-12-31T23:59:60Z", 0, "day", "2017-01-01T00:00:00Z"),
        ("2020-01-01", 3.0, "day", "2020-01-04"),
    ],
)
def test_shift_keeps_the_form_of_the_date(text, value, unit, expected):
    assert call("date_shift", date=text, value=value, unit=unit) == expected


@settings(max_examples=30, deadline=None)
@given(st.dates(date(1000, 1, 1), date(9000, 1, 1)), st.integers(-300_000, 300_000))
def test_shift_by_days_equals_the_calendar_of_numpy(day, days):
    assert call("date_shift", date=day.isoformat(), value=days, unit="day") == str(
        np.datetime64(day) + np.timedelta64(days, "D")
    )


@settings(max_examples=30, deadline=None)
@given(st.datetimes(datetime(1990, 1, 1), datetime(2050, 1, 1)), st.integers(-500, 500))
def test_difference_in_months_is_the_inverse_of_a_shift(time, months):
    start = f"{time.replace(day=min(time.day, 28)).isoformat(timespec='seconds')}Z"
    end = call("date_shift", date=start, value=months, unit="month")

    assert call("date_difference", date1=start, date2=end, unit="month") == months


@pytest.mark.parametrize(
    ("start", "end", "unit", "expected"),
    [
        ("2020-01-01", "2020-01-01T06:00:00Z", "day", 0.25),
        ("2020-01-01", "2020-02-15", "month", 1 + 14 / 29),
        ("2020-02-15", "2020-01-01", "month", -2 + 17 / 31),
        ("2019-01-01", "2020-07-02", "year", 1 + 183 / 366),
        ("2020-01-31", "2020-02-29", "month", 1),
        ("2020-01-01T00:00:00+02:00", "2019-12-31T23:00:00Z", "hour", 1),
    ],
)
def test_difference_has_the_fraction_of_the_last_unit(start, end, unit, expected):
    assert call("date_difference", date1=start, date2=end, unit=unit) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "low", "high", "exclude_max", "expected"),
    [
        ("2020-01-31", "2020-01-01", "2020-01-31", False, True),
        ("2020-01-31", "2020-01-01", "2020-01-31", True, False),
        ("2020-01-01T01:00:00+02:00", "2020-01-01", "2020-12-31", False, False),
        ("10:30:00", "10:00:00", "11:00:00Z", False, True),
        ("12:00:00", "14:00:00", "11:00:00", False, False),
        (None, "2020-01-01", "2020-01-31", False, None),
    ],
)
def test_date_is_compared_with_both_limits(x, low, high, exclude_max, expected):
    assert call("date_between", x=x, min=low, max=high, exclude_max=exclude_max) is expected


@pytest.mark.parametrize("text", ["2020-02-30", "2020", "2020-01-01T25:00:00Z", "2020-01-01T00:00:61Z", 7, "today", ""])
def test_text_that_is_no_date_is_refused(text):
    with pytest.raises(ProcessFault, match=r"date: .* is not a date"):
        call("date_shift", date=text, value=1, unit="day")


@pytest.mark.parametrize(
    ("value", "unit", "words"),
    [
        (1.5, "day", "whole number"),
        (True, "day", "whole"),
        (1, "days", "accepted are millisecond"),
        (10**15, "day", "1 to 9999"),
    ],
)
def test_shift_names_the_argument_that_is_refused(value, unit, words):
    with pytest.raises(ProcessFault, match=words):
        call("date_shift", date="2020-01-01", value=value, unit=unit)


def test_times_with_and_without_a_date_are_not_compared():
    with pytest.raises(ProcessFault, match="mixes times with and without a date"):
        call("date_between", x="10:00:00", min="2020-01-01", max="2020-01-02")


def test_seconds_equal_numpy():
    instant = np.datetime64("2020-05-21T10:00:00.250") - np.timedelta64(2, "h")

    assert timedelta(seconds=seconds_of("2020-05-21T10:00:00.25+02:00")) == (instant - np.datetime64(0, "s")).item()


@pytest.mark.parametrize("value", ["B04", 7, None, "2020-05"])
def test_other_values_have_no_seconds(value):
    assert seconds_of(value) is None
