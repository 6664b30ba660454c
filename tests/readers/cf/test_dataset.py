"""The CF conventions and their use in files."""

import cftime
import numpy as np
import pytest
import xarray
from affine import Affine
from pyproj import CRS

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import DimensionStep, SourceSpec, VariableSpec
from chronotile.core.model.style import TRANSPARENT, Colour
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.readers.cf.dataset import understand
from chronotile.readers.cf.encoding import meaning_of
from chronotile.readers.cf.time import configured_times, times_of_field
from tests.readers.fieldsets import make_cube, make_field, make_fields

SPEC = SourceSpec(collection="made", kind="netcdf", href="made.nc")


def info_of(fields, spec=SPEC):
    return next(iter(understand(fields, spec).variables.values())).info


def grid_of(fields, **spec):
    return info_of(fields, SourceSpec(collection="made", kind="netcdf", href="made.nc", **spec)).grid


def times_of(numbers, *, dims=("time",), **attrs):
    attrs = {"units": "days since 2000-01-01"} | attrs
    return times_of_field(make_field("time", dims, numbers, **attrs), make_fields(), len(np.atleast_1d(numbers)))


# Grids.


def test_descending_y_is_north_up():
    assert grid_of(make_cube()).transform == Affine(1, 0, 1.5, 0, -1, 52.5)


def test_ascending_y_is_south_up():
    assert grid_of(make_cube(y=(51.0, 52.0, 53.0))).transform == Affine(1, 0, 1.5, 0, 1, 50.5)


@pytest.mark.parametrize(
    ("longitudes", "west"),
    [((178.0, 179.0, -180.0, -179.0), 177.5), ((0.0, 90.0, 180.0, -90.0), -45.0), ((359.0, 0.0, 1.0), 358.5)],
    ids=["antimeridian", "rolled", "Greenwich"],
)
def test_longitudes_are_unrolled_at_their_jump(longitudes, west):
    assert grid_of(make_cube(x=longitudes)).bbox.xmin == west


def test_rounding_of_float32_coordinates_is_tolerated():
    x = (500_000 + 0.25 * np.arange(400)).astype("float32")

    grid = grid_of(make_cube(x=x, crs="EPSG:32631"))

    assert grid.transform.a == pytest.approx(0.25, rel=1e-3)


def test_uneven_coordinates_are_refused_with_the_first_deviation():
    with pytest.raises(UnsupportedSource, match=r"coordinates x are not evenly spaced: number 2 is 4\.2"):
        understand(make_cube(x=(2.0, 3.0, 4.2, 5.0)), SPEC)


def test_single_cell_takes_its_width_from_its_bounds():
    bounds = make_field("x_bnds", ("x", "bnds"), [[2.0, 6.0]])

    grid = grid_of(make_cube(x=(4.0,), x_attrs={"bounds": "x_bnds"}, others=[bounds]))

    assert (grid.bbox.xmin, grid.bbox.xmax) == (2.0, 6.0)


def test_single_cell_without_bounds_is_refused():
    with pytest.raises(UnsupportedSource, match="single cell along x"):
        understand(make_cube(x=(4.0,)), SPEC)


def test_kilometres_become_metres():
    grid = grid_of(make_cube(crs="EPSG:3035", x_attrs={"units": "km"}, y_attrs={"units": "km"}))

    assert grid.transform == Affine(1000, 0, 1500, 0, -1000, 52500)


@pytest.mark.parametrize(
    ("x", "y", "packing"),
    [
        ((-0.1, 0.0, 0.1), (0.1, 0.0), {}),
        (np.array([-100, 0, 100], "int16"), np.array([100, 0], "int16"), {"scale_factor": np.float32(0.001)}),
    ],
    ids=["stored", "packed"],
)
def test_scanning_angles_become_metres(x, y, packing):
    geostationary = {
        "grid_mapping_name": "geostationary",
        "perspective_point_height": 35_785_831.0,
        "longitude_of_projection_origin": 0.0,
        "sweep_angle_axis": "y",
        "semi_major_axis": 6378169.0,
        "semi_minor_axis": 6356583.8,
    }
    fields = make_cube(
        crs="",
        grid_mapping="goes",
        x=x,
        y=y,
        x_attrs={"units": "rad", **packing},
        y_attrs={"units": "rad", **packing},
        others=[make_field("goes", (), 0, **geostationary)],
    )

    assert grid_of(fields).transform.a == pytest.approx(3_578_583.1)


