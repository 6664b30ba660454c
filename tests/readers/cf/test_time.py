"""Times of odd numbers: packed, missing, of calendar months and years, written as digits, far away."""

import cftime
import numpy as np
import pytest
import xarray

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec
from chronotile.readers.cf.dataset import understand
from chronotile.readers.cf.time import times_of_field
from tests.readers.fieldsets import make_cube, make_field, make_fields


def times_of(numbers, *others, **attrs):
    field = make_field("time", ("time",), numbers, **({"units": "days since 2019-01-01"} | attrs))
    return times_of_field(field, make_fields(*others), len(numbers))


@pytest.mark.parametrize(("count", "served"), [(5, 3), (2, 2)], ids=["more slices", "more times"])
def test_slices_and_times_of_unequal_number_are_reported(count, served):
    field = make_field("time", ("time",), [0, 1, 2], units="days since 2019-01-01")

    times = times_of_field(field, make_fields(), count)

    assert times.positions == tuple(range(served))
    assert texts(times) == ["2019-01-01T00:00:00", "2019-01-02T00:00:00", "2019-01-03T00:00:00"][:served]
    (finding,) = times.findings
    assert f"has 3 times, and {count} slices are stored; the first {served} are served" in finding.message


def texts(times):
    return [str(each) for each in times.domain.starts.astype("datetime64[s]")]


def decoded(numbers, **attrs):
    """Return the times by xarray."""
    dataset = xarray.Dataset(coords={"time": ("time", numbers, {"units": "days since 2019-01-01"} | attrs)})
    return xarray.decode_cf(dataset)["time"].values


PACKED = {
    "int32": (
        np.array([13879, 13899], "int32"),
        {"units": "days since 1981-01-01", "scale_factor": 0.5, "add_offset": 6940.0},
    ),
    "int16": (np.array([-10, 20, 30], "int16"), {"add_offset": 100.0}),
    "float32": (np.array([1, 2.5, 4], "float32"), {"scale_factor": 10.0}),
    "unsigned": (np.array([-56, -46], "int8"), {"_Unsigned": "true", "scale_factor": 2.0}),
}


@pytest.mark.parametrize("name", PACKED)
def test_packed_times_equal_those_of_xarray(name):
    numbers, attrs = PACKED[name]

    np.testing.assert_array_equal(times_of(numbers, **attrs).domain.starts, decoded(numbers, **attrs))


@pytest.mark.parametrize(
    ("numbers", "attrs"),
    [
        (np.array([0, 10, -999, 30], "int32"), {"_FillValue": np.int32(-999)}),
        (np.array([0, 10, -999, 30], "int32"), {"missing_value": np.int32(-999)}),
        (np.array([0, 10, -999, 30], "int16"), {"missing_value": np.int16(-999), "scale_factor": 0.5}),
        (np.array([0, 10, 9.96921e36, 30], "float32"), {"_FillValue": np.float32(9.96921e36)}),
        (np.array([0, 10, np.nan, 30]), {}),
        (np.array([0, 10, np.nan, 30]), {"calendar": "360_day"}),
        (np.array([0, 10, 500, 30]), {"valid_max": np.float32(30)}),
        (np.array([0, 10, 9.96921e36, 30]), {}),
        (np.array([0, 10, -(2**63), 30]), {"units": "nanoseconds since 2019-01-01"}),
    ],
    ids=["fill", "missing", "packed", "float", "NaN", "NaN of 360 days", "range", "default fill", "NaT"],
)
def test_slices_of_missing_times_are_skipped_and_reported(numbers, attrs):
    times = times_of(numbers, **attrs)

    assert times.positions == (0, 1, 3)
    (message,) = [each.message for each in times.findings if each.severity == "warning"]
    assert message.startswith("1 of 4 slices are left out, the first number 2 (from 0)")
    kept = np.delete(numbers, 2)
    if "units" not in attrs and "calendar" not in attrs:
        np.testing.assert_array_equal(times.domain.starts, decoded(kept, **attrs))


def test_missing_nat_is_skipped():
    days = np.array(["2019-01-01", "NaT", "2019-01-21"], dtype="datetime64[ns]")

    times = times_of_field(make_field("time", ("time",), days), make_fields(), 3)

    assert (texts(times), times.positions) == (["2019-01-01T00:00:00", "2019-01-21T00:00:00"], (0, 2))


