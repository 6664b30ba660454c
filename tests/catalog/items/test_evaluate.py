"""Filters in memory give the same results as in the index, with missing values undefined."""

import pytest

from chronotile.catalog.items.cql2.document_filter import DocumentFilter
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.core.errors import InvalidParameter

SQUARE = {"type": "Polygon", "coordinates": [[[178, 0], [179, 0], [179, 1], [178, 1], [178, 0]]]}
MEMBERS = {"id": "a", "title": "Sentinel-2", "n": 5, "geometry": SQUARE, "updated": "2024-05-01T00:00:00Z"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("id = 'a' AND n > 4", True),
        ("missing = 1", False),
        ("NOT missing = 1", False),
        ("missing = 1 OR n = 5", True),
        ("missing = 1 AND n = 5", False),
        ("NOT (missing = 1 AND n = 4)", True),
        ("missing IS NULL", True),
        ("n = 'five'", False),
        ("NOT n = 'five'", False),
        ("CASEI(title) LIKE CASEI('%SENTINEL%')", True),
        ("n BETWEEN 1 AND 5 AND id IN ('a', 'b')", True),
        ("updated > TIMESTAMP('2024-04-30T00:00:00Z')", True),
        ("S_INTERSECTS(geometry, BBOX(170, -5, 180, 5))", True),
        ("S_INTERSECTS(geometry, BBOX(175, -5, -175, 5))", True),
        ("S_INTERSECTS(geometry, BBOX(179.5, -5, -175, 5))", False),
        ("S_DISJOINT(geometry, POINT(0 0))", True),
    ],
)
def test_document_is_tested_against_a_filter(text, expected):
    assert DocumentFilter(filter_from_text(text)).holds(MEMBERS) is expected


@pytest.mark.parametrize(
    "tree",
    [
        {},
        {"op": "power", "args": [1, 2]},
        {"op": "and", "args": []},
        {"op": "=", "args": [{"property": "id"}]},
        {"op": "s_within", "args": [{"property": ["id"]}, SQUARE]},
        {"op": "=", "args": [{"property": "id"}, {"type": ["Point"]}]},
    ],
)
def test_filter_unsupported_by_the_index_is_refused(tree):
    with pytest.raises(InvalidParameter, match="filter"):
        DocumentFilter(tree)
