"""`/stac/changes` through the whole application, over a real index."""

import base64

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from chronotile.catalog.items import altering
from chronotile.core.model.items import product_id
from tests.changing import scene

URL = "/stac/changes"


def now(client):
    return client.get(URL).json()["since"]


def told(document):
    return [(each["change"], each["collection"], each["id"]) for each in document["changes"]]


def test_request_without_a_cursor_returns_the_current_cursor(client, index):
    index.put("s2", [scene("a")])
    answer = client.get(URL)

    assert answer.status_code == 200
    assert (answer.json()["changes"], answer.json()["next"]) == ([], None)
    assert client.get(URL, params={"since": answer.json()["since"]}).json()["changes"] == []


def test_changes_are_listed_with_their_items(client, index):
    index.put("s2", [scene("before")])
    since = now(client)
    index.put("s2", [scene("a/b", updated="2020-06-02T01:00:00Z")])
    index.put("s2", [scene("before", platform="x")])
    index.remove("s2", ["before"])
    index.put("modis", [scene("c")])

    document = client.get(URL, params={"since": since}).json()

    assert told(document) == [("added", "s2", "a/b"), ("removed", "s2", "before"), ("added", "modis", "c")]
    product = str(product_id("s2", "a/b"))
    assert document["changes"][0] == {
        "change": "added",
        "collection": "s2",
        "id": "a/b",
        "product": product,
        "datetime": "2020-06-01T10:50:00Z",
        "updated": "2020-06-02T01:00:00Z",
        "bbox": [4.0, 50.0, 5.0, 51.0],
        "links": [
            {
                "rel": "item",
                "type": "application/geo+json",
                "href": "http://testserver/stac/collections/s2/items/a%2Fb",
            },
            {"rel": "collection", "type": "application/json", "href": "http://testserver/stac/collections/s2"},
            {"rel": "enclosure", "title": "The product", "href": f"http://testserver/products/{product}"},
        ],
    }
    assert document["changes"][1] == {
        "change": "removed",
        "collection": "s2",
        "id": "before",
        "product": str(product_id("s2", "before")),
    }


def test_links_of_a_change_lead_to_item_and_collection(client, index):
    since = now(client)
    index.put("s2", [scene("a b/ü?")])

    (change,) = client.get(URL, params={"since": since}).json()["changes"]
    item, collection = (client.get(link["href"]).json() for link in change["links"][:2])

    assert (item["id"], collection["id"]) == ("a b/ü?", "s2")
    assert "/stac/collections/s2/feed.atom" in {
        link["href"].removeprefix("http://testserver") for link in collection["links"] if "atom" in link["type"]
    }


def test_pages_are_followed_by_next_and_gone_on_with_by_since(client, index):
    since = now(client)
    index.put("s2", [scene(f"{number}") for number in range(5)])
    index.put("modis", [scene("other")])
    pages = [client.get(URL, params={"since": since, "limit": 2, "collections": "s2"}).json()]
    while pages[-1]["next"] is not None:
        pages.append(client.get(pages[-1]["next"]).json())
    index.put("s2", [scene("later")])

    assert [len(page["changes"]) for page in pages] == [2, 2, 1]
    assert [id_ for page in pages for _, _, id_ in told(page)] == ["0", "1", "2", "3", "4"]
    assert told(client.get(URL, params={"since": pages[-1]["since"]}).json()) == [("added", "s2", "later")]


def test_no_path_of_a_file_is_shown(client, index):
    since = now(client)
    index.put("s2", [scene("a", href="s3://secret-bucket/a.tif")])

    assert b"secret-bucket" not in client.get(URL, params={"since": since}).content


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        *(("since=abc", "since"), ("limit=0", "limit"), ("limit=1001", "limit"), ("collections=s3", "collections")),
        ("collection=s2", "collection"),
    ],
)
def test_invalid_values_are_refused(client, query, parameter):
    answer = client.get(f"{URL}?{query}")

    assert (answer.status_code, answer.json()["parameter"]) == (400, parameter)
    assert answer.headers["content-type"] == "application/problem+json"


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(place=st.integers(0, 1000), byte=st.integers(1, 255))
def test_a_cursor_that_was_changed_is_refused(client, place, byte):
    data = bytearray(base64.urlsafe_b64decode(now(client) + "==="))
    data[place % len(data)] ^= byte
    changed = base64.urlsafe_b64encode(data).decode().rstrip("=")

    assert client.get(URL, params={"since": changed}).status_code == 400


def test_expired_cursor_is_a_problem_with_the_remedy(client, index, monkeypatch):
    monkeypatch.setattr(altering, "MAX_REMOVED", 1)
    index.put("s2", [scene(name) for name in "abcd"])
    since = now(client)
    for name in "abcd":
        index.remove("s2", [name])

    answer = client.get(URL, params={"since": since})

    assert answer.status_code == 410
    assert "list all items, and continue with the cursor of a request without since" in answer.json()["detail"]


def test_an_unchanged_page_is_not_sent_again(client):
    first = client.get(URL, params={"since": now(client)})
    second = client.get(first.url, headers={"If-None-Match": first.headers["etag"]})

    assert first.headers["cache-control"] == "no-cache"
    assert (second.status_code, second.content) == (304, b"")


def test_answers_match_openapi(client, index):
    since = now(client)
    index.put("s2", [scene("a"), scene("b")])
    index.remove("s2", ["b"])
    document = client.get("/openapi.json").json()
    described = document["paths"][URL]["get"]["responses"]
    schema = described["200"]["content"]["application/json"]["schema"]

    answers = [client.get(URL), client.get(URL, params={"since": since, "limit": 1})]

    for answer in answers:
        Draft202012Validator({**schema, "components": document["components"]}).validate(answer.json())
    assert {"400", "410", "503"} <= described.keys()


def test_server_without_an_index_reports_it(make_client):
    assert make_client().get(URL).status_code == 503
