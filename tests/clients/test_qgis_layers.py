"""QGIS opens our layer definition: times, identify and maps of its temporal controller. An audit, as `test_qgis`."""

import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronotile.app import application
from tests.protocols import served
from tests.protocols.listening import listening

PYTHON = "/usr/bin/python3"
pytestmark = [pytest.mark.audit, pytest.mark.slow, pytest.mark.client("qgis")]
SCRIPT = Path(__file__).with_name("qgis_layers.py")


@pytest.fixture
def read_by_qgis(tmp_path):
    """`read_by_qgis(layer)`: what QGIS makes of a layer, with a profile and a cache of its own."""
    environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TZ": "UTC"}

    def read(layer):
        with listening(application(served.make_services(*served.varied_collections()))) as base:
            done = subprocess.run(
                [PYTHON, SCRIPT, base, layer, tmp_path], env=environment, check=True, capture_output=True, timeout=120
            )
        return json.loads(done.stdout.splitlines()[-1])

    return read


def test_qgis_adds_a_layer_with_its_times(read_by_qgis):
    told = read_by_qgis("NDVI")

    assert (told["loaded"], told["valid"], told["temporal"], told["crs"]) == (True, True, True, "EPSG:3857")
    assert told["times"] == [f"{day}T00:00:00Z" for day in ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")]


def test_qgis_identifies_the_value(read_by_qgis):
    (found,) = read_by_qgis("NDVI")["identified"]

    assert (found["layer"], found["time"], found["value"]) == ("NDVI", "2020-06-21T00:00:00Z", found["number"])


def test_the_temporal_controller_shows_another_map_at_each_time(read_by_qgis):
    pictures = [np.asarray(Image.open(file).convert("RGBA")).astype(int) for file in read_by_qgis("NDVI")["pictures"]]

    steps = [np.median((other - one)[..., 0] % 250) for one, other in itertools.pairwise(pictures)]
    assert steps == [40, 40, 40]


def test_qgis_adds_a_layer_without_time(read_by_qgis):
    told = read_by_qgis("HEIGHT")

    assert (told["valid"], told["temporal"], told["times"]) == (True, False, [])