@pytest.mark.parametrize(
    ("key", "value"),
    [("GeoTransform", "500000 10 0 5650000 0 -10"), ("GeoTransform", np.array([500000, 10, 0, 5650000, 0, -10.0]))],
    ids=["text", "numbers"],
)
def test_transform_of_the_grid_mapping_stands_in_for_coordinates(key, value):
    mapping = make_field("spatial_ref", (), 0, spatial_ref="EPSG:32631", **{key: value})
    fields = make_fields(make_field("v", ("y", "x"), np.zeros((3, 4)), grid_mapping="spatial_ref"), mapping)

    assert grid_of(fields).transform == Affine(10, 0, 500000, 0, -10, 5650000)


# Dimensions.


def test_dimensions_are_recognised_by_attributes_with_any_names():
    fields = make_fields(
        make_field("v", ("b", "a", "c"), np.zeros((3, 2, 4))),
        make_field("a", ("a",), [10, 20], units="days since 2000-01-01"),
        make_field("b", ("b",), [1.0, 2.0, 3.0], standard_name="latitude"),
        make_field("c", ("c",), [1.0, 2.0, 3.0, 4.0], axis="X"),
    )

    axes = understand(fields, SPEC).variables["v"].axes

    assert (axes.time, axes.y, axes.x) == ("a", "b", "c")


def test_coordinates_may_have_another_name_than_their_dimension():
    fields = make_fields(
        make_field("v", ("j", "i"), np.zeros((2, 3)), coordinates="lat lon"),
        make_field("lat", ("j",), [51.0, 52.0], standard_name="latitude"),
        make_field("lon", ("i",), [2.0, 3.0, 4.0], standard_name="longitude"),
    )

    assert grid_of(fields).transform == Affine(1, 0, 1.5, 0, 1, 50.5)


def test_longer_additional_dimension_is_refused_by_name():
    fields = make_cube()
    deep = make_field("deep", ("depth", "y", "x"), np.zeros((7, 2, 3)), crs="EPSG:4326")

    with pytest.raises(UnsupportedSource, match="7 steps of the dimension depth"):
        understand(make_fields(deep, fields.fields["x"], fields.fields["y"]), SPEC)


def test_additional_dimension_of_the_configured_length_is_time():
    fields = make_cube()
    banded = make_field("banded", ("band", "y", "x"), np.zeros((3, 2, 3)), crs="EPSG:4326")
    times = domain_of_instants(np.array(["2020-01-01", "2020-02-01", "2020-03-01"], dtype="datetime64[ns]"))

    info = info_of(
        make_fields(banded, fields.fields["x"], fields.fields["y"]),
        SourceSpec(collection="made", kind="netcdf", href="made.nc", times=times),
    )

    assert info.times is times


def test_stations_are_no_grid():
    fields = make_fields(make_field("pr", ("station", "time"), np.zeros((3, 2))))

    with pytest.raises(UnsupportedSource, match=r"dimensions \(station, time\) are not a grid"):
        understand(fields, SPEC)


def test_bounds_and_coordinates_are_no_variables():
    bounds = make_field("y_bnds", ("y", "x"), np.zeros((2, 3)))
    named = make_field("edges", ("y", "x"), np.zeros((2, 3)))

    found = understand(make_cube(others=[bounds, named], y_attrs={"bounds": "edges"}), SPEC)

    assert list(found.variables) == ["v"]


def test_unservable_variable_is_skipped_and_reported():
    deep = make_field("deep", ("depth", "y", "x"), np.zeros((7, 2, 3)), crs="EPSG:4326")

    found = understand(make_cube(others=[deep]), SPEC)

    assert list(found.variables) == ["v"]
    assert [(finding.severity, finding.place) for finding in found.findings] == [("warning", "deep")]


def test_absent_configured_variable_is_refused_with_the_existing_ones():
    spec = SourceSpec(collection="made", kind="netcdf", href="made.nc", variables={"w": VariableSpec(id="w")})

    with pytest.raises(UnsupportedSource, match="no array w in it; there are v"):
        understand(make_cube(), spec)


@pytest.mark.parametrize("dtype", ["complex64", "datetime64[ns]", "<U4"])
def test_numbers_must_be_real(dtype):
    fields = make_cube()
    odd = make_field("odd", ("y", "x"), np.zeros((2, 3), dtype=dtype))

    with pytest.raises(UnsupportedSource, match=r"complex numbers|not a number"):
        understand(make_fields(odd, fields.fields["x"], fields.fields["y"]), SPEC)


# Coordinate reference systems.

UTM = CRS("EPSG:32631")


