"""A collection of scenes in two UTM zones has coverages in both, independent of the service's CRS for all layers."""

import io
from contextlib import closing

import numpy as np
import pytest
import rasterio

from chronotile.catalog.items.opening import open_items
from tests.scenes_archive.files import archive
from tests.scenes_archive.forms import Source, catalogue
from tests.scenes_archive.plan import TINY
from tests.scenes_archive.serving import fill_index, open_served, prefixes_of, write_configuration

pytestmark = pytest.mark.slow

GRID = "    grid: {crs: 'EPSG:3035', resolution: 10}\n"
URI = "http://www.opengis.net/def/crs/EPSG/0/{}"
ZONES = 32631, 32632


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The scenes, by a service that offers neither zone."""
    folder = tmp_path_factory.mktemp("zones")
    archive(TINY)
    source = Source("stac", str(catalogue(TINY)))
    path = write_configuration(folder, source, grid=GRID)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join("  crs: [EPSG:4326]\n" if line.startswith("  crs: [") else line for line in lines))
    index = open_items(None, folder / "index")
    summary = fill_index(path, index, source)
    with closing(index), open_served(path, TINY, index, summary, prefixes=prefixes_of(source)) as served:
        yield served


def require_as_made(body, code):
    """Compare each cell of a GeoTIFF of one date with the plan's value at its centre."""
    with rasterio.open(io.BytesIO(body)) as file:
        numbers = file.read(1)
        assert file.crs.to_epsg() == code
        columns, rows = np.meshgrid(np.arange(file.width) + 0.5, np.arange(file.height) + 0.5)
        x, y = file.transform @ (columns, rows)
    assert np.count_nonzero(numbers) > 1000
    expected = TINY.mosaic("CELL", x, y, date=0, crs=f"EPSG:{code}").numbers
    assert np.mean(numbers == expected) > 0.999


@pytest.mark.parametrize("code", ZONES)
def test_a_coverage_is_written_in_the_crs_of_scenes(served, code):
    query = {"crs": URI.format(code), "datetime": TINY.days[0], "f": "GTiff"}

    answer = served.client.get("/ogcapi/collections/CELL/coverage", params=query)

    assert answer.status_code == 200, answer.text
    require_as_made(answer.content, code)


@pytest.mark.parametrize("code", ZONES)
def test_a_file_of_the_process_is_written_in_the_crs_of_scenes(served, code):
    inputs = {"layer": "CELL", "crs": URI.format(code), "datetime": TINY.days[0]}

    answer = served.client.post("/ogcapi/processes/export/execution", json={"inputs": inputs, "response": "raw"})

    assert answer.status_code == 200, answer.text
    require_as_made(answer.content, code)


def test_they_are_listed_and_others_are_refused_with_their_names(served):
    told = served.client.get("/ogcapi/collections/CELL").json()["crs"]
    refused = served.client.get("/ogcapi/collections/CELL/coverage", params={"crs": URI.format(32633)})

    assert {URI.format(code) for code in (*ZONES, 3035)} <= set(told)
    assert refused.status_code == 400
    assert "EPSG:3035, EPSG:32631, EPSG:32632 of this layer" in refused.json()["detail"]