def test_nanoseconds_next_to_a_missing_time_are_exact():
    numbers = np.array([1_546_300_800_000_000_001, -1], dtype="int64")

    times = times_of(numbers, units="nanoseconds since 1970-01-01", _FillValue=np.int64(-1))

    assert times.domain.starts.astype("int64").tolist() == [1_546_300_800_000_000_001]


def test_times_that_are_all_missing_are_refused():
    with pytest.raises(UnsupportedSource, match="none of its 2 times"):
        times_of(np.array([-1, -1]), _FillValue=np.int64(-1))


BOUNDS = np.array([[0, 20], [20, 40], [40, 60]])


@pytest.mark.parametrize(
    ("bounds", "own"),
    [
        (BOUNDS.astype("int16"), {}),
        (BOUNDS.astype("int32"), {}),
        (BOUNDS / 2, {}),
        (BOUNDS.astype("int16") // 10, {"scale_factor": 5.0}),
    ],
    ids=["as the times", "wider", "not packed", "of their own"],
)
def test_bounds_are_packed_by_their_own_attributes_or_those_of_the_times(bounds, own):
    times = times_of(
        np.array([10, 30, 50], "int16"),
        make_field("bnds", ("time", "two"), bounds, **own),
        scale_factor=0.5,
        bounds="bnds",
        valid_min=np.int16(10),
    )

    assert texts(times) == ["2019-01-01T00:00:00", "2019-01-11T00:00:00", "2019-01-21T00:00:00"]
    assert str(times.domain.ends[-1])[:10] == "2019-01-31"


def test_bounds_follow_their_times_after_a_skipped_one():
    times = times_of(
        np.array([5, -1, 25]),
        make_field("bnds", ("time", "two"), [[0, 10], [-1, -1], [20, 30]]),
        bounds="bnds",
        _FillValue=-1,
    )

    assert (texts(times), times.positions) == (["2019-01-01T00:00:00", "2019-01-21T00:00:00"], (0, 2))
    assert str(times.domain.ends[-1])[:10] == "2019-01-31"


def test_times_whose_bounds_were_never_written_are_served_without():
    times = times_of(np.array([5, 15]), make_field("bnds", ("time", "two"), np.full((2, 2), np.nan)), bounds="bnds")

    assert (texts(times), times.domain.bounds) == (["2019-01-06T00:00:00", "2019-01-16T00:00:00"], None)


def test_packed_bounds_of_a_climatology_have_its_years():
    times = times_of(
        np.array([30, 88], "int16"),
        make_field("years", ("time", "two"), np.array([[-7304, 62], [-7242, 118]], "int16")),
        scale_factor=0.5,
        climatology="years",
    )

    assert [str(each)[:10] for each in times.domain.climatology_span] == ["2009-01-01", "2019-03-01"]


@pytest.mark.parametrize(
    ("units", "number", "instant"),
    [
        ("months since 1958-1-1", 13, "1959-02-01T00:00:00"),
        ("months since 1958-01-31 12:00", 1, "1958-02-28T12:00:00"),
        ("months since 0000-01-01", 12 * 2019 + 3, "2019-04-01T00:00:00"),
        ("months since 1960-01-01", 708.5, "2019-01-16T12:00:00"),
        ("years since 2000-03-01", 19, "2019-03-01T00:00:00"),
        ("years since 0-1-1", 2019.5, "2019-07-02T12:00:00"),
        ("day as %Y%m%d.%f", 20190131.75, "2019-01-31T18:00:00"),
        ("day as %Y%m%d.%f", 20190131, "2019-01-31T00:00:00"),
        ("month as %Y%m.%f", 201902.5, "2019-02-15T00:00:00"),
        ("year as %Y.%f", 2019.5, "2019-07-02T12:00:00"),
        ("yyyymm", 201902, "2019-02-01T00:00:00"),
        ("YYYYMMDD", 20190228, "2019-02-28T00:00:00"),
        ("", 20190228, "2019-02-28T00:00:00"),
        ("1", 201902, "2019-02-01T00:00:00"),
    ],
)
def test_units_of_calendar_months_and_digits(units, number, instant):
    assert texts(times_of(np.array([number]), units=units)) == [instant]


@pytest.mark.parametrize("calendar", ["noleap", "standard", "proleptic_gregorian"])
def test_calendar_months_are_those_of_any_calendar(calendar):
    assert texts(times_of([0, 2], units="months since 2019-01-01", calendar=calendar)) == [
        "2019-01-01T00:00:00",
        "2019-03-01T00:00:00",
    ]


def test_months_of_360_days_equal_those_of_cftime():
    truth = cftime.num2date([0.5, 1.5], "months since 2019-01-01", calendar="360_day")

    for calendar in ("360_day", "360"):
        found = texts(times_of([0.5, 1.5], units="months since 2019-01-01", calendar=calendar))
        assert found == [each.strftime("%Y-%m-%dT%H:%M:%S") for each in truth]


def test_numbers_of_months_are_months():
    domain = times_of([201901, 201902], units="yyyymm").domain

    assert [str(each)[:10] for each in domain.ends] == ["2019-02-01", "2019-03-01"]


@pytest.mark.parametrize("number", [20190230, 20191301, 2019.5])
def test_digits_without_a_date_are_skipped(number):
    assert times_of([20190101, number], units="day as %Y%m%d.%f").positions == (0,)


@pytest.mark.parametrize(
    ("units", "numbers"),
    [
        ("furlongs", [1]),
        ("", [1, 2]),
        ("", [20190101, 7]),
        ("", [180001, 180020]),
        ("", ["2019-01-01", "eleventh"]),
        ("days since 2019-01-01", [b"1", b"2"]),
        ("days since 0000-01-01", [737_425]),
    ],
)
def test_unknown_units_are_refused_with_the_remedy(units, numbers):
    with pytest.raises(UnsupportedSource, match="set times: for the source"):
        times_of(np.array(numbers), units=units)


YEARS = [850, 1500, 2000, 2100, 2500]


@pytest.mark.parametrize(
    ("number", "reference"), [(2458849.5, "-4713-01-01 12:00:00"), (0, "2019-12-19"), (31, "2019-11-18")]
)
@pytest.mark.filterwarnings("ignore:this date.calendar.year zero convention")
def test_julian_dates_are_real_days(number, reference):
    times = times_of([number], units=f"days since {reference}", calendar="julian")

    truth = cftime.num2date(number, f"days since {reference}", calendar="julian").change_calendar("standard")
    assert texts(times) == ["2020-01-01T00:00:00"] == [truth.isoformat()]


@pytest.mark.parametrize("calendar", ["standard", "proleptic_gregorian", "noleap", "360_day"])
def test_of_far_years_those_served_remain(calendar):
    dates = [cftime.datetime(year, 7, 1, calendar=calendar) for year in YEARS]
    numbers = cftime.date2num(dates, "days since 0850-01-01", calendar=calendar)

    times = times_of(numbers, units="days since 0850-01-01", calendar=calendar)

    assert (
        [text[:7] for text in texts(times)] == ["2000-07", "2100-07"]
        if calendar != "360_day"
        else ["2000-07", "2100-07"]
    )
    assert times.positions == (2, 3)
    assert any("3 of 5 slices are left out, the first number 0" in each.message for each in times.findings)


@pytest.mark.parametrize("dtype", ["int32", "float64"])
def test_times_more_than_292_years_from_their_reference_are_served(dtype):
    numbers = np.array([131_166, 1], dtype)

    found = times_of(numbers, units="days since 1900-01-01").domain.starts

    np.testing.assert_array_equal(found, np.sort(decoded(numbers, units="days since 1900-01-01")))


def test_a_time_beyond_64_bits_of_nanoseconds_is_no_other_year():
    times = times_of([36525, 102_270], units="days since 2000-01-01")

    assert (texts(times), times.positions) == (["2100-01-01T00:00:00"], (0,))


def year_cube(numbers, **attrs):
    x, y = np.arange(3.0), np.arange(2.0)
    return make_fields(
        make_field("v", ("year", "y", "x"), np.zeros((len(numbers), 2, 3)), crs="EPSG:4326"),
        make_field("y", ("y",), y),
        make_field("x", ("x",), x),
        make_field("year", ("year",), numbers, **attrs),
    )


def found_of(fields, **spec):
    return understand(fields, SourceSpec(collection="made", kind="netcdf", href="made.nc", **spec)).variables["v"]


@pytest.mark.parametrize("attrs", [{}, {"units": "years"}, {"units": "year", "long_name": "year"}])
@pytest.mark.parametrize("dtype", ["int64", "int16", "float32"])
def test_a_dimension_of_years_is_time(attrs, dtype):
    found = found_of(year_cube(np.array([2011, 2010, 2015], dtype), **attrs))

    assert [str(each)[:10] for each in found.info.times.starts] == ["2010-01-01", "2011-01-01", "2015-01-01"]
    assert [str(each)[:10] for each in found.info.times.ends] == ["2011-01-01", "2012-01-01", "2016-01-01"]
    assert found.positions == (1, 0, 2)


def test_dimension_that_counts_years_is_no_time():
    with pytest.raises(UnsupportedSource, match=r"choose one in a configuration, select: \{year: 0\}"):
        found_of(year_cube([0, 1, 2]))


def two_times(first, second, **coordinates):
    """Return a cube over `t` with two coordinates of it."""
    return make_fields(
        make_field("v", ("t", "y", "x"), np.zeros((4, 2, 3)), crs="EPSG:4326", **coordinates),
        make_field("y", ("y",), np.arange(2.0)),
        make_field("x", ("x",), np.arange(3.0)),
        first,
        second,
    )


HOURS = {"units": "hours since 2019-01-01"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("reftime", [0, 0, 0, 0], {}), ("valtime", [0, 6, 12, 18], {"long_name": "valid time"})),
        (("a", [0, 6, 12, 18], {}), ("b", [6, 12, 18, 24], {"standard_name": "time"})),
        (("t", [0, 0, 0, 0], {}), ("valid_time", [0, 6, 12, 18], {"standard_name": "time"})),
        (("t", [0, 0, 6, 6], {}), ("valid", [0, 6, 12, 18], {})),
    ],
    ids=["reftime", "standard name", "valid_time", "distinct"],
)
@pytest.mark.parametrize("is_turned", [False, True], ids=["", "turned"])
def test_time_that_distinguishes_slices_is_used(first, second, is_turned):
    fields = [make_field(name, ("t",), numbers, **HOURS, **attrs) for name, numbers, attrs in (first, second)]

    found = found_of(two_times(*(fields[::-1] if is_turned else fields)))

    hours = (found.info.times.starts - np.datetime64("2019-01-01")) / np.timedelta64(1, "h")
    assert hours.tolist() == second[1]


