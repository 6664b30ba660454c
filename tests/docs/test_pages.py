"""The pages of docs/how-to in Chromium, with the demo; modules of other pages are only parsed here."""

import subprocess
from pathlib import Path

import pytest

from tests.docs.blocks import in_language

pytestmark = pytest.mark.every_case

PAGES = Path(__file__).with_name("pages.mjs")
OWN = {
    "docs/how-to/leaflet.md",
    "docs/how-to/openlayers.md",
    "docs/how-to/maplibre.md",
    "docs/how-to/embed-the-viewer.md",
    "docs/how-to/coloured-fields.md",
}
ELSEWHERE = {"docs/reference/cube-tiles-in-your-page.md"}
"""Run by tests/viewer/browser/own-page.mjs."""


def test_every_page_of_html_is_opened():
    assert {block.page for block in in_language("html")} == OWN | ELSEWHERE


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.client("node")
def test_pages_do_as_they_claim(server, tmp_path):
    ran = subprocess.run(
        ["node", PAGES, f"{server}/", tmp_path], capture_output=True, text=True, timeout=1800, check=False
    )

    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.slow
@pytest.mark.client("node")
@pytest.mark.parametrize("block", in_language("js"), ids=str)
def test_modules_are_modules(tmp_path, block):
    (tmp_path / "page.mjs").write_text(block.text, encoding="utf-8")

    ran = subprocess.run(["node", "--check", tmp_path / "page.mjs"], capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stderr
