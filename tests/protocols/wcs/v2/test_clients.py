"""WCS 2.0.1 as GDAL's driver and OWSLib read it: their numbers are those of the formula."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio
from owslib.wcs import WebCoverageService

from tests.protocols import served
from tests.protocols.ogcapi.coverages.reading import geotiff_of

OWSLIB = pytest.mark.client(sys.executable)
"""OWSLib is no program: only Python is needed."""
GDAL = pytest.mark.client("gdal_translate")
ROWS, COLUMNS = np.arange(300)[:, np.newaxis], np.arange(400)[np.newaxis, :]


@pytest.fixture
def url(make_url):
    return make_url(served.make_services(*served.varied_collections()))


@pytest.fixture
def translated(url, tmp_path):
    """`translated("NDVI", *options)`: what gdal_translate makes of a coverage."""

    def run(coverage, *options):
        source, target = f"WCS:{url}/wcs?version=2.0.1&coverage={coverage}", tmp_path / "translated.tif"
        command = ["gdal_translate", "-q", "-oo", f"CACHE={tmp_path / 'cache'}", *options, source, str(target)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        with rasterio.open(target) as file:
            return file.read(), file.transform, file.crs.to_epsg()

    return run


@GDAL
def test_gdal_gets_the_whole_of_a_coverage_without_time(translated):
    numbers, transform, epsg = translated("HEIGHT")

    assert (transform, epsg) == (served.BELGIUM_31N.transform, 32631)
    np.testing.assert_array_equal(numbers[0], served.number_at(ROWS, COLUMNS, 0))


@GDAL
def test_gdal_gets_a_window_of_a_time(translated):
    window = ["-srcwin", "100", "120", "50", "40"]
    numbers, transform, _epsg = translated("NDVI", "-oo", "SUBSET=time(2020-06-01)", *window)

    assert transform @ (0, 0) == (610_000, 5_638_000)
    np.testing.assert_array_equal(numbers[0], served.number_at(ROWS[120:160], COLUMNS[:, 100:150], 1))


@OWSLIB
def test_owslib_gets_a_part_by_subsets(url):
    service = WebCoverageService(f"{url}/wcs", version="2.0.1")
    content = service.contents["NDVI"]
    part = [("E", 601000, 602000), ("N", 5647500, 5648000), ("time", '"2020-06-01"', '"2020-06-11"')]
    raster = geotiff_of(service.getCoverage(identifier="NDVI", format="image/tiff", subsets=part).read())

    assert content.grid.axislabels == ["E", "N", "time"]
    assert content.grid.highlimits == ["399", "299", "3"]
    assert content.boundingboxes[0]["bbox"] == (600_000, 5_620_000, 640_000, 5_650_000)
    assert content.supportedFormats[0] == "image/tiff"
    expected = [served.number_at(ROWS[20:25], COLUMNS[:, 10:20], time) for time in (1, 2)]
    np.testing.assert_array_equal(raster.numbers, expected)
