import cql2
import pytest

from chronotile.archive.index.core_search import core_search
from chronotile.archive.index.source import ItemFilter
from tests.archive.index.catalogues import item_document


@pytest.mark.parametrize(
    ("text", "body"),
    [
        ("eo:cloud_cover < 60", {"query": {"eo:cloud_cover": {"lt": 60}}}),
        ("properties.gsd >= 10 AND gsd <= 20", {"query": {"gsd": {"gte": 10, "lte": 20}}}),
        ("platform = 'a'", {"query": {"platform": {"eq": "a"}}}),
        ("datetime >= TIMESTAMP('2020-01-01T00:00:00Z')", {"datetime": "2020-01-01T00:00:00Z/.."}),
        ("datetime < DATE('2020-01-01')", {"datetime": "../2020-01-01T00:00:00Z"}),
        ("datetime <= DATE('2020-01-01')", {}),  # until the end of the day
        ("a = 1 OR b = 2", {}),
        ("NOT a = 1", {}),
        ("id = 'x' AND collection = 'y'", {}),
        ("platform LIKE 'a%'", {}),
        ("S_INTERSECTS(geometry, POINT(4 50))", {"intersects": {"type": "Point", "coordinates": [4.0, 50.0]}}),
    ],
)
def test_necessary_conditions_of_a_filter_are_sent_to_the_api(text, body):
    assert core_search(cql2.parse_text(text).to_json()).body(has_query=True) == body


def test_boxes_are_geometries_or_boxes():
    found = core_search(cql2.parse_text("S_INTERSECTS(geometry, BBOX(2, 49, 7, 52)) AND a = 1").to_json(), "2024")
    assert found.body(has_query=False)["intersects"]["type"] == "Polygon"
    assert found.pairs(has_query=True) == [
        ("bbox", "2,49,7,52"),
        ("query", '{"a":{"eq":1.0},"updated":{"gte":"2024"}}'),
    ]


def test_box_across_the_antimeridian_covers_both_sides():
    across = ItemFilter("S_INTERSECTS(geometry, BBOX(170, 49, -170, 52))")

    held = [across.matches(item_document("a", west=west)) for west in (172.0, -175.0, 4.0)]
    looked_up = core_search(across.to_json())

    assert held == [True, True, False]
    assert looked_up.body(has_query=False)["intersects"]["type"] == "MultiPolygon"
    assert looked_up.pairs(has_query=False) == [("bbox", "-180,49,180,52")]


def test_without_a_filter_all_is_looked_up():
    assert core_search(None).body(has_query=True) == {}
    assert core_search(None).pairs(has_query=True) == []


@pytest.mark.parametrize(
    ("text", "has_query", "parts"),
    [
        ("S_INTERSECTS(geometry, POINT(4 50)) AND datetime >= DATE('2020-01-01')", False, []),
        ("cloud < 20 AND datetime >= DATE('2020-01-01')", True, []),
        ("cloud < 20 AND (a = 1 OR b = 2)", True, ["a = 1 OR b = 2"]),
        ("cloud < 20 AND (a = 1 OR b = 2)", False, ["cloud < 20", "a = 1 OR b = 2"]),
        ("S_INTERSECTS(geometry, POINT(4 50)) AND S_INTERSECTS(geometry, POINT(5 50))", True, ["s_intersects(g"]),
        ("datetime < DATE('2020-01-01') AND datetime <= DATE('2020-01-01')", True, ["datetime <= DATE('2020-01-01')"]),
        (f"platform LIKE '{'a' * 200}'", True, [f"platform LIKE '{'a' * 65}…"]),
    ],
)
def test_unsupported_parts_are_named(text, has_query, parts):
    named = core_search(cql2.parse_text(text).to_json()).not_looked_up(has_query=has_query)

    assert [each[: len(part)] for each, part in zip(named, parts, strict=True)] == parts
    assert all(len(each) <= 81 for each in named)