@pytest.mark.parametrize(
    "attrs",
    [
        {"crs_wkt": UTM.to_wkt()},
        {"spatial_ref": UTM.to_wkt("WKT1_GDAL")},
        {"proj4": "+proj=utm +zone=31 +datum=WGS84 +units=m"},
        {"epsg_code": "EPSG:32631"},
        {"epsg": 32631},
        {"epsg": np.int32(32631)},
        {"proj:code": "EPSG:32631"},
        {"proj:projjson": UTM.to_json_dict()},
        {key: value for key, value in UTM.to_cf().items() if key != "crs_wkt"},
        {"esri_pe_string": UTM.to_wkt("WKT1_ESRI")},
    ],
    ids=lambda attrs: next(iter(attrs)),
)
def test_system_is_read_in_any_spelling(attrs):
    fields = make_cube(crs="", grid_mapping="m", others=[make_field("m", (), 0, **attrs)])

    assert grid_of(fields).crs.name == "EPSG:32631"


def test_system_may_stand_on_the_array_the_file_or_a_lone_scalar():
    on_array = make_cube(crs="EPSG:32631")
    on_file = make_cube(crs="", file_attrs={"proj:code": "EPSG:32631"})
    alone = make_cube(crs="", others=[make_field("spatial_ref", (), 0, spatial_ref="EPSG:32631")])
    named = make_cube(crs="", coordinates="here", others=[make_field("here", (), 0, crs_wkt=UTM.to_wkt())])

    assert {grid_of(fields).crs.name for fields in (on_array, on_file, alone, named)} == {"EPSG:32631"}


def test_latitudes_without_system_are_wgs84_and_noted():
    found = understand(make_cube(crs="", y_attrs={"standard_name": "latitude"}), SPEC)

    assert found.variables["v"].grid.crs.name == "EPSG:4326"
    assert [finding.severity for finding in found.findings] == ["note"]


def test_plain_x_and_y_without_system_are_refused_with_the_remedy():
    with pytest.raises(UnsupportedSource, match="set crs:"):
        understand(make_cube(crs=""), SPEC)


def test_configured_system_goes_first():
    assert grid_of(make_cube(), crs="EPSG:3035").crs.name == "EPSG:3035"


def test_other_bodies_are_refused():
    with pytest.raises(UnsupportedSource, match="radius 3396 km, not of the Earth"):
        grid_of(make_cube(), crs="+proj=longlat +R=3396190 +no_defs")


def test_null_shift_does_not_hide_the_code():
    wkt = CRS("EPSG:3035").to_wkt("WKT1_GDAL")
    bound = wkt.replace('AUTHORITY["EPSG","7019"]]', 'AUTHORITY["EPSG","7019"]],TOWGS84[0,0,0,0,0,0,0]', 1)
    assert "TOWGS84" in bound

    assert grid_of(make_cube(crs=bound)).crs.name == "EPSG:3035"


def test_wrong_code_on_other_parameters_is_not_believed():
    wkt = CRS("EPSG:32631").to_wkt("WKT1_GDAL").replace('"central_meridian",3', '"central_meridian",4')

    assert grid_of(make_cube(crs=wkt)).crs.name != "EPSG:32631"


# Numbers.


def meaning(dtype="int16", **attrs):
    return meaning_of(make_field("v", ("y", "x"), np.zeros((2, 3), dtype=dtype), **attrs))


def test_float32_scale_means_the_decimal_that_was_written():
    assert meaning(scale_factor=np.float32(0.01)).encoding.scale == 0.01


def test_float32_fill_value_is_the_number_in_the_array():
    nodata = meaning("float32", _FillValue=np.float32(1e20)).encoding.nodata

    assert np.float32(nodata) == np.float32(1e20)
    assert not meaning("float32", _FillValue=1e20).encoding.valid(np.array([1e20], dtype="float32")).any()


@pytest.mark.parametrize("name", ["_FillValue", "missing_value", "nodata"])
def test_missing_values_go_by_several_names(name):
    assert meaning(**{name: -32768}).encoding.nodata == -32768


@pytest.mark.parametrize("dtype", ["int16", "float32"])
def test_every_missing_value_means_nodata(dtype):
    found = meaning(dtype, _FillValue=-1, missing_value=np.array([-2, -1, 9], dtype=dtype))

    assert found.encoding.nodata == -1
    assert found.encoding.valid(np.array([-1, -2, 9, 5], dtype=dtype)).tolist() == [False, False, False, True]
    assert found.findings == ()


def test_a_missing_value_that_is_a_flag_keeps_its_name():
    assert meaning(_FillValue=-1, missing_value=7, flag_values=[7], flag_meanings="cloud").encoding.flags == (
        (7, "cloud"),
    )


def test_a_missing_value_of_floats_may_be_no_whole_number():
    found = meaning("float32", _FillValue=-9999.0, missing_value=np.float32(0.1))

    assert found.encoding.valid(np.array([-9999, 0.1, 5], dtype="float32")).tolist() == [False, False, True]


