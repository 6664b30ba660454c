"""Coordinates and times whose stored numbers need decoding: points and dates are those of xarray.

The value of a cell is `100 t + row + column / 100` at the slice `t`, in the file's order.
"""

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import xarray
from pyproj import CRS, Transformer
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive

SIDE = 12
DAYS = np.datetime64("2019-01-01", "ns") + np.arange(4) * np.timedelta64(10, "D")
CODE = 100.0 * np.arange(4)[:, None, None] + np.add.outer(np.arange(SIDE), np.arange(SIDE) / 100)
UTM = {"grid_mapping_name": "transverse_mercator", "crs_wkt": CRS("EPSG:32631").to_wkt()}
GOES = {
    "grid_mapping_name": "geostationary",
    "perspective_point_height": 35786023.0,
    "semi_major_axis": 6378137.0,
    "semi_minor_axis": 6356752.31414,
    "latitude_of_projection_origin": 0.0,
    "longitude_of_projection_origin": -75.0,
    "sweep_angle_axis": "x",
}

Stored = tuple[np.ndarray, dict[str, object]]
"""The numbers of a coordinate and its attributes."""


def axis(first: int, step: int, dtype: str = "int16", *, scale: float = 1.0, offset: float = 0.0, **more) -> Stored:
    numbers = (first + step * np.arange(SIDE)).astype(dtype)
    return numbers, {"scale_factor": np.float64(scale), "add_offset": np.float64(offset), **more}


LON = axis(40, 1, scale=0.1)
THIRDS = np.round(100 * np.linspace(50, 46, SIDE, endpoint=False)).astype("int16"), {"scale_factor": 0.01}
HALVES = np.arange(130, 130 + SIDE).astype("uint8").view("int8"), {"scale_factor": 0.5, "_Unsigned": "true"}
CASES: dict[str, tuple[Stored, Stored, dict[str, object] | None, str, float]] = {
    "scale": (axis(5000, -10, scale=0.01), LON, None, "", 1.0),
    "rounded": (THIRDS, LON, None, "", 1.0),
    "offset": (axis(10, -1, "float32", offset=40.0), LON, None, "", 1.0),
    "scale below zero": (axis(40, -1, scale=-0.5, offset=60.0), LON, None, "", 1.0),
    "scale of float32": (axis(5000, -10), (LON[0], {"scale_factor": np.float32(0.1)}), None, "", 1.0),
    "unsigned": (HALVES, (HALVES[0], {**HALVES[1], "_FillValue": np.int8(-1)}), None, "", 1.0),
    "UTM": (axis(5000, -1, scale=10.0, offset=5_600_000.0), axis(0, 1, scale=10.0, offset=5e5), UTM, "m", 1.0),
    "kilometres": (axis(5000, -1, scale=0.01, offset=5600.0), axis(0, 1, scale=0.01, offset=500.0), UTM, "km", 1e3),
    "geostationary": (
        axis(1230, 10, scale=-5.6e-5, offset=0.128212),
        axis(1500, 10, scale=5.6e-5, offset=-0.071652),
        GOES,
        "rad",
        35786023.0,
    ),
}
"""y, x, their grid mapping (latitudes and longitudes have none), their units, and how many metres one is."""
CASES["scale of float32"][0][1]["scale_factor"] = np.float32(0.01)


def dataset_of(name: str, *, days: Stored | None = None) -> xarray.Dataset:
    y, x, mapping, units, _metres = CASES[name]
    rows, columns = ("lat", "lon") if mapping is None else ("y", "x")
    kinds = ("latitude", "longitude") if mapping is None else ("projection_y_coordinate", "projection_x_coordinate")
    since = {"units": "days since 2019-01-01"}
    cube = xarray.Dataset(
        {"NDVI": (("time", rows, columns), CODE, {} if mapping is None else {"grid_mapping": "crs"})},
        {
            "time": ("time", *(days or (np.arange(0, 40, 10, dtype="int32"), since))),
            rows: (rows, y[0], {**y[1], "standard_name": kinds[0], "units": units or "degrees_north"}),
            columns: (columns, x[0], {**x[1], "standard_name": kinds[1], "units": units or "degrees_east"}),
        },
    )
    return cube if mapping is None else cube.assign(crs=((), np.int32(0), mapping))


def write(dataset: xarray.Dataset, folder: Path, kind: str) -> xarray.Dataset:
    """Write a dataset unchanged, and return xarray's reading of it."""
    if kind.startswith("netcdf"):
        path = folder / "made.nc"
        engine, version = ("scipy", "NETCDF3_64BIT") if kind == "netcdf-3" else ("h5netcdf", "NETCDF4")
        dataset.to_netcdf(path, engine=engine, format=version)
        return xarray.load_dataset(path, engine=engine)
    path = folder / "made.zarr"
    dataset.to_zarr(path, zarr_format=int(kind[-1]), consolidated=False)
    return xarray.load_dataset(path, engine="zarr", consolidated=False)


