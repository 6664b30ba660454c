"""Searches of the item index: filters, orders and pages return the same items as a test of every item."""

from contextlib import closing
from dataclasses import replace

import pytest

from chronotile.catalog.items import cursors, search_query, statements
from chronotile.catalog.items import search as searches
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.schema import INDEX
from chronotile.catalog.items.statements import TimeLimit, reading
from chronotile.core.errors import InvalidParameter, ServerBusy
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from tests.catalog.items.conftest import instant, make_item

WEST_HALF = ((4.0, 50.0), (4.4, 50.0), (4.2, 51.0), (4.0, 51.0), (4.0, 50.0))


def scenes():
    """Five scenes: `a` lacks all properties, `d` is half a swath, `e` lies across the antimeridian."""
    return [
        make_item("a", at="2024-05-01T10:00:00"),
        make_item("b", at="2024-05-02T10:00:00", properties={"cloud": 10, "platform": "S2A", "is_checked": True}),
        make_item(
            "c",
            (10, 50, 11, 51),
            at="2024-05-03T10:00:00",
            until="2024-05-05",
            properties={"cloud": 20.5, "limit": 30, "platform": "s2b", "created": "2024-05-04T00:00:00.5Z"},
        ),
        make_item(
            "d",
            at="2024-05-04T10:00:00",
            footprint=(WEST_HALF,),
            properties={
                "cloud": 90,
                "limit": 30,
                "platform": "L8*x",
                "is_checked": False,
                "tags": ["x"],
                "orbit": 2**53 + 1,
            },
        ),
        make_item(
            "e",
            (179.0, 0.0, -179.0, 1.0),
            at="2024-05-05T10:00:00",
            properties={"cloud": "many", "platform": "S2A_x", "created": "2024-05-06T01:00:00+02:00"},
            updated=instant("2024-06-01"),
        ),
    ]


@pytest.fixture(
    scope="module", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))]
)
def found(request, tmp_path_factory):
    """Return `found(**values)`: ids of a search on one page. All tests read the same index."""
    url = None if request.param == "sqlite" else request.getfixturevalue("postgresql").make_database()
    index = open_items(url, tmp_path_factory.mktemp("index"))
    index.put("s2", scenes())
    yield lambda **values: "".join(item.ref.id for item in index.search(ItemSearch(**values)).items)
    index.close()


