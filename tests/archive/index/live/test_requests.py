"""Requests to an API for a search, and the remaining local comparisons."""

from urllib.parse import parse_qs, urlsplit

import pytest

from chronotile.archive.index.apis import ApiSearch
from chronotile.archive.index.live.requests import decide_collection, item_request, live_request
from chronotile.archive.index.source import ItemFilter, ItemRules
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.core.errors import InvalidParameter, SearchNotSupported
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.parser import parse_instant
from tests.archive.index.catalogues import item_document

POSTED = ApiSearch(
    href="https://api.test/search",
    is_post=True,
    collection="theirs",
    filters="cql2-json",
    has_sort=True,
    api_collection="theirs",
)
PLAIN = ApiSearch(
    href="https://api.test/search", is_post=False, collection="theirs", filters=None, api_collection="theirs"
)
ITEMS = ApiSearch(
    href="https://api.test/collections/theirs/items",
    is_post=False,
    collection=None,
    filters=None,
    is_of_items=True,
    api_collection="theirs",
)
TRIANGLE = {"type": "Polygon", "coordinates": [[[4, 50], [6, 50], [4, 52], [4, 50]]]}


def request_of(api, rules=None, **search):
    return live_request(api, rules or ItemRules(), ItemSearch(**search), "ours", most=10)


def body_of(api=POSTED, rules=None, **search):
    return request_of(api, rules, **search).first.body


def query_of(api, **search):
    return parse_qs(urlsplit(request_of(api, **search).first.href).query)


def test_whole_search_is_posted_with_the_configured_filter():
    rules = ItemRules(filter=ItemFilter("gsd = 10"))
    span = parse_instant("2020-06-01")

    body = body_of(
        rules=rules,
        bbox=BBox(1, 2, 3, 4),
        span=span,
        ids=("a", "b"),
        filter=filter_from_text("a < 1"),
        sort=(("a", False),),
    )

    clauses = body.pop("filter")["args"]
    assert [each["args"][0]["property"] for each in clauses] == ["gsd", "a"]
    assert body == {
        "limit": 10,
        "collections": ["theirs"],
        "bbox": [1, 2, 3, 4],
        "datetime": "2020-06-01T00:00:00Z/2020-06-01T23:59:59.999999Z",
        "ids": ["a", "b"],
        "filter-lang": "cql2-json",
        "sortby": [{"field": "properties.a", "direction": "asc"}],
    }


def test_newest_items_come_first_if_the_api_sorts():
    assert body_of()["sortby"] == [{"field": "properties.datetime", "direction": "desc"}]
    assert query_of(PLAIN) == {"limit": ["10"], "collections": ["theirs"]}


def test_box_across_the_antimeridian_keeps_its_west_and_east():
    assert body_of(bbox=BBox(170, -10, -170, 10))["bbox"] == [170, -10, -170, 10]
    assert body_of(bbox=BBox(170, -10, 190, 10))["bbox"] == [170, -10, -170, 10]


def test_open_times_are_dots():
    span = parse_instant("2020-06-01T10:50:00Z")
    assert body_of(span=span)["datetime"].startswith("2020-06-01T10:50:00Z/2020-06-01T10:50:00")


def test_search_is_completed_locally_for_an_api_without_filters():
    found = request_of(PLAIN, filter=filter_from_text("cloud < 20 AND S_INTERSECTS(geometry, POINT(4.5 50.5))"))

    assert "bbox=4.5%2C50.5%2C4.5%2C50.5" in found.first.href
    assert found.check(item_document("a", cloud=10))
    assert not found.check(item_document("a", cloud=30))
    assert not found.check(item_document("a"))
    assert not found.is_exact


@pytest.mark.parametrize(
    ("api", "search"),
    [
        (POSTED, {}),
        (POSTED, {"filter": filter_from_text("a < 1")}),
        (PLAIN, {}),
        (PLAIN, {"bbox": BBox(1, 2, 3, 4), "span": parse_instant("2020-06-01")}),
        (PLAIN, {"geometry": TRIANGLE}),
        (ITEMS, {"bbox": BBox(1, 2, 3, 4)}),
    ],
)
def test_total_of_the_api_counts_if_it_applies_the_whole_search(api, search):
    assert request_of(api, **search).is_exact


@pytest.mark.parametrize(
    ("api", "rules", "search"),
    [
        (PLAIN, ItemRules(filter=ItemFilter("gsd = 10")), {}),
        (PLAIN, ItemRules(), {"filter": filter_from_text("a < 1")}),
        (ITEMS, ItemRules(), {"geometry": TRIANGLE}),
    ],
)
def test_total_of_the_api_is_not_exact_if_items_are_checked_here(api, rules, search):
    assert not request_of(api, rules, **search).is_exact


def test_geometry_becomes_a_box_for_items_of_a_collection_and_is_compared_here():
    found = request_of(ITEMS, geometry=TRIANGLE)

    assert parse_qs(urlsplit(found.first.href).query)["bbox"] == ["4,50,6,52"]
    assert found.check(item_document("a", west=4.0))
    assert not found.check(item_document("a", west=6.5))


@pytest.mark.parametrize(
    ("api", "search", "locator"),
    [
        (PLAIN, {"sort": (("a", False),)}, "sortby"),
        (ITEMS, {"ids": ("a",)}, "ids"),
        (PLAIN, {"ids": ("a,b",)}, "ids"),
        (POSTED, {"filter": filter_from_text("collection = a")}, "filter"),
    ],
)
def test_search_beyond_the_abilities_of_the_api_is_refused(api, search, locator):
    with pytest.raises(SearchNotSupported) as refused:
        request_of(api, **search)
    assert refused.value.locator == locator


@pytest.mark.parametrize(
    ("search", "locator"),
    [
        ({"filter": {"op": "dance", "args": [1, 2]}}, "filter"),
        ({"geometry": {"type": "Polygon", "coordinates": "here"}}, "geometry"),
        ({"ids": ("a",) * 1001}, "ids"),
    ],
)
def test_invalid_search_is_refused(search, locator):
    with pytest.raises(InvalidParameter) as refused:
        request_of(POSTED, **search)
    assert refused.value.locator == locator


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("collection = 'ours'", True),
        ("collection = 'theirs'", False),
        ("collection IN ('a', 'ours') AND a = 1", "a = 1"),
        ("collection = 'theirs' OR a = 1", "a = 1"),
        ("collection = 'theirs' AND a = 1", False),
        ("NOT collection = 'ours'", False),
        ("NOT a = 1", "NOT a = 1"),
        ("a = 1 AND (collection <> 'ours' OR b = 2)", "a = 1 AND b = 2"),
    ],
)
def test_filter_uses_the_id_of_the_served_collection(text, left):
    wanted = left if isinstance(left, bool) else filter_from_text(left)
    assert decide_collection(filter_from_text(text), "ours") == wanted


def test_a_search_of_another_collection_finds_nothing():
    assert request_of(POSTED, filter=filter_from_text("collection = 'theirs'")) is None
    assert request_of(POSTED, bbox=BBox(0, 91, 1, 92)) is None


def test_an_item_has_its_address_below_items():
    assert item_request(ITEMS, "a/b?c").href == "https://api.test/collections/theirs/items/a%2Fb%3Fc"