def test_missing_value_that_is_also_a_value_is_reported():
    found = meaning("float32", _FillValue=0.5, missing_value=0.25)

    assert "0.25 is served as a value" in found.findings[0].message


def test_unsigned_attribute_turns_type_and_fill_value():
    encoding = meaning("int8", _Unsigned="true", _FillValue=np.int8(-1)).encoding

    assert (encoding.dtype, encoding.nodata) == ("uint8", 255)


@pytest.mark.parametrize(
    ("attrs", "range_"),
    [
        ({"valid_range": np.array([0, -6], dtype="int8")}, (0, 250)),
        ({"valid_min": np.int8(1), "valid_max": np.int8(-2)}, (1, 254)),
        ({"valid_max": np.int16(250)}, (-np.inf, 250)),
        ({"valid_range": np.array([0.0, 1.0], dtype="float32"), "scale_factor": 0.004}, (0, 250)),
    ],
    ids=["range", "ends", "written as what is meant", "unpacked"],
)
def test_unsigned_attribute_turns_the_valid_range(attrs, range_):
    assert meaning("int8", _Unsigned="true", **attrs).encoding.valid_range == range_


def test_unsigned_attribute_turns_flags():
    codes = np.array([0, 4, -1], dtype="int8")

    classes = meaning("int8", _Unsigned="true", flag_values=codes, flag_meanings="bare green no_data").classes
    flags = meaning("int8", _Unsigned="true", scale_factor=0.1, flag_values=codes, flag_meanings="a b c").encoding.flags

    assert [each.value for each in classes] == [0, 4, 255]
    assert flags == ((0, "a"), (4, "b"), (255, "c"))


def test_unsigned_attribute_can_make_unsigned_numbers_signed():
    encoding = meaning("uint8", _Unsigned="false", _FillValue=np.uint8(128), valid_range=[156, 100]).encoding

    assert (encoding.dtype, encoding.nodata, encoding.valid_range) == ("int8", -128, (-100, 100))


def test_empty_valid_range_is_reported_and_not_used():
    found = meaning("int8", _Unsigned="true", valid_range=np.array([-128, 127], dtype="int8"))

    assert found.encoding.valid_range is None
    assert "128 to 127, is empty and not used" in found.findings[0].message


@pytest.mark.every_case
@pytest.mark.parametrize(
    "attrs",
    [
        {"valid_range": np.array([0, 250], dtype="int16")},
        {"valid_min": 0, "valid_max": 250},
        {"valid_min": np.float32(0.0), "valid_max": np.float32(1.0), "scale_factor": 0.004},
        {"valid_range": [0.0, 1.0], "scale_factor": -0.004, "add_offset": 1.0},
    ],
    ids=["packed", "packed ends", "unpacked", "unpacked and turned"],
)
def test_valid_range_ends_in_digital_numbers(attrs):
    assert meaning(**attrs).encoding.valid_range == (0, 250)


def test_one_sided_range_is_open_at_the_other_end():
    assert meaning(valid_min=3).encoding.valid_range == (3, np.inf)


def test_flags_of_an_array_of_flags_are_classes():
    found = meaning(
        "uint8",
        flag_values=np.array([0, 1, 4], dtype="uint8"),
        flag_meanings="no_data bare_soil vegetation",
        flag_colors="#000000 #a05000 #00ff00",
    )

    assert [(each.value, each.label) for each in found.classes] == [(0, "no data"), (1, "bare soil"), (4, "vegetation")]
    assert found.classes[2].colour == Colour(0, 255, 0)
    assert found.encoding.flags == ()


def test_class_of_nodata_is_transparent_without_a_colour():
    classes = meaning("uint8", flag_values=[0, 1], flag_meanings="no_data water").classes

    assert classes[0].colour == TRANSPARENT
    assert classes[1].colour != TRANSPARENT


@pytest.mark.parametrize(
    ("configured", "attrs", "is_categorical"),
    [
        (True, {}, True),
        (True, {"scale_factor": 0.1}, False),
        (False, {"flag_values": [0, 1], "flag_meanings": "land sea"}, True),
        (None, {}, False),
    ],
    ids=["configured", "scaled", "stated", "neither"],
)
def test_numbers_are_classes_if_configured_or_stated(configured, attrs, is_categorical):
    spec = SourceSpec(
        collection="made", kind="zarr", href="made.zarr", variables={"v": VariableSpec(id="v", has_classes=configured)}
    )

    assert info_of(make_cube(**attrs), spec).is_categorical is is_categorical


def test_flags_among_values_are_flags():
    found = meaning("uint8", scale_factor=0.004, flag_values=[251, 254], flag_meanings="snow water")

    assert found.encoding.flags == ((251, "snow"), (254, "water"))
    assert found.classes == ()