FILTERS = [
    ("cloud < 20.5", "b"),
    ("cloud <= 20.5", "cb"),
    ("20 < cloud", "dc"),
    ("cloud = 90", "d"),
    ("cloud <> 10", "dc"),
    ("NOT cloud = 10", "dc"),
    ("cloud = 'many'", "e"),
    ("cloud BETWEEN 10 AND 30", "cb"),
    ("cloud NOT BETWEEN 10 AND 30", "d"),
    ("cloud IN (10, 90, 'many')", "edb"),
    ("cloud NOT IN (10, 'many')", "dc"),
    ("cloud IS NULL", "a"),
    ("tags IS NOT NULL", "d"),
    ("geometry IS NOT NULL AND id IS NOT NULL", "edcba"),
    ("cloud < limit", "c"),
    ("cloud > limit", "d"),
    ("is_checked", "b"),
    ("NOT is_checked", "d"),
    ("is_checked = FALSE", "d"),
    ("is_checked < TRUE", "d"),
    ("is_checked >= FALSE", "db"),
    ("cloud > FALSE", ""),
    ("datetime < TRUE", ""),
    ("cloud < 1000000000000000000000", "dcb"),
    ("end_datetime = TIMESTAMP('2024-05-02T10:00:00Z')", "b"),
    ("end_datetime <= TIMESTAMP('2024-05-02T10:00:00Z')", "ba"),
    ("platform = 'S2A'", "b"),
    ("CASEI(platform) = CASEI('S2B')", "c"),
    ("platform LIKE 'S2%'", "eb"),
    ("platform LIKE 'S2A\\_x'", "e"),
    ("platform LIKE 'L8*_'", "d"),
    ("platform NOT LIKE 'S2%'", "dc"),
    ("CASEI(platform) LIKE 's2_'", "cb"),
    ("platform >= 'S2A_x'", "ec"),
    ("id IN ('a', 'e', 'z')", "ea"),
    ("id > id", ""),
    ("id >= id AND collection > id", "edcba"),
    ("cloud > datetime OR id < platform", "c"),
    ("collection = 's2' AND id <> 'a'", "edcb"),
    ("collection = 'other'", ""),
    ("cloud = 10 OR platform = 's2b'", "cb"),
    ("cloud > 5 AND NOT (cloud > 15)", "b"),
    ("datetime > TIMESTAMP('2024-05-03T10:00:00Z')", "ed"),
    ("datetime = DATE('2024-05-03')", "c"),
    ("datetime <= DATE('2024-05-02')", "ba"),
    ("datetime >= '2024-05-05T00:00:00Z'", "e"),
    ("created = TIMESTAMP('2024-05-04T00:00:00.5Z')", "c"),
    ("created > DATE('2024-05-04')", "e"),
    ("updated > DATE('2024-05-04')", "e"),
    ("T_AFTER(datetime, DATE('2024-05-04'))", "e"),
    ("T_BEFORE(datetime, TIMESTAMP('2024-05-02T10:00:00Z'))", "a"),
    ("T_DURING(datetime, INTERVAL('2024-05-03', '2024-05-05'))", "edc"),
    ("T_DURING(datetime, INTERVAL('2024-05-04T00:00:00Z', '..'))", "ed"),
    ("T_INTERSECTS(datetime, TIMESTAMP('2024-05-04T10:00:00Z'))", "dc"),
    ("T_DISJOINT(datetime, INTERVAL('2024-05-02', '2024-05-04'))", "ea"),
    ("T_EQUALS(created, TIMESTAMP('2024-05-05T23:00:00Z'))", "e"),
    ("T_CONTAINS(datetime, TIMESTAMP('2024-05-04T00:00:00Z'))", "c"),
    ("T_METBY(datetime, INTERVAL('..', '2024-05-04T10:00:00Z'))", "d"),
    ("T_STARTEDBY(datetime, TIMESTAMP('2024-05-03T10:00:00Z'))", "c"),
    ("T_FINISHEDBY(datetime, TIMESTAMP('2024-05-04T23:59:59.999999999Z'))", "c"),
    ("T_OVERLAPPEDBY(datetime, INTERVAL('2024-05-01', '2024-05-04T00:00:00Z'))", "c"),
    ("S_INTERSECTS(geometry, BBOX(4.8, 50.5, 4.9, 50.6))", "ba"),
    ("S_INTERSECTS(geometry, POINT(4.1 50.5))", "dba"),
    ("S_INTERSECTS(POINT(10.5 50.5), geometry)", "c"),
    ("S_INTERSECTS(geometry, BBOX(179.5, 0.2, -179.5, 0.4))", "e"),
    ("S_INTERSECTS(geometry, POINT(-179.5 0.5))", "e"),
    ("NOT S_INTERSECTS(geometry, POINT(4.1 50.5))", "ec"),
    ("S_DISJOINT(geometry, BBOX(4, 50, 5, 51))", "ec"),
    ("S_WITHIN(geometry, BBOX(3, 49, 6, 52))", "dba"),
    ("S_CONTAINS(geometry, POINT(4.9 50.9))", "ba"),
    ("S_EQUALS(geometry, POLYGON((10 50, 11 50, 11 51, 10 51, 10 50)))", "c"),
    ("S_TOUCHES(geometry, BBOX(11, 50, 12, 51))", "c"),
    ("S_OVERLAPS(geometry, BBOX(10.5, 50, 12, 51))", "c"),
    ("S_CROSSES(geometry, LINESTRING(9 50.5, 10.5 50.5))", "c"),
    ("S_INTERSECTS(geometry, POINT(4.8 50.5)) OR cloud = 90", "dba"),
    ("NOT (S_INTERSECTS(geometry, POINT(4.8 50.5)) AND cloud = 10)", "edc"),
    ("NOT (S_INTERSECTS(geometry, POINT(4.8 50.5)) OR cloud = 90)", "c"),
]


@pytest.mark.every_case
@pytest.mark.parametrize(("text", "expected"), FILTERS, ids=[text for text, _ in FILTERS])
def test_a_filter_finds_the_items_that_meet_it(found, text, expected):
    assert found(filter=filter_from_text(text)) == expected


