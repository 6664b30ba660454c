"""The example pages of the npm package and the notebook widget, in Chromium over the archive of `served.py`."""

import os
import subprocess
from pathlib import Path

import pytest

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.viewer.browser.served import write_archive

pytestmark = pytest.mark.every_case

FOLDER = Path(__file__).parent
REPOSITORY = FOLDER.parents[2]


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    subprocess.run(["node", REPOSITORY / "clients/js/build.mjs", folder / "js"], check=True, timeout=600)
    subprocess.run(["node", REPOSITORY / "clients/python/build.mjs", folder / "widget"], check=True, timeout=600)
    return {"CHRONOTILE_JS_PACKAGE": str(folder / "js"), "CHRONOTILE_WIDGET": str(folder / "widget")}


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    app = create_app(Settings(config=write_archive(tmp_path_factory.mktemp("examples"))))
    with listening(app) as url:
        yield f"{url}/"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
@pytest.mark.parametrize("part", ["examples", "maplibre", "widget"])
def test_pages_do_as_they_claim(base_url, packages, part, tmp_path):
    ran = subprocess.run(
        ["node", FOLDER / f"{part}.mjs", base_url, tmp_path / "pictures"],
        env=os.environ | packages,
        capture_output=True, text=True, timeout=1800, check=False,
    )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr
