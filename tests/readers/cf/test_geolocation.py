"""Latitudes and longitudes of cells: odd ones, and the grid and time of their arrays."""

import numpy as np
import pytest
from pyproj import Transformer

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import SourceSpec, TargetGrid, VariableSpec
from chronotile.readers.cf.dataset import understand
from tests.readers.fieldsets import make_cube, make_field, make_fields
from tests.readers.made_swaths import GEOLOCATIONS, gaps, orbit, swath_fields

SPEC = SourceSpec(collection="made", kind="netcdf", href="made.nc")
PLAIN = np.meshgrid(10 + np.arange(40) / 20, 50 + np.arange(30) / 20)
"""Longitudes and latitudes 0.05 degrees apart."""


def understand_fields(fields, **spec):
    return understand(fields, SourceSpec(collection="made", kind="netcdf", href="made.nc", **spec))


def grid_of(fields, **spec):
    return understand_fields(fields, **spec).variables["v"].grid


def time_of(fields):
    return understand_fields(fields).variables["v"].info.times.starts.astype("datetime64[s]").astype(str).tolist()


def replace_block(values, *, of):
    """Return values (y, x) with a block of others."""
    changed = np.array(values)
    changed[5:12, 8:20] = of
    return changed


# Grids.


def test_grid_has_at_most_half_of_the_cell_side():
    grid = grid_of(swath_fields(*PLAIN))

    side = 0.05 * np.cos(np.radians(50.725))
    assert grid.crs.name == "EPSG:4326"
    assert side / 4 < grid.transform.a == -grid.transform.e <= side / 2
    assert np.log2(grid.transform.a).is_integer()


def test_grid_covers_all_cells_and_half_a_cell_around_them():
    west, south, east, north = grid_of(swath_fields(*PLAIN)).bbox

    assert 9.9 < west < 10 - 0.024 < 11.95 + 0.024 < east < 12.05
    assert 49.9 < south < 50 < 51.45 + 0.015 < north < 51.6


def test_grid_covers_half_of_the_longer_side_of_cells():
    columns, rows = np.meshgrid(np.arange(12) * 0.2, np.arange(60) * 0.01)

    west, south, east, north = grid_of(swath_fields(columns, rows)).bbox

    assert west < -0.0999 < 2.2999 < east
    assert south < -0.0049 < 0.5949 < north


def test_grid_continues_across_the_antimeridian():
    west, _south, east, _north = grid_of(swath_fields(*GEOLOCATIONS["antimeridian"])).bbox

    assert 160 < west < 180 < east < 190


@pytest.mark.parametrize(("name", "edge"), [("north pole", "ymax"), ("south pole", "ymin")])
def test_grid_with_a_pole_has_all_longitudes(name, edge):
    grid = grid_of(swath_fields(*GEOLOCATIONS[name]))

    assert grid.is_circular
    assert abs(getattr(grid.bbox, edge)) == 90


def test_configured_grid_starts_at_the_origin_of_its_crs():
    grid = grid_of(swath_fields(*PLAIN), grid=TargetGrid(crs="EPSG:32632", resolution=2000.0))

    x, y = Transformer.from_crs(4326, 32632, always_xy=True).transform(*PLAIN)
    assert (grid.transform.c % 2000, grid.transform.f % 2000, grid.transform.a) == (0, 0, 2000)
    assert x.min() - 5000 < grid.bbox.xmin < x.min() - 2700
    assert y.max() + 2700 < grid.bbox.ymax < y.max() + 5000


def test_whole_circle_is_served_in_cells_that_do_not_divide_it():
    positions = np.meshgrid(np.arange(-179, 180, 2.0), np.arange(-89, 90, 2.0))

    grid = grid_of(swath_fields(*positions), grid=TargetGrid(crs="EPSG:4326", resolution=0.7))

    assert grid.is_circular


def test_longitudes_from_0_to_360_are_the_same_grid():
    longitudes, latitudes = orbit(node=-40.0)

    assert grid_of(swath_fields(longitudes % 360, latitudes)) == grid_of(swath_fields(longitudes, latitudes))