def test_the_coordinate_of_the_dimension_counts_before_others():
    own = make_field("t", ("t",), [0, 6, 12, 18], **HOURS, standard_name="time")
    other = make_field("middle", ("t",), [3, 9, 15, 21], **HOURS, standard_name="time")

    found = found_of(two_times(other, own, coordinates="middle"))

    assert str(found.info.times.starts[0]) == "2019-01-01T00:00:00.000000000"


def test_latitudes_beyond_the_poles_are_refused():
    with pytest.raises(UnsupportedSource, match="its latitudes reach -165, beyond the pole"):
        found_of(make_cube(y=tuple(np.linspace(-5, -165, 11))))


def test_cells_centred_on_the_poles_are_served():
    found = found_of(make_cube(y=(90.0, 0.0, -90.00000001)))

    assert found.grid.bbox.ymax == pytest.approx(135)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
@pytest.mark.parametrize("units", ["days since 0001-01-01", "days since 2000-01-01", "months since 2000-01-01"])
def test_times_that_are_all_fill_values_are_refused(calendar, units):
    for fill in (9.96921e36, np.nan, -(2.0**63)):
        with pytest.raises(UnsupportedSource, match="none of its 2 times time is usable"):
            times_of([fill, fill], units=units, calendar=calendar)


@pytest.mark.parametrize("scale", [np.nan, np.inf, 0.0, 1e308])
def test_coordinates_with_an_invalid_scale_are_refused(scale):
    attrs = {"scale_factor": scale, "valid_min": 0.0}

    with pytest.raises(UnsupportedSource, match=r"have gaps|do not advance"):
        found_of(make_cube(x=np.array([10, 20, 30], "int16"), x_attrs=attrs))
