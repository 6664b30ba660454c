"""Searches of collections (collection search extension)."""

import pytest

from tests.protocols.catalogue.stac.conftest import BASE


def ids(document):
    return [each["id"] for each in document["collections"]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["s2", "scenes"]),
        ("bbox=4.5,50.8,4.6,50.9", ["s2", "scenes"]),
        ("bbox=4.5,50.8,0,4.6,50.9,10", ["s2", "scenes"]),
        ("bbox=170,-10,-170,10", []),
        ("bbox=-355.5,50.8,-355.4,50.9", ["s2", "scenes"]),
        ("bbox=-200,-90,200,90", ["s2", "scenes"]),
        ("datetime=2020-06-25T00:00:00Z/..", ["s2"]),
        ("datetime=../2020-05-01T00:00:00Z", []),
        ("q=beeld", ["scenes"]),
        ("q=vegetation,nothing", ["s2"]),
        ("q=nothing", []),
        ("limit=1", ["s2"]),
        ("limit=100000", ["s2", "scenes"]),
    ],
)
def test_collections_are_found(api, query, expected):
    assert ids(api.get(f"/stac/collections?{query}").json()) == expected


def test_pages_have_each_collection_once(api):
    first = api.get("/stac/collections?limit=1").json()
    href = next(each["href"] for each in first["links"] if each["rel"] == "next")
    second = api.get(href.removeprefix(BASE)).json()

    assert ids(second) == ["scenes"]
    assert (first["numberMatched"], second["numberReturned"]) == (2, 1)
    assert "next" not in {each["rel"] for each in second["links"]}


@pytest.mark.parametrize("query", ["bbox=1,2,3", "datetime=2020", "limit=0", "cursor=unknown", "q=" + "a," * 30])
def test_invalid_values_are_refused(api, query):
    assert api.get(f"/stac/collections?{query}").status_code == 400
