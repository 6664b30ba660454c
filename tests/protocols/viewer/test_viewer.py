"""The viewer's files as they are sent."""

from collections.abc import Callable
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from chronotile.app import application
from chronotile.protocols.viewer.files import find_viewer
from tests.protocols import served

FILES = {
    "index.html": "<!doctype html><title>viewer</title>",
    "main.js": "export const one = 1;",
    "app.css": "body { margin: 0 }",
    "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
    "build.mjs": "// not for pages",
    ".hidden": "secret",
    "vendor/leaflet.js": "export {};",
    "vendor/leaflet.d.ts": "export {};",
    "vendor/land.json": "{}",
}


@pytest.fixture
def make_viewer(tmp_path) -> Callable[..., TestClient]:
    """`make_viewer(files)`: a client of an application whose viewer has these files; `None` for no viewer."""

    def make(files: dict[str, str] | None = FILES) -> TestClient:
        folder = tmp_path / "viewer"
        for name, text in (files or {}).items():
            file = folder / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        (tmp_path / "outside.json").write_text('"not for pages"')
        return TestClient(application(served.make_services(), viewer=folder if files is not None else None))

    return make


@pytest.fixture
def viewer(make_viewer):
    with make_viewer() as client:
        yield client


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("main.js", "text/javascript; charset=utf-8"),
        ("app.css", "text/css; charset=utf-8"),
        ("icon.svg", "image/svg+xml"),
        ("vendor/leaflet.js", "text/javascript; charset=utf-8"),
        ("vendor/land.json", "application/json"),
    ],
)
def test_files_are_sent_as_they_are(viewer, path, media_type):
    answer = viewer.get(f"/viewer/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (200, media_type)
    assert answer.text == FILES[path or "index.html"]


def test_files_are_checked_each_time_and_run_nothing_foreign(viewer):
    headers = viewer.get("/viewer/").headers

    assert headers["cache-control"] == "no-cache"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["content-security-policy"] == (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; worker-src 'self'"
    )


def test_same_file_is_304(viewer):
    etag = viewer.get("/viewer/main.js").headers["etag"]

    answer = viewer.get("/viewer/main.js", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.content) == (304, b"")


def test_changed_file_is_sent_again(viewer, tmp_path):
    etag = viewer.get("/viewer/main.js").headers["etag"]
    (tmp_path / "viewer" / "main.js").write_text("export const two = 2;  // longer")

    answer = viewer.get("/viewer/main.js", headers={"If-None-Match": etag})

    assert (answer.status_code, answer.text) == (200, "export const two = 2;  // longer")


@pytest.mark.parametrize(
    "path",
    [
        "nothing.js",
        "vendor",
        "vendor/",
        "build.mjs",
        "vendor/leaflet.d.ts",
        ".hidden",
        "%2e%2e/outside.json",
        "..%2foutside.json",
        "%2e%2e%2foutside.json",
        "vendor/%2e%2e/%2e%2e/outside.json",
        "/outside.json",
        "%00",
        "main.js%00.css",
        "a/b/c/d/e/main.js",
        "x" * 5000 + ".js",
    ],
)
def test_nothing_else_can_be_had(viewer, path):
    answer = viewer.get(f"/viewer/{path}")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "not for pages" not in answer.text


@pytest.mark.parametrize(
    ("query", "location"),
    [
        ("", "viewer/"),
        ("?layer=NDVI&date=2020-06-01", "viewer/?layer=NDVI&date=2020-06-01"),
        ("?a=%0d%0aX:y", "viewer/?a=%0d%0aX:y"),
    ],
)
def test_viewer_without_a_slash_leads_to_the_viewer(viewer, query, location):
    answer = viewer.get(f"/viewer{query}", follow_redirects=False)

    assert (answer.status_code, answer.headers["location"]) == (308, location)


@pytest.mark.parametrize(
    "files",
    [{"index.html": "page"}, {"main.js": "export {}", "vendor/leaflet.js": ""}, None],
    ids=["bare", "no page", "no folder"],
)
def test_viewer_that_is_not_built_says_how_to_build_it(make_viewer, files):
    with make_viewer(files) as client:
        answer = client.get("/viewer/")

    assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "make viewer" in answer.text
    assert answer.headers["cache-control"] == "no-store"


def test_viewer_built_while_serving_is_served(make_viewer, tmp_path):
    with make_viewer({"index.html": "page"}) as client:
        client.get("/viewer/")
        (tmp_path / "viewer" / "vendor").mkdir()

        assert client.get("/viewer/").text == "page"


def test_the_projects_own_viewer_is_found():
    folder = find_viewer()

    assert folder == Path(__file__).parents[3] / "viewer"
