"""Coverages in a named CRS of variables with different cell sizes, compared with rasterio."""

import io

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.vrt import WarpedVRT
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.open import open_archive
from tests.odd_archives.files import write_tif

CONFIGURATION = """
collections:
  bands:
    source: {kind: cog, href: "{variable}_*.tif", time_pattern: "_(?P<time>[0-9]{8})"}
    variables: {COARSE: {}, FINE: {}}
"""
WEST, NORTH, SIDE = 500_000, 5_650_000, 60
UTM = "http://www.opengis.net/def/crs/EPSG/0/32631"


@pytest.fixture(scope="module")
def bands(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bands")
    random = np.random.default_rng(3)
    numbers = {}
    for name, cell in (("FINE", 10), ("COARSE", 20)):
        side = SIDE * 10 // cell
        numbers[name] = random.integers(1, 1000, (side, side)).astype("int16")
        place = Affine(cell, 0, WEST, 0, -cell, NORTH)
        write_tif(folder / f"{name}_20200601.tif", numbers[name], dtype="int16", crs="EPSG:32631", transform=place)
    (folder / "chronotile.yaml").write_text(CONFIGURATION)
    archive = open_archive(folder / "chronotile.yaml", environment={}, clock=lambda: np.datetime64("2021-01-01", "ns"))
    with TestClient(application(archive.services)) as client:
        yield numbers, client, folder


def coverage_of(client, query):
    answer = client.get(f"/ogcapi/collections/bands/coverage?f=GTiff&{query}")
    assert answer.status_code == 200, answer.text
    return rasterio.open(io.BytesIO(answer.content))


@pytest.mark.parametrize("names", [("FINE", "COARSE"), ("COARSE", "FINE")])
def test_bands_in_their_crs_have_the_cells_of_the_finest(bands, names):
    numbers, client, _folder = bands

    with coverage_of(client, f"properties={','.join(names)}&crs={UTM}") as file:
        found = dict(zip(names, file.read(), strict=True))

    np.testing.assert_array_equal(found["FINE"], numbers["FINE"])
    np.testing.assert_array_equal(found["COARSE"], numbers["COARSE"].repeat(2, 0).repeat(2, 1))


def test_bands_in_another_crs_are_resampled_to_one_grid(bands):
    _numbers, client, folder = bands

    with coverage_of(client, "properties=FINE,COARSE&crs=http://www.opengis.net/def/crs/EPSG/0/3035") as file:
        found, grid = file.read(), {"crs": file.crs, "transform": file.transform}
        size = {"width": file.width, "height": file.height}

    for number, name in enumerate(("FINE", "COARSE")):
        with rasterio.open(folder / f"{name}_20200601.tif") as source, WarpedVRT(source, **grid, **size) as warped:
            expected = warped.read(1)
        is_inside = (expected > 0) & (found[number] > 0)
        assert is_inside.mean() > 0.75
        assert np.mean(found[number][is_inside] == expected[is_inside]) > 0.99


def test_bands_without_a_crs_name_the_other_collection(bands):
    answer = bands[1].get("/ogcapi/collections/bands/coverage?f=GTiff&properties=FINE,COARSE")

    assert answer.status_code == 400
    assert "its grid is different: use collection bands.FINE" in answer.text
