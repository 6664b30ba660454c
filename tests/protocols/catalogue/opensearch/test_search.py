"""Searches of products and collections apply their parameters, and pages lead to the last one."""

import json

import pytest

from tests.protocols.catalogue.odata.conftest import sentinel_1, sentinel_2

PRODUCTS, COLLECTIONS = "/opensearch/products", "/opensearch/collections"
S2 = {day: sentinel_2(day)["id"] for day in range(1, 9)}
L1C = sentinel_2(3, "31UES", level="L1C")["id"]
S1 = {day: sentinel_1(day)["id"] for day in (3, 4, 5)}
EVERY = {*S2.values(), L1C, *S1.values()}
CLOUDS = {**{name: day * 10 for day, name in S2.items()}, L1C: 30}
DAYS = {**{name: day for day, name in S2.items()}, L1C: 3}


@pytest.fixture
def find(searched):
    """The document of a page."""

    def get(path=PRODUCTS, **params):
        answer = searched.get(path, params=params)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "application/geo+json"
        return json.loads(answer.content, parse_constant=pytest.fail)

    return get


def names(page):
    return {each["properties"]["identifier"] for each in page["features"]}


def where(keeps, of=CLOUDS):
    return {name for name, value in of.items() if keeps(value)}


FILTERS = {
    "all": ({}, EVERY),
    "collection": ({"collection": "SENTINEL-1"}, {*S1.values()}),
    "a collection that is not served": ({"collection": "hidden"}, set()),
    "cloud cover": ({"cloudCover": "30"}, where(lambda v: v == 30)),
    "cloud cover of a set": ({"cloudCover": "{10, 30}"}, where(lambda v: v in {10, 30})),
    "closed": ({"cloudCover": "[20,40]"}, where(lambda v: 20 <= v <= 40)),
    "open": ({"cloudCover": "]20,40["}, where(lambda v: 20 < v < 40)),
    "at most, as the client writes a number": ({"cloudCover": "20]"}, where(lambda v: v <= 20)),
    "less": ({"cloudCover": "20["}, where(lambda v: v < 20)),
    "at least": ({"cloudCover": "[60"}, where(lambda v: v >= 60)),
    "more": ({"cloudCover": "]60"}, where(lambda v: v > 60)),
    "published on days": ({"publicationDate": "[2022-05-02,2022-05-03]"}, where(lambda v: v in {2, 3}, DAYS)),
    "published on a day": ({"publicationDate": "2022-05-02"}, {S2[2]}),
    "published after a time": ({"publicationDate": "]2022-05-07T18:00:00Z"}, {S2[8]}),
    "modified before": ({"modificationDate": "2022-06-02T00:00:00Z[", "collection": "SENTINEL-2"}, {S2[1]}),
    "a day": ({"start": "2022-05-04", "end": "2022-05-04"}, {S2[4], S1[4]}),
    "until a second": ({"end": "2022-05-01T10:50:30Z"}, set()),
    "until the next": ({"end": "2022-05-01T10:50:31Z"}, {S2[1]}),
    "from": ({"start": "2022-05-07T00:00:00+02:00", "collection": "SENTINEL-2"}, {S2[7], S2[8]}),
    "box": ({"bbox": "13,49,16,52"}, {*S1.values()}),
    "geometry": ({"geometry": "POLYGON ((3.1 50.1, 3.9 50.1, 3.9 50.9, 3.1 50.1))"}, {L1C}),
    "point": ({"geometry": "POINT (14.5 50.5)"}, {*S1.values()}),
    "geometry in a box": ({"geometry": "POINT (14.5 50.5)", "bbox": "0,0,10,60"}, set()),
    "title": ({"title": S2[4]}, {S2[4]}),
    "words": ({"q": "t31ues"}, {L1C}),
    "tile": ({"tileId": "31UES"}, {L1C}),
    "product type": ({"productType": "S2MSI1C"}, {L1C}),
    "either form of a product type": ({"productType": "GRD"}, {*S1.values()}),
    "orbit direction": ({"orbitDirection": "ASCENDING"}, {*S1.values()}),
    "relative orbit": ({"relativeOrbitNumber": "51"}, {*DAYS}),
    "orbit": ({"orbitNumber": "[1002,1003]"}, where(lambda v: v in {2, 3}, DAYS)),
    "constellation": ({"platform": "SENTINEL-2"}, {*DAYS}),
    "platform": ({"platform": "sentinel-2a"}, where(lambda v: v % 2 == 0, DAYS)),
    "group": ({"productGroupId": "none"}, set()),
    "item": ({"uid": S2[5]}, {S2[5]}),
    "id": ({"uid": f"urn:eop:SENTINEL-2:{S2[5]}"}, {S2[5]}),
    "id of a collection alone": ({"uid": "urn:eop:SENTINEL-2:"}, set()),
    "id of nothing": ({"uid": "urn:eop:"}, set()),
    "id of another collection": ({"uid": f"urn:eop:SENTINEL-1:{S2[5]}"}, set()),
    "two conditions": ({"cloudCover": "40]", "platform": "sentinel-2b"}, {S2[1], S2[3], L1C}),
    "who asks": ({"accessedFrom": "tests", "title": S2[4], "publicationDate": ""}, {S2[4]}),
}


