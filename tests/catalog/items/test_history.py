"""Changes of items: a client that reads all pages has all current items, and misses none."""

from contextlib import closing, contextmanager

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from isal import isal_zlib
from sqlalchemy import update

from chronotile.catalog.items import altering, lookups
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.catalog.items.schema import BODIES, INDEX
from chronotile.core.database import write_transaction
from chronotile.core.errors import CursorExpired, InvalidParameter
from chronotile.core.model.items import ItemSearch, product_id
from tests.catalog.items.conftest import make_item


@pytest.fixture
def whole_pass(url, tmp_path):
    """Return a context manager that begins a whole pass over a source and yields the function that finishes it."""

    @contextmanager
    def run(collection):
        with closing(open_passes(url, tmp_path)) as passes:
            begun = passes.begin(collection, source="x", holder="me")
            yield lambda: passes.finish(begun)

    return run


@pytest.fixture
def incomplete_pass(url, tmp_path):
    """Return a context manager: a whole pass over a source with an unreadable part."""

    @contextmanager
    def run(collection):
        with closing(open_passes(url, tmp_path)) as passes:
            begun = passes.begin(collection, source="x", holder="me")
            yield
            passes.give_up(begun)

    return run


def told(page):
    return [(change.kind, change.collection, change.id) for change in page.changes]


def now(index):
    return index.changes_after(None).cursor


def test_changes_are_listed_in_their_order(index):
    index.put("s2", [make_item("before")])
    cursor = now(index)
    index.put("s2", [make_item("a"), make_item("b")])
    index.put("modis", [make_item("a")])
    index.put("s2", [make_item("before", properties={"cloud": 3})])
    index.remove("s2", ["b"])

    page = index.changes_after(cursor)

    assert told(page) == [
        *(("added", "s2", "a"), ("added", "modis", "a"), ("replaced", "s2", "before"), ("removed", "s2", "b")),
    ]
    assert page.is_last
    assert page.changes[3].item is None
    assert page.changes[3].product == product_id("s2", "b")
    assert page.changes[2].item == index.find("s2", "before")
    assert index.changes_after(page.cursor).changes == ()


def test_changes_of_the_first_fill_of_a_collection_can_be_excluded(index, whole_pass):
    index.put("posted", [make_item("before")])
    cursor = now(index)
    with whole_pass("s2") as finish:
        index.put("s2", [make_item("a"), make_item("b")])
        index.put("posted", [make_item("c")])
        index.remove("s2", ["b"])
        during = index.changes_after(cursor, without_first_fill=True)
        finish()
    index.put("s2", [make_item("a", properties={"cloud": 3}), make_item("d")])

    assert told(during) == [("added", "posted", "c")]
    after = [("replaced", "s2", "a"), ("added", "s2", "d")]
    assert sorted(told(index.changes_after(cursor, without_first_fill=True))[1:]) == sorted(after)
    assert told(index.changes_after(during.cursor, without_first_fill=True)) == after
    assert ("removed", "s2", "b") in told(index.changes_after(cursor))


def test_removals_that_were_forgotten_in_the_first_fill_expire_no_cursor(index, whole_pass, monkeypatch):
    monkeypatch.setattr(altering, "MAX_REMOVED", 1)
    cursor = now(index)
    with whole_pass("s2") as finish:
        index.put("s2", [make_item(name) for name in "abcdef"])
        for name in "abcdef":
            index.remove("s2", [name])
        finish()
    index.put("s2", [make_item("new")])

    assert told(index.changes_after(cursor, without_first_fill=True)) == [("added", "s2", "new")]
    with pytest.raises(CursorExpired):
        index.changes_after(cursor)


def test_changes_after_an_incomplete_first_pass_are_listed(index, whole_pass, incomplete_pass):
    cursor = now(index)
    with incomplete_pass("s2"):
        index.put("s2", [make_item("a")])
    index.put("s2", [make_item("b")])
    with whole_pass("s2") as finish:
        index.put("s2", [make_item("c")])
        finish()

    assert told(index.changes_after(cursor, without_first_fill=True)) == [("added", "s2", "b"), ("added", "s2", "c")]
    index.state("s2", is_fresh=True)
    assert index.state("s2").is_whole