def test_array_with_regular_coordinates_stays_on_its_grid():
    cells = [
        make_field(name, ("y", "x"), values, units=units)
        for name, units, values in zip(
            ("lon", "lat"), ("degrees_east", "degrees_north"), np.meshgrid([2.0, 3, 4], [52.0, 51]), strict=True
        )
    ]

    variable = understand_fields(make_cube(others=cells)).variables["v"]

    assert (variable.swath, variable.grid.width, variable.grid.height) == (None, 3, 2)


def test_index_coordinates_are_replaced_by_a_configured_grid():
    rows, columns = np.mgrid[:30, :40]
    metres = {"units": "m", "standard_name": "projection_x_coordinate"}
    cells = [
        make_field("lat", ("y", "x"), -30 - rows / 10 + columns / 50, units="degrees_north"),
        make_field("lon", ("y", "x"), 15 + columns / 10, units="degrees_east"),
    ]
    fields = make_cube(x=range(40), y=range(30), crs="EPSG:32633", x_attrs=metres, others=cells)

    with pytest.raises(UnsupportedSource, match="set grid: to place it by its lat and lon"):
        understand(fields, SPEC)
    assert grid_of(fields, grid=TargetGrid(crs="EPSG:4326", resolution=0.05)).bbox.xmax == pytest.approx(19, abs=0.1)


def test_grid_without_a_swath_is_reported():
    findings = understand_fields(make_cube(), grid=TargetGrid(crs="EPSG:4326", resolution=0.05)).findings

    assert "grid: is not used" in findings[0].message


# Odd positions.

MISSING = {
    "NaN": np.nan,
    "1e30": 1e30,
    "fill value": -999.0,
    "zeros": 0.0,
    "out of range": 91.0,
}


@pytest.mark.parametrize("name", MISSING)
def test_block_without_positions_does_not_move_the_grid(name):
    longitudes, latitudes = (
        replace_block(values, of=MISSING[name] * (1 + 3 * (name == "out of range"))) for values in PLAIN
    )

    assert grid_of(swath_fields(longitudes, latitudes)) == grid_of(swath_fields(*PLAIN))


def test_packed_positions_are_unpacked():
    longitudes, latitudes = (np.round(values * 1000).astype("int32") for values in PLAIN)
    packed = swath_fields(longitudes, latitudes).fields
    attrs = {"scale_factor": 0.001, "_FillValue": np.int32(-1)}
    fields = make_fields(*(make_field(f.name, f.dims, f.load(), **{**f.attrs, **attrs}) for f in packed.values()))

    assert grid_of(fields) == grid_of(swath_fields(*PLAIN))


