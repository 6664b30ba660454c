"""NetCDF files of a pattern, read as one source."""

from dataclasses import replace

import numpy as np
import pytest
import xarray

from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.core.model.time.instants import format_instant
from chronotile.readers.kinds import open_source
from chronotile.readers.netcdf import files as netcdf_files
from chronotile.readers.netcdf.source import engine_options
from tests.readers.made_swaths import write_orbit
from tests.scenes import make_spec

ROWS, COLUMNS = np.mgrid[:12, :20]
ALL = Window(0, 12, 0, 20)
MONTHS = ("2020-01-01", "2020-02-01", "2020-03-01")
PACKING = {
    "2020-01-01": {"dtype": "int16", "scale_factor": 0.002, "add_offset": 286.0, "_FillValue": -32767},
    "2020-02-01": {"dtype": "int16", "scale_factor": 0.001, "add_offset": 288.0, "_FillValue": -32768},
    "2020-03-01": {"dtype": "float32", "_FillValue": -9999.0},
}


def kelvin(day: str) -> np.ndarray:
    """(y, x): values by formula, one cell without."""
    values = 280 + 2 * int(day[5:7]) + 0.01 * (20 * ROWS + COLUMNS)
    return np.where((ROWS == 3) & (COLUMNS == 4), np.nan, values)


@pytest.fixture
def write(tmp_path):
    """Return `write(name, *days, …)`, which writes a file with those times, packed like ERA5."""

    def write_one(name, *days, packing=None, inside=True, shift=0.0, variables=("t2m",), units="K"):
        coordinates = {"latitude": 60 - 0.25 * np.arange(12) + shift, "longitude": 0.25 * np.arange(20)}
        cube = np.stack([kelvin(day) for day in days])
        dims = ("time", "latitude", "longitude")
        if inside:
            coordinates["time"] = np.array(days, dtype="datetime64[ns]")
        else:
            cube, dims = cube[0], dims[1:]
        dataset = xarray.Dataset({each: (dims, cube, {"units": units}) for each in variables}, coordinates)
        path = tmp_path / name
        encoding = {each: packing or PACKING.get(days[0][:10], PACKING["2020-01-01"]) for each in variables}
        partial = path.with_suffix(".part")
        dataset.to_netcdf(partial, engine="h5netcdf", encoding=encoding)
        return partial.replace(path)

    return write_one


@pytest.fixture
def open_all(tmp_path):
    def open_pattern(pattern="era5_*.nc", **rest):
        rest.setdefault("variables", {})
        return open_source(make_spec("netcdf", tmp_path / pattern, **rest))

    return open_pattern


def values_of(reader, index, variable="t2m"):
    encoding: Encoding = reader.info.variables[variable].encoding
    numbers = reader.read_window(variable, index=index, level=0, window=ALL).numbers
    return np.where(encoding.valid(numbers), encoding.values(numbers), np.nan)


def stored(path, variable="t2m", time=0):
    """Return (y, x) by xarray alone."""
    with xarray.open_dataset(path, **engine_options(path)) as dataset:  # HDF5 requires one locking option
        found = dataset[variable].astype("float64")
        return (found.isel(time=time) if "time" in found.dims else found).to_numpy()


def days(reader, variable="t2m"):
    return [format_instant(each)[:10] for each in reader.info.variables[variable].times.instants]


def told(reader):
    return [(each.severity, each.place, each.message) for each in reader.info.findings if each.place != "latitude"]


def test_each_file_has_its_own_scale_offset_type_and_fill_value(write, open_all):
    paths = [write(f"era5_{day[:7]}.nc", day) for day in MONTHS]

    reader = open_all()

    assert days(reader) == list(MONTHS)
    for index, path in enumerate(paths):
        np.testing.assert_allclose(values_of(reader, index), stored(path), rtol=0, atol=1e-4)
        np.testing.assert_allclose(values_of(reader, index), kelvin(MONTHS[index]), rtol=0, atol=2e-3)


def test_unchanged_files_have_the_configured_classes(write, open_all):
    for day in MONTHS[:2]:
        write(f"era5_{day[:7]}.nc", day, packing={"dtype": "int16", "_FillValue": -32767})

    classes = [
        open_all(variables={"t2m": VariableSpec(id="t2m", has_classes=configured)}).info.variables["t2m"].is_categorical
        for configured in (None, True, False)
    ]

    assert classes == [False, True, False]