def test_flags_of_fractional_numbers_are_flags():
    found = meaning("float32", units="1", flag_values=[-1.0, -2.0], flag_meanings="snow water")

    assert (found.encoding.flags, found.classes) == (((-1, "snow"), (-2, "water")), ())


def test_flag_values_that_are_no_whole_numbers_are_passed_over():
    found = meaning("float32", flag_values=[np.nan, -1.0, np.inf, 0.5], flag_meanings="none snow far half")

    assert found.encoding.flags == ((-1, "snow"),)


def test_flag_masks_are_no_flags():
    found = meaning("uint8", flag_masks=[1, 2], flag_values=[1, 2], flag_meanings="a b")

    assert (found.encoding.flags, found.classes) == ((), ())


# Times.


@pytest.mark.parametrize(
    ("units", "number", "instant"),
    [
        ("days since 1970-01-01", 18000, "2019-04-14"),
        ("days since 1970-01-01 00:00:00 UTC", 18000, "2019-04-14"),
        ("Hour since 2001-12-31T23:00:00Z", 1, "2002-01-01T00:00:00"),
        ("seconds since 1981-01-01T00:00:00+00:00", 1234602000, "2020-02-15T09:00:00"),
        ("minutes since 2000-01-01 00:00:00 +1:00", 60, "2000-01-01T00:00:00"),
        ("hours since 1-1-1 00:00:00", 17067072.0, "1948-01-01T00:00:00"),
    ],
)
def test_units_of_time(units, number, instant):
    assert times_of([number], units=units).domain.starts[0] == np.datetime64(instant)


def test_fractions_of_days_equal_those_of_xarray():
    numbers = np.array([17182.42316938, 17191.39989653])
    coordinate = xarray.Dataset({"time": ("time", numbers, {"units": "days since 1970-01-01"})})

    found = times_of(numbers, units="days since 1970-01-01").domain.starts

    np.testing.assert_array_equal(found, xarray.decode_cf(coordinate)["time"].values)


def test_midnights_are_days_and_others_instants():
    assert times_of([0, 1]).domain.ends[0] == np.datetime64("2000-01-02")
    assert times_of([0.5]).domain.ends[0] == np.datetime64("2000-01-01T12:00:00.000000001")


def test_times_out_of_order_are_put_in_order():
    times = times_of([20, 0, 10])

    assert times.positions == (1, 2, 0)
    assert str(times.domain.starts[1])[:10] == "2000-01-11"


def test_repeated_times_are_served_once_and_reported():
    times = times_of([0, 10, 10])

    assert times.positions == (0, 1)
    assert times.findings[0].severity == "warning"


def test_bounds_make_periods():
    bounds = make_field("time_bnds", ("time", "bnds"), [[0, 31], [31, 60]])
    time = make_field("time", ("time",), [15.5, 45.0], units="days since 2000-01-01", bounds="time_bnds")

    domain = times_of_field(time, make_fields(bounds), 2).domain

    assert [str(each)[:10] for each in domain.starts] == ["2000-01-01", "2000-02-01"]
    assert [str(each)[:10] for each in domain.ends] == ["2000-02-01", "2000-03-01"]


@pytest.mark.parametrize("bounds", [[[0, 0.1]], [[5, 40]], [[0, 0]]], ids=["minutes", "elsewhere", "empty"])
def test_bounds_shorter_than_a_day_or_elsewhere_do_not_count(bounds):
    time = make_field("time", ("time",), [0.05], units="days since 2000-01-01", bounds="time_bnds")

    domain = times_of_field(time, make_fields(make_field("time_bnds", ("time", "bnds"), bounds)), 1).domain

    assert domain.starts[0] == np.datetime64("2000-01-01T01:12:00")


def test_bounds_that_share_a_start_leave_every_slice_its_own_time():
    bounds = make_field("time_bnds", ("time", "bnds"), [[0, 10], [0, 20], [0, 31]])
    time = make_field("time", ("time",), [10, 20, 31], units="days since 2000-01-01", bounds="time_bnds")

    times = times_of_field(time, make_fields(bounds), 3)

    assert [str(each)[:10] for each in times.domain.starts] == ["2000-01-11", "2000-01-21", "2000-02-01"]
    assert (times.positions, times.findings) == ((0, 1, 2), ())
    assert [str(each)[:10] for each in times.domain.bounds[:, 0]] == ["2000-01-01"] * 3


