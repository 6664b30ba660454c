"""Normals of the parts of a year, compared with loops over the values of each slot."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.model.series.analysis import Climatology, Curves
from chronotile.core.model.series.reducers import parse_reducer
from chronotile.core.stats.climatology import (
    fill_from_normals,
    find_anomalies,
    find_normals,
    slot_kind,
    slot_names,
    slot_numbers,
)
from tests.core.stats.curves import curves, dekads, of_days, uneven


@pytest.fixture
def ten_years():
    random = np.random.default_rng(5)
    times = dekads(2001, 2010)
    values = np.round(random.normal(size=(3, times.size)), 1)
    values[random.random(values.shape) < 0.3] = np.nan
    return Curves(times=times, values=values)


def of_slot(series, row, month, day):
    """Return the values of one dekad of all years."""
    days = series.times.astype("datetime64[D]").astype(str)
    values = series.values[row][[each.endswith(f"-{month:02}-{day:02}") for each in days]]
    return values[np.isfinite(values)]


@pytest.mark.parametrize("by", ["day", "dekad", "month"])
def test_slots_of_a_year_without_leap_day_are_contiguous(by):
    year = np.arange("2001-01-01", "2002-01-01", dtype="datetime64[D]").astype("datetime64[ns]")

    numbers = slot_numbers(year, by)

    assert np.array_equal(np.unique(numbers), np.arange(len(slot_names(by))))
    first_days = [str(day)[5:10] for day in year[np.unique(numbers, return_index=True)[1]]]
    assert tuple(first_days) == slot_names(by)


@pytest.mark.parametrize(
    ("by", "name"), [("day", "02-28"), ("dekad", "02-21"), ("month", "02-01")], ids=["day", "dekad", "month"]
)
@pytest.mark.parametrize("year", ["1968", "2020"])
def test_the_leap_day_belongs_to_the_end_of_february(by, name, year):
    times = np.array([f"{year}-02-29T10:50"], dtype="datetime64[ns]")

    assert slot_names(by)[slot_numbers(times, by)[0]] == name


@pytest.mark.parametrize(
    ("days", "kind"), [(range(0, 900, 31), "month"), (range(0, 900, 16), "dekad"), ([0], "dekad"), ([], "dekad")]
)
def test_months_for_values_four_weeks_apart_else_dekads(days, kind):
    assert slot_kind(of_days(list(days)), None) == kind
    assert slot_kind(of_days(list(days)), "day") == "day"


@pytest.mark.parametrize(
    ("reducer", "reduced"),
    [("mean", np.mean), ("median", np.median), ("p10", lambda values: np.percentile(values, 10))],
)
def test_normals_are_those_of_the_values_of_each_slot(ten_years, reducer, reduced):
    normals = find_normals(ten_years, ten_years.times, Climatology(reducer=parse_reducer(reducer)))

    expected = [
        [reduced(of_slot(ten_years, row, month, day)) for month in range(1, 13) for day in (1, 11, 21)]
        for row in range(3)
    ]
    np.testing.assert_allclose(normals.values, expected, atol=1e-12)
    np.testing.assert_array_equal(normals.at_times, np.tile(normals.values, 10))
    assert normals.counts[0, 0] == of_slot(ten_years, 0, 1, 1).size
    assert normals.reference == ("2001-01-01T00:00:00Z", "2010-12-21T00:00:00Z")


def test_a_day_has_the_values_of_eleven_days_round_the_turn_of_the_year():
    times = np.array(["2001-12-27", "2001-12-28", "2002-01-07", "2002-01-08"], dtype="datetime64[ns]")

    normals = find_normals(curves(times, [1.0, 2.0, 4.0, 8.0]), times, Climatology(by="day"))

    assert normals.values[0, slot_names("day").index("01-02")] == 3.0
    assert normals.counts[0, slot_names("day").index("01-02")] == 2


def test_anomalies_are_differences_deviations_and_ranks_of_the_slot(ten_years):
    normals = find_normals(ten_years, ten_years.times, Climatology())
    index = int(np.flatnonzero(np.isfinite(ten_years.values[1]))[40])
    value, date = ten_years.values[1, index], str(ten_years.times[index])
    others = of_slot(ten_years, 1, int(date[5:7]), int(date[8:10]))

    found = [find_anomalies(ten_years, ten_years, normals, kind)[1, index] for kind in ("abs", "z", "percentile")]

    rank = ((others < value).sum() + (others == value).sum() / 2) / others.size
    np.testing.assert_allclose(found, [value - others.mean(), (value - others.mean()) / others.std(ddof=1), 100 * rank])


def test_slot_with_too_few_values_has_no_normal():
    times = np.array(["2001-01-01", "2001-02-01", "2002-02-01", "2001-03-01", "2002-03-01"], dtype="datetime64[ns]")
    series = curves(times, [1.0, 0.1, 0.1, 1.0, 3.0])
    reference = curves(times[1:], [0.1, 0.1, 1.0, 3.0])
    normals = find_normals(reference, times, Climatology())

    found = {kind: find_anomalies(series, reference, normals, kind)[0].round(3) for kind in ("abs", "z", "percentile")}

    np.testing.assert_array_equal(found["abs"], [np.nan, 0, 0, -1, 1])
    np.testing.assert_array_equal(found["z"], [np.nan, np.nan, np.nan, -0.707, 0.707])
    np.testing.assert_array_equal(found["percentile"], [np.nan, 50, 50, 25, 75])


def test_an_empty_reference_leaves_everything_open(ten_years):
    nothing = Curves(times=ten_years.times[:0], values=ten_years.values[:, :0])

    normals = find_normals(nothing, ten_years.times, Climatology(reducer=parse_reducer("median")))

    assert normals.reference is None
    assert normals.counts.sum() == 0
    assert np.isnan(normals.at_times).all()
    assert np.isnan(find_anomalies(ten_years, nothing, normals, "percentile")).all()


@given(uneven(), st.sampled_from(["day", "dekad", "month"]))
def test_gaps_become_normal_and_values_stay(series, by):
    normals = find_normals(series, series.times, Climatology(by=by))

    filled = fill_from_normals(series, normals)

    known = np.isfinite(series.values)
    assert np.array_equal(filled[known], series.values[known])
    np.testing.assert_array_equal(filled[~known], normals.at_times[~known])


@given(uneven())
def test_differences_from_the_mean_of_their_months_add_up_to_nothing(series):
    normals = find_normals(series, series.times, Climatology(by="month"))

    assert np.nansum(find_anomalies(series, series, normals, "abs")) == pytest.approx(0, abs=1e-9)
