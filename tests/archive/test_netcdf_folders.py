"""Folders of NetCDF files: one collection, over HTTP, followed when files change, made into a serving cube."""

import numpy as np
import pytest
import xarray
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.check import check_archive
from chronotile.archive.open import open_archive, refresh_archive
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.time.instants import format_day, format_instant
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube
from chronotile.readers.kinds import open_source
from chronotile.readers.netcdf import files as netcdf_files
from tests.archive.series import series_at
from tests.scenes import make_spec, write_once

NOW = np.datetime64("2020-06-01T12:00:00", "ns")
ROWS, COLUMNS = np.mgrid[:12, :20]
DAYS = ("2020-01-01", "2020-01-11", "2020-01-21")
LON, LAT = 2.125, 49.875
PLACE = {"lon": LON, "lat": LAT}
"""The middle of row 5, column 8."""


def ndvi(day: str) -> np.ndarray:
    """(y, x): by formula."""
    return 0.2 + 0.01 * int(day[8:]) + 0.001 * (20 * ROWS + COLUMNS)


def write_date(path, day, *, scale=0.004, offset=-0.08, variable="NDVI", shift=0.0, units="1"):
    """A file as the Global Land service writes: one date, bytes; another scale for each, as real archives have."""

    def write(folder):
        coordinates = {
            "time": np.array([day], dtype="datetime64[ns]"),
            "lat": 51.125 - 0.25 * np.arange(12) + shift,
            "lon": 0.125 + 0.25 * np.arange(20),
        }
        numbers = np.round((ndvi(day) - offset) / scale).astype("uint8")[np.newaxis]
        attrs = {"scale_factor": scale, "add_offset": offset, "_FillValue": np.uint8(255), "units": units}
        dataset = xarray.Dataset({variable: (("time", "lat", "lon"), numbers, attrs)}, coordinates)
        partial = (folder / path.name).with_suffix(".part")
        dataset.to_netcdf(partial, engine="h5netcdf")
        partial.replace(folder / path.name)

    write_once(path.parent, ("one date", path.name, day, scale, offset, variable, shift, units), write)
    return path


@pytest.fixture
def folder(tmp_path):
    """Write three dates, each with separate scale and offset."""
    found = tmp_path / "data"
    found.mkdir()
    for day, (scale, offset) in zip(DAYS, ((0.004, -0.08), (0.005, -0.1), (0.004, 0.0)), strict=True):
        write_date(
            found / f"c_gls_NDVI300_{day.replace('-', '')}0000_GLOBE_OLCI_V2.nc", day, scale=scale, offset=offset
        )
    return found


@pytest.fixture
def configuration(folder):
    file = folder.parent / "chronotile.yaml"
    file.write_text(
        "collections:\n  cgls: {source: {kind: netcdf, href: 'data/*.nc'}, variables: {NDVI: {layer: NDVI}}}\n"
    )
    return file


def days_of(archive):
    (layer,) = archive.services.catalogue.layers
    return [format_day(each) for each in layer.times.instants]


def in_files(folder):
    """Return xarray's values at the point, by file."""
    values = []
    for path in sorted(folder.glob("*.nc")):
        with xarray.open_dataset(path) as dataset:
            values.append(float(dataset["NDVI"].sel(lat=LAT, lon=LON, method="nearest").item()))
    return values


def test_a_folder_of_one_netcdf_a_date_is_one_layer(open_at, folder):
    archive = open_at(folder)

    (layer,) = archive.services.catalogue.layers
    answer = series_at(archive, layer.id, **PLACE)

    assert days_of(archive) == list(DAYS)
    assert layer.id == "c-gls-ndvi300-globe-olci-v2.NDVI"
    np.testing.assert_allclose(answer["values"], [ndvi(day)[5, 8] for day in DAYS], atol=0.0026)
    np.testing.assert_allclose(answer["values"], in_files(folder), atol=1e-6)