def test_overlapping_periods_named_by_their_starts_last_until_the_next():
    bounds = make_field("time_bnds", ("time", "bnds"), [[0, 16], [8, 24]])
    time = make_field("time", ("time",), [0, 8], units="days since 2000-01-01", bounds="time_bnds")

    domain = times_of_field(time, make_fields(bounds), 2).domain

    assert [str(each)[:10] for each in (*domain.starts, *domain.ends)] == [
        *("2000-01-01", "2000-01-09"),
        *("2000-01-09", "2000-01-25"),
    ]


def test_bounds_that_overlap_by_rounding_meet():
    bounds = make_field("time_bnds", ("time", "bnds"), [[0, 31.000001], [31, 60]])
    time = make_field("time", ("time",), [15.5, 45.0], units="days since 2000-01-01", bounds="time_bnds")

    domain = times_of_field(time, make_fields(bounds), 2).domain

    assert [str(each)[:10] for each in domain.starts] == ["2000-01-01", "2000-02-01"]


def test_repeated_periods_are_served_once_and_reported_with_their_time():
    bounds = make_field("time_bnds", ("time", "bnds"), [[0, 31], [31, 60], [31, 60]])
    time = make_field("time", ("time",), [15.5, 45.0, 45.0], units="days since 2000-01-01", bounds="time_bnds")

    times = times_of_field(time, make_fields(bounds), 3)

    assert times.positions == (0, 1)
    assert "1 times occur twice, the first 2000-02-15T00:00:00Z" in times.findings[0].message


def climatology(**attrs):
    """Two months of ten years, and the coordinate."""
    bounds = make_field("bounds", ("time", "bnds"), [[-3653, 31], [-3622, 59]], **attrs)
    time = make_field("time", ("time",), [15, 45], units="days since 2001-01-01", climatology="bounds")
    return time, make_fields(bounds)


@pytest.mark.parametrize("attrs", [{}, {"units": "days since 2001-01-01"}], ids=["of the coordinate", "its own"])
def test_climatology_goes_by_its_times_and_has_the_years_of_its_bounds(attrs):
    time, fields = climatology(**attrs)

    domain = times_of_field(time, fields, 2).domain

    assert [str(each)[:10] for each in domain.starts] == ["2001-01-16", "2001-02-15"]
    assert [str(each)[:10] for each in domain.climatology_span] == ["1991-01-01", "2001-03-01"]


def test_climatology_without_bounds_is_one_of_unknown_years():
    time, _fields = climatology()

    times = times_of_field(time, make_fields(), 2)

    assert times.domain.is_climatology
    assert times.domain.climatology_span is None
    assert times.findings[0].severity == "note"


def test_configured_times_leave_a_climatology_its_years():
    time, fields = climatology()
    configured = domain_of_instants(np.array(["2010-01-01", "2010-02-01"], dtype="datetime64[ns]"))

    domain = configured_times(configured, 2, time=time, fields=fields).domain

    assert str(domain.starts[0])[:10] == "2010-01-01"
    assert str(domain.climatology_span.start)[:10] == "1991-01-01"


def year_of(dim, numbers, **spec):
    """Return the times of an array over a dimension of numbers, and the findings."""
    steps = [] if numbers is None else [make_field(dim, (dim,), numbers)]
    count = 12 if numbers is None else len(numbers)
    cube = make_fields(
        make_field("v", (dim, "y", "x"), np.zeros((count, 2, 3)), crs="EPSG:4326"),
        make_field("y", ("y",), [52.0, 51.0]),
        make_field("x", ("x",), [2.0, 3.0, 4.0]),
        *steps,
    )
    found = understand(cube, SourceSpec(collection="made", kind="netcdf", href="made.nc", **spec)).variables["v"]
    return found.info.times, found


@pytest.mark.parametrize("numbers", [np.arange(1, 13), None, np.arange(1.0, 13.0)], ids=["whole", "none", "floats"])
def test_dimension_of_months_is_a_climatology(numbers):
    times, found = year_of("month", numbers)

    assert [str(each)[:10] for each in times.starts[[0, 5, 11]]] == ["2000-01-01", "2000-06-01", "2000-12-01"]
    assert str(times.ends[5])[:10] == "2000-07-01"
    assert (times.is_climatology, times.climatology_span) == (True, None)
    assert "served as a climatology" in found.findings[0].message


def test_months_are_read_from_their_numbers():
    times, found = year_of("month", [6, 12, 1])

    assert [str(each)[:10] for each in times.starts] == ["2000-01-01", "2000-06-01", "2000-12-01"]
    assert found.positions == (2, 0, 1)


@pytest.mark.parametrize(("count", "day"), [(366, "2000-02-29"), (365, "2000-03-01")])
def test_days_of_a_year_are_those_of_2000(count, day):
    times, _found = year_of("dayofyear", np.arange(1, count + 1))

    assert str(times.starts[59])[:10] == day
    assert str(times.starts[-1])[:10] == "2000-12-31"


