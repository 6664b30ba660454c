"""QGIS opens our layer definition: times, identify and maps of its temporal controller. An audit, like `test_qgis`."""

import itertools
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from chronotile.app.application import application
from chronotile.core.model.time.domain import domain_of_instants
from chronotile.core.model.time.periods import DEKAD, step_instants
from tests.protocols import served
from tests.protocols.listening import listening

PYTHON = "/usr/bin/python3"
pytestmark = [pytest.mark.audit, pytest.mark.slow, pytest.mark.client("qgis")]
SCRIPT = Path(__file__).with_name("qgis_layers.py")


GAPS = (3, 5, 8, 12, 2, 40, 5, 5, 10, 3, 25, 7, 5, 15, 30, 4, 9, 60, 5, 13)
"""Days between the clear dates of a point, typical of an optical satellite."""


ARCHIVES = {
    "irregular": np.datetime64("2020-01-03T10:50:31.024", "ns") + np.cumsum((0, *GAPS)) * np.timedelta64(1, "D"),
    # More times than capabilities list individually.
    "dekads": step_instants(np.datetime64("1990-01-01", "ns"), DEKAD, 1080),
}


@pytest.fixture
def read_by_qgis(tmp_path):
    """Return a function: `read_by_qgis(layer)` describes a layer, with a new QGIS profile and cache."""

    def read(layer, *collections, days=None, zone="UTC"):
        environment = {"QT_QPA_PLATFORM": "offscreen", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TZ": zone}
        services = served.make_services(*(collections or served.varied_collections()))
        with listening(application(services)) as base:
            command = [PYTHON, SCRIPT, base, layer, tmp_path, *([] if days is None else [str(days)])]
            done = subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
        return json.loads(done.stdout.splitlines()[-1])

    return read


def pixels(file):
    return np.asarray(Image.open(file).convert("RGBA")).astype(int)


def share_drawn(file):
    return float((pixels(file)[..., 3] > 0).mean())


def test_qgis_adds_a_layer_with_its_times(read_by_qgis):
    told = read_by_qgis("NDVI")

    assert (told["loaded"], told["valid"], told["temporal"]) == (True, True, True)
    assert (told["crs"], told["crs_valid"]) == ("EPSG:3857", True)
    assert told["times"] == [f"{day}T00:00:00Z" for day in ("2020-05-21", "2020-06-01", "2020-06-11", "2020-06-21")]


def test_qgis_identifies_the_value(read_by_qgis):
    (found,) = read_by_qgis("NDVI")["identified"]

    assert (found["layer"], found["time"], found["value"]) == ("NDVI", "2020-06-21T00:00:00Z", found["number"])


def test_the_temporal_controller_shows_another_map_at_each_time(read_by_qgis):
    pictures = [pixels(file) for file in read_by_qgis("NDVI")["pictures"]]

    steps = [np.median((other - one)[..., 0] % 250) for one, other in itertools.pairwise(pictures)]
    assert steps == [40, 40, 40]


def test_qgis_adds_a_layer_without_time(read_by_qgis):
    told = read_by_qgis("HEIGHT")

    assert (told["valid"], told["temporal"], told["times"]) == (True, False, [])


def test_a_project_of_another_crs_shows_the_layer(read_by_qgis):
    assert share_drawn(read_by_qgis("NDVI")["projected"]) > 0.8


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@pytest.mark.parametrize(("archive", "days"), [("irregular", 30), ("dekads", 396)])
def test_each_frame_shows_the_latest_date_before_it(read_by_qgis, archive, days, zone):
    instants = ARCHIVES[archive]
    layer = served.make_layer(variable=served.make_variable(times=domain_of_instants(instants)))

    frames = read_by_qgis("NDVI", served.make_collection(layer), days=days, zone=zone)["frames"]

    begins = np.arange(instants[0], instants[-1], np.timedelta64(days, "D"))
    newest = np.searchsorted(instants, begins, side="right") - 1
    first, *later = (pixels(file) for file in frames)
    assert [share_drawn(file) > 0.9 for file in frames] == [True] * len(begins)
    assert [int(np.median((each - first)[..., 0] % 250)) for each in later] == (40 * newest[1:] % 250).tolist()
