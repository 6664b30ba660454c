"""Files about the project name versions, pages and people that exist."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from chronotile import __version__

pytestmark = pytest.mark.every_case

ROOT = Path(__file__).parents[1]
CHANGELOG = ROOT / "CHANGELOG.md"
PAGES = ("CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md")
TEMPLATES = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))

    assert citation["version"] == __version__
    assert {"cff-version", "message", "title", "authors", "license"} <= set(citation)


def test_changelog_has_unreleased_changes_and_then_the_cited_release():
    headings = re.findall(r"^## \[(.+?)\](.*)$", CHANGELOG.read_text("utf-8"), re.MULTILINE)

    released = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["date-released"]
    assert headings[:2] == [("Unreleased", ""), (__version__, f" - {released}")]


def test_the_changelog_and_its_lines_are_short():
    without_targets = re.sub(r"\]\([^)]*\)", "]", CHANGELOG.read_text("utf-8")).splitlines()

    assert [line for line in without_targets if len(line) > 120] == []
    assert CHANGELOG.stat().st_size <= 20_000


@pytest.mark.parametrize("name", [*PAGES, CHANGELOG.name])
def test_links_lead_to_existing_files(name):
    links = re.findall(r"\]\(([^):#]+)(?:#[^)]*)?\)", (ROOT / name).read_text("utf-8"))

    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.mark.parametrize(
    "path", [ROOT / "CITATION.cff", *TEMPLATES, *(ROOT / name for name in PAGES)], ids=lambda path: path.name
)
def test_no_address_is_invented(path):
    assert not re.search(r"https?://|\w@\w", path.read_text("utf-8"))


@pytest.mark.parametrize("path", [each for each in TEMPLATES if each.name != "config.yml"], ids=lambda path: path.name)
def test_issue_form_matches_its_schema(path):
    form = yaml.safe_load(path.read_text("utf-8"))

    assert form["name"]
    assert form["description"]
    fields = [each for each in form["body"] if each["type"] != "markdown"]
    assert all(each["attributes"]["label"] for each in fields)
    assert len({each["id"] for each in fields}) == len(fields) > 0


@pytest.mark.slow
def test_example_page_can_load_leaflet_from_its_folder(tmp_path):
    page = ROOT / "examples" / "page"
    shutil.copy(page / "index.html", tmp_path)
    (command,) = re.findall(r"^sed .+$", (page / "README.md").read_text("utf-8"), re.MULTILINE)

    subprocess.run(command, shell=True, cwd=tmp_path, check=True)

    changed = (tmp_path / "index.html").read_text("utf-8")
    assert re.findall(r'(?:src|href)="([^"]+)"', changed) == [
        "node_modules/leaflet/dist/leaflet.css",
        "node_modules/leaflet/dist/leaflet.js",
        "page.js",
    ]
    assert not re.search(r"https:|integrity|crossorigin", changed)
