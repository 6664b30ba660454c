"""Raster files whose bands are times, several of them as one source."""

from dataclasses import replace

import numpy as np
import pytest
import rasterio
from rasterio.shutil import copy

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.source import VariableSpec
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.domain import domain_of_periods
from chronotile.core.model.time.instants import format_day, format_instant
from chronotile.core.model.time.period_parser import parse_period
from chronotile.readers.kinds import open_source
from chronotile.readers.raster.band_times import band_times_of
from chronotile.readers.raster.pool import HandlePool
from tests.rasters import write_raster
from tests.scenes import Scene, make_spec, write_tif

SCENE = Scene()
ALL = Window(0, SCENE.height, 0, SCENE.width)


@pytest.fixture
def write(tmp_path):
    """Return `write(name, bands)`, which writes bands of times, given as pairs of time and description."""

    def write_bands(name, bands, scene=SCENE, **profile):
        path = tmp_path / name
        write_tif(path, np.stack([scene.numbers(t) for t, _text in bands]), scene, **profile)
        with rasterio.open(path, "r+") as dataset:
            dataset.descriptions = tuple(text for _t, text in bands)
        return path

    return write_bands


@pytest.fixture
def open_all(tmp_path):
    def open_pattern(pattern="ndvi_*.tif", **rest):
        rest.setdefault("variables", {"NDVI": VariableSpec(id="NDVI")})
        return open_source(make_spec("cog", tmp_path / pattern, **rest))

    return open_pattern


def days(reader, variable="NDVI"):
    return [format_day(each) for each in reader.info.variables[variable].times.instants]


def numbers(reader, variable="NDVI"):
    """(time, y, x)."""
    count = len(reader.info.variables[variable].times)
    return np.stack([reader.read_window(variable, index=index, level=0, window=ALL).numbers for index in range(count)])


def messages(reader):
    return [f"{each.place}: {each.message}" for each in reader.info.findings]


def test_yearly_files_of_dated_bands_join(write, open_all):
    write("ndvi_2020.tif", [(2, "2020-01-01"), (3, "2020-01-11"), (4, "2020-01-21")])
    write("ndvi_2019.tif", [(0, "2019-12-11"), (1, "2019-12-21")])

    reader = open_all()

    assert days(reader) == ["2019-12-11", "2019-12-21", "2020-01-01", "2020-01-11", "2020-01-21"]
    np.testing.assert_array_equal(numbers(reader), np.stack([SCENE.numbers(t) for t in range(5)]))
    cell = reader.read_cell("NDVI", indexes=[4, 0, 1, 3], row=7, column=9).numbers
    np.testing.assert_array_equal(cell, [SCENE.number(t, 7, 9) for t in (4, 0, 1, 3)])
    block = reader.read_block("NDVI", indexes=[1, 2], window=Window(2, 5, 3, 8), along="time").numbers
    np.testing.assert_array_equal(block, np.stack([SCENE.numbers(t)[2:5, 3:8] for t in (1, 2)]))


@pytest.mark.slow
def test_files_with_a_variable_in_their_names_have_all_dates_of_their_bands(write, open_all):
    dates = [(t, f"2020-{t // 28 + 1:02}-{t % 28 + 1:02}") for t in range(137)]
    write("ndvi_a.tif", dates)
    write("lai_a.tif", dates, replace(SCENE, shift=40))

    reader = open_all("{variable}_a.tif", variables={name: VariableSpec(id=name) for name in ("ndvi", "lai")})

    assert len(days(reader, "ndvi")) == len(days(reader, "lai")) == 137
    np.testing.assert_array_equal(numbers(reader, "lai")[100], replace(SCENE, shift=40).numbers(100))


def test_each_file_has_its_own_scale(write, open_all):
    write("ndvi_2019.tif", [(0, "2019-12-11"), (1, "2019-12-21")])
    write("ndvi_2020.tif", [(2, "2020-01-01"), (3, "2020-01-11")], replace(SCENE, scale=0.002, offset=0.1))

    reader = open_all()

    encoding = reader.info.variables["NDVI"].encoding
    cell = reader.read_cell("NDVI", indexes=[0, 1, 2, 3], row=7, column=9).numbers
    expected = [SCENE.number(t, 7, 9) * scale + offset for t, scale, offset in
                ((0, 0.004, -0.08), (1, 0.004, -0.08), (2, 0.002, 0.1), (3, 0.002, 0.1))]  # fmt: skip
    np.testing.assert_allclose(encoding.values(cell), expected, atol=1e-9)


