"""Checks of `first_viewer.mjs`, in Chromium, over a small demo archive."""

import subprocess
from pathlib import Path

import pytest

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from tests.protocols.listening import listening

CHECKS = Path(__file__).with_name("first_viewer.mjs")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
def test_first_viewer_passes_its_scenarios_in_a_browser(tmp_path):
    plan = DemoPlan(size_px=200, first_day="2022-01-01", dekads=72, levels=2)
    app = create_app(Settings(config=make_demo(tmp_path / "demo", plan=plan)))

    with listening(app) as url:
        ran = subprocess.run(
            ["node", CHECKS, f"{url}/", tmp_path / "pictures"],
            capture_output=True, text=True, timeout=1800, check=False,
        )  # fmt: skip

    assert ran.returncode == 0, ran.stdout + ran.stderr