def test_written_configuration_of_a_folder_serves_the_same(open_at, folder):
    archive = open_at(folder)
    file = folder / "chronotile.yaml"
    file.write_text(archive.discovery.text(folder))

    again = open_at(file)

    (layer,) = again.services.catalogue.layers
    assert "href: c_gls_NDVI300_*_GLOBE_OLCI_V2.nc" in file.read_text()
    assert series_at(again, layer.id, **PLACE)["values"] == series_at(archive, layer.id, **PLACE)["values"]


def test_a_pattern_of_a_configuration_is_one_layer_in_all_protocols(open_at, configuration, folder):
    archive = open_at(configuration)
    expected = in_files(folder)

    with TestClient(application(archive.services)) as client:
        point = client.get("/timeseries/NDVI/point", params=PLACE).json()["values"]
        info = client.get(
            "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=NDVI&QUERY_LAYERS=NDVI&STYLES=&CRS=CRS:84"
            "&BBOX=0,48.25,5,51.25&WIDTH=20&HEIGHT=12&I=8&J=5&TIME=2020-01-11&INFO_FORMAT=application/json"
        )
        coverage = client.get(
            "/ogcapi/collections/NDVI/coverage",
            params={"bbox": "2.0,49.75,2.25,50", "datetime": "2020-01-21", "f": "json"},
        )

    np.testing.assert_allclose(point, expected, atol=1e-6)
    assert str(round(expected[1], 3)) in info.text
    assert str(round(expected[2], 3)) in coverage.text


def test_files_that_come_change_and_go_are_noticed(configuration, folder):
    def again(archive):
        return refresh_archive(archive, configuration, environment={}, clock=lambda: NOW)

    archive = open_archive(configuration, environment={}, clock=lambda: NOW)
    assert again(archive) is archive

    write_date(folder / "c_gls_NDVI300_202002010000_GLOBE_OLCI_V2.nc", "2020-02-01")
    grown = again(archive)
    assert days_of(grown) == [*DAYS, "2020-02-01"]

    write_date(min(folder.glob("*.nc")), DAYS[0], scale=0.01, offset=0.0)
    changed = again(grown)
    np.testing.assert_allclose(series_at(changed, "NDVI", **PLACE)["values"], in_files(folder), atol=1e-6)

    sorted(folder.glob("*.nc"))[1].unlink()
    assert days_of(again(changed)) == [DAYS[0], DAYS[2], "2020-02-01"]


@pytest.mark.parametrize("as_pattern", [False, True], ids=["folder", "pattern"])
def test_a_serving_cube_of_the_files_has_their_values(folder, tmp_path, as_pattern):
    target = tmp_path / "cube.zarr"

    sources = [str(folder / "*.nc") if as_pattern else str(folder)]
    optimise(sources, target, Options(layout="both", threads=1))
    verify_cube(sources, target, Options())

    cube = open_source(make_spec("zarr", target, variables={}))
    info = cube.info.variables["NDVI"]
    numbers = cube.read_cell("NDVI", indexes=[0, 1, 2], row=5, column=8).numbers
    np.testing.assert_allclose(info.encoding.values(numbers), in_files(folder), atol=1e-6)


def test_file_of_another_grid_is_reported_at_start_and_by_check(open_at, folder, configuration):
    path = sorted(folder.glob("*.nc"))[1]
    with xarray.open_dataset(path, mask_and_scale=False) as dataset:
        moved = dataset.load().assign_coords(lat=dataset["lat"] + 0.1)
    path.unlink()
    moved.to_netcdf(path, engine="h5netcdf")

    for place in (folder, configuration):
        archive = open_at(place)
        told = [each for each in archive.findings if path.name in each.place]
        assert days_of(archive) == [DAYS[0], DAYS[2]]
        assert "left out: its corner is at" in told[0].message
        assert not any(each.severity == "error" for each in check_archive(archive))