@pytest.mark.parametrize(("operator", "expected"), [("=", "d"), ("<>", ""), ("<", ""), (">=", "d")])
def test_integers_beyond_the_precision_of_floats_are_compared_exactly(found, operator, expected):
    assert found(filter={"op": operator, "args": [{"property": "orbit"}, 2**53 + 1]}) == expected


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("start_datetime = TIMESTAMP('2024-05-01T10:00:00Z')", True),
        ("start_datetime < TIMESTAMP('2024-05-01T10:02:00Z')", True),
        ("start_datetime > TIMESTAMP('2024-05-01T10:02:00Z')", False),
        ("datetime = TIMESTAMP('2024-05-01T10:05:00Z')", True),
        ("end_datetime > TIMESTAMP('2024-05-01T10:08:00Z')", True),
    ],
)
def test_a_short_item_has_the_start_and_end_that_it_states(tmp_path, text, is_found):
    times = {"start_datetime": "2024-05-01T10:00:00Z", "end_datetime": "2024-05-01T10:10:00Z"}
    with closing(open_items(None, tmp_path)) as index:
        index.put("s2", [make_item("a", (4, 50, 5, 51), at="2024-05-01T10:05:00", properties=times)])

        assert len(index.search(ItemSearch(filter=filter_from_text(text))).items) == is_found


@pytest.mark.parametrize("is_descending", [False, True])
def test_pages_by_the_start_have_items_that_state_none(tmp_path, is_descending):
    times = {"start_datetime": "2024-05-01T10:00:00Z", "end_datetime": "2024-05-01T10:10:00Z"}
    with closing(open_items(None, tmp_path)) as index:
        for number in range(6):
            stated = times if number % 2 else {}
            index.put("s2", [make_item(str(number), (4, 50, 5, 51), at="2024-05-01T10:00:00", properties=stated)])
        pages, cursor = list[str](), None
        while not pages or cursor is not None:
            search = ItemSearch(sort=(("start_datetime", is_descending),), limit=1, cursor=cursor)
            page = index.search(search)
            pages += [each.ref.id for each in page.items]
            cursor = page.next

    assert pages == ["1", "3", "5", "0", "2", "4"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("cloud <", "is not valid CQL2 text"),
        ("S_INTERSECTS(geometry, POINT EMPTY)", "is not valid CQL2 text"),
        ("cloud + 1 > 2", r'the operator "\+", which is not accepted'),
        ("A_CONTAINS(tags, ('x'))", 'the operator "a_contains"'),
        ("area(geometry) > 2", 'the operator "area"'),
        ("ACCENTI(platform) = 'a'", 'the operator "accenti"'),
        ('"a\'b" = 1', 'the property "a\'b"'),
        ("datetime > 'yesterday'", 'the time "yesterday"'),
        ("T_AFTER(datetime, DATE('2024-02-31'))", 'the time "2024-02-31"'),
        ("T_AFTER(datetime, id)", "compares id as a time"),
        ("id = datetime", "compares id with datetime, which are never of one type"),
        ("T_DURING(datetime, collection)", "compares collection as a time"),
        ("S_INTERSECTS(geometry, POINT(4 95))", "is empty, crosses itself or is not on the earth"),
        ("S_INTERSECTS(geometry, POLYGON((0 0, 1 1, 1 0, 0 1, 0 0)))", "crosses itself"),
        ("S_INTERSECTS(POINT(1 1), POINT(4 5))", "not the property geometry and a geometry"),
        ("(" * 40 + "cloud = 1" + ")" * 40, "more than 32 nested brackets"),
        ("cloud = " + "-" * 9000 + "1", "100 signs and NOT"),
        ("NOT " * 2000 + "cloud = 1", "100 signs and NOT"),
        ("cloud = 1 OR " * 500 + "cloud = 1", "too large"),
        ("cloud = 1" + " " * 20_000, "at most 10000"),
        ("platform LIKE '" + "%a" * 20 + "'", "10 of %"),
    ],
)
def test_unsupported_filter_is_named(found, text, reason):
    with pytest.raises(InvalidParameter, match=reason) as refused:
        found(filter=filter_from_text(text))

    assert refused.value.locator == "filter"