def test_bands_need_not_be_in_order_of_time(write, open_all):
    write("ndvi_a.tif", [(1, "2020-01-11"), (2, "2020-01-21"), (0, "2020-01-01")])

    reader = open_all("ndvi_a.tif")

    np.testing.assert_array_equal(numbers(reader), np.stack([SCENE.numbers(t) for t in range(3)]))


def test_bands_named_by_date_and_variable_are_several_variables(write, open_all):
    names = ["20200101_B4", "20200101_B8", "20200111_B4", "20200111_B8"]
    write("ndvi_a.tif", list(enumerate(names)))

    reader = open_all("ndvi_a.tif", variables={})

    assert list(reader.info.variables) == ["B4", "B8"]
    np.testing.assert_array_equal(numbers(reader, "B8"), np.stack([SCENE.numbers(t) for t in (1, 3)]))


def test_dated_bands_without_a_name_are_configured_as_band1(write, open_all):
    write("ndvi_a.tif", list(enumerate(["2020-01-01", "2020-01-01_B8", "2020-01-11", "2020-01-11_B8"])))

    reader = open_all("ndvi_a.tif", variables={"NDVI": VariableSpec(id="NDVI", name="band1")})
    unconfigured = open_all("ndvi_a.tif", variables={})

    np.testing.assert_array_equal(numbers(reader), np.stack([SCENE.numbers(t) for t in (0, 2)]))
    np.testing.assert_array_equal(numbers(unconfigured, "band1"), numbers(reader))
    assert messages(reader) == ["bands: left out: 2 bands of other variables, such as B8: name them as variables"]


def test_unknown_name_of_dated_bands_is_refused_with_their_names(write, open_all):
    write("ndvi_a.tif", list(enumerate(["2020-01-01", "2020-01-01_B8", "2020-01-11", "2020-01-11_B8"])))

    with pytest.raises(UnsupportedSource, match=r"no bands for NDVI; there are band1 \(only dates\), B8: set name:"):
        open_all("ndvi_a.tif")


def test_described_band_without_date_is_skipped_and_reported(write, open_all):
    write("ndvi_a.tif", [(0, "2020-01-01"), (1, "2020-01-11"), (2, "QA")])

    reader = open_all("ndvi_a.tif")

    assert days(reader) == ["2020-01-01", "2020-01-11"]
    assert messages(reader) == ["ndvi_a.tif: left out: band 3 (QA): the other bands are dates"]


def test_time_in_two_files_is_reported_and_the_first_is_used(write, open_all):
    write("ndvi_2019.tif", [(0, "2019-12-21"), (1, "2020-01-01")])
    write("ndvi_2020.tif", [(2, "2020-01-01"), (3, "2020-01-11")])

    reader = open_all()

    np.testing.assert_array_equal(numbers(reader), np.stack([SCENE.numbers(t) for t in (0, 1, 3)]))
    assert any("ndvi_2020.tif: left out: 1 of its 2 times" in each or "2020.tif: left out: 1 of its 2" in each
               for each in messages(reader))  # fmt: skip


