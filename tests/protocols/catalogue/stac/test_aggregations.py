"""Counts of items (aggregation extension)."""

import pytest

NAMES = "total_count,datetime_min,datetime_max,datetime_frequency"


def values(document):
    return {each["name"]: each.get("value", each.get("buckets")) for each in document["aggregations"]}


def bucket(month, count):
    return {"key": f"{month}-01T00:00:00Z", "data_type": "datetime", "frequency": count}


def test_all_items_are_counted(api):
    found = api.get("/stac/aggregate", params={"aggregations": NAMES}).json()

    assert found["type"] == "AggregationCollection"
    assert values(found) == {
        "total_count": 14,
        "datetime_min": "2020-05-21T00:00:00Z",
        "datetime_max": "2020-07-01T00:00:00Z",
        "datetime_frequency": [bucket("2020-05", 1), bucket("2020-06", 12), bucket("2020-07", 1)],
    }


def test_a_collection_counts_its_own(api):
    query = {"aggregations": "total_count,datetime_max", "filter": "eo:cloud_cover < 25"}

    found = api.get("/stac/collections/scenes/aggregate", params=query).json()

    assert values(found) == {"total_count": 3, "datetime_max": "2020-06-03T10:50:00Z"}


@pytest.mark.parametrize("path", ["/stac/aggregate", "/stac/collections/s2/aggregate"])
def test_a_body_counts_too(api, path):
    body = {"aggregations": ["total_count"], "collections": ["s2"], "datetime": "2020-06-01T00:00:00Z/.."}

    assert values(api.post(path, json=body).json()) == {"total_count": 4}


def test_aggregation_of_nothing_has_no_time(api):
    found = api.get("/stac/aggregate", params={"aggregations": NAMES, "collections": "unknown"}).json()

    assert values(found) == {"total_count": 0, "datetime_min": None, "datetime_max": None, "datetime_frequency": []}


def test_only_offered_aggregations_are_accepted(api):
    offered = [each["name"] for each in api.get("/stac/aggregations").json()["aggregations"]]

    assert offered == NAMES.split(",")
    assert api.get("/stac/aggregate?aggregations=cloud_cover_frequency").status_code == 400
    assert api.post("/stac/aggregate", json={"aggregations": "total_count"}).status_code == 400
