"""Climatologies, running means and sums to date: each slice goes by its own time in every protocol.

The value of a cell is `10 t + row + column / 10` at the slice `t`, as the file has it. Each is served as NetCDF, as
Zarr, as the serving cube that `optimise` makes of it, and as one NetCDF file a slice, each packed in its own way
("joined"), with the cube of those ("joined cube").
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import xarray
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube
from tests.ctc1 import decode_cube

ROWS, COLUMNS = 6, 8
LONGITUDES = 4.05 + 0.1 * np.arange(COLUMNS)
LATITUDES = 51.95 - 0.1 * np.arange(ROWS)
ROW, COLUMN = 2, 5
PLACE = {"lon": 4.551, "lat": 51.749}
"""In the cell of that row and column."""

CONFIGURATION = """
service: {languages: [en, nl]}
collections:
  made:
    source: SOURCE
    variables: {v: {layer: V}}
"""


def values_of(count: int) -> np.ndarray:
    """(time, y, x)."""
    t, row, column = np.meshgrid(np.arange(count), np.arange(ROWS), np.arange(COLUMNS), indexing="ij")
    return (10 * t + row + column / 10).astype("float32")


def days(*texts: str) -> np.ndarray:
    return np.array(texts, dtype="datetime64[ns]")


@dataclass(frozen=True)
class Case:
    """A file and the expected times of its slices."""

    dataset: xarray.Dataset
    names: tuple[str, ...]
    """RFC 3339, of the slices in the file's order."""
    climatology: object = "absent"
    """Expected member of `/layers`."""

    @property
    def order(self) -> list[int]:
        """The slices in the order of their times."""
        return sorted(range(len(self.names)), key=self.names.__getitem__)

    @property
    def values(self) -> list[float]:
        """(time,), of the requested cell, in the order of times."""
        return [round(10 * t + ROW + COLUMN / 10, 4) for t in self.order]


def dataset_of(dim: str, coordinate: np.ndarray | None, *, attrs: dict[str, str] | None = None, **others):
    count = len(coordinate) if coordinate is not None else others.pop("count")
    coords = {
        "lat": ("lat", LATITUDES, {"units": "degrees_north"}),
        "lon": ("lon", LONGITUDES, {"units": "degrees_east"}),
    }
    if coordinate is not None:
        coords[dim] = (dim, coordinate, attrs or {})
    dataset = xarray.Dataset({"v": ((dim, "lat", "lon"), values_of(count), {"units": "1"}), **others}, coords)
    if "bounds" in (attrs or {}):  # xarray writes bounds of climatologies in separate units
        dataset[dim].encoding = {"units": "hours since 2000-01-01", "dtype": "int64"}
    return dataset


def climatology_of_months() -> Case:
    """Like example 7.8 of CF: means of each month of 1961 to 1990, named by days of 2000."""
    months = np.arange("2000-01", "2001-01", dtype="datetime64[M]")
    time = (months.astype("datetime64[D]") + np.timedelta64(14, "D")).astype("datetime64[ns]")
    first = np.arange("1961-01", "1962-01", dtype="datetime64[M]").astype("datetime64[ns]")
    last = np.arange("1990-02", "1991-02", dtype="datetime64[M]").astype("datetime64[ns]")
    dataset = dataset_of(
        "time",
        time,
        attrs={"climatology": "climatology_bounds"},
        climatology_bounds=(("time", "nv"), np.stack([first, last], axis=1)),
    )
    return Case(
        dataset,
        tuple(f"{day.astype('datetime64[D]')}T00:00:00Z" for day in time),
        {"start": "1961-01-01T00:00:00Z", "end": "1991-01-01T00:00:00Z"},
    )