@pytest.mark.parametrize(("params", "found"), FILTERS.values(), ids=FILTERS)
@pytest.mark.checklist("opensearch", "parameters")
def test_products_match_the_parameters(find, params, found):
    page = find(**params)

    assert names(page) == found
    assert page["totalResults"] == len(found) == len(page["features"])


IN = {
    "all": ({}, ["SENTINEL-1", "SENTINEL-2", "LANDSAT-8"]),
    "by a product": ({"platform": "sentinel-1"}, ["SENTINEL-1"]),
    "by time and place": ({"start": "2022-05-06", "end": "2022-05-09", "bbox": "0,40,20,60"}, ["SENTINEL-2"]),
    "by id": ({"uid": "LANDSAT-8"}, ["LANDSAT-8"]),
    "a page": ({"count": 1, "startIndex": 2}, ["SENTINEL-2"]),
}


@pytest.mark.parametrize(("params", "found"), IN.values(), ids=IN)
@pytest.mark.checklist("opensearch", "two-step")
def test_collections_contain_matching_products(find, params, found):
    page = find(COLLECTIONS, **params)

    assert [each["id"] for each in page["features"]] == found
    for each in page["features"]:
        (search,) = each["properties"]["links"]["search"]
        assert search["href"] == f"http://testserver/opensearch?collection={each['id']}"


@pytest.mark.checklist("opensearch", "paging")
def test_pages_lead_to_the_last_product(find, searched):
    page, met, numbers = find(count=5), [], []
    (last,) = page["properties"]["links"]["last"]
    while True:
        met += [each["properties"]["identifier"] for each in page["features"]]
        numbers.append(page["startIndex"])
        if "next" not in page["properties"]["links"]:
            break
        page = searched.get(page["properties"]["links"]["next"][0]["href"]).json()

    assert len(met) == len(set(met)) == 12
    assert (set(met), numbers, page["totalResults"], page["itemsPerPage"]) == (EVERY, [1, 6, 11], 12, 5)
    assert searched.get(last["href"]).json()["features"] == page["features"]
    (before,) = page["properties"]["links"]["prev"]
    assert names(searched.get(before["href"]).json()) == set(met[5:10])


@pytest.mark.checklist("opensearch", "count-zero")
def test_products_are_counted_without_any(find):
    page = find(count=0, collection="SENTINEL-2")

    assert (page["totalResults"], page["itemsPerPage"], page["features"]) == (9, 0, [])
    assert set(page["properties"]["links"]) == {"self", "search"}


@pytest.mark.slow
def test_more_products_than_a_number_reaches_are_counted_and_read_to_the_last(put, client):
    template = json.dumps(sentinel_2(1))
    put("LANDSAT-8", [json.loads(template.replace("_N0400", f"_{each:05}")) for each in range(10_150)])

    page = client.get(PRODUCTS, params={"collection": "LANDSAT-8"}).json()
    (last,) = page["properties"]["links"]["last"]
    reached = client.get(last["href"]).json()
    end = client.get(reached["properties"]["links"]["next"][0]["href"]).json()

    assert (page["totalResults"], reached["startIndex"], end["startIndex"]) == (10_150, 10_001, 10_101)
    assert (len(names(reached)), len(names(end)), names(reached) & names(end)) == (100, 50, set())
    assert "next" not in end["properties"]["links"]
    refused = client.get(PRODUCTS, params={"startIndex": 10_002})
    assert (refused.status_code, refused.json()["parameter"]) == (400, "startIndex")
    assert "next" in refused.json()["alternative"]


REFUSED = {
    "cloudCover": "a lot",
    "orbitNumber": "[1,2",
    "publicationDate": "yesterday",
    "start": "2022-13-01",
    "end": "2022-05",
    "bbox": "1,2,3",
    "geometry": "CIRCLE (1 2)",
    "count": "-1",
    "startIndex": "0",
    "httpAccept": "text/csv",
    "cursor": "none",
    "title": "nul \0",
    "q": "word " * 100,
    "maxRecords": "5",
}


@pytest.mark.parametrize(("name", "value"), REFUSED.items(), ids=REFUSED)
@pytest.mark.checklist("opensearch", "exceptions")
def test_invalid_values_are_reported_in_the_terms_of_the_protocol(searched, name, value):
    answer = searched.get(PRODUCTS, params={name: value, **({"start": "2023-01-01"} if name == "end" else {})})

    assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
    (exception,) = answer.json()["exceptions"]
    assert (exception["locator"], exception["exceptionText"]) == (name, answer.json()["detail"])
    assert searched.head(PRODUCTS, params={name: value, "start": "2023-01-01"}).content == b""
