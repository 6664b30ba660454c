"""Queries of the list of collections: bbox, time, limit, and refusal of other parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chronotile.core.errors import ChronotileError
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.ogcapi.documents.params import CollectionsQuery, collections_query
from tests.protocols import served

FIJI = served.NativeGrid(
    crs=served.crs_of("EPSG:3460"),
    transform=served.Affine(1000.0, 0.0, 1_800_000.0, 0.0, -1000.0, 4_400_000.0),
    width=500,
    height=600,
)
"""On both sides of the antimeridian."""


COLLECTIONS_OF_RECORDS = 2


def ids(answer):
    """Return the ids of collections, except collections of records."""
    return [each["id"] for each in answer.json()["collections"] if each.get("itemType") != "record"]


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ("4.5,50.8,4.6,50.9", {"s2", "NDVI", "world", "DMP"}),
        ("4.5,50.8,0,4.6,50.9,100", {"s2", "NDVI", "world", "DMP"}),
        ("100,-10,110,0", {"world", "DMP"}),
        ("170,-10,-170,0", {"world", "DMP"}),
        ("4.7,50.85,4.7,50.85", {"s2", "NDVI", "world", "DMP"}),
    ],
)
def test_collections_that_reach_into_a_box_are_listed(make_client, box, expected):
    collections = (served.make_collection(), served.tree_collections()[-1])
    client = make_client(served.make_services(*collections))

    answer = client.get("/ogcapi/collections", params={"bbox": box})

    assert set(ids(answer)) == expected
    assert answer.json()["numberMatched"] == len(expected) + COLLECTIONS_OF_RECORDS


@pytest.mark.parametrize(
    ("box", "count"),
    [("179,-18,179.5,-17", 2), ("-179.9,-18,-179.5,-17", 2), ("0,-18,10,-17", 0), ("179,-18,-179,-17", 2)],
)
def test_data_across_the_antimeridian_are_found_on_both_sides(make_client, box, count):
    layer = served.make_layer("REEF", collection="fiji", variable=served.make_variable("REEF", grid=FIJI))
    client = make_client(served.make_services(served.make_collection(layer, collection_id="fiji")))

    west, _south, east, _north = client.get("/ogcapi/collections/fiji").json()["extent"]["spatial"]["bbox"][0]

    assert west > 170
    assert east < -170
    assert len(ids(client.get("/ogcapi/collections", params={"bbox": box}))) == count


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2020-06-21", {"s2", "NDVI"}),
        ("2020-06-21T23:00:00Z", {"s2", "NDVI"}),
        ("2020-06-05", {"s2", "NDVI"}),
        ("2021-01-01/..", set()),
        ("../2020-05-21", {"s2", "NDVI"}),
        ("../2020-01-01", set()),
        ("2019/2022", {"s2", "NDVI"}),
        ("latest", {"s2", "NDVI"}),
    ],
)
def test_collections_that_have_a_time_are_listed(make_client, time, expected):
    client = make_client(served.make_services())

    assert set(ids(client.get("/ogcapi/collections", params={"datetime": time}))) == expected


def test_a_collection_without_time_is_of_all_times(make_client):
    height = served.make_layer("HEIGHT", variable=served.make_variable("HEIGHT", times=served.NO_TIME))
    client = make_client(served.make_services(served.make_collection(height)))

    assert set(ids(client.get("/ogcapi/collections?datetime=1999"))) == {"s2", "HEIGHT"}


def test_pages_are_linked(tree):
    whole = [each["id"] for each in tree.get("/ogcapi/collections").json()["collections"]]
    first = tree.get("/ogcapi/collections", params={"limit": 5}).json()
    addresses = {link["rel"]: link["href"] for link in first["links"]}
    second = tree.get(addresses["next"]).json()
    third = tree.get({link["rel"]: link["href"] for link in second["links"]}["next"]).json()

    assert [each["id"] for page in (first, second, third) for each in page["collections"]] == whole
    assert [page["numberReturned"] for page in (first, second, third)] == [5, 5, 5]
    assert "next" not in {link["rel"] for link in third["links"]}
    assert tree.get(addresses["self"]).json() == first


def test_links_of_a_page_keep_the_selection(tree):
    links = tree.get("/ogcapi/collections?bbox=4.5,50.8,4.6,50.9&datetime=2020-06-01/..&limit=2").json()["links"]

    assert {"bbox=4.5,50.8,4.6,50.9", "datetime=2020-06-01/.."} <= set(links[0]["href"].partition("?")[2].split("&"))


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("bbox=1,2,3", "bbox"),
        ("bbox=1,2,3,x", "bbox"),
        ("bbox=1,2,3,nan", "bbox"),
        ("bbox=1,2,3,4,5", "bbox"),
        ("bbox=1,50,2,40", "bbox"),
        ("bbox=1,2,3,1e999", "bbox"),
        ("bbox=1,2,3,4&bbox-crs=EPSG:4326", "bbox-crs"),
        ("datetime=yesterday", "datetime"),
        ("datetime=2020-06-01/2020-01-01", "datetime"),
        ("time=2020", "time"),
        ("limit=0", "limit"),
        ("limit=ten", "limit"),
        ("limit=10001", "limit"),
        ("offset=-1", "offset"),
        ("bbx=1,2,3,4", "bbx"),
    ],
)
def test_invalid_value_is_refused_with_the_parameter(tree, query, parameter):
    answer = tree.get(f"/ogcapi/collections?{query}")

    assert answer.status_code == 400
    assert answer.json()["parameter"] == parameter


@given(st.dictionaries(st.sampled_from(["bbox", "datetime", "limit", "offset"]), st.text(max_size=40)))
def test_any_text_gives_a_query_or_an_error(texts):
    def read():
        try:
            return collections_query(Kvp(texts.items()))
        except ChronotileError:
            return None

    assert isinstance(read(), CollectionsQuery | None)