def running_means() -> Case:
    """Means of 31 days, named by noon of their middle."""
    time = np.arange("2020-02-01T12", "2020-02-13T12", np.timedelta64(1, "D"), dtype="datetime64[ns]")
    half = np.timedelta64(372, "h")
    bounds = np.stack([time - half, time + half], axis=1)
    dataset = dataset_of("time", time, attrs={"bounds": "time_bounds"}, time_bounds=(("time", "nv"), bounds))
    return Case(dataset, tuple(f"{instant.astype('datetime64[s]')}Z" for instant in time))


def sums_to_date() -> Case:
    """Sums since New Year, named by their last day; the file does not have them in order."""
    time = days("2020-01-11", "2020-02-01", "2020-01-21", "2020-03-01")
    bounds = np.stack([np.full(4, days("2020-01-01")[0]), time], axis=1)
    dataset = dataset_of("time", time, attrs={"bounds": "time_bnds"}, time_bnds=(("time", "bnds"), bounds))
    return Case(dataset, tuple(f"{day.astype('datetime64[D]')}T00:00:00Z" for day in time))


def months_of_groupby() -> Case:
    return Case(
        dataset_of("month", np.arange(1, 13)), tuple(f"2000-{month:02}-01T00:00:00Z" for month in range(1, 13)), None
    )


def months_out_of_order() -> Case:
    months = [6, 7, 8, 12, 1, 2]
    return Case(dataset_of("month", np.array(months)), tuple(f"2000-{month:02}-01T00:00:00Z" for month in months), None)


def days_of_groupby() -> Case:
    named = np.arange("2000-01-01", "2001-01-01", dtype="datetime64[D]")
    return Case(dataset_of("dayofyear", np.arange(1, 367)), tuple(f"{day}T00:00:00Z" for day in named), None)


CASES = {
    "climatology": climatology_of_months,
    "running means": running_means,
    "sums to date": sums_to_date,
    "months": months_of_groupby,
    "months out of order": months_out_of_order,
    "days of the year": days_of_groupby,
}


QUICK = {
    *(("climatology", "netcdf"), ("climatology", "zarr"), ("climatology", "joined cube"), ("running means", "cube")),
    *(("running means", "joined"), ("sums to date", "netcdf"), ("months", "netcdf"), ("months out of order", "cube")),
}
"""Each case but days of the year, and each kind of source."""
SERVED = [
    *((name, "netcdf") for name in CASES),
    *((name, "cube") for name in CASES if name != "days of the year"),  # of whose 366 dates no cube is written
    ("climatology", "zarr"),
    *((name, kind) for name in ("climatology", "running means", "sums to date") for kind in ("joined", "joined cube")),
]

PACKING = (
    {"dtype": "int16", "scale_factor": 0.1, "add_offset": 5.0, "_FillValue": -32768},
    {"dtype": "float32", "_FillValue": -9999.0},
    {"dtype": "int32", "scale_factor": 0.02, "add_offset": -7.0, "_FillValue": -1},
    {"dtype": "uint16", "scale_factor": 0.05, "add_offset": 0.0, "_FillValue": 65535},
)


def write_apart(dataset: xarray.Dataset, folder: Path) -> None:
    """Write one file per slice, unordered by name, each with a separate encoding."""
    for index in range(dataset.sizes["time"]):
        one = dataset.isel(time=[index])
        one["time"].encoding = dict(dataset["time"].encoding)
        encoding = {"v": PACKING[index % len(PACKING)]}
        one.to_netcdf(folder / f"part_{'abcdefghijklm'[-1 - index]}.nc", engine="h5netcdf", encoding=encoding)


@pytest.fixture(
    scope="module",
    params=[pytest.param(each, marks=[] if each in QUICK else pytest.mark.slow) for each in SERVED],
    ids="-".join,
)
def served(request) -> tuple[Case, str]:
    name, kind = request.param
    return CASES[name](), kind


@pytest.fixture(scope="module")
def case(served) -> Case:
    return served[0]


