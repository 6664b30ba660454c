"""The example of a Zarr store in S3, with a store of the same form in a server of our own in its place."""

import subprocess
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import xarray
from PIL import Image
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import open_configured
from chronotile.app.settings import Settings
from tests.readers.test_sources_in_s3 import upload
from tests.running import PATIENCE_S, PROGRAM

pytestmark = [pytest.mark.slow, pytest.mark.client("moto_server")]

EXAMPLE = Path(__file__).parents[2] / "config" / "examples" / "zarr-in-s3.yaml"
BUCKET, STORE = "deep-esdl-public", "data/esdc-8d-0.25deg-1x720x1440-3.0.1.zarr"
TIMES = np.arange("2021-01-05", "2021-02-06", 8, dtype="datetime64[D]").astype("datetime64[ns]")
BLANK = 2
"""A date without values, whose chunk is not written."""


def kndvi(time, row, column):
    """Return the formula of the numbers."""
    return np.float32(((row * 1440 + column) * 7 + time * 101) % 1000) / np.float32(1000)


def write_store(place: Path) -> None:
    """Write a store of the form of the data cube: version 2, consolidated, a chunk for each date."""
    lat, lon = 89.875 - 0.25 * np.arange(720), -179.875 + 0.25 * np.arange(1440)
    rows, columns = np.mgrid[:720, :1440]
    cube = np.stack([kndvi(time, rows, columns) for time in range(len(TIMES))])
    cube[BLANK] = np.nan
    bounds = {
        "time_bnds": (("time", "bnds"), np.stack([TIMES - np.timedelta64(4, "D"), TIMES + np.timedelta64(4, "D")], 1))
    }
    attrs = {"long_name": "Kernel Normalized Difference Vegetation Index", "units": "1"}
    dataset = xarray.Dataset(
        {"kndvi": (("time", "lat", "lon"), cube, attrs), **bounds},
        {
            "time": ("time", TIMES, {"bounds": "time_bnds", "standard_name": "time"}),
            "lat": ("lat", lat, {"standard_name": "latitude", "units": "degrees_north"}),
            "lon": ("lon", lon, {"standard_name": "longitude", "units": "degrees_east"}),
        },
    )
    encoding = {"kndvi": {"chunks": (1, 720, 1440), "write_empty_chunks": False, "_FillValue": np.float32(np.nan)}}
    dataset.to_zarr(place, zarr_format=2, consolidated=True, encoding=encoding)


@pytest.fixture(scope="module")
def bucket(s3_server, tmp_path_factory):
    """Return the bucket with the store, for everybody to read."""
    folder = tmp_path_factory.mktemp("cube")
    write_store(folder / Path(STORE).name)
    s3_server.make_bucket(BUCKET)
    upload(s3_server, BUCKET, folder)
    return s3_server


@pytest.fixture
def example(bucket, monkeypatch, tmp_path):
    """Return the configuration, with the one prefix of the tests' uploads; the environment that its comment names."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", bucket.address)
    place = tmp_path / "example.yaml"
    place.write_text(EXAMPLE.read_text().replace(f"{BUCKET}/esdc", f"{BUCKET}/data/esdc"))
    return place


@pytest.fixture
def client(example):
    """A client of a server of the example."""
    archive = open_configured(Settings(config=example, watch_s=0), patience_s=PATIENCE_S)
    with TestClient(application(archive.services, ServerOptions())) as one:
        yield one
    archive.close()


def test_check_finds_nothing_wrong(example):
    found = subprocess.run([PROGRAM, "check", example], check=False, capture_output=True, text=True, timeout=PATIENCE_S)

    assert (found.returncode, found.stdout.splitlines()[-1]) == (
        0,
        "1 collection, 1 layer: 0 errors, 0 warnings, 0 notes",
    )


@pytest.mark.parametrize(("lon", "lat"), [(4.4, 51.0), (-179.9, 89.9), (179.9, -89.9), (0.01, -0.01)])
def test_series_equal_those_of_the_cube(client, lon, lat):
    row, column = int((90 - lat) / 0.25), int((lon + 180) / 0.25)
    expected = [float(kndvi(time, row, column)) for time in range(len(TIMES))]
    expected[BLANK] = None

    found = client.get(f"/timeseries/kNDVI/point?lon={lon}&lat={lat}").json()

    assert [None if value is None else pytest.approx(value, abs=1e-6) for value in expected] == found["values"]


def test_the_viewer_has_maps_of_it(client):
    tile = client.get("/tiles/kNDVI/WebMercatorQuad/0/0/0.png?datetime=2021-01-05")
    layer = client.get("/layers/kNDVI").json()

    assert (tile.status_code, layer["title"]) == (200, "kNDVI")
    pixels = np.asarray(Image.open(BytesIO(tile.content)).convert("RGBA")).reshape(-1, 4)
    assert len(np.unique(pixels, axis=0)) > 50
