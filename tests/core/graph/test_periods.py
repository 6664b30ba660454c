"""Aggregation along time equals xarray; labels equal Python's calendar."""

from datetime import date

import numpy as np
import pytest

from chronotile.core.graph.errors import ProcessFault
from tests.core.graph.cubes import as_xarray, call, daily, make_cube, random_cube, reducer


@pytest.mark.parametrize(("period", "frequency"), [("month", "MS"), ("year", "YS"), ("week", "W-MON"), ("day", "D")])
@pytest.mark.parametrize("name", ["median", "mean", "max"])
def test_periods_equal_xarray(period, frequency, name):
    cube = random_cube(3, (90, 3, 2), start="2019-12-20")

    result = call("aggregate_temporal_period", data=cube, period=period, reducer=reducer(name))

    how = {"t": frequency, **({"closed": "left", "label": "left"} if period == "week" else {})}
    closed = {key: how.pop(key) for key in ("closed", "label") if key in how}
    expected = getattr(as_xarray(cube).resample(how, **closed), name)()
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-12)


def test_empty_months_exist_without_data():
    cube = make_cube(np.ones((2, 1, 1)), t=("2020-01-15T00:00:00Z", "2020-03-15T00:00:00Z"))

    result = call("aggregate_temporal_period", data=cube, period="month", reducer=reducer("mean"))

    assert list(result.dimension("t").labels) == ["2020-01", "2020-02", "2020-03"]
    np.testing.assert_array_equal(result.values.ravel(), [1, np.nan, 1])


@pytest.mark.parametrize("start", ["2015-12-25", "2019-12-28", "2021-01-01", "2024-02-25"])
def test_labels_of_weeks_and_days_equal_the_calendar_of_python(start):
    days = daily(10, start)
    cube = make_cube(np.ones((10, 1, 1)), t=days)
    dates = [date.fromisoformat(day[:10]) for day in days]

    weeks = call("aggregate_temporal_period", data=cube, period="week", reducer=reducer("count"))
    of_year = call("aggregate_temporal_period", data=cube, period="day", reducer=reducer("count"))

    expected = dict.fromkeys("{}-{:02}".format(*day.isocalendar()[:2]) for day in dates)
    assert list(weeks.dimension("t").labels) == list(expected)
    assert list(of_year.dimension("t").labels) == [day.strftime("%Y-%j") for day in dates]


@pytest.mark.parametrize(
    ("period", "labels"),
    [
        ("hour", ["2020-01-31-00"]),
        ("dekad", ["2020-03", "2020-04"]),
        ("season", ["2019-djf", "2020-mam"]),
        ("tropical-season", ["2019-ndjfma", "2020-mjjaso"]),
        ("decade", ["2020"]),
        ("decade-ad", ["2011", "2021"]),
    ],
)
def test_labels_of_other_periods(period, labels):
    times = {
        "hour": ("2020-01-31T00:59:59Z",),
        "dekad": ("2020-01-31", "2020-02-10"),
        "season": ("2019-12-01", "2020-05-31"),
        "tropical-season": ("2019-11-01", "2020-10-31"),
        "decade": ("2020-01-01", "2029-12-31"),
        "decade-ad": ("2020-12-31", "2021-01-01"),
    }[period]
    cube = make_cube(np.ones((len(times), 1, 1)), t=times)

    result = call("aggregate_temporal_period", data=cube, period=period, reducer=reducer("count"))

    assert list(result.dimension("t").labels) == labels


def test_intervals_are_half_open_and_may_overlap():
    cube = make_cube(np.arange(5.0).reshape(5, 1, 1), t=daily(5))

    result = call(
        "aggregate_temporal",
        data=cube,
        intervals=[["2020-01-01", "2020-01-03"], ["2020-01-02", "2020-01-06"]],
        reducer=reducer("sum"),
    )

    assert result.values.ravel().tolist() == [1.0, 10.0]
    assert list(result.dimension("t").labels) == ["2020-01-01", "2020-01-02"]


def test_anomalies_are_differences_from_the_normals_of_their_months():
    cube = random_cube(5, (800, 2, 2), start="2019-01-01")

    normals = call("climatological_normal", data=cube, period="month", climatology_period=[2019, 2020])
    result = call("anomaly", data=cube, normals=normals, period="month")

    array = as_xarray(cube)
    reference = array.sel(t=slice("2019", "2020"))
    expected = array.groupby("t.month") - reference.groupby("t.month").mean()
    np.testing.assert_allclose(result.values, expected.values, rtol=1e-9, atol=1e-12)


def test_the_first_winter_needs_its_december():
    times = ("2019-01-15", "2019-12-15", "2020-01-15", "2020-12-15")
    cube = make_cube(np.array([1.0, 2.0, 4.0, 8.0]).reshape(4, 1, 1), t=times)

    normals = call("climatological_normal", data=cube, period="season", climatology_period=[2019, 2020])
    following = call("climatological_normal", data=cube, period="season", climatology_period=[2020, 2020])

    assert list(normals.dimension("t").labels) == ["djf", "mam", "jja", "son"]
    assert normals.values.ravel()[0] == 3.0
    assert following.values.ravel()[0] == 3.0


def test_nearest_times_equal_xarray_and_ties_take_the_earlier():
    cube = random_cube(7, (6, 2, 2))
    target = make_cube(np.zeros((3, 1, 1)), t=("2020-01-01T09:00:00Z", "2020-01-03T12:00:00Z", "2020-02-01T00:00:00Z"))

    result = call("resample_cube_temporal", data=cube, target=target)

    np.testing.assert_array_equal(result.values, cube.values[[0, 2, 5]])


def test_valid_values_within_some_days_replace_missing_ones():
    cube = make_cube(np.array([np.nan, 5.0, np.nan]).reshape(3, 1, 1), t=daily(3))
    target = make_cube(np.zeros((2, 1, 1)), t=("2020-01-01T00:00:00Z", "2020-01-09T00:00:00Z"))

    result = call("resample_cube_temporal", data=cube, target=target, valid_within=2)

    np.testing.assert_array_equal(result.values.ravel(), [5.0, np.nan])


def test_unknown_periods_list_the_accepted():
    with pytest.raises(ProcessFault, match="'fortnight' is not accepted; accepted are hour, day, week"):
        call("aggregate_temporal_period", data=random_cube(1, (2, 1, 1)), period="fortnight", reducer=reducer("mean"))