def test_yearly_files_join(open_at, tmp_path):
    for year in (2019, 2020):
        days = np.array([f"{year}-{month:02}-01" for month in (1, 2)], dtype="datetime64[ns]")
        values = np.stack([ndvi("2020-01-01") + month for month in (1, 2)])
        dataset = xarray.Dataset(
            {"t2m": (("time", "lat", "lon"), values, {"units": "K"})},
            {"time": days, "lat": 51.125 - 0.25 * np.arange(12), "lon": 0.125 + 0.25 * np.arange(20)},
        )
        dataset.to_netcdf(tmp_path / f"era5_t2m_{year}.nc", engine="h5netcdf")

    assert days_of(open_at(tmp_path)) == ["2019-01-01", "2019-02-01", "2020-01-01", "2020-02-01"]


def test_check_opens_files_that_were_not_opened_at_the_start(open_at, folder, configuration, monkeypatch):
    for day in range(1, 10):
        write_date(folder / f"c_gls_NDVI300_2020020{day}0000_GLOBE_OLCI_V2.nc", f"2020-02-0{day}")
    monkeypatch.setattr(netcdf_files, "MAX_FILES", 2)
    broken = sorted(folder.glob("*.nc"))[5]
    broken.write_bytes(broken.read_bytes()[:200])

    archive = open_at(configuration)
    found = [each for each in check_archive(archive) if broken.name in each.place]

    assert not any(broken.name in each.place for each in archive.findings)
    assert [each.severity for each in found] == ["error"]
    with TestClient(application(archive.services), raise_server_exceptions=False) as client:
        days = client.get("/timeseries/NDVI/point", params={"lon": LON, "lat": LAT, "datetime": "2020-02-09"})
    assert days.json()["values"] == [pytest.approx(ndvi("2020-02-09")[5, 8], abs=0.0026)]


def point(client, **query):
    return client.get("/timeseries/NDVI/point", params={"lon": LON, "lat": LAT, **query}).json()


def damage(path, share):
    """Cut a file off in place."""
    body = path.read_bytes()
    path.write_bytes(body[: round(share * len(body))])


def warnings_of(caplog, path):
    """Return the warnings about a date of the file, without the lines of failed requests."""
    messages = [each.getMessage() for each in caplog.records if each.name == "chronotile.readers.failing_dates"]
    return [each for each in messages if path.name in each]


@pytest.mark.parametrize("share", [0.01, 0.4, 0.99])
def test_a_file_damaged_since_costs_its_own_date_only(open_at, configuration, folder, caplog, share):
    archive = open_at(configuration)
    expected = in_files(folder)
    path = sorted(folder.glob("*.nc"))[1]
    damage(path, share)

    with TestClient(application(archive.services)) as client:
        answers = [point(client) for _ in range(3)]
        map_of_it = client.get("/tiles/NDVI/WebMercatorQuad/5/16/10.npy", params={"datetime": DAYS[1]})
        map_of_next = client.get("/tiles/NDVI/WebMercatorQuad/5/16/10.npy", params={"datetime": DAYS[2]})
        ready = client.get("/health/ready").text

    assert answers[0]["values"] == [pytest.approx(expected[0]), None, pytest.approx(expected[2])]
    assert answers[0] == answers[2]
    assert "unreadable" in str(answers[0])
    assert (map_of_it.status_code, map_of_next.status_code) == (503, 200)
    assert DAYS[1] in ready
    assert len(warnings_of(caplog, path)) == 1


def test_missing_file_costs_only_its_date(open_at, configuration, folder):
    archive = open_at(configuration)
    expected = in_files(folder)
    sorted(folder.glob("*.nc"))[2].unlink()

    with TestClient(application(archive.services)) as client:
        values = point(client)["values"]

    assert values == [pytest.approx(expected[0]), pytest.approx(expected[1]), None]


