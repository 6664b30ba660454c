"""Searches find the same items as their conditions applied to the items put into the index."""

from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.items import lookups
from chronotile.catalog.items.opening import open_items
from tests.protocols.catalogue.stac.conftest import BASE, put, services_over
from tests.protocols.catalogue.stac.documents import DAYS, scene

SCENES = [f"scene {number}" for number in range(9)]
"""Scenes of 1 to 9 June with 0 to 80 % clouds."""
CRS84 = "http://www.opengis.net/def/crs/OGC/1.3/CRS84"
POLYGON = {"type": "Polygon", "coordinates": [[[4.5, 50.5], [4.6, 50.5], [4.6, 50.6], [4.5, 50.5]]]}
CLEAR = {"op": "<", "args": [{"property": "eo:cloud_cover"}, 25]}
CASES = {
    "collections": ({"collections": ["scenes"]}, SCENES),
    "unknown collection": ({"collections": ["unknown"]}, []),
    "not served": ({"collections": ["gone"]}, []),
    "one id": ({"ids": "scene 1"}, ["scene 1"]),
    "ids": ({"ids": ["scene 1", "2020-06-01", "unknown"]}, ["scene 1", "2020-06-01"]),
    "bbox": ({"collections": ["scenes"], "bbox": [4.2, 50.2, 4.3, 50.3]}, SCENES),
    "bbox with heights": ({"collections": ["scenes"], "bbox": [4.2, 50.2, 0, 4.3, 50.3, 9000]}, SCENES),
    "bbox elsewhere": ({"bbox": [10, 50, 11, 51]}, []),
    "bbox across the antimeridian": ({"bbox": [170, 50, -170, 51]}, []),
    "intersects": ({"collections": ["scenes"], "intersects": POLYGON}, SCENES),
    "intersects elsewhere": ({"intersects": {"type": "Point", "coordinates": [0, 0]}}, []),
    "instant": ({"datetime": "2020-06-03T10:50:00Z"}, ["scene 2"]),
    "interval": ({"collections": ["scenes"], "datetime": "2020-06-02T00:00:00Z/2020-06-03T23:59:59Z"}, SCENES[1:3]),
    "open end": ({"collections": ["scenes"], "datetime": "2020-06-08T00:00:00Z/.."}, SCENES[7:]),
    "open start": ({"collections": ["scenes"], "datetime": "/2020-06-02T00:00:00+00:00"}, SCENES[:1]),
    "filter": ({"filter": CLEAR}, SCENES[:3]),
    "between": ({"filter": {"op": "between", "args": [{"property": "eo:cloud_cover"}, 10, 20]}}, SCENES[1:3]),
    "between of drafts": (
        {"filter": {"op": "between", "args": [{"property": "eo:cloud_cover"}, [10, 20]]}},
        SCENES[1:3],
    ),
    "filter-crs": ({"filter": CLEAR, "filter-crs": CRS84}, SCENES[:3]),
    "all together": (
        {"collections": ["scenes", "s2"], "ids": SCENES[1:], "bbox": [4, 50, 5, 51], "filter": CLEAR},
        SCENES[1:3],
    ),
}


def ids(document):
    return [each["id"] for each in document["features"]]


def as_query(body):
    """Return the members of a body as parameters of GET."""
    texts = {name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in body.items()}
    json = {name: orjson.dumps(value).decode() for name, value in body.items() if isinstance(value, dict)}
    return {**texts, **json, **({"filter-lang": "cql2-json"} if "filter" in body else {})}


@pytest.mark.parametrize(("body", "expected"), CASES.values(), ids=CASES)
def test_get_and_post_find_the_same(api, body, expected):
    posted = api.post("/stac/search", json={**body, "limit": 100})
    got = api.get("/stac/search", params={**as_query(body), "limit": 100})

    assert sorted(ids(posted.json())) == sorted(expected)
    assert posted.json()["features"] == got.json()["features"]
    assert posted.headers["content-type"] == got.headers["content-type"] == "application/geo+json"
    assert got.json()["numberMatched"] == got.json()["numberReturned"] == len(expected)


