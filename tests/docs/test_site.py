"""The documentation site: every page is in its navigation, no link is broken, and it loads nothing from elsewhere."""

import json
import os
import re
import shutil
import subprocess
from collections import Counter

import pytest

from chronotile import __version__
from tests.docs.site import DOCS, ROOT, configuration, pages_of
from tests.strict import find_program

SOURCE = "https://source.example/chronotile"
"""Address of the repository in the site that the tests build."""
LINK = re.compile(r"\]\(([^):#\s]+)(?:#[^)]*)?\)")
DESIGN = list((DOCS / "design").glob("*.md"))
PAGES_FOR_USERS = [page for page in DOCS.rglob("*.md") if DOCS / "design" not in page.parents]


def test_every_page_is_in_the_navigation_once():
    pages = [path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")]

    assert Counter(pages_of(configuration()["nav"])) == Counter(pages)


def test_links_of_pages_stay_in_the_documentation():
    links = [(page, link) for page in DOCS.rglob("*.md") for link in LINK.findall(page.read_text(encoding="utf-8"))]

    assert [
        (page.name, link) for page, link in links if not (page.parent / link).resolve().is_relative_to(DOCS.resolve())
    ] == []


def test_pages_for_developers_are_in_the_last_tab():
    *tabs_for_users, development = configuration()["nav"]

    assert list(development) == ["Development"]
    assert [page for page in pages_of(development) if not page.startswith("design/")] == []
    assert [page for page in pages_of(tabs_for_users) if page.startswith("design/")] == []


def test_decisions_are_excluded_from_the_search():
    front = "---\nsearch:\n  exclude: true\n---\n"
    assert len(DESIGN) > 30
    assert [page.name for page in DESIGN if not page.read_text(encoding="utf-8").startswith(front)] == []


def test_pages_for_users_have_at_most_67100_words():
    """Text only for developers is in docs/design. New kinds of files may add 700 words to the 66,400 of before."""
    assert sum(map(count_words, PAGES_FOR_USERS)) <= 67_100


def count_words(page):
    """Return the number of words with a letter or digit; `wc -w` also counts the lines between cells of tables."""
    return len(re.findall(r"\S*\w\S*", page.read_text(encoding="utf-8")))


def test_decisions_have_at_most_35000_words():
    words = {page.name: count_words(page) for page in DESIGN}

    assert sum(words.values()) <= 35_000
    assert {name for name, count in words.items() if count > 1200} <= {"vocabulary.md"}


def test_pages_for_users_promise_nothing():
    texts = {page.name: page.read_text(encoding="utf-8") for page in PAGES_FOR_USERS}

    assert [
        name for name, text in texts.items() if re.search(r"not implemented|\bplanned\b", text, re.IGNORECASE)
    ] == []


def test_ci_builds_the_site():
    assert "make docs" in (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert "zensical build --clean --strict" in (ROOT / "Makefile").read_text(encoding="utf-8")


def build(project):
    """Build a copy of the documentation in a folder, strictly."""
    command = [find_program("zensical"), "build", "--strict"]
    environment = {**os.environ, "CHRONOTILE_REPOSITORY": SOURCE}
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Return a copy of the documentation, which has been built."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copy(ROOT / "mkdocs.yml", folder)
    shutil.copytree(DOCS, folder / "docs")
    shutil.copytree(ROOT / "tools/site_theme", folder / "tools/site_theme")
    built = build(folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.mark.slow
@pytest.mark.client("zensical")
def test_the_site_is_built_without_warnings_and_has_every_page(project):
    pages = {path.relative_to(project / "site").as_posix() for path in (project / "site").rglob("*.html")}
    expected = {page.removesuffix(".md") + ".html" for page in pages_of(configuration()["nav"])}

    assert {"index.html" if page == "README.html" else page for page in expected} <= pages


@pytest.mark.slow
@pytest.mark.client("zensical")
def test_the_search_of_the_site_has_no_decisions(project):
    items = json.loads((project / "site" / "search.json").read_text(encoding="utf-8"))["items"]

    folders = Counter(item["location"].partition("/")[0] for item in items)
    assert folders["design"] == 0
    assert folders["reference"] > 100


@pytest.mark.slow
@pytest.mark.client("zensical")
def test_pages_of_the_site_state_version_source_and_edit_link(project):
    page = (project / "site/how-to/qgis.html").read_text(encoding="utf-8")

    assert f"chronotile {__version__}\n" in re.sub(r"<[^>]+>", "\n", page)
    assert f'href="{SOURCE}"' in page
    assert f'href="{SOURCE}/edit/main/docs/how-to/qgis.md"' in page
    assert (ROOT / "docs/how-to/qgis.md").is_file()
    assert "data-md-component=source" not in page.replace('"', "")


@pytest.mark.slow
@pytest.mark.client("zensical")
def test_pages_of_the_site_load_nothing_from_other_hosts(project):
    loaded = re.compile(
        r"""<(?:script|img|iframe|source)[^>]+src="?(?:https?:)?//[^\s">]+|<link[^>]+href="?(?:https?:)?//[^\s">]+"""
    )
    pages = (project / "site").rglob("*.html")

    assert [found for page in pages for found in loaded.findall(page.read_text(encoding="utf-8"))] == []


@pytest.mark.slow
@pytest.mark.client("zensical")
@pytest.mark.parametrize("link", ["absent.md", "glossary.md#no-such-heading"])
def test_a_broken_link_fails_the_build(project, tmp_path, link):
    shutil.copytree(project / "docs", tmp_path / "docs")
    shutil.copy(project / "mkdocs.yml", tmp_path)
    shutil.copytree(project / "tools", tmp_path / "tools")
    with (tmp_path / "docs" / "glossary.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[broken]({link})\n")

    built = build(tmp_path)

    assert built.returncode != 0
    assert "does not exist" in built.stdout + built.stderr