@pytest.fixture(scope="module")
def client(served, tmp_path_factory) -> Iterator[TestClient]:
    """The case served."""
    (case, kind), tmp_path = served, tmp_path_factory.mktemp("served")
    if kind.startswith("joined"):
        write_apart(case.dataset, tmp_path)
        source = "{kind: netcdf, href: part_*.nc}"
    elif kind == "netcdf":
        case.dataset.to_netcdf(tmp_path / "made.nc", engine="h5netcdf")
        source = "{kind: netcdf, href: made.nc}"
    else:
        case.dataset.to_zarr(tmp_path / "made.zarr", zarr_format=3, consolidated=False)
        source = "{kind: zarr, href: made.zarr}"
    if kind == "cube":
        optimise([str(tmp_path / "made.zarr")], tmp_path / "cube.zarr", Options(layout="both", block=4, threads=1))
        source = "{kind: zarr, href: cube.zarr}"
    if kind == "joined cube":
        options = Options(layout="both", block=4, threads=1)
        optimise([str(tmp_path / "part_*.nc")], tmp_path / "cube.zarr", options)
        verify_cube([str(tmp_path / "part_*.nc")], tmp_path / "cube.zarr", options)
        source = "{kind: zarr, href: cube.zarr}"
    configuration = tmp_path / "chronotile.yaml"
    configuration.write_text(CONFIGURATION.replace("SOURCE", source))
    archive = open_archive(configuration, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield client
    archive.close()


@pytest.mark.quick_cases("climatology-netcdf", "running means-cube")
def test_every_protocol_answers_a_time_with_its_own_slice(case, client, tmp_path):
    index = len(case.order) // 2
    name, value = sorted(case.names)[index], case.values[index]

    answers = {ask.__name__: ask(client, name, tmp_path) for ask in ASKED}

    assert answers == {ask.__name__: pytest.approx(value, abs=1e-4) for ask in ASKED}


@pytest.mark.quick_cases("climatology-netcdf", "running means-cube", "out of order")
def test_series_and_lists_have_all_times_in_order(case, client):
    series = client.get("/timeseries/V/point", params=PLACE).json()
    listed = client.get("/layers/V/times").json()["times"]
    terrascope = client.get("/timeseries/v1.1/ts/V/point", params=PLACE | {"startDate": "1990-01-01"}).json()
    cube = decode_cube(client.get(f"/cubes/V/WebMercatorQuad/6/32/21.ctc?datetime={min(case.names)}/..").content)

    assert series["times"] == listed == cube.header["times"] == sorted(case.names)
    assert series["values"] == pytest.approx(case.values)
    assert [each["result"]["average"] for each in terrascope["results"]] == pytest.approx(case.values)
    greatest = np.nanmax(cube.values(), axis=(1, 2))
    np.testing.assert_allclose(np.diff(greatest), np.diff(case.values), atol=2 * cube.header["scale"])


def test_documents_mark_climatologies(case, client):
    layer = client.get("/layers/V").json()
    (listed,) = client.get("/layers").json()["layers"]
    collections = [client.get(f"/ogcapi/collections/{name}?f=json").json() for name in ("V", "made")]

    capabilities = [client.get(f"/{each}?SERVICE={each}&REQUEST=GetCapabilities").text for each in ("wms", "wmts")]

    documents = [layer, listed, *collections]
    assert [each.get("climatology", "absent") for each in documents] == [case.climatology] * 4
    is_climatology = case.climatology != "absent"
    assert ["climatology" in each.get("keywords", ()) for each in (layer, *collections)] == [is_climatology] * 3
    assert ["Keyword>climatology<" in each for each in capabilities] == [is_climatology] * 2
    years = "do not say of which years" if case.climatology is None else "Climatology of the years 1961-1990."
    assert [years in each for each in capabilities] == [is_climatology] * 2


@pytest.mark.quick_cases("climatology-netcdf", "running means-cube")
def test_exported_netcdf_keeps_times_and_bounds(case, client, tmp_path):
    body = client.get("/ogcapi/collections/V/coverage?f=netcdf").content

    (tmp_path / "export.nc").write_bytes(body)
    archive = open_archive(tmp_path / "export.nc", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))

    (layer,) = archive.services.catalogue.layers
    assert [f"{each.astype('datetime64[s]')}Z" for each in layer.times.instants] == sorted(case.names)
    assert layer.times.is_climatology == (case.climatology != "absent")
    archive.close()


