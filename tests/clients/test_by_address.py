"""Coverages by URL, opened by GDAL and rasterio with HEAD and ranges of the file, over a real socket."""

import json
import subprocess
import sys
from http.client import HTTPConnection

import numpy as np
import pytest

from chronotile.app.application import application
from chronotile.pipeline.encoders import scratch_files
from tests.places import make_places
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import PATIENCE_S

RASTERIO = pytest.mark.client(sys.executable)
"""rasterio is no program: only Python is needed."""
DAY = "datetime=2020-06-11"
TILE = "tiles/NDVI/WebMercatorQuad/10/525/343"


@pytest.fixture
def services():
    return served.make_services(*served.tree_collections(), places=[make_places()])


@pytest.fixture
def url(make_url, services):
    return make_url(services)


OPEN = """
import sys
import numpy
import rasterio
with rasterio.open(sys.argv[1]) as file:
    first = file.read(1, window=((100, 150), (200, 250)))
    numpy.savez(sys.argv[2], first=first, values=file.read(1), epsg=file.crs.to_epsg(), scale=file.scales[0])
"""


@pytest.fixture
def opened(tmp_path):
    """Return a function that reads a URL with rasterio in a separate process: GDAL waits in calls that hold the GIL."""

    def read(address):
        command = [sys.executable, "-c", OPEN, address, tmp_path / "read.npz"]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ran.returncode == 0, ran.stderr
        return np.load(tmp_path / "read.npz")

    return read


def numbers_of(time):
    y, x = np.mgrid[:300, :400]
    return served.number_at(y, x, time)


@RASTERIO
@pytest.mark.parametrize("in_memory", [True, False], ids=["from memory", "from the disk"])
def test_rasterio_opens_a_coverage_by_its_address(url, services, opened, monkeypatch, in_memory):
    monkeypatch.setattr(scratch_files, "IN_MEMORY_BYTES", scratch_files.IN_MEMORY_BYTES if in_memory else 0)

    found = opened(f"{url}/ogcapi/collections/NDVI/coverage?f=GTiff&{DAY}")

    assert (int(found["epsg"]), float(found["scale"])) == (32631, 0.004)
    assert np.array_equal(found["values"], numbers_of(2))
    assert np.array_equal(found["first"], numbers_of(2)[100:150, 200:250])
    assert len(services.readers["s2"].windows_read) == 1
    assert (services.caches.files.total_bytes == 0) == in_memory


@RASTERIO
def test_rasterio_opens_a_tile_of_values_by_its_address(url, opened):
    found = opened(f"/vsicurl/{url}/{TILE}.tif?{DAY}")

    values = found["values"]
    assert (int(found["epsg"]), values.shape) == (3857, (256, 256))
    possible = np.float32(np.unique(numbers_of(2)) * 0.004 - 0.08)
    assert set(values[np.isfinite(values)].tolist()) <= set(possible.tolist())


@pytest.mark.client("gdalinfo")
@pytest.mark.parametrize(
    "path",
    [
        f"ogcapi/collections/NDVI/coverage?f=GTiff&{DAY}",
        f"ogcapi/collections/NDVI/coverage?f=png&{DAY}",
        f"{TILE}.tif?{DAY}",
    ],
    ids=["coverage", "coverage as PNG", "tile of values"],
)
@pytest.mark.parametrize("use_head", ["YES", "NO"])
def test_gdal_opens_an_address_with_and_without_head(url, path, use_head):
    command = ["gdalinfo", "-json", "--config", "CPL_VSIL_CURL_USE_HEAD", use_head, f"/vsicurl/{url}/{path}"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout)["size"][0] >= 256


@pytest.mark.client("ogrinfo")
def test_gdal_reads_places_by_their_address(url):
    command = ["ogrinfo", "-ro", "-so", "-al", f"/vsicurl/{url}/places/squares?format=geojson"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    assert ran.returncode == 0, ran.stderr
    assert "Geometry: Polygon" in ran.stdout


@RASTERIO
def test_size_and_parts_over_a_socket(services):
    """HEAD has the size and no body, and the connection stays usable."""
    path = f"/ogcapi/collections/NDVI/coverage?f=NetCDF&{DAY}"
    with listening(application(services)) as url:
        host, port = url.removeprefix("http://").split(":")
        connection = HTTPConnection(host, int(port), timeout=PATIENCE_S)
        connection.request("HEAD", path)
        told = connection.getresponse()
        told.read()
        connection.request("GET", path, headers={"Range": "bytes=1-3"})
        part = connection.getresponse()
        body = part.read()
        connection.close()

    assert (told.status, told.getheader("Accept-Ranges")) == (200, "bytes")
    assert (part.status, body) == (206, b"HDF")
    assert part.getheader("Content-Range") == f"bytes 1-3/{told.getheader('Content-Length')}"
