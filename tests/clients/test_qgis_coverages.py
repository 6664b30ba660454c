"""QGIS adds layers of WCS 1.0.0 and 1.1.1, with time, and opens them again. An audit, like `test_qgis`."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from affine import Affine

from chronotile.app.application import application
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import NativeGrid
from tests.protocols import served
from tests.protocols.listening import listening

PYTHON = "/usr/bin/python3"
pytestmark = [pytest.mark.audit, pytest.mark.slow, pytest.mark.client("qgis")]
SCRIPT = Path(__file__).with_name("qgis_coverages.py")
GRIDS = {
    "EPSG:32631": NativeGrid(
        crs=crs_of("EPSG:32631"), transform=Affine(100, 0, 600_000, 0, -100, 5_650_000), width=60, height=40
    ),
    "EPSG:4326": NativeGrid(
        crs=crs_of("EPSG:4326"), transform=Affine(0.01, 0, 4.0, 0, -0.01, 51.0), width=60, height=40
    ),
    "EPSG:3035": NativeGrid(
        crs=crs_of("EPSG:3035"), transform=Affine(100, 0, 3_900_000, 0, -100, 3_100_000), width=60, height=40
    ),
}


@pytest.fixture
def read_by_qgis(tmp_path):
    """Return a function: `read_by_qgis(services, name=text…)` describes a coverage in a new QGIS profile and cache."""

    def read(services, **params):
        environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
        with listening(application(services)) as base:
            pairs = [f"{name}={text}" for name, text in params.items()]
            command = [PYTHON, SCRIPT, f"{base}/wcs", tmp_path / "project.qgz", *pairs]
            done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
        return json.loads(done.stdout.splitlines()[-1])

    return read


def numbers_at(grid, time):
    rows, columns = np.mgrid[0 : grid.height, 0 : grid.width]
    return served.number_at(rows, columns, time)


@pytest.mark.parametrize("crs", GRIDS)
@pytest.mark.parametrize("version", [{}, {"version": "1.1.1"}, {"version": "1.1.0"}], ids=str)
@pytest.mark.parametrize(("time", "index"), [({}, 3), ({"time": "2020-06-01T00:00:00Z"}, 1)])
def test_qgis_shows_the_native_cells_of_a_date_before_and_after_it_saves_them(read_by_qgis, crs, version, time, index):
    grid = GRIDS[crs]
    services = served.make_services(served.make_collection(served.make_layer(variable=served.make_variable(grid=grid))))

    told = read_by_qgis(services, identifier="NDVI", **version, **time)

    assert told["messages"] == []
    numbers = numbers_at(grid, index)
    added, opened = told["layers"]
    assert added == opened
    assert (added["valid"], added["crs"], added["size"], added["bands"]) == (True, crs, [60, 40], 1)
    assert added["extent"] == pytest.approx(tuple(grid.bbox))
    assert added["nodata"] == served.NODATA
    np.testing.assert_array_equal(added["cells"], numbers)
    assert added["identified"] == numbers[2, 5]