def test_items_of_a_collection_equal_those_of_a_search(api):
    query = {"bbox": "4,50,5,51", "datetime": "2020-06-05T00:00:00Z/..", "filter": "eo:cloud_cover < 70"}

    found = api.get("/stac/collections/scenes/items", params=query).json()

    assert ids(found) == ["scene 6", "scene 5", "scene 4"]
    assert found["features"] == api.get("/stac/search", params={**query, "collections": "scenes"}).json()["features"]


@pytest.mark.parametrize("sortby", ["eo:cloud_cover", "+properties.eo:cloud_cover", " eo:cloud_cover"])
def test_items_are_sorted(api, sortby):
    query = {"collections": "scenes", "limit": 3}

    assert ids(api.get("/stac/search", params={**query, "sortby": sortby}).json()) == SCENES[:3]
    assert ids(api.get("/stac/search", params={**query, "sortby": "-eo:cloud_cover"}).json()) == SCENES[:5:-1]


def test_the_body_sorts_too(api):
    body = {"collections": ["scenes"], "sortby": [{"field": "properties.datetime", "direction": "asc"}], "limit": 2}

    assert ids(api.post("/stac/search", json=body).json()) == SCENES[:2]


def test_pages_by_get_have_each_item_once(api):
    found, href = [], "/stac/search?limit=4&collections=scenes,s2&sortby=%2Bid"
    while href:
        page = api.get(href.removeprefix(BASE)).json()
        found += ids(page)
        assert page["numberMatched"] == 14
        assert page["links"][0]["href"] == BASE + href.removeprefix(BASE).replace(",", "%2C")
        href = next((each["href"] for each in page["links"] if each["rel"] == "next"), None)

    assert found == sorted([*SCENES, *DAYS])


def test_pages_by_post_have_each_item_once(api):
    found, body = [], {"limit": 4, "collections": ["scenes"]}
    while body:
        page = api.post("/stac/search", json=body).json()
        found += ids(page)
        following = next((each for each in page["links"] if each["rel"] == "next"), None)
        body = None if following is None else {**body, **following["body"]}
        assert following is None or (following["method"], following["merge"]) == ("POST", True)

    assert sorted(found) == SCENES


def test_page_of_large_items_has_its_count_and_a_link_to_the_next(api, monkeypatch):
    monkeypatch.setattr(lookups, "MAX_BYTES", 20_000)
    found, href, pages = [], "/stac/search?limit=9&collections=scenes", 0
    while href:
        page = api.get(href.removeprefix(BASE)).json()
        assert page["numberReturned"] == page["context"]["returned"] == len(page["features"]) < 5
        assert page["numberMatched"] == 9
        found, pages = found + ids(page), pages + 1
        href = next((each["href"] for each in page["links"] if each["rel"] == "next"), None)

    assert (sorted(found), pages > 2) == (SCENES, True)


def test_next_page_of_a_collection_continues_there(api):
    page = api.get("/stac/collections/scenes/items?limit=8").json()
    href = next(each["href"] for each in page["links"] if each["rel"] == "next")

    assert urlsplit(href).path == "/stac/collections/scenes/items"
    assert ids(api.get(href.removeprefix(BASE)).json()) == ["scene 0"]


@pytest.mark.parametrize("path", ["/stac/search", "/stac/aggregate"])
def test_a_query_names_only_so_many_collections(api, path):
    names = ",".join(map(str, range(1001)))
    counts = {"aggregations": "total_count"} if path.endswith("aggregate") else {}
    refused = api.get(path, params={"collections": names, **counts})

    assert (refused.status_code, refused.json()["parameter"]) == (400, "collections")


def test_a_cursor_of_another_search_is_refused(api):
    page = api.get("/stac/search?limit=2").json()
    cursor = dict(parse_qsl(urlsplit(page["links"][-1]["href"]).query))["cursor"]

    for given in (cursor[:-2] + "AA", "x", "Ä"):
        assert api.get("/stac/search", params={"limit": 2, "cursor": given}).status_code == 400
    assert api.get("/stac/search", params={"collections": "s2", "cursor": cursor}).status_code == 400


@pytest.mark.parametrize("limit", [1, 10_000, 10_001, 10**9])
def test_a_limit_beyond_the_most_is_the_most(api, limit):
    page = api.get("/stac/search", params={"limit": limit}).json()

    assert page["context"]["limit"] == min(limit, 10_000)


