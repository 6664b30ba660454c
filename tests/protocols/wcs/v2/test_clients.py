"""WCS 2.0.1 through GDAL's driver and OWSLib: the numbers follow the formula."""

import subprocess
import sys

import numpy as np
import pytest
import rasterio
from affine import Affine
from owslib.wcs import WebCoverageService

from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
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
    """Return a function: `translated("NDVI", *options)` returns the raster that gdal_translate makes of a coverage."""

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


NORTH_FIRST = {
    "LAEA": NativeGrid(crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 3.9e6, 0, -100, 3.1e6), width=130, height=90),
    "DEGREES": NativeGrid(crs=crs_of("EPSG:4326"), transform=Affine(0.01, 0, 4, 0, -0.01, 51), width=120, height=80),
}


@GDAL
@pytest.mark.parametrize("name", NORTH_FIRST)
@pytest.mark.parametrize("days", [("2020-05-21", "2020-06-01", "2020-06-03"), ("2020-05-21", "2020-06-01")])
def test_gdal_gets_a_time_in_a_north_first_crs(make_url, tmp_path, name, days):
    variable = served.make_variable(name, grid=NORTH_FIRST[name], times=served.days_of(*days))
    url = make_url(served.make_services(served.make_collection(served.make_layer(name, variable=variable))))
    cache, target = ("-oo", f"CACHE={tmp_path}/cache"), tmp_path / "cells.tif"
    source = f"WCS:{url}/wcs?version=2.0.1&coverage={name}"

    command = ["gdal_translate", "-q", *cache, "-oo", "SUBSET=time(2020-06-01)", source, str(target)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)

    assert (done.returncode, done.stderr) == (0, "")
    height, width = NORTH_FIRST[name].height, NORTH_FIRST[name].width
    with rasterio.open(target) as file:
        assert file.transform.almost_equals(NORTH_FIRST[name].transform)
        expected = served.number_at(*np.mgrid[:height, :width], 1)
        np.testing.assert_array_equal(file.read(1), expected)


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