def test_a_later_whole_pass_leaves_nothing_out(index, whole_pass):
    cursor = now(index)
    with whole_pass("s2") as finish:
        finish()
    with whole_pass("s2") as finish:
        index.put("s2", [make_item("a")])
        finish()

    assert told(index.changes_after(cursor, without_first_fill=True)) == [("added", "s2", "a")]


def test_unchanged_item_is_no_change(index):
    index.put("s2", [make_item("a")])
    cursor = now(index)

    index.put("s2", [make_item("a")])
    index.remove("s2", ["unknown"])

    assert index.changes_after(cursor).changes == ()


def test_another_file_behind_an_item_is_a_change_of_it(index):
    index.put("s2", [make_item("a")])
    (ref,) = (item.ref for item in index.search(ItemSearch()).items)
    index.note_header(ref, "B04", header=b"1", etag="1", size=10)
    cursor = now(index)

    index.note_header(ref, "B04", header=b"2", etag="2", size=10)

    assert told(index.changes_after(cursor)) == [("replaced", "s2", "a")]


def test_collections_are_read_apart(index):
    index.put("s2", [make_item("before")])
    cursor = now(index)
    index.put("s2", [make_item("a")])
    index.put("modis", [make_item("b")])

    assert told(index.changes_after(cursor, among={"modis"})) == [("added", "modis", "b")]
    assert told(index.changes_after(cursor, among=())) == []


def test_item_added_and_replaced_between_two_pages_is_listed_as_added(index):
    cursor = now(index)
    index.put("s2", [make_item("a")])
    index.put("s2", [make_item("b")])
    first = index.changes_after(cursor, limit=1)
    index.put("s2", [make_item("b", properties={"cloud": 3})])

    second = index.changes_after(first.cursor)

    assert told(first) == [("added", "s2", "a")]
    assert told(second) == [("added", "s2", "b")]


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    steps=st.lists(
        st.tuples(st.sampled_from("prc"), st.sampled_from("xy"), st.sampled_from("abcdef"), st.integers(0, 2)),
        max_size=30,
    ),
    limit=st.integers(1, 4),
)
def test_a_copy_that_follows_the_changes_has_the_items(tmp_path_factory, steps, limit):
    index = open_items(None, tmp_path_factory.mktemp("index"))
    try:
        copy, cursor = {}, now(index)

        def follow(cursor):
            page = index.changes_after(cursor, limit=limit)
            for change in page.changes:
                key = change.collection, change.id
                if change.kind == "removed":
                    copy.pop(key, None)
                else:
                    assert change.kind == "added" or key in copy
                    copy[key] = change.item.document
            return page

        for kind, collection, id_, cloud in steps:
            if kind == "p":
                index.put(collection, [make_item(id_, properties={"cloud": cloud})])
            elif kind == "r":
                index.remove(collection, [id_])
            else:
                cursor = follow(cursor).cursor
        while not (page := follow(cursor)).is_last:
            cursor = page.cursor

        assert copy == {(item.collection, item.ref.id): item.document for item in index.search(ItemSearch()).items}
    finally:
        index.close()


def test_a_cursor_from_before_forgotten_removals_has_expired(index, monkeypatch):
    monkeypatch.setattr(altering, "MAX_REMOVED", 2)
    index.put("s2", [make_item(name) for name in "abcdef"])
    before = now(index)
    for name in "abcde":
        index.remove("s2", [name])
        if name == "d":
            recent = now(index)

    assert told(index.changes_after(recent)) == [("removed", "s2", "e")]
    with pytest.raises(CursorExpired, match="list all items"):
        index.changes_after(before)


def test_removals_in_one_transaction_are_pages_too(index):
    index.put("s2", [make_item(name) for name in "abc"])
    cursor, found = now(index), []
    index.remove("s2", "abc")

    while not (page := index.changes_after(cursor, limit=1)).is_last:
        found += told(page)
        cursor = page.cursor

    assert [*found, *told(page)] == [("removed", "s2", name) for name in "abc"]


