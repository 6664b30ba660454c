"""Searches with incomplete results warn alike in all protocols, and are cached for a minute."""

from contextlib import closing
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from tests.protocols.catalogue.stac.conftest import put, services_over
from tests.protocols.catalogue.stac.documents import scene

AWAY = {"collection": "far", "reason": "its source cannot be read now", "partial": False}
PARTIAL = {"collection": "s2", "reason": "its source was not yet read completely", "partial": True}
WARNING = '199 - "left out: far", 199 - "incomplete: s2"'
CACHED = "public, max-age=60"
SEARCHES = {
    "stac search": ("/stac/search", "unanswered"),
    "stac counts": ("/stac/aggregate?aggregations=total_count", "unanswered"),
    "records": ("/ogcapi/collections/_items/items", "unanswered"),
    "odata": ("/odata/v1/Products", "@chronotile.unanswered"),
    "opensearch": ("/opensearch/products", "unanswered"),
    "opensearch collections": ("/opensearch/collections", "unanswered"),
}
POSTED = {
    "stac search": ("/stac/search", {}, "unanswered"),
    "stac counts": ("/stac/aggregate", {"aggregations": ["total_count"]}, "unanswered"),
    "odata": (
        "/odata/v1/Products/OData.CSC.FilterList",
        {"FilterProducts": [{"Name": "scene 1"}]},
        "@chronotile.unanswered",
    ),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory):
    """Client of `scenes`, of `s2` (source partly unread) and of `far` (unavailable)."""
    folder = tmp_path_factory.mktemp("index")
    with closing(open_items(None, folder)) as index, closing(open_passes(None, folder)) as passes:
        put(index, "scenes", [scene("scene 1", day=1, cloud=0)])
        put(index, "s2", [])
        passes.give_up(passes.begin("s2", source="x", holder="me"))
        services = services_over(index)
        services = replace(
            services, catalogue=replace(services.catalogue, unavailable={"far": "far", "far.NDVI": "far"})
        )
        with TestClient(application(services)) as client:
            yield client


@pytest.mark.parametrize(("path", "member"), SEARCHES.values(), ids=SEARCHES)
def test_missing_and_incomplete_collections_are_distinguished(client, path, member):
    answer = client.get(path)

    assert answer.status_code == 200
    assert answer.json()[member] == [AWAY, PARTIAL]
    assert (answer.headers["Warning"], answer.headers["Cache-Control"]) == (WARNING, CACHED)


@pytest.mark.parametrize(("path", "body", "member"), POSTED.values(), ids=POSTED)
def test_answers_to_posted_searches_are_marked_too(client, path, body, member):
    answer = client.post(path, json=body)

    assert answer.status_code == 200
    assert answer.json()[member] == [AWAY, PARTIAL]
    assert (answer.headers["Warning"], answer.headers["Cache-Control"]) == (WARNING, CACHED)


def test_number_of_products_is_marked_in_its_header(client):
    answer = client.get("/odata/v1/Products/$count")

    assert answer.text == "1"
    assert (answer.headers["Warning"], answer.headers["Cache-Control"]) == (WARNING, CACHED)


def test_page_of_records_is_marked_in_words(client):
    answer = client.get("/ogcapi/collections/_items/items?f=html")

    assert "Without far: its source cannot be read now" in answer.text
    assert "Not all of s2: its source was not yet read completely" in answer.text
    assert (answer.headers["Warning"], answer.headers["Cache-Control"]) == (WARNING, CACHED)


def test_one_kind_alone_is_one_warning(client):
    assert client.get("/stac/collections/s2/items").headers["Warning"] == '199 - "incomplete: s2"'


@pytest.mark.parametrize("path", ["/stac/search?collections=scenes", "/stac/collections/scenes/aggregate"])
def test_a_complete_answer_has_no_warning(client, path):
    answer = client.get(path)

    assert "Warning" not in answer.headers
    assert "unanswered" not in answer.json()
