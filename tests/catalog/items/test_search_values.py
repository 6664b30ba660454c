"""Filters that an index answers, and filters that are refused before they compare very many items."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from sqlalchemy import event

from chronotile.catalog.items import altering, candidates, search, value_rows
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from tests.catalog.items.conftest import make_item
from tests.catalog.items.test_search_bounds import EXPLAIN, ids_of, plans_of, walk

SEARCHED = IndexSettings(searched=("grid:code", "platform"), order_by="cloud")
TILES, PLATFORMS = ("MGRS-31UFS", "MGRS-31UGS", "MGRS-32ULB"), ("sentinel-2a", "sentinel-2b")
ODD = {"x": {"grid:code": 5}, "y": {"grid:code": True, "platform": None}, "z": {"platform": "a" * 2000}}
"""Values of other types, missing ones and one that is too long for comparisons."""


def scenes():
    """Three tiles by two platforms on five days, and odd ones."""
    found = {
        f"{tile[-3:]}{platform[-1]}{day}": ({"grid:code": tile, "platform": platform, "cloud": 10 * day}, day)
        for tile, platform, day in product(TILES, PLATFORMS, range(1, 6))
    }
    return found | {id_: (properties, 3) for id_, properties in ODD.items()}


def make_scene(id_, properties, day):
    return make_item(id_, at=f"2024-05-0{day}T10:30:00", properties=properties)


def fill(index, settings=SEARCHED):
    index.configure("s2", settings)
    index.put("s2", [make_scene(id_, *of_item) for id_, of_item in scenes().items()])


def found_by(index, text, **options):
    return ids_of(walk(index, filter=filter_from_text(text), limit=4, **options))


def matching(holds):
    """Ids of scenes, the newest first."""
    found = {id_: day for id_, (properties, day) in scenes().items() if holds(properties)}
    return sorted(found, key=lambda id_: -found[id_])


EQUALITIES = [
    ("\"grid:code\" = 'MGRS-31UGS'", lambda of: of.get("grid:code") == TILES[1]),
    ("'MGRS-31UGS' = \"grid:code\"", lambda of: of.get("grid:code") == TILES[1]),
    ("\"grid:code\" IN ('MGRS-31UGS', 'MGRS-32ULB', 'none')", lambda of: of.get("grid:code") in TILES[1:]),
    (
        "platform = 'sentinel-2a' AND \"grid:code\" = 'MGRS-31UFS'",
        lambda of: list(of.values())[:2] == [TILES[0], PLATFORMS[0]],
    ),
    ("platform = 'sentinel-2a' AND cloud < 30", lambda of: of.get("platform") == PLATFORMS[0] and of["cloud"] < 30),
    ('"grid:code" = 5.0', lambda of: of.get("grid:code") == 5 and of["grid:code"] is not True),
    ('"grid:code" = true', lambda of: of.get("grid:code") is True),
    ("\"grid:code\" = '5'", lambda of: False),
    ("platform = 'nothing' OR \"grid:code\" = 'MGRS-31UFS'", lambda of: of.get("grid:code") == TILES[0]),
]


@pytest.mark.parametrize("sort", [(), (("datetime", False),), (("cloud", False),), (("platform", True),)])
@pytest.mark.parametrize(("text", "holds"), EQUALITIES)
@pytest.mark.parametrize("settings", [SEARCHED, IndexSettings()])
def test_indexed_properties_find_the_same_as_others(index, settings, text, holds, sort):
    fill(index, settings)
    index.put("other", [make_item("other", properties={"grid:code": TILES[1], "platform": PLATFORMS[0]})])

    pages = walk(index, collections=("s2",), filter=filter_from_text(text), sort=sort, limit=4)

    ids, expected = ids_of(pages), matching(holds)
    assert sorted(ids) == sorted(expected)
    assert {page.matched for page in pages} == {len(expected)}
    days = [scenes()[id_][1] for id_ in ids]
    assert sort not in {(), (("datetime", False),)} or days == sorted(days, reverse=not sort)


@pytest.mark.parametrize("settings", [SEARCHED, IndexSettings()])
def test_several_collections_are_searched_as_one(index, settings):
    fill(index, settings)
    index.put(
        "other", [make_item(f"o{day}", at=f"2024-05-0{day}", properties={"grid:code": TILES[1]}) for day in (1, 3, 5)]
    )

    ids = found_by(index, f"\"grid:code\" = '{TILES[1]}'")

    expected = [*matching(lambda of: of.get("grid:code") == TILES[1]), "o1", "o3", "o5"]
    assert sorted(ids) == sorted(expected)
    assert [id_[-1] for id_ in ids] == sorted((id_[-1] for id_ in expected), reverse=True)


@pytest.mark.parametrize("limit", [17, 10_000])
@pytest.mark.parametrize("rest", ["", " AND cloud < 3"])
def test_many_values_of_a_property_are_found_in_one_order(index, limit, rest):
    index.configure("s2", SEARCHED)
    codes = [f"T{number:03}" for number in range(300)]
    index.put(
        "s2",
        [
            make_item(
                f"{code}-{number}",
                at=f"2024-05-{1 + (position + number) % 28:02}T10:30:00",
                properties={"grid:code": code, "cloud": number},
            )
            for position, code in enumerate(codes)
            for number in range(1 if position else 40)
        ],
    )

    wanted = [*codes[:250], "none"]
    text = f'"grid:code" IN ({", ".join(repr(code) for code in wanted)}){rest}'
    found = ids_of(walk(index, filter=filter_from_text(text), limit=limit))

    most = 3 if rest else 40
    assert sorted(found) == sorted([*(f"{code}-0" for code in codes[1:250]), *(f"T000-{n}" for n in range(most))])


ALIKE = {"one": 1, "true": True, "float": 1.0, "text": "1", "no": False, "zero": 0, "large": 2**53 + 1, "more": 2**53}


@pytest.mark.parametrize("values", [(1, True), (True, 1), (0, False), (False, 0), ("1", 1), (True, "1", 0)])
@pytest.mark.parametrize("operator", ["in", "or"])
@pytest.mark.parametrize("sort", [(), (("platform", False),)])
def test_values_equal_only_in_python_are_found_separately(index, values, operator, sort):
    index.configure("s2", SEARCHED)
    index.put("s2", [make_item(id_, properties={"platform": value}) for id_, value in ALIKE.items()])

    equal = [{"op": "=", "args": [{"property": "platform"}, value]} for value in values]
    tree = (
        {"op": "in", "args": [{"property": "platform"}, list(values)]}
        if operator == "in"
        else {"op": "or", "args": equal}
    )
    found = ids_of(walk(index, filter=tree, sort=sort, limit=3))

    wanted = [(isinstance(value, bool), isinstance(value, str), value) for value in values]
    expected = [id_ for id_, of in ALIKE.items() if (isinstance(of, bool), isinstance(of, str), of) in wanted]
    assert sorted(found) == sorted(expected)


@pytest.mark.parametrize("is_falling", [False, True])
def test_texts_of_the_property_that_orders_a_collection_are_sorted(index, is_falling):
    index.configure("s2", IndexSettings(order_by="platform"))
    names = ["b", "a", "d", "c", None]
    properties = [{} if name is None else {"platform": name} for name in names]
    index.put("s2", [make_item(f"i{number}", properties=each) for number, each in enumerate(properties)])

    found = ids_of(walk(index, sort=(("platform", is_falling),), limit=2))

    order = sorted(range(4), key=lambda number: names[number], reverse=is_falling)
    assert found == [*(f"i{number}" for number in order), "i4"]


@pytest.mark.parametrize("settings", [SEARCHED, IndexSettings(order_by="cloud", is_descending=True), IndexSettings()])
@pytest.mark.parametrize("sort", [(), (("cloud", False),)])
def test_bounds_that_ranks_round_leave_out_no_item(index, settings, sort):
    index.configure("s2", settings)
    of_doubles = (2**53 - 1, 2**53)  # as PostgreSQL compares numbers
    wanted = of_doubles if index._engine.dialect.name == "postgresql" else (*of_doubles, 2**53 + 1)
    values = [sign * value for value in wanted for sign in (1, -1)]
    index.put("s2", [make_item(f"{value}", properties={"cloud": value}) for value in values])

    for operator, bound in product(("<", "<=", ">", ">=", "="), values):
        tree = {"op": operator, "args": [{"property": "cloud"}, bound]}
        holds = {"<": int.__lt__, "<=": int.__le__, ">": int.__gt__, ">=": int.__ge__, "=": int.__eq__}[operator]
        expected = sorted(str(value) for value in values if holds(value, bound))
        assert sorted(ids_of(walk(index, filter=tree, sort=sort, limit=4))) == expected, tree


def test_changed_items_are_found_by_their_current_values(index):
    fill(index)
    index.put("s2", [make_scene("UFSa1", {"grid:code": TILES[2], "platform": PLATFORMS[1]}, 1)])
    index.replace("s2", make_scene("UFSa2", {"grid:code": "new"}, 4))
    index.remove("s2", ["UFSa3"])

    assert sorted(found_by(index, f"\"grid:code\" = '{TILES[0]}' AND platform = '{PLATFORMS[0]}'")) == [
        "UFSa4",
        "UFSa5",
    ]
    assert found_by(index, "\"grid:code\" = 'new'") == ["UFSa2"]
    assert "UFSa1" in found_by(index, f"\"grid:code\" = '{TILES[2]}'")


@pytest.mark.parametrize("before", [IndexSettings(), IndexSettings(searched=("platform", "instrument"))])
def test_an_index_that_is_full_follows_the_configuration_without_its_source(index, open_index, monkeypatch, before):
    monkeypatch.setattr(altering, "REORDERED", 4)
    monkeypatch.setattr(value_rows, "REMOVED", 3)
    fill(index, before)

    index.configure("s2", SEARCHED)

    monkeypatch.setattr(candidates, "MAX_COMPARED", 17)  # requests without an index are refused
    for text, holds in EQUALITIES:
        assert sorted(found_by(open_index(), text, collections=("s2",))) == sorted(matching(holds))


def test_an_interrupted_change_of_the_configuration_continues(index, open_index, monkeypatch):
    fill(index, IndexSettings())
    monkeypatch.setattr(altering, "REORDERED", 4)
    run, reorder_some = [], altering.reorder_some

    def interrupted(*given):
        if len(run) == 3:
            raise KeyboardInterrupt
        return run.append(given) or reorder_some(*given)

    monkeypatch.setattr(altering, "reorder_some", interrupted)
    with pytest.raises(KeyboardInterrupt):
        index.configure("s2", SEARCHED)
    index.put("s2", [make_scene("UFSa9", {"grid:code": TILES[0]}, 9)])
    again = open_index()
    text, expected = f"\"grid:code\" = '{TILES[0]}'", {"UFSa9", *matching(lambda of: of.get("grid:code") == TILES[0])}
    amid = set(found_by(again, text))
    monkeypatch.setattr(altering, "reorder_some", reorder_some)

    again.configure("s2", SEARCHED)

    assert amid == set(found_by(again, text)) == expected


def test_value_is_found_by_an_index_in_time_order(index, monkeypatch):
    fill(index)
    plans = plans_of(index, monkeypatch, "chronotile_item_values", may_sort=True)
    found_by(index, "platform = 'sentinel-2a'")

    assert plans
    for plan in plans:
        assert re.search(r"chronotile_item_values(_pkey| USING PRIMARY KEY \(collection=\? AND value=\?)", plan)
        assert not re.search(r"SCAN|USE TEMP B-TREE FOR ORDER BY|'Sort'", plan)


MANY = 200


@pytest.fixture
def many(index, monkeypatch):
    """Return an index of 200 items, one with the platform `rare`, every second one cloudless; ten may be compared."""
    monkeypatch.setattr(candidates, "MAX_COMPARED", 10)
    monkeypatch.setattr(candidates, "MAX_MATCHED", 2)
    monkeypatch.setattr(search, "FEW", 5)
    index.configure("s2", SEARCHED)
    index.put(
        "s2",
        [
            make_item(
                f"{number:03}",
                at=f"2024-{1 + number // 28:02}-{1 + number % 28:02}T10:00:00",
                properties={
                    "cloud": 100 * (number % 2),
                    "level": "rare" if number == 150 else "usual",
                    "platform": "rare" if number == 150 else "usual",
                    "is_eighth": number % 8 == 0,
                },
            )
            for number in range(MANY)
        ],
    )
    return index


@pytest.mark.parametrize("is_falling", [False, True])
@pytest.mark.parametrize("text", ["cloud < 20", "cloud >= 30", "cloud = 20", "cloud <= 20 AND cloud > 10"])
@pytest.mark.parametrize("of_value", ["", " AND platform = 'sentinel-2a'"])
def test_bounds_of_ranks_exclude_no_more_than_the_filter(index, is_falling, text, of_value):
    fill(index, replace(SEARCHED, is_descending=is_falling))
    odd = {"t": "15", "b": True, "n": None, "f": 20.0, "g": 19.999999999999996, "h": -1, "time": "2024-05-01T00:00:00Z"}
    index.put("s2", [make_scene(id_, {"cloud": cloud, "platform": PLATFORMS[0]}, 3) for id_, cloud in odd.items()])

    found = set(found_by(index, text + of_value))

    index.configure("s2", replace(SEARCHED, order_by=None))
    assert set(found_by(index, text + of_value)) == found
    assert ("g" in found, "t" in found, "b" in found) == (
        text in {"cloud < 20", "cloud <= 20 AND cloud > 10"},
        False,
        False,
    )


def test_items_are_ordered_again_in_the_order_of_their_numbers(index, monkeypatch):
    """No part sorts all items of the collection."""
    fill(index)
    monkeypatch.setattr(altering, "REORDERED", 7)
    plans, (words, without) = [], EXPLAIN[index._engine.dialect.name]

    def explain(_connection, cursor, statement, parameters, _context, are_many):
        if "ORDER BY chronotile_items.number" in statement and not are_many:
            asked = cursor.connection.cursor()
            for each in without:
                asked.execute(f"SET LOCAL enable_{each} = off")
            asked.execute(words + statement, parameters)
            plans.append(str(asked.fetchall()))

    event.listen(index._engine, "before_cursor_execute", explain)
    index.configure("s2", IndexSettings(order_by="none"))

    assert len(plans) > len(scenes()) // 7
    for plan in plans:
        assert not re.search("TEMP B-TREE|Sort|by_start|by_rank|by_instant", plan)


MAY = TimeSpan(np.datetime64("2024-05-01", "ns"), np.datetime64("2024-05-05", "ns"))


@pytest.mark.parametrize("sort", [(), (("cloud", False),), (("cloud", True),), (("datetime", False),)])
@pytest.mark.parametrize(
    "text",
    [
        *("level = 'rare'", "level LIKE 'r%'", "NOT level = 'usual'", "level = 'rare' OR platform = 'rare'"),
        *("level = 'rare' AND platform = 'usual'", "level = 'rare' AND datetime > DATE('2020-01-01')"),
        "level = 'rare' AND S_INTERSECTS(geometry, BBOX(-180, -90, 180, 90))",
    ],
)
@pytest.mark.parametrize("look", ["search", "count_by_month"])
def test_a_filter_that_few_items_match_is_refused_before_it_compares_many(many, look, text, sort):
    filter_ = filter_from_text(text)

    with pytest.raises(
        InvalidParameter, match=r"more than 10 items of s2.* compare an indexed property \(grid:code or platform\) by ="
    ) as refused:
        getattr(many, look)(ItemSearch(collections=("s2",), filter=filter_, sort=sort))

    assert refused.value.locator == "filter"


@pytest.mark.parametrize(
    ("text", "options", "first"),
    [
        ("platform = 'rare'", {}, "150"),
        ("platform = 'rare' AND level = 'rare'", {"sort": (("cloud", False),)}, "150"),
        ("id = '150' AND level = 'rare'", {}, "150"),
        ("id IN ('150', '151') AND level = 'rare'", {"sort": (("level", False),)}, "150"),
        ("collection = 's2' AND id = '150' OR collection = 's3' AND id = '1'", {}, "150"),
        ("level = 'usual'", {}, "199"),
        ("cloud < 50", {"sort": (("cloud", True),)}, "000"),
        ("cloud < 50", {}, "198"),
        ("cloud < 50 AND is_eighth = true", {"sort": (("cloud", False),)}, "000"),  # a quarter of the cloudless
        ("level = 'usual' AND platform = 'usual'", {}, "199"),
        (
            "level = 'rare'",
            {"span": TimeSpan(np.datetime64("2024-06-10", "ns"), np.datetime64("2024-06-13", "ns"))},
            "150",
        ),
        ("level = 'rare' AND datetime > DATE('2024-06-10') AND datetime <= DATE('2024-06-12')", {}, "150"),
        ("level = 'rare' AND T_DURING(datetime, INTERVAL('2024-06-09', '2024-06-12'))", {}, "150"),
        ("level = 'rare' AND datetime BETWEEN DATE('2024-06-10') AND DATE('2024-06-12')", {}, "150"),
        ("level = 'rare'", {"ids": ("149", "150")}, "150"),
        ("level = 'rare'", {"bbox": BBox(4, 50, 5, 51)}, "150"),
    ],
)
def test_a_filter_that_an_index_time_or_many_items_answer_is_not_refused(many, text, options, first):
    found = many.search(ItemSearch(filter=filter_from_text(text), limit=1, **options))

    assert [item.ref.id for item in found.items] == [first]


def test_collections_that_a_filter_leaves_out_are_not_counted(many):
    many.put("small", [make_item("a", properties={"level": "rare"})])

    found = many.search(ItemSearch(filter=filter_from_text("collection = 'small' AND level = 'rare'")))

    assert [item.ref.id for item in found.items] == ["a"]
    with pytest.raises(InvalidParameter, match="items of s2"):
        many.search(ItemSearch(filter=filter_from_text("level = 'rare'")))