def test_a_series_and_a_block_are_the_values_of_each_file(write, open_all):
    for day in MONTHS:
        write(f"era5_{day[:7]}.nc", day)
    reader = open_all()
    encoding = reader.info.variables["t2m"].encoding

    cell = reader.read_cell("t2m", indexes=[2, 0, 1], row=5, column=6)
    block = reader.read_block("t2m", indexes=[0, 2], window=Window(5, 7, 6, 9), along="time")

    expected = [kelvin(MONTHS[index])[5, 6] for index in (2, 0, 1)]
    np.testing.assert_allclose(encoding.values(cell.numbers), expected, rtol=0, atol=2e-3)
    np.testing.assert_allclose(
        encoding.values(block.numbers),
        np.stack([kelvin(MONTHS[index])[5:7, 6:9] for index in (0, 2)]),
        rtol=0,
        atol=2e-3,
    )


def test_files_of_several_times_join(write, open_all):
    write("era5_2019.nc", "2019-11-01", "2019-12-01")
    write("era5_2020.nc", *MONTHS)

    reader = open_all()

    assert days(reader) == ["2019-11-01", "2019-12-01", *MONTHS]
    np.testing.assert_allclose(values_of(reader, 4), kelvin("2020-03-01"), rtol=0, atol=2e-3)


@pytest.mark.parametrize(
    ("names", "pattern", "expected"),
    [
        (("era5_20200101.nc", "era5_20200201.nc"), None, ["2020-01-01", "2020-02-01"]),
        (("era5_v1_2019.nc", "era5_v1_2020.nc"), r"_(?P<time>\d{4})", ["2019-01-01", "2020-01-01"]),
    ],
    ids=["by name", "by pattern"],
)
def test_file_without_time_inside_has_that_of_its_name(write, open_all, names, pattern, expected):
    for name in names:
        write(name, MONTHS[0], inside=False)

    assert days(open_all(time_pattern=pattern)) == expected


def test_files_without_any_time_are_refused(write, open_all):
    for name in ("era5_a1.nc", "era5_a2.nc"):
        write(name, MONTHS[0], inside=False)

    with pytest.raises(UnsupportedSource, match="no time, neither inside nor in its name"):
        open_all(time_pattern=r"_a(?P<time>\d)")


def test_time_inside_overrides_that_of_the_name(write, open_all):
    write("era5_20210101.nc", "2020-01-01")
    write("era5_20210201.nc", "2020-02-01")

    assert days(open_all()) == ["2020-01-01", "2020-02-01"]


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ({"shift": 0.1}, "its corner is at (-0.125, 60.225), that of most files at (-0.125, 60.125)"),
        ({"units": "degC"}, "t2m is in degC, in most files in K"),
        ({"variables": ("other",)}, "1 of 3 times are missing, of which only other variables are in era5_b.nc"),
    ],
    ids=["grid", "units", "variable"],
)
def test_incompatible_file_is_skipped_and_reported(write, open_all, odd, reason):
    write("era5_a.nc", "2020-01-01")
    write("era5_b.nc", "2020-02-01", **odd)
    write("era5_c.nc", "2020-03-01")

    reader = open_all()

    assert days(reader) == ["2020-01-01", "2020-03-01"]
    assert any(reason in message for _severity, _place, message in told(reader))


def test_damaged_file_is_skipped_and_reported(write, open_all, tmp_path):
    write("era5_a.nc", "2020-01-01")
    path = write("era5_b.nc", "2020-02-01")
    path.write_bytes(path.read_bytes()[:100])

    reader = open_all()

    assert days(reader) == ["2020-01-01"]
    (finding,) = [each for each in told(reader) if each[0] == "error"]
    assert finding[1] == "era5_b.nc"
    assert finding[2].startswith("left out: era5_b.nc cannot be opened")


def test_duplicate_time_uses_first_file_and_warns(write, open_all):
    write("era5_a.nc", "2020-01-01")
    write("era5_b.nc", "2020-01-01", "2020-02-01")

    reader = open_all()

    assert days(reader) == ["2020-01-01", "2020-02-01"]
    assert [reader.revision_key("t2m", index) for index in (0, 1)] == [0, 1]  # the number of the file
    assert any("1 of its 2 times" in message and "era5_a.nc" in message for _severity, _place, message in told(reader))


def test_configuration_applies_to_all_files(write, open_all):
    for day in MONTHS[:2]:
        write(f"era5_{day[:7]}.nc", day)
    spec = VariableSpec(id="t", name="t2m", scale=0.01, offset=0.0, units="K")

    reader = open_all(variables={"t": spec})

    encoding = reader.info.variables["t"].encoding
    assert (encoding.scale, encoding.offset, encoding.units) == (0.01, 0.0, "K")
    assert (
        "warning",
        "era5_2020-01.nc",
        "it states int16 * 0.002 + 286, nodata -32767, units K, but is read as int16 * 0.01, nodata -32767, units K: "
        "scale: and offset: of the configuration replace what files state (2 of 2); if a file is right, remove these "
        "keys and write them into the files that lack them",
    ) in told(reader)