def ask_point(client, name, _folder):
    (value,) = client.get("/timeseries/V/point", params=PLACE | {"datetime": name}).json()["values"]
    return value


def ask_area(client, name, _folder):
    west, south = LONGITUDES[COLUMN] - 0.049, LATITUDES[ROW] - 0.049
    ring = [[west, south], [west + 0.098, south], [west + 0.098, south + 0.098], [west, south + 0.098], [west, south]]
    answer = client.post(
        "/timeseries/V/area", params={"datetime": name}, json={"type": "Polygon", "coordinates": [ring]}
    )
    return answer.json()["features"][0]["series"]["mean"][0]


def ask_position(client, name, _folder):
    coords = f"POINT({PLACE['lon']} {PLACE['lat']})"
    answer = client.get("/ogcapi/collections/V/position", params={"coords": coords, "datetime": name})
    (found,) = answer.json()["ranges"].values()
    (value,) = found["values"]
    return value


def ask_coverage(client, name, folder):
    body = client.get("/ogcapi/collections/V/coverage", params={"datetime": name, "f": "netcdf"}).content
    path = folder / "coverage.nc"
    path.write_bytes(body)
    with xarray.open_dataset(path, engine="h5netcdf", decode_times=False) as dataset:
        cells = dataset["v"].sel(lat=LATITUDES[ROW], lon=LONGITUDES[COLUMN], method="nearest").values
    return float(cells.squeeze())


def ask_feature_info(client, name, _folder):
    return told(client, "WMS", name)


def ask_wmts_feature_info(client, name, _folder):
    zoom = 9
    column, row, i, j = tile_of(PLACE["lon"], PLACE["lat"], zoom)
    (feature,) = client.get(
        "/wmts?SERVICE=WMTS&REQUEST=GetFeatureInfo&VERSION=1.0.0&LAYER=V&STYLE=default&FORMAT=image/png"
        f"&TILEMATRIXSET=WebMercatorQuad&TILEMATRIX={zoom}&TILEROW={row}&TILECOL={column}&I={i}&J={j}"
        f"&INFOFORMAT=application/json&TIME={name}"
    ).json()["features"]
    return feature["properties"]["value"]


def ask_tile(client, name, _folder):
    zoom = 9
    column, row, i, j = tile_of(PLACE["lon"], PLACE["lat"], zoom)
    answer = client.get(f"/tiles/V/WebMercatorQuad/{zoom}/{column}/{row}.npy", params={"datetime": name})
    return float(np.load(io.BytesIO(answer.content))[..., j, i].ravel()[0])


def told(client, _service, name):
    west, south = PLACE["lon"] - 0.5, PLACE["lat"] - 0.5
    (feature,) = client.get(
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetFeatureInfo&LAYERS=V&QUERY_LAYERS=V&STYLES=&FORMAT=image/png"
        f"&CRS=CRS:84&WIDTH=100&HEIGHT=100&BBOX={west},{south},{west + 1},{south + 1}&I=50&J=50"
        f"&INFO_FORMAT=application/json&TIME={name}"
    ).json()["features"]
    return feature["properties"]["value"]


def tile_of(longitude: float, latitude: float, zoom: int) -> tuple[int, int, int, int]:
    """Column and row of a tile, then of a pixel of it."""
    x = (longitude + 180) / 360 * 2**zoom
    y = (1 - np.arcsinh(np.tan(np.radians(latitude))) / np.pi) / 2 * 2**zoom
    return int(x), int(y), int(x % 1 * 256), int(y % 1 * 256)


ASKED = (ask_point, ask_area, ask_position, ask_coverage, ask_feature_info, ask_wmts_feature_info, ask_tile)