def test_configured_times_take_the_place_of_months():
    configured = domain_of_instants(np.arange("2019-01", "2020-01", dtype="datetime64[M]").astype("datetime64[ns]"))

    times, _found = year_of("month", np.arange(1, 13), times=configured)

    assert str(times.starts[0])[:10] == "2019-01-01"
    assert times.is_climatology


def test_other_numbers_than_months_are_an_additional_dimension():
    with pytest.raises(UnsupportedSource, match=r"select: \{month: 0\}"):
        year_of("month", [0, 1, 2])


# Steps of additional dimensions.


def levels_of(depths, *, select=(), dtype="float32", **attrs):
    """Return the interpretation of an array over depth, y and x."""
    depth = [] if depths is None else [make_field("depth", ("depth",), np.asarray(depths, dtype=dtype), **attrs)]
    cube = make_fields(
        make_field("v", ("depth", "y", "x"), np.zeros((len(depths or "abc"), 2, 3)), crs="EPSG:4326"),
        make_field("y", ("y",), [52.0, 51.0]),
        make_field("x", ("x",), [2.0, 3.0, 4.0]),
        *depth,
    )
    variables = {"v": VariableSpec(id="v", select=tuple(select))}
    return understand(cube, SourceSpec(collection="made", kind="netcdf", href="made.nc", variables=variables))


@pytest.mark.parametrize(
    ("depths", "dtype", "value", "position"),
    [
        ([0.1, 10.3, 20.7], "float32", 10.3, 1),
        ([0.1, 10.3, 20.7], "float64", 20.7, 2),
        ([5, 10, 20], "int16", 20.0, 2),
        (["near", "far"], "U4", "far", 1),
        ([b"near", b"far"], "S4", "far", 1),
    ],
)
def test_step_is_selected_by_its_value(depths, dtype, value, position):
    found = levels_of(depths, dtype=dtype, select=[DimensionStep(dimension="depth", value=value)])

    assert found.variables["v"].steps == {"depth": position}


def test_packed_coordinates_are_decoded():
    step = DimensionStep(dimension="depth", value=2.5)

    found = levels_of([0, 25, 30], dtype="int16", scale_factor=0.1, select=[step])

    assert found.variables["v"].steps == {"depth": 1}


def test_step_is_selected_by_its_position():
    assert levels_of(None, select=[DimensionStep(dimension="depth", index=2)]).variables["v"].steps == {"depth": 2}


@pytest.mark.parametrize(
    ("depths", "step", "reason"),
    [
        ([0.1, 10], DimensionStep(dimension="depth", value=10.1), "depth has no value 10.1; accepted are 0.1, 10"),
        (
            [5, 5],
            DimensionStep(dimension="depth", value=5),
            "depth has the value 5 several times, choose one by its index",
        ),
        ([5, 6], DimensionStep(dimension="depth", index=2), "depth has no index 2; accepted are 0 to 1"),
        ([5, 6], DimensionStep(dimension="level", value=5), "it has no dimension level; it has depth, y, x"),
        ([5, 6], DimensionStep(dimension="y", value=52), "the dimension y is its y, all of which is served"),
        (
            list(range(40)),
            DimensionStep(dimension="depth", value=50),
            "accepted are 0, 1, 2, 3, 4, 5, ... 39 (40 values)",
        ),
        (
            None,
            DimensionStep(dimension="depth", value=5),
            "it has no values, accepted are {depth: {index: 0}} to {depth: {index: 2}}",
        ),
    ],
)
def test_missing_step_is_refused_with_the_existing_ones(depths, step, reason):
    with pytest.raises(UnsupportedSource) as refused:
        levels_of(depths, select=[step])

    assert reason in refused.value.message


def test_months_of_360_days_keep_their_dates_and_are_noted():
    times = times_of([15, 45, 75], calendar="360_day")

    assert [str(each)[:10] for each in times.domain.starts] == ["2000-01-16", "2000-02-16", "2000-03-16"]
    assert times.findings[0].severity == "note"


@pytest.mark.parametrize("calendar", ["360_day", "noleap"])
def test_days_of_other_calendars_equal_those_of_xarray(calendar):
    numbers = np.arange(0, 700, 7)
    dates = cftime.num2date(numbers, "days since 2000-01-01", calendar=calendar)
    truth = xarray.Dataset(coords={"time": dates}).convert_calendar("standard", align_on="year", use_cftime=False)

    np.testing.assert_array_equal(times_of(numbers, calendar=calendar).domain.starts, truth["time"].values)


