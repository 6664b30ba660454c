"""Whole files of places need the right `download`, in every form of request for a file."""

import pytest

from tests.access.test_archive import SECRET_PLACE, Archive, archive  # noqa: F401 -- the fixture

pytestmark = pytest.mark.slow

ITEMS = f"/ogcapi/collections/{SECRET_PLACE}/items"
FILES = ("application/geopackage+sqlite3", "application/flatgeobuf")
REQUESTS = [
    ("", "application/*;q=0.9, application/geo+json;q=0, application/json;q=0"),
    ("", "*/*;q=0.1, application/geo+json;q=0, application/json;q=0, text/*;q=0"),
    ("", "Application/GeoPackage+sqlite3"),
    ("", "application/flatgeobuf; q=1.0, application/geo+json; q=0.5"),
    ("?f=gpkg", "*/*"),
    ("?F=FGB", "application/geo+json"),
    ("?f=application/geopackage%2Bsqlite3", "*/*"),
    ("?%66=gpkg&limit=1", "*/*"),
]
"""Queries and Accept headers of requests for a file."""


@pytest.fixture
def open_places(archive: Archive) -> Archive:  # noqa: F811 -- the fixture
    """Archive with a set of places that everyone sees and one user may download."""
    file = archive.folder / "chronotile.yaml"
    before, closed, rest = file.read_text().rpartition("access: {see: [group:ministry], download: [user:nobody]}")
    assert closed
    file.write_text(f"{before}access: {{see: [public], download: [key:ann]}}{rest}")
    archive.client.app.state.chronotile.live.refresh()
    return archive


@pytest.mark.parametrize(("query", "accept"), REQUESTS)
def test_file_of_places_needs_the_right_download(open_places: Archive, query: str, accept: str) -> None:
    client, headers = open_places.client, {"Accept": accept}
    page = client.get(ITEMS, headers={"Accept": "application/geo+json"})
    strangers = [client.get(ITEMS + query, headers=headers | each) for each in ({}, open_places.bearer("viewer"))]
    owner = client.get(ITEMS + query, headers=headers | open_places.bearer("ministry"))

    assert (page.status_code, len(page.json()["features"]) > 0) == (200, True)
    assert [each.status_code for each in strangers] == [404, 404]
    assert (owner.status_code, owner.headers["content-type"] in FILES) == (200, True)
    assert owner.headers["cache-control"] == "private, no-cache"
    assert "private" not in page.headers.get("cache-control", "")