@pytest.mark.parametrize(
    "tree",
    [
        *({}, {"op": "and"}, {"op": "and", "args": []}, {"op": "not", "args": [1, 2]}, {"op": ["="], "args": []}),
        *({"op": "and", "args": 5}, {"op": "or", "args": {}}, {"op": "and", "args": [{"op": "or"}]}),
        {"op": "t_during", "args": [{"property": "datetime"}, {"interval": ["2024-01-01T00:00:00Z"]}]},
        {"op": "=", "args": [1, 2]},
        {"op": "=", "args": [{"property": 5}, 2]},
        {"op": "=", "args": [{"property": ["cloud"]}, 2]},
        {"op": "s_intersects", "args": [{"property": ["geometry"]}, {"type": "Point", "coordinates": [1, 1]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": {}, "coordinates": [1, 1]}]},
        {"op": "=", "args": [{"property": "cloud"}, None]},
        {"op": "=", "args": [{"property": "cloud"}, {"date": 5}]},
        {"op": "in", "args": [{"property": "cloud"}, []]},
        {"op": "like", "args": [{"property": "cloud"}, 5]},
        {"op": "t_after", "args": [{"property": "datetime"}, {"interval": ["2024-01-01"]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Polygon", "coordinates": "x"}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "Point", "coordinates": [None, 1]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [1, 2, 3]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"bbox": [1, 2, 3, float("nan")]}]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, {"type": "GeometryCollection", "geometries": 3}]},
    ],
    ids=repr,
)
@pytest.mark.parametrize("more", [{}, {"bbox": BBox(0, 0, 1, 1)}, {"ids": ("a",)}], ids=["", "bbox", "ids"])
def test_json_that_is_no_filter_is_refused(found, tree, more):
    with pytest.raises(InvalidParameter):
        found(filter=tree, **more)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "edcba"),
        ({"bbox": BBox(4.8, 50.5, 4.9, 50.6)}, "ba"),
        ({"bbox": BBox(-180, -90, 180, 90)}, "edcba"),
        ({"bbox": BBox(179.5, 0, -179.5, 1)}, "e"),
        ({"bbox": BBox(0, 80, 1, 81)}, ""),
        ({"bbox": BBox(0, 91, 1, 92)}, ""),
        ({"span": TimeSpan(instant("2024-05-04"), instant("2024-05-05"))}, "dc"),
        ({"span": TimeSpan(instant("2024-05-02T10:00:00"), instant("2024-05-02T10:00:01"))}, "b"),
        ({"ids": ("a", "d", "nothing")}, "da"),
        ({"collections": ("s2", "nothing")}, "edcba"),
        ({"collections": ("nothing",)}, ""),
        ({"sort": (("id", False),)}, "abcde"),
        ({"sort": (("datetime", False),)}, "abcde"),
        ({"sort": (("cloud", False),)}, "bcdea"),
        ({"sort": (("cloud", True),)}, "dcbea"),
        ({"sort": (("platform", False),)}, "dbeca"),
        ({"sort": (("limit", True), ("cloud", True))}, "dcbea"),
        ({"sort": (("created", True),)}, "ecabd"),
        ({"limit": 2}, "ed"),
    ],
    ids=repr,
)
def test_a_search_finds_its_items_in_its_order(found, values, expected):
    assert found(**values) == expected


@pytest.mark.parametrize("id_", ["a\0b", "\ud800"])
def test_an_id_that_no_database_holds_is_of_no_item(index, id_):
    index.put("s2", [make_item("a")])

    assert index.find("s2", id_) is None
    assert index.search(ItemSearch(ids=(id_,))).items == ()
    assert [item.ref.id for item in index.search(ItemSearch(ids=(id_, "a"))).items] == ["a"]


NEAR = [
    {"bbox": BBox(4.8, 50.5, 4.9, 50.6)},
    {"bbox": BBox(179.5, 0, -179.5, 1)},
    {"bbox": BBox(4, 50, 11, 51), "sort": (("cloud", True),), "limit": 2},
    {"bbox": BBox(4, 50, 11, 51), "span": TimeSpan(instant("2024-05-02"), instant("2024-05-04"))},
    {"bbox": BBox(4, 50, 11, 51), "ids": ("a", "c", "e")},
    {"filter": filter_from_text("S_INTERSECTS(geometry, POINT(10.5 50.5)) AND cloud > 20")},
]


@pytest.mark.parametrize("values", NEAR, ids=repr)
def test_many_items_near_a_place_are_found_like_few(index, monkeypatch, values):
    index.put("s2", scenes())
    index.put("other", [replace(item, id=item.id + "2") for item in scenes()])
    few = index.search(ItemSearch(**values))
    monkeypatch.setattr(search_query, "FEW", 0)

    many = index.search(ItemSearch(**values))

    assert few.items
    assert [each.ref for each in many.items] == [each.ref for each in few.items]
    assert many.matched == few.matched


def test_searches_of_one_shape_have_their_own_values(found):
    """The statement is made for the first one."""
    days = [TimeSpan(instant(f"2024-05-0{day}"), instant(f"2024-05-0{day + 1}")) for day in (1, 2, 4)]

    assert [found(span=day) for day in days] == ["a", "b", "dc"]
    assert [found(ids=ids) for ids in (("a", "b"), ("d", "e"), ("c", "nothing"))] == ["ba", "ed", "c"]
    assert [found(bbox=box) for box in (BBox(4.8, 50.5, 4.9, 50.6), BBox(10, 50, 11, 51))] == ["ba", "c"]


def test_filters_that_differ_in_a_type_alone_are_two(found):
    trees = [{"op": "=", "args": [{"property": "is_checked"}, value]} for value in (True, 1, "True")]

    assert [found(filter=tree) for tree in trees] == ["b", "", ""]


def test_long_filter_finds_its_items_and_is_not_cached(found):
    before = search_query._query_of.cache_info().currsize
    names = [f"'{'x' * 90}{number}'" for number in range(50)]

    assert found(filter=filter_from_text(f"platform IN ({', '.join(names)}, 'S2A')")) == "b"
    assert search_query._query_of.cache_info().currsize == before


def test_near_a_place_a_collection_without_items_has_none(index):
    index.put("s2", [make_item("a")])
    index.remove("s2", ["a"])

    assert index.search(ItemSearch(bbox=BBox(4, 50, 5, 51))).items == ()


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"sort": (("cloud", False),)},
        {"sort": (("cloud", True), ("platform", False))},
        {"sort": (("updated", False),)},
        {"sort": (("id", True),)},
        {"filter": filter_from_text("NOT S_INTERSECTS(geometry, POINT(4.8 50.5))")},
        {"bbox": BBox(4, 50, 11, 51)},
    ],
    ids=repr,
)
def test_pages_together_equal_one_large_page(index, values):
    index.put("s2", scenes())
    index.put("other", [replace(item, id=item.id + "2") for item in scenes()])
    whole = index.search(ItemSearch(limit=100, **values))

    page = index.search(ItemSearch(limit=1, **values))
    pages = [page]
    while page.next is not None:
        page = index.search(ItemSearch(limit=1, cursor=page.next, **values))
        pages.append(page)

    assert [item.ref.id for each in pages for item in each.items] == [item.ref.id for item in whole.items]
    assert {each.matched for each in pages} == {len(whole.items)}
    assert {len(each.items) for each in pages} == {1}