@pytest.mark.parametrize(
    ("attrs", "numbers", "reason"),
    [
        ({"units": "furlongs since 2000-01-01"}, [1], "not a known unit"),
        ({"units": "days since yesterday"}, [1], "not a date"),
        ({"units": "metres"}, [1], "not a known unit"),
        ({}, [np.nan], "none of its 1 times time is usable"),
        ({}, [2_000_000], "years served"),
        ({"calendar": "360_day"}, [2_000_000], "years served"),
        ({"units": "days since 0001-01-01"}, [10], "years served"),
    ],
)
def test_undecodable_times_are_refused(attrs, numbers, reason):
    with pytest.raises(UnsupportedSource, match=reason):
        times_of(numbers, **attrs)


def test_times_without_coordinate_are_refused_with_the_remedy():
    with pytest.raises(UnsupportedSource, match="set times:"):
        times_of_field(None, make_fields(), 4)


def test_time_without_dimension_is_the_only_time():
    time = make_field("time", (), 0, units="days since 2000-01-01", standard_name="time")

    info = info_of(make_cube(others=[time]))

    assert [str(each)[:10] for each in info.times.starts] == ["2000-01-01"]


def test_configured_times_must_be_as_many():
    times = domain_of_instants(np.array(["2020-01-01", "2020-02-01"], dtype="datetime64[ns]"))

    with pytest.raises(UnsupportedSource, match="names 2 times, the data have 1"):
        grid_of(make_cube(), times=times)


def test_scale_factor_of_two_numbers_is_refused():
    with pytest.raises(UnsupportedSource, match=r"scale_factor is not one number: \[0\.1, 0\.2\]"):
        understand(make_cube(scale_factor=[0.1, 0.2]), SPEC)


@pytest.mark.parametrize("labels", [np.array(["B02", "B03"]), np.array([b"B02", b"B03"])], ids=["text", "bytes"])
def test_labels_of_a_dimension_name_its_steps(labels):
    cells = make_field("v", ("band", "y", "x"), np.zeros((2, 2, 3)), crs="EPSG:4326")
    band = make_field("band", ("band",), [1, 2])
    others = [field for field in make_cube().fields.values() if field.name != "v"]
    fields = make_fields(cells, band, make_field("name", ("band",), labels), *others)

    found = understand(fields, SourceSpec(collection="made", kind="netcdf", href="made.nc", has_each_step=True))

    assert list(found.variables) == ["v_bandB02", "v_bandB03"]


# Flags in bits.

BITS = np.array([1, 2, 4], dtype="int16")


@pytest.mark.parametrize(
    ("attrs", "flags"),
    [
        ({"flag_masks": BITS}, [("land", 1, None), ("cloud", 2, None), ("ice", 4, None)]),
        ({"flag_masks": "1, 2, 4"}, [("land", 1, None), ("cloud", 2, None), ("ice", 4, None)]),
        (
            {"flag_masks": np.array([1, 6, 6]), "flag_values": np.array([1, 2, 6])},
            [("land", 1, 1), ("cloud", 6, 2), ("ice", 6, 6)],
        ),
        ({"flag_masks": np.array([1.0, 2.5, 2.0**63])}, [("land", 1, None)]),
        ({"flag_masks": np.array([1, 2, 4]), "scale_factor": 0.1}, []),
        ({"flag_masks": BITS[:1]}, [("land", 1, None)]),
        ({"flag_masks": "none"}, []),
    ],
    ids=["bits", "text", "fields of bits", "no whole numbers", "packed", "fewer masks", "no numbers"],
)
def test_flag_masks_are_flags_in_bits(attrs, flags):
    served = meaning("int16", flag_meanings="land cloud ice", **attrs)

    assert [(flag.name, flag.mask, flag.value) for flag in served.bit_flags] == flags
    assert (served.classes, served.encoding.flags) == ((), ())


@pytest.mark.parametrize(
    "meanings", ["open_water ice", b"open_water ice", np.bytes_("open_water ice"), ["open water", "ice"]]
)
def test_flag_meanings_may_be_text_bytes_or_a_list(meanings):
    served = meaning("uint8", flag_masks=[1, 2], flag_meanings=meanings)

    assert [flag.name for flag in served.bit_flags] == ["open_water", "ice"]


def test_unsigned_attribute_turns_flag_masks():
    served = meaning("int8", _Unsigned="true", flag_masks=np.array([1, -128], dtype="int8"), flag_meanings="land ice")

    assert [flag.mask for flag in served.bit_flags] == [1, 128]


def test_array_of_bits_has_no_means():
    info = info_of(make_cube(flag_masks=[1], flag_meanings="ice"))

    assert [flag.name for flag in info.named_flags] == ["ice"]
    assert not info.has_means
