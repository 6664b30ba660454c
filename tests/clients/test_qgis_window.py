"""QGIS with its window, on a display of Xvfb: layers in a project of another CRS, played by the temporal controller.

An audit: `pytest -m audit tests/clients`. With `CHRONOTILE_SEEN=FOLDER` pictures of the window stay there.
"""

import json
import os
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

pytestmark = [pytest.mark.audit, pytest.mark.slow, pytest.mark.client("qgis", "xvfb-run", "Xvfb", "xauth")]
SCRIPT = Path(__file__).with_name("qgis_window.py")
BLANK = 255
GAPS = (3, 5, 8, 12, 2, 40, 5, 5, 10, 3, 25, 7, 5, 15, 30, 4, 9, 60, 5, 13)
"""Days between the clear dates of a point, typical of an optical satellite."""
DEKADS = step_instants(np.datetime64("2020-01-01", "ns"), DEKAD, 12)
IRREGULAR = np.datetime64("2020-01-03T10:50:31.024", "ns") + np.cumsum((0, *GAPS)) * np.timedelta64(1, "D")
DAY = np.timedelta64(1, "D")


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """QGIS's observations of the layers, with pictures."""
    folder = Path(os.environ.get("CHRONOTILE_SEEN") or tmp_path_factory.mktemp("qgis-window"))
    home = tmp_path_factory.mktemp("home")
    home.chmod(0o700)
    times = {"DEKADS": DEKADS, "IRREGULAR": IRREGULAR}
    layers = [
        served.make_layer(name, variable=served.make_variable(name, times=domain_of_instants(instants)))
        for name, instants in times.items()
    ]
    services = served.make_services(served.make_collection(*layers), now=IRREGULAR[-1] + DAY)
    with listening(application(services)) as url:
        environment = {
            "PATH": "/usr/bin:/bin",
            "TZ": "UTC",
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "CHRONOTILE_BASE": url,
            "CHRONOTILE_FOLDER": str(folder),
        }
        screen = ["xvfb-run", "--auto-servernum", "--server-args=-screen 0 1280x1024x24"]
        command = [*screen, "qgis", "--nologo", "--noversioncheck", "--noplugins", "--code", SCRIPT]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False, env=environment)
    failed = folder / "failed.txt"
    assert not failed.exists(), failed.read_text()
    assert (folder / "seen.json").exists(), ran.stderr
    return json.loads((folder / "seen.json").read_text())


def greys(picture):
    return np.asarray(Image.open(picture).convert("RGB")).astype(int)[..., 0]


def shown_times(pictures):
    """Return differences of digital numbers from the first picture, after checking that all cover the same pixels."""
    first, *others = (greys(picture) for picture in pictures)
    is_drawn = first < BLANK
    assert is_drawn.mean() > 0.7
    assert [(other < BLANK).mean().round(2) for other in others] == [is_drawn.mean().round(2)] * len(others)
    return [0, *(int(np.median((other - first)[is_drawn] % 250)) for other in others)]


def begins(told):
    return np.array([frame["begin"] for frame in told["frames"]], dtype="datetime64[ns]")


def newest(instants, before):
    """Return the difference of digital numbers between the newest date before each instant and the first date."""
    return (40 * (np.searchsorted(instants, before, side="left") - 1) % 250).tolist()


@pytest.mark.parametrize(
    ("how", "instants"),
    [("dekads", DEKADS), ("irregular", IRREGULAR), ("starts", IRREGULAR)],
    ids=["definition of dekads", "definition of irregular dates", "irregular dates by WMS"],
)
def test_each_frame_shows_the_latest_date_at_its_start(seen, how, instants):
    told = seen[how]

    assert told["valid"]
    expected = newest(instants, begins(told) + np.timedelta64(1, "s"))
    assert shown_times([frame["picture"] for frame in told["frames"]]) == expected


def test_a_whole_frame_does_not_show_the_date_that_the_next_begins_with(seen):
    told = seen["whole"]

    expected = newest(DEKADS, begins(told) + 10 * DAY)
    assert shown_times([frame["picture"] for frame in told["frames"]]) == expected


def test_wmts_by_its_bare_address_shows_the_time(seen):
    january, march = seen["wmts"]

    assert (january["valid"], march["valid"]) == (True, True)
    assert shown_times([january["picture"], march["picture"]]) == newest(DEKADS, DEKADS[[0, 6]] + DAY)


def test_the_panel_of_messages_has_the_text_of_an_exception(seen):
    told = seen["error"]

    assert told["valid"]
    assert (greys(told["picture"]) == BLANK).all()
    assert "layer DEKADS has no data at the requested time; the nearest is 2020-01-01T00:00:00Z" in told["message"]
    assert "Bad Request" not in told["message"]


def test_group_is_drawn_like_its_uppermost_layer_if_that_covers_the_others(seen):
    """At the newest times of January, the numbers are of the irregular layer, the upper one."""
    first, group = seen["irregular"]["frames"][0]["picture"], seen["group"]["picture"]

    assert seen["group"]["valid"]
    (_none, ahead) = shown_times([first, group])
    in_january = np.searchsorted(IRREGULAR, np.datetime64("2020-02-01", "ns")) - 1
    assert ahead == 40 * in_january % 250


def test_a_coverage_opens_by_its_address(seen):
    told = seen["coverage"]

    y, x = np.mgrid[:300, :400]
    expected = served.number_at(y, x, 0)
    cells = np.array([[served.NODATA if value is None else value for value in row] for row in told["cells"]])
    assert (told["valid"], told["provider"], told["crs"]) == (True, "gdal", "EPSG:32631")
    assert told["west_north"] == [served.BELGIUM_31N.transform.c, served.BELGIUM_31N.transform.f]
    np.testing.assert_array_equal(cells, expected)
    assert len(np.unique(greys(told["picture"]))) > 50


@pytest.mark.parametrize("how", ["dekads", "irregular", "starts", "whole"])
def test_the_tool_identifies_the_cell_in_the_middle(seen, how):
    (text,) = seen[how]["identified"]

    assert "value = " in text
    assert "time = 2020-" in text
