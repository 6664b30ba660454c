"""A variable with several numbers for no value: no protocol serves any as a value."""

import io

import numpy as np
import pytest
import rasterio
import xarray
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.audit.archive import Audit, audit_archive
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube
from tests.zarr_stores import open_store

ROWS, COLUMNS = 4, 5
MISSING = (-32768, 12, 21)
NUMBERS = 10 * np.arange(ROWS)[:, np.newaxis] + np.arange(COLUMNS)
VALUES = np.where(np.isin(NUMBERS, MISSING), np.nan, NUMBERS * 0.5)
CONFIGURATION = """
collections:
  made: {source: {kind: KIND, href: HREF}, variables: {LAI: {layer: LAI, range: [0, 20]}}}
"""


@pytest.fixture(params=["file", "cube"])
def archive(request, tmp_path):
    dataset = xarray.Dataset(
        {"LAI": (("time", "lat", "lon"), NUMBERS[np.newaxis].astype("int16"))},
        {
            "time": np.array(["2020-01-01"], dtype="datetime64[ns]"),
            "lat": ("lat", 52.0 - np.arange(ROWS), {"units": "degrees_north"}),
            "lon": ("lon", 1.0 + np.arange(COLUMNS), {"units": "degrees_east"}),
        },
    )
    dataset["LAI"].attrs = {
        "scale_factor": 0.5,
        "_FillValue": np.int16(MISSING[0]),
        "missing_value": np.array(MISSING[1:], dtype="int16"),
    }
    dataset.to_netcdf(tmp_path / "made.nc", engine="h5netcdf")
    if request.param == "cube":
        optimise([str(tmp_path / "made.nc")], tmp_path / "cube.zarr", Options(threads=1))
        verify_cube([str(tmp_path / "made.nc")], tmp_path / "cube.zarr", Options())
    kind, href = {"file": ("netcdf", "made.nc"), "cube": ("zarr", "cube.zarr")}[request.param]
    file = tmp_path / "chronotile.yaml"
    file.write_text(CONFIGURATION.replace("KIND", kind).replace("HREF", href))
    return open_archive(file, environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))


def test_no_missing_value_is_served(archive):
    with TestClient(application(archive.services)) as client:
        for row, column in np.ndindex(ROWS, COLUMNS):
            place = {"lon": 1.0 + column, "lat": 52.0 - row}
            (value,) = client.get("/timeseries/LAI/point", params=place).json()["values"]
            np.testing.assert_equal(np.nan if value is None else value, VALUES[row, column])
        json = client.get("/ogcapi/collections/LAI/coverage", params={"f": "json"}).json()
        tif = client.get("/ogcapi/collections/LAI/coverage", params={"f": "GTiff"}).content
        np.testing.assert_equal(open_store(client, "/zarr/LAI")["LAI"].values[0], VALUES)
    (ranges,) = json["ranges"].values()
    np.testing.assert_equal(np.array(ranges["values"], dtype=float), VALUES.ravel())
    with rasterio.open(io.BytesIO(tif)) as file:
        numbers = file.read(1, masked=True) * file.scales[0] + file.offsets[0]
    np.testing.assert_equal(numbers.filled(np.nan), VALUES)


def test_the_audit_agrees(archive):
    found = Audit(seed=1)

    assert (list(audit_archive(archive, found, samples=10)), found.mismatches) == ([], 0)
    assert found.compared >= NUMBERS.size