@pytest.fixture
def serve(tmp_path) -> Iterator[Callable[[], TestClient]]:
    """Return a function that serves the folder."""
    with ExitStack() as opened:

        def open_folder() -> TestClient:
            archive = open_archive(tmp_path, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
            opened.callback(archive.close)
            return opened.enter_context(TestClient(application(archive.services)))

        yield open_folder


QUICK = {("scale", "netcdf-4"), ("rounded", "zarr-v3"), ("unsigned", "netcdf-3"), ("UTM", "zarr-v2")}
EACH = [
    pytest.param(name, kind, id=f"{name}-{kind}", marks=[] if (name, kind) in QUICK else pytest.mark.slow)
    for name in CASES
    for kind in ("netcdf-3", "netcdf-4", "zarr-v2", "zarr-v3")
]


@pytest.mark.parametrize(("name", "kind"), EACH)
def test_cells_have_the_place_of_xarray(tmp_path, serve, name, kind):
    _y, _x, mapping, _units, metres = CASES[name]
    written = write(dataset_of(name), tmp_path, kind)
    y, x = (written[each].values.astype("float64") for each in written["NDVI"].dims[1:])
    client = serve()
    (layer,) = client.get("/layers").json()["layers"]

    for row, column in ((0, 0), (5, 7), (SIDE - 1, SIDE - 1)):
        place = float(x[column]), float(y[row])
        if mapping is not None:
            to_degrees = Transformer.from_crs(CRS.from_cf(mapping), "OGC:CRS84", always_xy=True)
            place = to_degrees.transform(place[0] * metres, place[1] * metres)
        query = {"lon": place[0], "lat": place[1]}
        series = client.get(f"/timeseries/{layer['id']}/point", params=query).json()
        assert series["values"] == pytest.approx(CODE[:, row, column])
        assert series["times"] == [f"{str(day)[:19]}Z" for day in DAYS]
    coverage = client.get(f"/ogcapi/collections/{layer['id']}/coverage", params={"f": "netcdf"}).content
    with xarray.open_dataset(io.BytesIO(coverage), engine="h5netcdf") as answered:
        axes = [answered[each].values for each in answered["NDVI"].dims[1:]]
    for axis_of_answer, expected in zip(axes, (y, x), strict=True):
        even = np.linspace(expected.max(), expected.min(), SIDE) * metres
        np.testing.assert_allclose(np.sort(axis_of_answer), np.sort(even), rtol=1e-6)


TIMES: dict[str, tuple[Stored, tuple[int, ...]]] = {
    "packed": (
        (
            (np.arange(4) * 20 + 13879).astype("int32"),
            {"units": "days since 1981-01-01", "scale_factor": 0.5, "add_offset": 6940.0},
        ),
        (0, 1, 2, 3),
    ),
    "missing": (
        (np.array([0, 10, -999, 30], "int32"), {"units": "days since 2019-01-01", "_FillValue": np.int32(-999)}),
        (0, 1, 3),
    ),
    "missing, out of order": ((np.array([20, np.nan, 10, 0]), {"units": "days since 2019-01-01"}), (3, 2, 0)),
}


@pytest.mark.parametrize(
    "kind",
    [
        "netcdf-4",
        pytest.param("netcdf-3", marks=pytest.mark.slow),
        "zarr-v2",
        pytest.param("zarr-v3", marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("name", TIMES)
def test_slices_have_the_dates_of_xarray(tmp_path, serve, name, kind):
    days, order = TIMES[name]
    written = write(dataset_of("scale", days=days), tmp_path, kind)
    client = serve()
    (layer,) = client.get("/layers").json()["layers"]
    place = {"lon": float(written["lon"][3]), "lat": float(written["lat"][2])}

    series = client.get(f"/timeseries/{layer['id']}/point", params=place).json()

    assert series["times"] == [f"{str(written['time'].values[t])[:19]}Z" for t in order]
    assert series["values"] == pytest.approx([CODE[t, 2, 3] for t in order])


def test_zero_is_a_coordinate_though_zarr_2_fills_with_it(tmp_path, serve):
    dataset = dataset_of("scale")
    dataset.to_zarr(tmp_path / "made.zarr", zarr_format=2, consolidated=False)
    for path in (tmp_path / "made.zarr").glob("[lt]*/.zarray"):
        document = json.loads(path.read_text())
        path.write_text(json.dumps(document | {"fill_value": 0}))

    client = serve()

    (layer,) = client.get("/layers").json()["layers"]
    assert client.get(f"/layers/{layer['id']}/times").json()["times"] == [f"{str(day)[:19]}Z" for day in DAYS]