ODD = {
    "grid": {"shift": 0.1},
    "units": {"units": "m"},
    "time": {"inside": "2020-03-09"},
    "variable": {"variable": "LAI"},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_file_not_opened_at_the_start_that_does_not_fit_is_a_date_that_cannot_be_read(
    open_at, folder, configuration, monkeypatch, caplog, odd
):
    days = [f"2020-02-0{day}" for day in range(1, 8)]
    for day in days:
        write_date(folder / f"c_gls_NDVI300_{day.replace('-', '')}0000_GLOBE_OLCI_V2.nc", day)
    monkeypatch.setattr(netcdf_files, "MAX_FILES", 2)
    path = folder / "c_gls_NDVI300_202002040000_GLOBE_OLCI_V2.nc"
    how = dict(ODD[odd])
    write_date(path, how.pop("inside", "2020-02-04"), variable=how.pop("variable", "NDVI"), **how)

    archive = open_at(configuration)
    with TestClient(application(archive.services)) as client:
        answers = [point(client, datetime="2020-02-01/2020-02-07") for _ in range(2)]

    assert [value is None for value in answers[0]["values"]] == [day == "2020-02-04" for day in days]
    assert answers[0] == answers[1]
    assert len(warnings_of(caplog, path)) == 1


def test_running_means_that_begin_at_the_time_of_the_name_are_all_opened(open_at, tmp_path, monkeypatch):
    monkeypatch.setattr(netcdf_files, "MAX_FILES", 2)
    days = np.arange("2020-01-01", "2020-01-07", dtype="datetime64[D]")
    for day in days:
        write_mean(tmp_path / f"mean_{str(day).replace('-', '')}.nc", day, np.timedelta64(10, "D"))

    archive = open_at(tmp_path)

    (layer,) = archive.services.catalogue.layers
    middles = [format_instant(each) for each in layer.times.instants]
    assert middles == [f"{day + np.timedelta64(5, 'D')}T12:00:00Z" for day in days]
    assert layer.times.periods[:, 0].astype("datetime64[D]").tolist() == days.tolist()


def write_mean(path, day, length):
    """A mean from a day on, named by noon half-way."""
    start = day.astype("datetime64[ns]")
    middle = start + length // 2 + np.timedelta64(12, "h")
    coordinates = {"lat": 51.125 - 0.25 * np.arange(12), "lon": 0.125 + 0.25 * np.arange(20)}
    coordinates["time"] = ("time", np.array([middle]), {"bounds": "time_bnds"})
    bounds = (("time", "nv"), np.array([[start, start + length]]))
    values = (("time", "lat", "lon"), ndvi(str(day))[np.newaxis], {"units": "1"})
    dataset = xarray.Dataset({"NDVI": values, "time_bnds": bounds}, coordinates)
    dataset["time"].encoding = {"units": "hours since 2000-01-01", "dtype": "int64"}
    dataset.to_netcdf(path, engine="h5netcdf")


def test_cube_is_not_extended_with_times_of_another_naming(tmp_path):
    (tmp_path / "data").mkdir()
    target, length = tmp_path / "cube.zarr", np.timedelta64(10, "D")
    write_mean(tmp_path / "data" / "mean_20200101.nc", np.datetime64("2020-01-01"), length)
    optimise([str(tmp_path / "data")], target, Options(layout="both", threads=1))
    write_mean(tmp_path / "data" / "mean_20200105.nc", np.datetime64("2020-01-05"), length)

    with pytest.raises(UnsupportedSource, match="labelled differently"):
        optimise([str(tmp_path / "data")], target, Options(layout="both", threads=1))


@pytest.mark.quick_cases("odd")
@pytest.mark.parametrize("scale", [0.0012345678, 0.002, 1 / 3000], ids=["odd", "even", "third"])
def test_files_with_different_packing_are_verified(folder, tmp_path, scale):
    for number, path in enumerate(sorted(folder.glob("*.nc"))):
        write_date(path, DAYS[number], scale=scale * (number + 3), offset=0.1 * number / 3)
    target = tmp_path / "cube.zarr"

    optimise([str(folder)], target, Options(layout="both", threads=1))
    verify_cube([str(folder)], target, Options())

    cube = open_source(make_spec("zarr", target, variables={}))
    numbers = cube.read_cell("NDVI", indexes=[0, 1, 2], row=5, column=8).numbers
    found = cube.info.variables["NDVI"].encoding.values(numbers)
    np.testing.assert_allclose(found, in_files(folder), rtol=1e-6)
