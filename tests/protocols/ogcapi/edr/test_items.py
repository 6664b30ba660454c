"""`/items` lists the existing times."""

import pytest

from chronotile.catalog.limits import Limits
from tests.protocols import served

WHOLE = [4.416734, 50.714926, 4.994587, 50.992885]
DEKADS = ["2020-05-21T00:00:00Z", "2020-06-01T00:00:00Z", "2020-06-11T00:00:00Z", "2020-06-21T00:00:00Z"]


def ids(document):
    return [each["id"] for each in document["features"]]


def test_each_time_is_a_feature_of_edr_over_the_whole_extent(ask, assert_valid):
    document = ask("s2/items").json()

    assert_valid(document, "edr", "edrFeatureCollectionGeoJSON")
    assert ids(document) == [*DEKADS, "2020-07-01T00:00:00Z"]
    assert [each["properties"]["parameter-name"] for each in document["features"]] == [
        ["NDVI"],
        ["NDVI", "LAI"],
        ["NDVI", "LAI"],
        ["NDVI"],
        ["LAI"],
    ]
    assert document["features"][0]["bbox"] == WHOLE
    assert document["features"][0]["properties"]["label"] == "Collection s2, 2020-05-21T00:00:00Z"


def test_an_item_leads_to_its_data(tree, ask):
    (feature,) = ask("NDVI/items", datetime="2020-06-11").json()["features"]

    coverage = tree.get(feature["properties"]["edrqueryendpoint"]).json()

    assert coverage["domain"]["axes"]["t"]["values"] == [feature["id"]]
    assert coverage["ranges"]["NDVI"]["shape"] == [1, 300, 400]


def test_item_with_more_values_than_json_may_have_leads_to_a_file(make_client):
    services = served.make_services(
        served.make_collection(served.make_layer("NDVI")), limits=Limits(max_series_values=10)
    )
    client = make_client(services)

    (feature,) = client.get("/ogcapi/collections/NDVI/items?datetime=2020-06-11").json()["features"]
    response = client.get(feature["properties"]["edrqueryendpoint"])

    assert (response.status_code, response.headers["content-type"]) == (200, "application/netcdf")


def test_item_has_a_separate_url(ask, tree, assert_valid):
    listed = ask("s2/items").json()["features"][1]

    alone = tree.get(next(link["href"] for link in listed["links"] if link["rel"] == "self"))

    assert alone.json() == listed
    assert alone.headers["content-type"] == "application/geo+json"
    assert_valid(alone.json(), "edr", "featureGeoJSON")


@pytest.mark.parametrize("name", ["2020-06-01", "2020-06-01T00:00:00Z", "2020-06-01T02:00:00+02:00"])
def test_item_is_found_by_any_name_of_its_time(ask, name):
    assert ask(f"s2/items/{name}").json()["id"] == "2020-06-01T00:00:00Z"


@pytest.mark.parametrize("name", ["2020-06", "2019-01-01", "nothing", "all", "2020-06-01,2020-06-11"])
def test_unknown_time_of_the_collection_is_not_found(ask, name):
    answer = ask(f"s2/items/{name}")

    assert (answer.status_code, answer.json()["parameter"]) == (404, "itemId")


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"datetime": "2020-06-05/.."}, DEKADS[2:]),
        ({"datetime": "../2020-06-01"}, DEKADS[:2]),
        ({"datetime": "latest"}, DEKADS[3:]),
        ({"datetime": "1999"}, []),
        ({"bbox": "4.5,50.8,4.6,50.9"}, DEKADS),
        ({"bbox": "10,50,11,51"}, []),
        ({"limit": "2"}, DEKADS[:2]),
        ({"limit": "2", "offset": "3"}, DEKADS[3:]),
        ({"offset": "999999999999"}, []),
    ],
)
def test_time_box_and_pages_choose_items(ask, query, expected):
    assert ids(ask("NDVI/items", **query).json()) == expected


def test_pages_are_linked(ask, tree):
    first = ask("NDVI/items", limit="3", datetime="2020").json()

    following = tree.get(next(link["href"] for link in first["links"] if link["rel"] == "next")).json()

    assert ids(first) + ids(following) == DEKADS
    assert {(page["numberMatched"]) for page in (first, following)} == {4}
    assert [link["rel"] for link in following["links"]] == ["self"]


def test_timeless_data_are_one_item_before_the_others(ask, tree):
    document = ask("kinds/items", limit="2").json()

    first = document["features"][0]
    assert ids(document) == ["all", DEKADS[0]]
    assert (first["properties"]["datetime"], first["properties"]["parameter-name"]) == ("../..", ["HEIGHT"])
    assert (document["numberMatched"], ask("kinds/items/all").json()["id"]) == (5, "all")
    assert tree.get(first["properties"]["edrqueryendpoint"]).status_code == 200


def test_items_after_that_one_are_paged_without_a_gap(ask):
    pages = [ids(ask("kinds/items", limit="2", offset=str(offset)).json()) for offset in (0, 2, 4)]

    assert pages == [["all", DEKADS[0]], DEKADS[1:3], DEKADS[3:]]


def test_parameters_choose_the_times_that_they_have(ask):
    assert ids(ask("s2/items", parameter_name="LAI").json()) == [DEKADS[1], DEKADS[2], "2020-07-01T00:00:00Z"]


def test_list_that_the_client_holds_is_not_sent_again(ask):
    etag = ask("NDVI/items").headers["etag"]

    assert ask("NDVI/items", headers={"If-None-Match": etag}).status_code == 304


def test_json_is_geojson(ask):
    answer = ask("NDVI/items", headers={"Accept": "application/json"})

    assert answer.headers["content-type"] == "application/geo+json"


@pytest.mark.parametrize("path", ["items", "items/2020-06-01"])
def test_collection_of_colours_alone_has_no_items(ask, path):
    assert ask(f"TRUE_COLOUR/{path}").status_code == 404


def test_default_time_of_a_layer_without_one_is_refused(make_client):
    layer = served.make_layer("UNDATED", time_rules=served.TimeRules(default="none"))
    client = make_client(served.make_services(served.make_collection(layer)))

    answer = client.get("/ogcapi/collections/UNDATED/items?datetime=default")

    assert (answer.status_code, answer.json()["parameter"]) == (400, "datetime")