REFUSED = [
    {"intersects": {"type": [], "coordinates": []}},
    {"limit": 0},
    {"limit": -1},
    {"limit": "many"},
    {"limit": True},
    {"bbox": [1, 2, 3]},
    {"bbox": [1, 2, 3, 4, 5]},
    {"bbox": [0, 51, 1, 50]},
    {"bbox": [0, -91, 1, 50]},
    {"bbox": ["a", 0, 1, 1]},
    {"bbox": "everywhere"},
    {"bbox": [0, 0, 1, 1], "intersects": POLYGON},
    {"intersects": {"type": "Circle", "coordinates": [0, 0]}},
    {"intersects": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1], [0, 1], [1, 0], [0, 0]]]}},
    {"intersects": {"type": "Point"}},
    {"datetime": "yesterday"},
    {"filter": {"op": "explode", "args": []}},
    {"filter": {}},
    {"filter": "x <", "filter-lang": "cql2-text"},
    {"filter": "eo:cloud_cover < 5", "filter-lang": "sql"},
    {"filter": CLEAR, "filter-crs": "EPSG:4326"},
    {"sortby": [{"field": "datetime", "direction": "up"}]},
    {"sortby": "datetime"},
    {"sortby": [{"field": name} for name in "abcde"]},
    {"fields": None},
    {"fields": ["id"]},
    {"fields": {"include": "id"}},
    {"ids": [1]},
    {"collections": {}},
    {"cursor": 5},
    {"datetime": 2020},
]


@pytest.mark.parametrize("body", REFUSED, ids=lambda body: orjson.dumps(body).decode()[:60])
def test_invalid_value_is_refused_with_the_parameter(api, body):
    answer = api.post("/stac/search", json=body)

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    assert answer.json()["parameter"] in {*body, "limit", "filter"}


@pytest.mark.parametrize("body", [b"[]", b"{", b'"a"', b"\xff", b"[" * 100_000])
def test_a_body_that_is_no_object_is_refused(api, body):
    answer = api.post("/stac/search", content=body, headers={"Content-Type": "application/json"})

    assert answer.status_code == 400


def test_a_geometry_of_a_million_vertices_is_refused(api):
    ring = [[4 + number / 10**7, 50] for number in range(1_000_000)]

    answer = api.post("/stac/search", json={"intersects": {"type": "LineString", "coordinates": ring}})

    assert answer.status_code in {400, 413}


def test_a_deep_filter_is_refused(api):
    text = "(" * 5_000 + "gsd < 1" + ")" * 5_000
    deep = b'{"filter": ' + b'{"op": "not", "args": [' * 90 + b"true" + b"]}" * 90 + b"}"

    assert api.get("/stac/search", params={"filter": text}).status_code == 400
    assert api.post("/stac/search", content=deep).status_code == 400


def test_an_item_whose_members_are_odd_takes_no_page_away(tmp_path):
    def deep(levels):
        return {"deep": deep(levels - 1)} if levels else 1

    odd = scene("odd", day=2, cloud=0)
    odd |= {"bbox": ["4", None, {}, []], "links": [1], "stac_extensions": [None, 2]}
    odd["assets"] |= {"text": "x", "none": None, "list": [1]}
    odd["geometry"]["coordinates"].append([["hole", []]])
    odd["properties"]["deep"] = deep(240)
    index = open_items(None, tmp_path, archive="a")
    try:
        put(index, "s2", [])
        put(index, "scenes", [odd, scene("usual", day=1, cloud=0)])
        with TestClient(application(services_over(index)), raise_server_exceptions=False) as client:
            answers = [
                client.get(path)
                for path in (
                    "/stac/search?collections=scenes",
                    "/stac/collections/scenes/feed.atom",
                    "/odata/v1/Products?$expand=Attributes,Assets",
                )
            ]
    finally:
        index.close()

    assert [each.status_code for each in answers] == [200, 200, 200]
    features = answers[0].json()["features"]
    assert [each["id"] for each in features] == ["odd", "usual"]
    assert features[0]["bbox"] == pytest.approx(features[1]["bbox"], abs=0.01)
    assert set(features[0]["assets"]) == set(features[1]["assets"])
    assert features[0]["properties"]["deep"]
    assert [each["Footprint"] is None for each in answers[2].json()["value"]] == [True, False]