@pytest.mark.parametrize("sort", [("title", "note", "about", "more"), ("id", "id", "id", "id")])
def test_cursors_of_the_longest_texts_are_accepted(index, sort):
    texts = dict.fromkeys(("title", "note", "about", "more"), "\x01" * 999)
    index.put("s2", [make_item("\x01" * 399 + each, properties={**texts, "title": each}) for each in "bca"])
    order = tuple((name, False) for name in sort)

    first = index.search(ItemSearch(limit=2, sort=order))
    second = index.search(ItemSearch(limit=2, sort=order, cursor=first.next))

    assert [item.ref.id[-1] for page in (first, second) for item in page.items] == ["a", "b", "c"]
    assert len(first.next) < 16_000


def test_a_page_is_not_moved_by_items_that_come_and_go(index):
    index.put("s2", scenes())
    first = index.search(ItemSearch(limit=2))
    index.put("s2", [make_item("newest", at="2025-01-01")])
    index.remove("s2", ["d"])

    second = index.search(ItemSearch(limit=2, cursor=first.next))
    assert [item.ref.id for item in second.items] == ["c", "b"]


def test_an_item_comes_with_its_document(index):
    item = make_item("a")
    index.put("s2", [item])
    (ref,) = index.covering("s2", item.bbox)

    (found,) = index.search(ItemSearch(bbox=item.bbox)).items
    assert (found.ref.number, found.collection, found.document) == (ref.number, "s2", item.document)


def test_of_very_many_items_it_is_not_counted_how_many_match(index, monkeypatch):
    monkeypatch.setattr(searches, "MAX_MATCHED", 4)
    index.put("s2", scenes())

    assert index.search(ItemSearch(limit=1)).matched is None
    assert index.search(ItemSearch(limit=1, bbox=BBox(-180, -90, 180, 90))).matched is None
    assert index.search(ItemSearch(limit=1, ids=("a", "b"))).matched == 2


@pytest.mark.parametrize("cursor", ["", "x", "AAAA", "ä", "A" * 20_000, "!" * 40])
def test_invalid_cursor_is_refused(index, cursor):
    index.put("s2", scenes())

    with pytest.raises(InvalidParameter, match="cursor does not belong to a page of this search"):
        index.search(ItemSearch(cursor=cursor))