@pytest.mark.parametrize("missing", [None, 2020], ids=["all", "a year missing"])
def test_configured_times_go_to_the_files_of_their_years(write, open_all, missing):
    times = domain_of_periods(np.datetime64("2019-01-01", "ns"), parse_period("P3M"), 12)
    for place, year in enumerate((2019, 2020, 2021)):
        if year != missing:
            write(f"ndvi_{year}.tif", [(4 * place + quarter, "") for quarter in range(4)])

    reader = open_all(times=times)

    kept = [t for t in range(12) if missing is None or t // 4 != 1]
    assert days(reader) == [format_day(times.instants[t]) for t in kept]
    np.testing.assert_array_equal(numbers(reader), np.stack([SCENE.numbers(t) for t in kept]))
    assert [("4 of 12 times" in each) for each in messages(reader)] == ([True] if missing else [])


def test_file_with_fewer_bands_than_times_of_its_year_is_skipped(write, open_all):
    times = domain_of_periods(np.datetime64("2019-01-01", "ns"), parse_period("P3M"), 8)
    write("ndvi_2019.tif", [(t, "") for t in range(4)])
    write("ndvi_2020.tif", [(t, "") for t in range(3)])

    reader = open_all(times=times)

    assert len(days(reader)) == 4
    assert messages(reader) == [
        "ndvi_2020.tif: left out: it has 3 bands, times: names 4 times in the period of its name"
    ]


def test_configured_times_go_to_files_without_years_in_order(write, open_all):
    times = domain_of_periods(np.datetime64("2019-01-01", "ns"), parse_period("P3M"), 5)
    write("ndvi_a.tif", [(0, ""), (1, "")])
    write("ndvi_b.tif", [(2, ""), (3, ""), (4, "")])

    np.testing.assert_array_equal(numbers(open_all(times=times)), np.stack([SCENE.numbers(t) for t in range(5)]))
    with pytest.raises(UnsupportedSource, match="times: names 4 times, 2 files have 5 bands"):
        open_all(times=domain_of_periods(np.datetime64("2019-01-01", "ns"), parse_period("P3M"), 4))


def test_bands_that_a_configuration_numbers_are_variables(write, open_all):
    write("ndvi_a.tif", [(0, "2020-01-01"), (1, "2020-01-11")])

    reader = open_all("ndvi_a.tif", variables={"NDVI": VariableSpec(id="NDVI", band=2)})

    assert days(reader) == []
    np.testing.assert_array_equal(reader.read_window("NDVI", index=0, level=0, window=ALL).numbers, SCENE.numbers(1))


@pytest.fixture
def write_grib(tmp_path):
    """Return `write_grib(name, start)`: temperatures of two times, two metres above the ground, written by GDAL."""

    def write_one(name, *instants):
        values = np.stack([20.0 + place + np.arange(200).reshape(10, 20) / 16 for place in range(len(instants))])
        source = tmp_path / "source.tif"
        place = rasterio.Affine(1, 0, 0, 0, -1, 50)
        write_raster(source, values.astype("float32"), crs="EPSG:4326", transform=place)
        ids = {f"BAND_{band}_IDS": f"CENTER=98 REF_TIME={each}" for band, each in enumerate(instants, start=1)}
        copy(
            source, tmp_path / name, driver="GRIB", DISCIPLINE="0", PDS_PDTN="0",
            PDS_TEMPLATE_ASSEMBLED_VALUES="0 0 2 0 0 0 0 1 0 103 0 2 255 0 0", DATA_ENCODING="IEEE_FLOATING_POINT",
            **ids,
        )  # fmt: skip
        source.unlink()
        return tmp_path / name

    return write_one


def test_grib_messages_are_times_of_variables_with_units(write_grib, open_all):
    path = write_grib("a.grib2", "2020-01-01T06:00:00Z", "2020-01-01T00:00:00Z")

    reader = open_all("a.grib2", variables={})

    (info,) = reader.info.variables.values()
    assert (info.name, info.encoding.units, info.title) == ("TMP_2-HTGL", "K", "Temperature, 2-HTGL")
    assert [format_instant(each) for each in info.times.instants] == ["2020-01-01T00:00:00Z", "2020-01-01T06:00:00Z"]
    with rasterio.Env(GRIB_NORMALIZE_UNITS=False), rasterio.open(path) as file:
        stored = file.read()
    cell = reader.read_cell(info.name, indexes=[0, 1], row=3, column=4).numbers
    np.testing.assert_array_equal(cell, stored[::-1, 3, 4])
    np.testing.assert_allclose(cell, [294.15 + 64 / 16, 293.15 + 64 / 16], atol=1e-3)  # GDAL writes kelvin


def test_grib_files_join(write_grib, open_all):
    write_grib("a.grib2", "2020-01-01T00:00:00Z", "2020-01-01T06:00:00Z")
    write_grib("b.grib2", "2020-01-01T12:00:00Z")

    reader = open_all("*.grib2", variables={"t2m": VariableSpec(id="t2m", name="TMP_2-HTGL")})

    times = reader.info.variables["t2m"].times
    assert [format_instant(each)[11:16] for each in times.instants] == ["00:00", "06:00", "12:00"]
    assert set((times.ends - times.starts).astype(int).tolist()) == {1}


def test_bands_of_one_date_are_no_series(write):
    path = write("a.tif", [(0, "20200101_B4"), (1, "20200101_B8")])

    with HandlePool(max_idle=0).lend(str(path)) as handle:
        assert band_times_of(handle).series == ()
