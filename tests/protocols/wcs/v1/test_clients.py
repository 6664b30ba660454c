"""WCS 1.0.0 and 1.1.1 through GDAL's driver and OWSLib: grids, dates and cells equal the source."""

import subprocess
import sys
from email import message_from_bytes

import numpy as np
import pytest
import rasterio
from affine import Affine
from owslib.util import ServiceException
from owslib.wcs import WebCoverageService

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols.served import BELGIUM_31N, make_collection, make_layer, make_services, make_variable
from tests.protocols.wcs.v1.asking import CELLS, UTM, native_numbers

pytestmark = pytest.mark.slow
GRIDS = {
    "UTM": BELGIUM_31N,
    "DEGREES": NativeGrid(
        crs=crs_of("EPSG:4326"), transform=Affine(0.01, 0, 4.0, 0, -0.01, 51.0), width=120, height=80
    ),
    "LAEA": NativeGrid(
        crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 3_900_000, 0, -100, 3_100_000), width=130, height=90
    ),
}
DAYS = ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")


@pytest.fixture
def url(make_url):
    """URL of a service with a coverage per grid of `GRIDS`."""
    layers = [
        make_layer(name, collection=name.lower(), variable=make_variable(name, grid=grid))
        for name, grid in GRIDS.items()
    ]
    return make_url(make_services(*(make_collection(layer) for layer in layers))) + "/wcs"


@pytest.mark.client("gdal_translate")
@pytest.mark.parametrize("version", ["1.0.0", "1.1.0", "1.1.1"])
@pytest.mark.parametrize("coverage", GRIDS)
def test_gdal_reads_the_native_cells_of_the_newest_date(url, tmp_path, version, coverage):
    source, target = f"WCS:{url}?version={version}&coverage={coverage}", tmp_path / "cells.tif"
    environment = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}  # HOME has GDAL's cache

    done = subprocess.run(
        ["gdal_translate", "-q", source, target],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
    )

    assert (done.returncode, done.stderr) == (0, "")
    grid = GRIDS[coverage]
    with rasterio.open(target) as dataset:
        assert dataset.transform.almost_equals(grid.transform, 1e-9)
        assert dataset.crs.to_epsg() == grid.crs.epsg
        np.testing.assert_array_equal(dataset.read(1), native_numbers(grid.height, grid.width))


def numbers_of(body):
    with rasterio.MemoryFile(body) as memory, memory.open() as dataset:
        return dataset.read()


@pytest.mark.client(sys.executable)
def test_owslib_speaks_1_0_0(url):
    service = WebCoverageService(url, version="1.0.0")
    coverage = service["UTM"]

    answer = service.getCoverage(
        "UTM", bbox=CELLS, crs="EPSG:32631", format="GeoTIFF", resx=100, resy=100, time=["2020-06-01", "2020-06-11"]
    )

    assert coverage.timepositions == [f"{day}T00:00:00Z" for day in DAYS]
    assert coverage.timelimits == [f"{day}T00:00:00Z" for day in (DAYS[0], DAYS[-1])]
    assert (coverage.supportedFormats, coverage.supportedCRS[0].code) == (["GeoTIFF", "NetCDF"], 32631)
    assert coverage.boundingboxes[0] == {"nativeSrs": "EPSG:32631", "bbox": tuple(BELGIUM_31N.bbox)}
    assert (coverage.grid.origin, coverage.grid.highlimits) == (["600050", "5649950"], ["399", "299"])
    np.testing.assert_array_equal(numbers_of(answer.read()), [native_numbers(20, 30, time=time) for time in (1, 2)])
    with pytest.raises(ServiceException, match="'NOPE' is not known"):
        service.getCoverage("NOPE", bbox=CELLS, crs="EPSG:32631", format="GeoTIFF", width=1, height=1)


@pytest.mark.filterwarnings("ignore:Truth-testing of elements:FutureWarning")
@pytest.mark.client(sys.executable)
def test_owslib_speaks_1_1_1(url):
    service = WebCoverageService(url, version="1.1.1")
    coverage = service["UTM"]
    centres = (CELLS.xmin + 50, CELLS.ymin + 50, CELLS.xmax - 50, CELLS.ymax - 50)

    answer = service.getCoverage("UTM", bbox=(*centres, UTM), format="image/tiff", time=["2020-06-01"])

    assert (coverage.supportedFormats, coverage.supportedCRS[0].code) == (["image/tiff", "application/x-netcdf"], 32631)
    assert coverage.boundingBoxWGS84 == pytest.approx((4.416734015, 50.714926123, 4.994586724, 50.992884666))
    head = f"Content-Type: {answer.info()['Content-Type']}\r\n\r\n".encode()
    _manifest, file = message_from_bytes(head + answer.read()).get_payload()
    np.testing.assert_array_equal(numbers_of(file.get_payload(decode=True))[0], native_numbers(20, 30, time=1))
    with pytest.raises(ServiceException, match="&#39;NOPE&#39; is not known"):
        service.getCoverage("NOPE", bbox=(*centres, UTM), format="image/tiff")
