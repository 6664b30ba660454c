"""QGIS, offscreen: maps, tiles, temporal controller, identify and legend. An audit: `pytest -m audit tests/clients`.

QGIS chooses the box and size of its requests and places the picture in the map. Unlike in tiles, some pixels at the
edges of cells therefore show the neighbouring cell.
"""

import json
import os
import subprocess
from pathlib import Path

import pytest

from chronotile.app.application import application
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import crs_of
from chronotile.core.model.space.grid import Grid
from tests.protocols import served
from tests.protocols.listening import listening
from tests.protocols.pictures import rgba_of, share_differing

PYTHON = "/usr/bin/python3"
"""Interpreter of Debian's python3-qgis."""
pytestmark = [pytest.mark.audit, pytest.mark.slow, pytest.mark.client("qgis")]

DRAW = Path(__file__).with_name("qgis_draw.py")
DEGREES = Grid(crs=crs_of("EPSG:4326"), bbox=BBox(4.5, 50.8, 4.7, 51.0), width=256, height=256)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """Output of the program in QGIS, and the folder of its pictures."""
    folder = tmp_path_factory.mktemp("qgis")
    folder.chmod(0o700)
    environment = {**os.environ, "QT_QPA_PLATFORM": "offscreen", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder)}
    environment.pop("PYTHONPATH", None)
    with listening(application(served.make_services())) as url:
        command = [PYTHON, DRAW, url, folder]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    assert ran.returncode == 0, ran.stderr
    return json.loads(ran.stdout), folder


def tile_grid():
    quad = served.make_services().catalogue.tile_matrix_set("WebMercatorQuad")
    return quad.tile_grid(quad.matrix("11"), row=687, column=1052)


@pytest.mark.parametrize(
    ("name", "grid", "time", "differing"),
    [
        ("wms_1.1.1", tile_grid(), 3, 0.02),
        ("wms_1.3.0", tile_grid(), 3, 0.02),
        ("degrees_1.1.1", DEGREES, 3, 0.06),
        ("degrees_1.3.0", DEGREES, 3, 0.06),
        ("wmts", tile_grid(), 2, 0.0),
        ("wmts_bare", tile_grid(), 2, 0.0),
        ("temporal", tile_grid(), 1, 0.02),
    ],
    ids=[
        *("WMS 1.1.1", "WMS 1.3.0", "WMS 1.1.1 in degrees", "WMS 1.3.0 in degrees", "WMTS at a time"),
        *("WMTS by its bare address", "frame of WMS-T"),
    ],
)
def test_qgis_draws_the_formula(drawn, name, grid, time, differing):
    told, folder = drawn

    assert told[name] == [True, []]
    picture = (folder / f"{name}.png").read_bytes()
    assert share_differing(picture, served.expected_rgba(served.BELGIUM_31N, grid, time)) <= differing


def test_qgis_identifies_the_value_that_it_drew(drawn):
    told, folder = drawn
    value = rgba_of((folder / "wms_1.3.0.png").read_bytes())[100, 20, 0]

    (text,) = told["identify"]

    assert f"value = {value}\n" in text
    assert "time = 2020-06-21T00:00:00Z" in text


def test_qgis_shows_the_legend(drawn):
    told, folder = drawn

    assert told["legend"] == list(rgba_of((folder / "legend.png").read_bytes()).shape[1::-1])


def test_qgis_shows_the_text_of_an_exception(drawn):
    told, _folder = drawn

    (message,) = told["exception"]

    assert message.startswith("Map request error (Title: Service Exception; Error: ")
    assert "style 'nope' is not one of layer NDVI; accepted are steps, reds" in message