def test_a_file_rewritten_with_another_scale_is_read_with_it_or_not_at_all(write, open_all):
    paths = [write(f"era5_{day[:7]}.nc", day) for day in MONTHS[:2]]
    reader = open_all()
    values_of(reader, 1)

    write(paths[1].name, MONTHS[1], packing=PACKING["2020-01-01"] | {"scale_factor": 0.004})
    np.testing.assert_allclose(values_of(reader, 1), stored(paths[1]), rtol=0, atol=1e-9)
    write(paths[1].name, MONTHS[1], packing=PACKING["2020-01-01"] | {"scale_factor": 0.0007})
    with pytest.raises(SourceUnavailable, match="another encoding"):
        values_of(reader, 1)


def test_revisions_are_those_of_the_file_of_the_date(write, open_all):
    paths = [write(f"era5_{day[:7]}.nc", day) for day in MONTHS]
    reader = open_all()
    before = [reader.revision("t2m", index) for index in range(3)]

    paths[1].touch()

    after = [reader.revision("t2m", index) for index in range(3)]
    assert [one == other for one, other in zip(before, after, strict=True)] == [True, False, True]


def test_of_very_many_files_some_are_opened_and_all_are_read_right(write, open_all, monkeypatch):
    monkeypatch.setattr(netcdf_files, "MAX_FILES", 3)
    every = [f"2020-01-{day:02}" for day in range(1, 9)]
    for day in every:
        write(f"era5_{day.replace('-', '')}.nc", day, packing=PACKING["2020-01-01"])

    reader = open_all()

    assert days(reader) == every
    for index, day in enumerate(every):
        np.testing.assert_allclose(values_of(reader, index), kelvin(day), rtol=0, atol=2e-3)


def test_very_many_files_with_other_times_in_their_names_are_all_opened(write, open_all, monkeypatch):
    monkeypatch.setattr(netcdf_files, "MAX_FILES", 2)
    for day in MONTHS:
        write(f"era5_{day.replace('-', '')[:6]}05.nc", day)

    assert days(open_all()) == list(MONTHS)


def test_times_of_a_configuration_are_for_one_file(write, open_all):
    for day in MONTHS:
        write(f"era5_{day[:7]}.nc", day)
    times = domain_of_instants(np.array(["2020-01-01"], dtype="datetime64[ns]"))

    with pytest.raises(UnsupportedSource, match="3 match"):
        open_all(times=times)


def test_midnights_among_other_hours_are_instants(write, open_all):
    for hour in ("00:00", "06:00", "12:00"):
        write(f"era5_{hour[:2]}.nc", f"2020-01-01T{hour}")

    times = open_all().info.variables["t2m"].times

    assert set((times.ends - times.starts).astype(int).tolist()) == {1}


def test_a_name_with_brackets_is_a_name(write, open_all, tmp_path):
    write("era5[1].nc", "2020-01-01")

    assert days(open_source(replace(make_spec("netcdf", tmp_path / "era5[1].nc"), variables={}))) == ["2020-01-01"]


def test_files_of_a_climatology_are_one(open_all, tmp_path):
    for month in (6, 7):
        coordinates = {"latitude": 60 - 0.25 * np.arange(12), "longitude": 0.25 * np.arange(20)}
        span = np.array([[f"2001-{month:02}-01", f"2010-{month + 1:02}-01"]], dtype="datetime64[ns]")
        dataset = xarray.Dataset(
            {
                "t2m": (("time", "latitude", "longitude"), np.full((1, 12, 20), 280.0 + month), {"units": "K"}),
                "span": (("time", "nv"), span),
            },
            coordinates | {"time": ("time", np.array([f"2005-{month:02}-15"], dtype="datetime64[ns]"))},
        )
        dataset["time"].attrs["climatology"] = "span"
        units = {"units": "days since 2000-01-01"}
        dataset.to_netcdf(tmp_path / f"era5_{month}.nc", engine="h5netcdf", encoding={"time": units, "span": units})

    reader = open_all(variables={"t2m": VariableSpec(id="t2m")})

    times = reader.info.variables["t2m"].times
    assert times.is_climatology
    assert [str(each)[:10] for each in times.climatology_span] == ["2001-06-01", "2010-08-01"]
    cell = reader.read_cell("t2m", indexes=[0, 1], row=2, column=3).numbers
    np.testing.assert_array_equal(cell, [286.0, 287.0])


def test_files_at_different_places_name_tiles(tmp_path):
    for number in range(3):
        write_orbit(tmp_path / f"{number}.nc", number, start=0, stop=20, rows=40)

    findings = open_source(make_spec("netcdf", tmp_path / "*.nc", variables={})).info.findings

    message = "left out: the files lie at different places; for one map of all, set tiles: true for the source"
    assert [(finding.place, finding.message) for finding in findings] == [("1.nc", message), ("2.nc", message)]
