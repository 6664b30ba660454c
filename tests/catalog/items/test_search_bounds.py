"""Limits of a search: bytes of a page, time in the database and in this process, skipped documents."""

import re
from itertools import count

import numpy as np
import pytest
from sqlalchemy import update

from chronotile.catalog.items import candidates, lookups, search, search_query
from chronotile.catalog.items.cql2.tree import filter_from_text
from chronotile.catalog.items.lookups import MAX_BYTES
from chronotile.catalog.items.schema import BODIES, INDEX
from chronotile.catalog.items.statements import TimeLimit, reading
from chronotile.core.errors import InvalidParameter, ServerBusy
from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from tests.catalog.items.conftest import make_item

MIB = 1 << 20
AWAY = filter_from_text("NOT S_INTERSECTS(geometry, POINT(50 50))")


def walk(index, **values):
    """Return the pages of a search."""
    pages = [index.search(ItemSearch(**values))]
    while pages[-1].next is not None:
        pages.append(index.search(ItemSearch(**{**values, "skip": 0}, cursor=pages[-1].next)))
    return pages


def ids_of(pages):
    return [item.ref.id for page in pages for item in page.items]


def test_pages_of_large_documents_have_fewer_items_and_leave_none_out(index):
    for collection in ("s1", "s2"):
        large = (make_item(f"{number:02}", properties={"text": f"{number}" * (MIB // 2)}) for number in range(10, 35))
        index.put(collection, large)

    pages = walk(index, limit=40)

    ids = ids_of(pages)
    assert (len(ids), len(set(ids)), len(pages)) == (50, 25, 4)
    assert {page.matched for page in pages} == {50}
    for page in pages:
        assert sum(len(item.document) for item in page.items) <= MAX_BYTES


def test_a_document_that_is_larger_than_a_page_may_be_is_a_page(index, monkeypatch):
    monkeypatch.setattr(lookups, "MAX_BYTES", 10_000)
    sizes = {"a": 9, "b": 99_999, "c": 9, "d": 9}
    index.put("s2", [make_item(id_, properties={"text": id_ * size}) for id_, size in sizes.items()])

    pages = walk(index, limit=3)

    assert [len(page.items) for page in pages] == [1, 1, 2]
    assert sorted(ids_of(pages)) == list("abcd")


@pytest.mark.parametrize("filter_", [None, AWAY])
@pytest.mark.parametrize("skip", [0, 1, 4, 5, 6, 10, 11])
def test_pages_after_skipped_items_equal_those_of_a_walk(index, skip, filter_):
    for collection in ("s1", "s2"):
        index.put(collection, [make_item(id_, at=f"2024-05-0{day}") for day, id_ in enumerate("abcde", start=1)])
    every = [(item.collection, item.ref.id) for item in index.search(ItemSearch(limit=20)).items]

    pages = walk(index, limit=4, skip=skip, filter=filter_)

    assert [(item.collection, item.ref.id) for page in pages for item in page.items] == every[skip:]
    assert {page.matched for page in pages} == {10}


def test_documents_of_skipped_items_are_not_read(index):
    index.put("s2", [make_item(id_, at=f"2024-05-0{day}") for day, id_ in enumerate("abc", start=1)])
    unreadable = [item.ref.number for item in index.search(ItemSearch(limit=2)).items]
    with index._engine.begin() as connection:
        connection.execute(update(BODIES).where(BODIES.c.item.in_(unreadable)).values(document=b"not compressed"))

    assert [item.ref.id for item in index.search(ItemSearch(skip=2)).items] == ["a"]


@pytest.mark.parametrize("skip", [-1, 10_001])
def test_more_items_than_are_counted_are_not_skipped(index, skip):
    with pytest.raises(InvalidParameter, match="skip"):
        index.search(ItemSearch(skip=skip))


def test_names_of_more_collections_than_a_search_takes_are_refused(index):
    with pytest.raises(InvalidParameter, match="at most 1000") as refused:
        index.search(ItemSearch(collections=tuple(map(str, range(1001)))))

    assert refused.value.locator == "collections"


@pytest.mark.parametrize("look", ["search", "count_by_month"])
def test_the_time_for_footprints_counts(open_index, look):
    index = open_index(clock=count().__next__)
    index.put("s2", [make_item(f"{number}") for number in range(30)])

    with pytest.raises(ServerBusy, match="takes longer than 10 s now; try again later, or restrict it by collections"):
        getattr(index, look)(ItemSearch(filter=AWAY))


def test_the_time_for_collections_counts_together(open_index):
    index = open_index(clock=count().__next__)
    for number in range(11):
        index.put(f"{number}", [make_item("a")])

    with pytest.raises(ServerBusy, match="takes longer than 10 s"):
        index.search(ItemSearch())


@pytest.mark.parametrize(
    "url", [pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))], indirect=True
)
def test_statement_of_postgresql_gets_the_remaining_time(index):
    times, now_s = list[str](), [0.0]
    with (
        reading(index._engine, INDEX) as cursor,
        TimeLimit(10.0, cursor, index._engine.dialect, lambda: now_s[-1]) as limit,
    ):
        for each in (0.0, 0.1, 8.0):
            now_s.append(each)
            limit.renew()
            cursor.execute("SHOW statement_timeout")
            times += cursor.fetchone()

    assert times == ["10s", "10s", "2s"]


@pytest.mark.parametrize("length", [1, 40])
def test_a_filter_is_translated_once_for_all_collections(index, monkeypatch, length):
    texts, translate = [], search_query.translate
    monkeypatch.setattr(search_query, "translate", lambda *given: texts.append(given) or translate(*given))
    for number in range(5):
        index.put(f"c{number}", [make_item("a"), make_item("b")])
    condition = " OR ".join(f"(collection = 'c{1 + number % 2}' AND id <> 'a')" for number in range(length))

    found = index.search(ItemSearch(filter=filter_from_text(f"{condition} OR id = 'none'")))

    assert sorted((item.collection, item.ref.id) for item in found.items) == [
        ("c1", "b"),
        *([("c2", "b")] if length > 1 else []),
    ]
    assert len(texts) == 1


EXPLAIN = {"sqlite": ("EXPLAIN QUERY PLAN ", ()), "postgresql": ("EXPLAIN ", ("sort", "bitmapscan", "seqscan"))}
"""How a database explains, and plans that would be quicker for this small number of items."""
CLOUDS = {"a": 7, "b": 3.5, "c": 7, "d": None, "e": 0, "f": 7, "g": "many", "h": 3.5, "i": 100}
"""With several of one value, and without a number."""


def clouded(is_descending=False):
    return IndexSettings(order_by="cloud", is_descending=is_descending)


def fill_with_clouds(index, settings):
    index.configure("s2", settings)
    index.put("s2", [make_item(id_, properties={"cloud": cloud}) for id_, cloud in CLOUDS.items()])


@pytest.mark.parametrize("is_own_falling", [False, True])
@pytest.mark.parametrize("is_falling", [False, True])
def test_pages_in_collection_order_start_with_its_numbered_items(index, is_own_falling, is_falling):
    fill_with_clouds(index, clouded(is_own_falling))

    pages = walk(index, collections=("s2",), sort=(("cloud", is_falling),), limit=2)

    numbers = {id_: cloud for id_, cloud in CLOUDS.items() if isinstance(cloud, int | float)}
    ranked = sorted(numbers, key=lambda id_: -numbers[id_] if is_falling else numbers[id_])
    assert ids_of(pages) == [*ranked, "d", "g"]
    assert {page.matched for page in pages} == {len(CLOUDS)}


@pytest.mark.parametrize("is_own_falling", [False, True])
@pytest.mark.parametrize("is_falling", [False, True])
@pytest.mark.parametrize(
    ("filter_", "holds"),
    [
        ("cloud < 7", lambda cloud: cloud < 7),
        ("cloud >= 3.5 AND cloud <> 100", lambda cloud: cloud >= 3.5 and cloud != 100),
        ("cloud = 7 AND id <> 'none'", lambda cloud: cloud == 7),
        ("cloud > 1 OR cloud = 0", lambda cloud: cloud > 1 or cloud == 0),
        ("7 > cloud", lambda cloud: cloud < 7),
        ("NOT cloud <= 7", lambda cloud: cloud > 7),
    ],
)
def test_filters_of_the_property_that_sorts_find_the_same(index, is_own_falling, is_falling, filter_, holds):
    fill_with_clouds(index, clouded(is_own_falling))

    pages = walk(index, collections=("s2",), sort=(("cloud", is_falling),), limit=2, filter=filter_from_text(filter_))

    numbers = {id_: cloud for id_, cloud in CLOUDS.items() if isinstance(cloud, int | float) and holds(cloud)}
    assert ids_of(pages) == sorted(numbers, key=lambda id_: -numbers[id_] if is_falling else numbers[id_])
    assert {page.matched for page in pages} == {len(numbers)}


def plans_of(index, monkeypatch, name, *, may_sort=False):
    """The plans, from now on, of statements with an order that name a table or column; PostgreSQL may have to sort."""
    plans, run = [], search_query.Statement.run

    def explained(statement, cursor, values):
        if name in statement._sql and "ORDER BY" in statement._sql:
            words, without = EXPLAIN[index._engine.dialect.name]
            for each in without:
                cursor.execute(f"SET LOCAL enable_{each} = {'on' if may_sort and each == 'sort' else 'off'}")
            plain = search_query.Statement.__new__(search_query.Statement)
            plain._sql, plain._constants, plain._order = words + statement._sql, statement._constants, statement._order
            plans.append(str(run(plain, cursor, values)))
        return run(statement, cursor, values)

    monkeypatch.setattr(search_query.Statement, "run", explained)
    return plans


@pytest.mark.parametrize("is_falling", [False, True])
def test_collection_order_uses_an_index(index, monkeypatch, is_falling):
    fill_with_clouds(index, clouded())
    plans = plans_of(index, monkeypatch, "rank")
    index.search(ItemSearch(collections=("s2",), sort=(("cloud", is_falling),), limit=2))

    (plan,) = plans
    assert re.search("chronotile_items_by_rank" + ("_falling" if is_falling else r"\b"), plan)
    assert not re.search("TEMP B-TREE|Sort", plan)


NEAR, DAY = BBox(3, 49, 6, 52), TimeSpan(np.datetime64("2024-05-01", "ns"), np.datetime64("2024-05-02", "ns"))


@pytest.mark.parametrize("sort", ["platform", "created", "updated"])
@pytest.mark.parametrize("restricted", [{"bbox": NEAR}, {"span": DAY}, {"ids": ("a", "b")}])
def test_a_sort_without_an_index_is_refused_before_it_compares_many_items(index, monkeypatch, sort, restricted):
    fill_with_clouds(index, clouded())
    index.put("s2", [make_item(f"later{n}", at=f"2024-06-0{n}", box=(40, 50, 41, 51)) for n in range(1, 9)])
    monkeypatch.setattr(candidates, "MAX_COMPARED", len(CLOUDS))

    with pytest.raises(
        InvalidParameter, match=r"give a bbox, a shorter datetime or ids, or sort .* datetime or cloud"
    ) as refused:
        index.search(ItemSearch(collections=("s2",), sort=((sort, False),)))

    assert refused.value.locator == "sortby"
    found = index.search(ItemSearch(collections=("s2",), sort=((sort, False),), **restricted))
    assert {each.ref.id for each in found.items} <= CLOUDS.keys()
    assert index.search(ItemSearch(collections=("s2",), sort=(("cloud", True),))).items[0].ref.id == "i"


@pytest.mark.parametrize("sort", [(), (("cloud", False),)])
def test_count_of_matches_is_exact_or_missing_if_a_sample_shows_too_many(index, monkeypatch, sort):
    for module in (candidates, search):
        monkeypatch.setattr(module, "MAX_MATCHED", 20)
    days = list(np.datetime64("2024-01-01") + np.arange(100))
    index.configure("s2", IndexSettings(order_by="cloud"))
    index.put("s2", [make_item(f"{n:03}", at=str(day), properties={"cloud": float(n)}) for n, day in enumerate(days)])

    found = {
        most: index.search(
            ItemSearch(collections=("s2",), filter=filter_from_text(f"cloud < {most}"), sort=sort, limit=2)
        )
        for most in (1, 20, 21, 40, 100)
    }

    assert {most: page.matched for most, page in found.items()} == {1: 1, 20: 20, 21: None, 40: None, 100: None}
    assert all([each.ref.id for each in page.items] for page in found.values())


@pytest.mark.parametrize(("surely", "matched"), [(1.5, 16), (0.5, None)])
def test_matches_are_not_counted_if_a_sample_shows_too_many(index, monkeypatch, surely, matched):
    for module in (candidates, search):
        monkeypatch.setattr(module, "MAX_MATCHED", 20)
    monkeypatch.setattr(candidates, "SPREAD", 1)
    monkeypatch.setattr(candidates, "SURELY", surely)
    days = list(np.datetime64("2024-01-01") + np.arange(100))
    index.configure("s2", IndexSettings())
    index.put("s2", [make_item(f"{n:03}", at=str(day), properties={"cloud": float(n)}) for n, day in enumerate(days)])

    found = index.search(ItemSearch(collections=("s2",), filter=filter_from_text("cloud < 16"), limit=2))

    assert found.matched == matched


@pytest.mark.parametrize("names", [(), ("platform",)])
@pytest.mark.parametrize("sort", [(), (("cloud", False),)])
def test_matches_of_rare_times_are_counted_though_most_times_have_them(index, monkeypatch, names, sort):
    for module in (candidates, search):
        monkeypatch.setattr(module, "MAX_MATCHED", 20)
    monkeypatch.setattr(candidates, "MAX_COMPARED", 200)
    monkeypatch.setattr(candidates, "SAMPLED", 2)
    rare = [(np.datetime64("2010-01-01") + np.timedelta64(30 * n, "D"), float(n)) for n in range(15)]
    frequent = [(np.datetime64("2011-04-01") + np.timedelta64(n, "m"), 15 + n / 1000) for n in range(200)]
    index.configure("s2", IndexSettings(order_by="cloud", searched=names))
    index.put(
        "s2",
        [
            make_item(f"{n:03}", at=str(at), properties={"cloud": cloud, "platform": "a", "is_rare": n < 15})
            for n, (at, cloud) in enumerate([*rare, *frequent])
        ],
    )

    wanted = filter_from_text("platform = 'a' AND is_rare = true")
    found = index.search(ItemSearch(collections=("s2",), filter=wanted, sort=sort, limit=2))

    assert found.matched == 15