@pytest.mark.parametrize("sort", [(), (("cloud", False),), (("platform", True),), (("id", False),)])
@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"none", b"[]", b"[1, 2, 3]", b"[[], 1, null]", b'[[{"a": 1}, [1]], 1, null]', b'[[{"a": 1}], 1, null]'),
        *(b'[["\\u0000"], 1, null]', b'[["\\u0000", 1], 1, null]', b"[[true], 1, null]"),
        *(b"[[9223372036854775808], 1, null]", b'[[null], "x", null]', b"[[null], -1, null]", b"[[null], 1, 2.5]"),
        *(b"[[null], 1, 10001]", b"[[null, null], 9223372036854775808, null]"),
    ],
)
def test_a_cursor_with_a_right_checksum_over_values_of_no_page_is_refused(index, sort, body):
    index.put("s2", scenes())
    search = ItemSearch(sort=sort)
    text = cursors.seal(body, cursors.what_is_searched(search))

    with pytest.raises(InvalidParameter, match="cursor does not belong to a page of this search"):
        index.search(replace(search, cursor=text))


def test_items_of_one_id_in_two_collections_are_two_on_all_pages(index, open_index):
    for collection in ("s1", "s2"):
        index.put(collection, [make_item(id_, properties={"cloud": 7}) for id_ in ("a", "b")])
    elsewhere = open_index(archive="other")
    elsewhere.put("s1", [make_item("a", properties={"cloud": 7})])

    found, cursor = [], None
    for _page in range(4):
        page = index.search(ItemSearch(limit=1, ids=("a", "b"), sort=(("cloud", True),), cursor=cursor))
        found += [(each.collection, each.ref.id) for each in page.items]
        cursor = page.next
        assert page.matched == 4
    assert cursor is None
    assert sorted(found) == [("s1", "a"), ("s1", "b"), ("s2", "a"), ("s2", "b")]

    index.remove("s1", ["a"])
    assert [each.collection for each in index.search(ItemSearch(ids=("a",))).items] == ["s2"]
    assert len(elsewhere.search(ItemSearch(ids=("a",))).items) == 1


def test_cursor_of_another_search_or_a_modified_one_is_refused(index):
    index.put("s2", scenes())
    following = index.search(ItemSearch(limit=2)).next

    for search in (
        ItemSearch(cursor=following, limit=2, ids=("a",)),
        ItemSearch(cursor=following, sort=(("id", True),)),
        ItemSearch(cursor=following[:-3] + "AAA"),
    ):
        with pytest.raises(InvalidParameter, match="cursor"):
            index.search(search)


@pytest.mark.parametrize(
    ("values", "locator"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 100_000}, "limit"),
        ({"ids": tuple(map(str, range(2000)))}, "ids"),
        ({"sort": (("a b", True),)}, "sortby"),
        ({"sort": (("a", True),) * 9}, "sortby"),
    ],
)
def test_a_search_beyond_bounds_is_refused(found, values, locator):
    with pytest.raises(InvalidParameter) as refused:
        found(**values)

    assert refused.value.locator == locator


def test_a_search_that_compares_too_many_footprints_is_ended(found, monkeypatch):
    monkeypatch.setattr(searches, "MAX_TESTED", 3)

    with pytest.raises(InvalidParameter, match="more than 3 footprints"):
        found(filter=filter_from_text("NOT S_INTERSECTS(geometry, POINT(50 50))"))


def test_a_search_that_takes_too_long_is_ended(tmp_path, monkeypatch):
    index = open_items(None, tmp_path)
    index.put("s2", scenes())
    with monkeypatch.context() as patch:
        patch.setattr(searches, "SEARCH_S", 0.0)
        patch.setattr(statements, "STEPS", 1)
        with pytest.raises(ServerBusy, match="takes longer than 0 s"):
            index.search(ItemSearch())

    assert len(index.search(ItemSearch()).items) == 5
    index.close()


@pytest.mark.slow
@pytest.mark.client("initdb", "postgres")
def test_a_search_of_postgresql_that_takes_too_long_is_ended(postgresql, tmp_path):
    index = open_items(postgresql.make_database(), tmp_path)

    with (
        pytest.raises(ServerBusy, match="takes longer than 0 s"),
        reading(index._engine, INDEX) as cursor,
        TimeLimit(0.01, cursor, index._engine.dialect),
    ):
        cursor.execute("SELECT pg_sleep(600)")

    assert index.search(ItemSearch()).items == ()
    index.close()
