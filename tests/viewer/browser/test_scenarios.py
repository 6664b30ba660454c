"""Scenarios of the viewer over the archive of `served.py`: a file per part, in Chromium and in Firefox."""

from pathlib import Path

import pytest

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.protocols.listening import listening
from tests.viewer.browser.checks import run_checks
from tests.viewer.browser.served import write_archive

FOLDER = Path(__file__).parent
NOT_SCENARIOS = {
    "cells.mjs",
    "export.mjs",
    "find.mjs",
    "first_viewer.mjs",
    "formula.mjs",
    "harness.mjs",
    "own-origin.mjs",
    "published.mjs",
    "sign-in.mjs",
    "tools.mjs",
}
"""Separate tests run `cells.mjs`, `export.mjs`, `find.mjs`, `published.mjs` and `sign-in.mjs`."""
SCENARIOS = sorted(path.stem for path in FOLDER.glob("*.mjs") if path.name not in NOT_SCENARIOS)
IN_FIREFOX = sorted({"inspector", "keys", "periods", "search", "stories", "years"} & {*SCENARIOS})
"""Parts that Firefox may handle differently and its driver can test."""


@pytest.fixture(scope="module")
def base_url(tmp_path_factory):
    app = create_app(Settings(config=write_archive(tmp_path_factory.mktemp("viewer"))))
    with listening(app) as url:
        yield f"{url}/"


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
@pytest.mark.every_case
@pytest.mark.parametrize("part", SCENARIOS)
def test_viewer_passes_its_scenarios_in_a_browser(base_url, part, tmp_path):
    run_checks(FOLDER / f"{part}.mjs", base_url, tmp_path / "pictures")


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node", "firefox-esr")
@pytest.mark.every_case
@pytest.mark.parametrize("part", IN_FIREFOX)
def test_viewer_does_the_same_in_firefox(base_url, part, tmp_path):
    run_checks(FOLDER / f"{part}.mjs", base_url, tmp_path / "pictures", "firefox")