def test_a_cursor_of_an_index_that_was_begun_again_has_expired(tmp_path):
    cursors = []
    for folder in ("one", "two"):
        index = open_items(None, tmp_path / folder)
        cursors.append(now(index))
        if len(cursors) == 2:
            with pytest.raises(CursorExpired):
                index.changes_after(cursors[0])
        index.close()


@pytest.mark.parametrize("cursor", ["", "x", "AAAAAAAAAAAAAAAA", "é", "a" * 20_000])
def test_invalid_cursor_is_refused(index, cursor):
    with pytest.raises(InvalidParameter, match="since is not a cursor"):
        index.changes_after(cursor)


def test_a_cursor_of_another_archive_is_refused(tmp_path):
    index, other = open_items(None, tmp_path, archive="a"), open_items(None, tmp_path, archive="b")
    try:
        with pytest.raises(InvalidParameter, match="since is not a cursor"):
            other.changes_after(now(index))
    finally:
        index.close()
        other.close()


@pytest.mark.parametrize("limit", [0, 1001, -1])
def test_limits_are_bounded(index, limit):
    with pytest.raises(InvalidParameter, match="accepted: 1 to 1000"):
        index.changes_after(None, limit=limit)


def test_item_is_found_by_its_product(index):
    index.put("s2", [make_item("a"), make_item("b")])
    index.put("modis", [make_item("a")])

    found = index.find_product(product_id("modis", "a"), among={"modis", "s2"})

    assert (found.collection, found.ref.id) == ("modis", "a")
    assert found == index.find("modis", "a")
    assert found.product == product_id("modis", "a")
    assert index.find_product(product_id("modis", "b"), among={"modis", "s2"}) is None


def test_hidden_product_is_not_read_from_the_index(index):
    index.put("hidden", [make_item("a")])
    index.put("s2", [make_item("b")])
    with write_transaction(index._engine, INDEX) as connection:
        connection.execute(update(BODIES).values(document=b"no document: who decodes it fails"))

    assert index.find_product(product_id("hidden", "a"), among={"s2"}) is None
    with pytest.raises(isal_zlib.error):
        index.find_product(product_id("s2", "b"), among={"s2"})


def test_products_with_a_common_prefix_are_distinguished(index):
    index.put("s2", [make_item("a")])
    known = product_id("s2", "a")
    other = type(known)(bytes=known.bytes[:8] + bytes(8))

    assert index.find_product(other, among={"s2"}) is None
    assert index.find_product(known, among={"s2"}).ref.id == "a"


def test_item_is_found_by_its_id_in_its_archive_only(tmp_path):
    index, other = open_items(None, tmp_path, archive="a"), open_items(None, tmp_path, archive="b")
    try:
        index.put("s2", [make_item("a")])
        assert index.find("s2", "a").ref.id == "a"
        assert index.find("s2", "A") is None
        assert index.find("modis", "a") is None
        assert other.find("s2", "a") is None
        assert other.find_product(product_id("s2", "a"), among={"s2"}) is None
    finally:
        index.close()
        other.close()


def test_items_are_counted_by_month(index):
    days = ["1969-12-31T23:00", "1970-01-01", "2024-02-29T23:59:59.999999999", "2024-03-01", "2024-03-31T23:00"]
    index.put("s2", [make_item(f"{number}", at=day) for number, day in enumerate(days)])
    index.put("modis", [make_item("elsewhere", (10, 10, 11, 11), at="2024-03-05")])
    months = [("1969-12", 1), ("1970-01", 1), ("2024-02", 1), ("2024-03", 3)]

    def counted(**values):
        found = index.count_by_month(ItemSearch(**values))
        return [(str(np.datetime64(month, "M")), count) for month, count in found]

    here = {"type": "Point", "coordinates": [4.5, 50.5]}
    assert counted() == months
    assert counted(collections=("s2",)) == [*months[:3], ("2024-03", 2)]
    assert counted(geometry=here) == [*months[:3], ("2024-03", 2)]
    assert counted(ids=("3",), sort=(("id", True),)) == [("2024-03", 1)]