REFUSED = {
    "all missing": (np.full((2, 30, 40), np.nan), "no cell has a latitude and longitude"),
    "all zeros": (np.zeros((2, 30, 40)), "no cell has a latitude and longitude"),
    "one cell": ([[[10.0]], [[50.0]]], "single cell with a latitude and longitude"),
    "one position": (np.full((2, 30, 40), 7.0), "do not advance along"),
    "constant rows": ((np.full((30, 40), 10.0), PLAIN[1]), "do not advance along rows"),
    "constant columns": ((PLAIN[0], np.full((30, 40), 50.0)), "do not advance along columns"),
    "swapped": ((PLAIN[1], PLAIN[0] + 150), "latitude and longitude may be swapped"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_useless_positions_are_refused_with_their_reason(name):
    (longitudes, latitudes), words = REFUSED[name]

    with pytest.raises(UnsupportedSource, match=words):
        understand(swath_fields(longitudes, latitudes), SPEC)


def test_positions_of_another_shape_are_refused():
    other = make_field("w", ("scan", "band"), np.zeros((30, 7)), coordinates="lat lon")
    fields = swath_fields(*PLAIN, None, other)

    content = understand(fields, SPEC)

    assert list(content.variables) == ["v"]
    assert "lat (scan: 30, pixel: 40) and lon" in content.findings[0].message


def test_positions_that_vary_with_time_are_refused():
    dims = ("time", "row", "column")
    fields = make_fields(
        make_field("v", dims, np.zeros((2, 30, 40))),
        make_field("XLAT", dims, np.stack([PLAIN[1], PLAIN[1] + 1]), units="degree_north"),
        make_field("XLONG", dims, np.stack([PLAIN[0], PLAIN[0] + 1]), units="degree_east"),
        make_field("time", ("time",), [0, 1], units="days since 2020-01-01"),
    )

    with pytest.raises(UnsupportedSource, match="positions XLAT vary along time"):
        understand(fields, SPEC)


def test_latitudes_alone_are_refused():
    fields = make_fields(
        make_field("v", ("scan", "pixel"), np.zeros((30, 40))),
        make_field("lat", ("scan", "pixel"), PLAIN[1], units="degrees_north"),
    )

    with pytest.raises(UnsupportedSource, match="its own latitude and longitude"):
        understand(fields, SPEC)


def test_one_scan_line_is_served():
    longitudes, latitudes = (values[:1] for values in PLAIN)

    assert grid_of(swath_fields(longitudes, latitudes)).width > 40


def test_scattered_positions_are_served():
    assert grid_of(swath_fields(*gaps())).width > 100


def test_steps_of_another_dimension_are_variables():
    v = make_field("v", ("scan", "level", "pixel"), np.zeros((30, 2, 40)))
    level = make_field("level", ("level",), [10.0, 20.0])
    fields = make_fields(v, level, *list(swath_fields(*PLAIN).fields.values())[1:])

    assert list(understand_fields(fields, has_each_step=True).variables) == ["v_level10", "v_level20"]


def test_variable_is_configured_by_name():
    specs = {"made": VariableSpec(id="made", name="v", units="K")}

    variable = understand_fields(swath_fields(*PLAIN), variables=specs).variables["made"]

    assert (variable.info.encoding.units, variable.array) == ("K", "v")


# Times.

SECONDS = {"units": "seconds since 2020-01-01", "standard_name": "time"}


def test_time_is_the_middle_of_scan_lines():
    lines = make_field("time", ("scan",), np.arange(30) * 10, **SECONDS)

    assert time_of(swath_fields(*PLAIN, None, lines)) == ["2020-01-01T00:02:25"]


def test_time_is_the_middle_of_cells_without_missing_ones():
    times = replace_block(np.arange(1200).reshape(30, 40), of=-1)
    cells = make_field("time", ("scan", "pixel"), times, _FillValue=-1, **SECONDS)

    assert time_of(swath_fields(*PLAIN, None, cells)) == ["2020-01-01T00:09:59"]


def test_times_of_scan_lines_override_the_day_of_a_granule():
    dims = ("time", "scan", "pixel")
    fields = make_fields(
        make_field("v", dims, np.zeros((1, 30, 40))),
        make_field("lat", dims, PLAIN[1][None], units="degrees_north"),
        make_field("lon", dims, PLAIN[0][None], units="degrees_east"),
        make_field("time", ("time",), [0], **SECONDS),
        make_field("delta_time", dims[:2], [np.arange(30) * 1000 + 36_000_000], units="milliseconds since 2020-01-01"),
    )

    assert time_of(fields) == ["2020-01-01T10:00:14"]


def test_times_along_a_dimension_are_unchanged():
    dims = ("time", "scan", "pixel")
    times = make_field("time", ("time",), [0, 86_400], **SECONDS)
    v = make_field("v", dims, np.zeros((2, 30, 40)))
    fields = make_fields(v, times, *list(swath_fields(*PLAIN).fields.values())[1:])

    assert time_of(fields) == ["2020-01-01T00:00:00", "2020-01-02T00:00:00"]


# Cases of real archives.


def test_longitudes_beyond_360_are_turned():
    longitudes, latitudes = np.meshgrid(74.0 + np.arange(0, 360, 2.0), np.arange(-60, 60, 2.0))

    west, _south, east, _north = grid_of(swath_fields(longitudes, latitudes)).bbox

    assert (west, east) == (-180, 180)


@pytest.mark.parametrize("name", ["lat_u", "lon_u"])
def test_second_latitude_or_longitude_is_ambiguous(name):
    latitude = name.startswith("lat")
    units = "degrees_north" if latitude else "degrees_east"
    fields = swath_fields(*PLAIN)
    dims = fields.fields["v"].dims[-2:]
    other = make_field(name, dims, PLAIN[1 if latitude else 0] + 3, units=units)
    without_names = dict(fields.fields) | {name: other}
    without_names["v"] = make_field("v", dims, np.zeros(PLAIN[0].shape))

    with pytest.raises(UnsupportedSource, match=rf"its positions are ambiguous: .*{name}.* has to name a pair"):
        understand_fields(make_fields(*without_names.values()))


def test_positions_that_move_and_return_are_refused():
    longitudes, latitudes = (np.stack([plane, plane, plane]) for plane in PLAIN)
    latitudes[1] += 5
    dims = ("time", "y", "x")
    fields = make_fields(
        make_field("v", dims, np.zeros(latitudes.shape)),
        make_field("lat", dims, latitudes, units="degrees_north"),
        make_field("lon", dims, longitudes, units="degrees_east"),
        make_field("time", ("time",), np.arange(3), units="days since 2020-01-01"),
    )

    with pytest.raises(UnsupportedSource, match="lat vary along time"):
        understand_fields(fields)


def test_scan_lines_called_time_have_the_time_of_the_granule():
    dims = ("time", "pixel")
    fields = make_fields(
        make_field("v", dims, np.zeros(PLAIN[0].shape)),
        make_field("lat", dims, PLAIN[1], units="degrees_north"),
        make_field("lon", dims, PLAIN[0], units="degrees_east"),
        make_field("time", ("time",), np.arange(30) * 2, units="seconds since 2020-01-01"),
    )

    assert time_of(fields) == ["2020-01-01T00:00:29"]


# Incomplete positions.


def fields_with_units(*, units, names=("latitude", "longitude")):
    dims = ("scan", "pixel")
    positions = zip(names, PLAIN[::-1], strict=True)
    attrs = {} if units is None else {"units": units}
    return make_fields(
        make_field("v", dims, np.zeros(PLAIN[0].shape)), *(make_field(name, dims, p, **attrs) for name, p in positions)
    )


@pytest.mark.parametrize("units", ["deg", "degree", "degrees"])
def test_degrees_of_fields_called_latitude_are_positions(units):
    content = understand_fields(fields_with_units(units=units))

    assert content.variables.keys() == {"v"}
    assert content.variables["v"].grid == grid_of(swath_fields(*PLAIN))


def test_degrees_of_fields_with_other_names_are_no_positions():
    with pytest.raises(UnsupportedSource, match="x and y are missing"):
        understand_fields(fields_with_units(units="degrees", names=("zenith", "azimuth")))


def test_positions_without_units_are_named_in_the_refusal():
    with pytest.raises(UnsupportedSource, match="latitude and longitude lack their units: degrees_north, degrees_east"):
        understand_fields(fields_with_units(units=None))


def test_positions_of_every_second_row_are_refused():
    longitudes, latitudes = (np.where(np.arange(30)[:, None] % 2, np.nan, values) for values in PLAIN)

    with pytest.raises(UnsupportedSource, match=r"do not advance along columns: .* or every second cell or more"):
        understand(swath_fields(longitudes, latitudes), SPEC)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_positions_may_repeat_along_time_at_any_axis(axis):
    dims = ["y", "x"]
    dims.insert(axis, "time")
    longitudes, latitudes = (np.stack([plane] * 3, axis=axis) for plane in PLAIN)
    fields = make_fields(
        make_field("v", dims, np.zeros(latitudes.shape)),
        make_field("lat", dims, latitudes, units="degrees_north"),
        make_field("lon", dims, longitudes, units="degrees_east"),
        make_field("time", ("time",), np.arange(3), units="days since 2020-01-01"),
    )

    assert grid_of(fields) == grid_of(swath_fields(*PLAIN))
    assert len(time_of(fields)) == 3


def test_times_of_cells_are_no_variable():
    times = make_field("scan_time", ("scan", "pixel"), np.zeros((30, 40)), units="seconds since 2020-01-01")
    durations = make_field("sst_dtime", ("scan", "pixel"), np.zeros((30, 40)), units="seconds")

    assert list(understand_fields(swath_fields(*PLAIN, None, times, durations)).variables) == ["v", "sst_dtime"]