def test_a_geometry_selects_items_whose_footprint_it_meets(index):
    index.put("s2", [make_item("here"), make_item("there", (10, 50, 11, 51))])
    line = {"type": "LineString", "coordinates": [[9, 50.5], [10.5, 50.5]]}
    page = index.search(ItemSearch(geometry=line))

    assert [item.ref.id for item in page.items] == ["there"]
    assert page.matched == 1
    with_filter = ItemSearch(geometry=line, filter={"op": "=", "args": [{"property": "id"}, "here"]})
    assert index.search(with_filter).items == ()


@pytest.mark.parametrize(
    "geometry",
    [{}, {"type": "Point"}, {"type": "Circle", "coordinates": [0, 0]}, {"type": "Point", "coordinates": ["a", 0]}],
)
def test_invalid_geometry_is_refused(index, geometry):
    index.put("s2", [make_item("a")])

    with pytest.raises(InvalidParameter) as caught:
        index.search(ItemSearch(geometry=geometry))

    assert caught.value.locator == "geometry"
    assert "filter" not in caught.value.message


def test_changes_after_the_cursor_of_each_change_are_listed(index):
    index.put("s2", [make_item("before")])
    cursor = now(index)
    index.put("s2", [make_item("a"), make_item("b")])
    index.remove("s2", ["before"])
    index.put("modis", [make_item("a")])
    index.put("s2", [make_item("b", properties={"cloud": 3})])

    page = index.changes_after(cursor)

    rests = [told(index.changes_after(change.cursor)) for change in page.changes]
    assert rests == [told(page)[number:] for number in range(1, 5)]
    numbers = [change.number for change in page.changes]
    assert numbers == sorted(numbers)


def test_newest_items_are_those_written_last(index):
    index.put("s2", [make_item("a", at="2024-05-03"), make_item("b", at="2024-05-04")])
    index.put("s2", [make_item("late", at="2020-01-01")])
    index.put("modis", [make_item("other")])
    index.put("s2", [make_item("a", at="2024-05-03", properties={"cloud": 3})])

    assert [each.ref.id for each in index.newest("s2", 2)] == ["a", "late"]
    assert [each.ref.id for each in index.newest("s2", 10)] == ["a", "late", "b"]
    assert index.newest("unknown", 10) == ()


@pytest.mark.parametrize("small", [1, 1 << 16])
def test_pages_of_changes_end_early_if_documents_are_large(index, monkeypatch, small):
    cursor = now(index)
    index.put("s2", [make_item("gone"), make_item("lost")])
    index.remove("s2", ["gone"])
    sizes = {"a": 9, "b": 99_999, "c": 9, "d": 9}
    index.put("s2", [make_item(id_, properties={"text": id_ * size}) for id_, size in sizes.items()])
    index.remove("s2", ["lost"])
    every = told(index.changes_after(cursor))
    monkeypatch.setattr(lookups, "MAX_BYTES", 20_000)
    monkeypatch.setattr(lookups, "SMALL_BYTES", small)  # with 1 each is read by itself

    pages = [index.changes_after(cursor)]
    while not pages[-1].is_last:
        pages.append(index.changes_after(pages[-1].cursor))

    assert [change for page in pages for change in told(page)] == every
    assert [len(page.changes) for page in pages] == [2, 1, 3]


def test_newest_items_are_fewer_if_documents_are_large(index, monkeypatch):
    index.put("s2", [make_item("large", at="2024-05-01", properties={"text": "x" * 99_999})])
    index.put("s2", [make_item("small", at="2024-05-02"), make_item("other", at="2024-05-03")])
    monkeypatch.setattr(lookups, "MAX_BYTES", 20_000)

    assert [each.ref.id for each in index.newest("s2", 10)] == ["other", "small"]
    index.remove("s2", ["other", "small"])
    assert [each.ref.id for each in index.newest("s2", 10)] == ["large"]
