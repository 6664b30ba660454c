"""Row groups of a changed Parquet file: the rows that are read, and the index afterwards."""

import random
from contextlib import closing
from types import SimpleNamespace

import orjson
import pyarrow.parquet as pq
import pytest

from chronotile.archive.index import geoparquet
from chronotile.archive.index.export import export_items
from chronotile.archive.index.fill import IndexStore, fill
from chronotile.archive.index.geoparquet import GeoparquetSource
from chronotile.archive.index.source import TWIN, ItemRules
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import ItemSearch, PutSummary
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import S2, item_document
from tests.archive.index.test_fill import stopped
from tests.archive.index.test_geoparquet import Listing


@pytest.fixture
def file(tmp_path):
    return tmp_path / "items.parquet"


def row(id_, gsd=1, **more):
    return {**item_document(id_, gsd=gsd), **more}


def write(file, *groups):
    """Write a file with these row groups."""
    documents = [each for group in groups for each in group]
    export_items(Listing(documents, page=len(documents)), "s2", file)
    table, start = pq.read_table(file), 0
    with pq.ParquetWriter(file, table.schema) as writer:
        for group in groups:
            writer.write_table(table.slice(start, len(group)))
            start += len(group)


def source_of(file, *places):
    allowed = AllowedPlaces(places)
    return GeoparquetSource(
        str(file),
        ItemRules(allowed=ItemPlaces(str(file), allowed).require_allowed, places=allowed.digest if places else ""),
    )


def sizes(store):
    """Return the property of each item, by its id."""
    if hasattr(store.items, "collections"):
        return {id_: each.properties["gsd"] for id_, each in store.items.collections.get("s2", {}).items()}
    found = store.items.search(ItemSearch(collections=("s2",), limit=1000)).items
    return {each.ref.id: orjson.loads(each.document)["properties"]["gsd"] for each in found}


def test_rows_of_groups_with_the_same_bytes_are_not_read_and_count_as_unchanged(file, store, read):
    broken = row("x", geometry=None)
    write(file, [row("a"), row("b")], [row("c"), row("d")], [row("e"), broken])
    first = fill(S2, source_of(file), store)
    assert first.put == PutSummary(added=5)
    read.clear()
    write(file, [row("a"), row("b")], [row("c"), row("d", 2)], [row("e"), broken])
    summary = fill(S2, source_of(file), store)
    assert read == ["c", "d"]
    assert summary.put == PutSummary(replaced=1, unchanged=4)
    assert summary.problems == first.problems
    assert [(each.count, each.keys) for each in summary.problems] == [(1, ("s2/x",))]
    read.clear()
    write(file, [row("z")], [row("a"), row("b")], [row("e"), broken])
    summary = fill(S2, source_of(file), store)
    assert read == ["z"]
    assert (summary.put, summary.removed) == (PutSummary(added=1, unchanged=3), 2)
    assert summary.problems == first.problems
    assert sizes(store) == {"z": 1, "a": 1, "b": 1, "e": 1}


def test_rows_of_a_file_that_is_replaced_while_it_is_read_are_read_again(file, store, monkeypatch):
    write(file, [row("a")], [row("b", 2)])
    after = file.rename(file.with_suffix(".after"))
    write(file, [row("a")], [row("b", 1)])
    assert file.stat().st_size == after.stat().st_size  # so that the same places hold the bytes of both
    read_row = geoparquet.GeoparquetRows.read

    def replacing(self, number, before):
        if after.exists():
            after.replace(file)
        return read_row(self, number, before)

    monkeypatch.setattr(geoparquet.GeoparquetRows, "read", replacing)
    assert fill(S2, source_of(file), store, batch=1).put == PutSummary(added=2)
    assert sizes(store) == {"a": 1, "b": 1}
    assert fill(S2, source_of(file), store, is_whole=False).put == PutSummary(replaced=1, unchanged=1)
    assert sizes(store) == {"a": 1, "b": 2}


def test_rows_of_one_batch_are_listed_before_duplicates(file):
    write(file, [row("a"), row("a"), row("b"), row("b"), row("c")])
    listed = [each.key for each in source_of(file).entries(SimpleNamespace(cursor=None)) if hasattr(each, "key")]
    assert listed == ["s2/a", "s2/b", "s2/c", "s2/a (row 1)", "s2/b (row 3)"]


def test_rows_moved_to_another_group_are_known_there_afterwards(file, store, read):
    write(file, [row("a"), row("b")], [row("c"), row("x", geometry=None)])
    fill(S2, source_of(file), store)
    puts = store.items.calls["put"]
    write(file, [row("a")], [row("b"), row("c"), row("x", geometry=None)])
    assert fill(S2, source_of(file), store).put == PutSummary(unchanged=3)
    assert store.items.calls["put"] == puts
    read.clear()
    write(file, [row("a")], [row("b"), row("c"), row("x", geometry=None)], [row("d")])
    summary = fill(S2, source_of(file), store)
    assert read == ["d"]
    assert summary.put == PutSummary(added=1, unchanged=3)
    assert [each.keys for each in summary.problems] == [("s2/x",)]


def test_rows_with_other_addresses_are_read_in_an_unchanged_group(file, store, read):
    there, else_where = "https://there.test/", "https://elsewhere.test/"
    files = {"RED": {"href": f"{there}a.tif", "type": "image/tiff; application=geotiff"}}
    others = {"RED": {"href": f"{else_where}a.tif", "type": "image/tiff; application=geotiff"}}
    groups = [[row("a"), row("b", assets=files)], [row("c", assets=others)], [row("d")]]
    write(file, *groups)
    assert fill(S2, source_of(file, there), store).put == PutSummary(added=3)
    read.clear()
    write(file, *groups, [row("e")])
    summary = fill(S2, source_of(file, else_where), store)
    assert read == ["b", "c", "e"]
    assert sorted(sizes(store)) == ["a", "c", "d", "e"]
    assert [each.keys for each in summary.problems] == [("s2/b",)]


def test_of_rows_with_one_id_the_last_counts_and_the_others_are_reported(file, store, read):
    groups = [[row("a", 1), row("b"), row("a", 2)], [row("c"), row("c")], [row("a", 3)]]
    write(file, *groups)
    summary = fill(S2, source_of(file), store)
    assert sizes(store) == {"a": 3, "b": 1, "c": 1}
    assert [(each.reason, each.count, each.keys) for each in summary.problems] == [
        (TWIN, 3, ("s2/a (row 1)", "s2/a (row 3)", "s2/c (row 4)"))
    ]
    puts = store.items.calls["put"]
    write(file, *groups, [row("d")])
    read.clear()
    assert fill(S2, source_of(file), store).put == PutSummary(added=1, unchanged=3)
    assert read == ["d"]
    assert store.items.calls["put"] == puts + 1
    write(file, *groups[:2])
    summary = fill(S2, source_of(file), store)
    assert sizes(store) == {"a": 2, "b": 1, "c": 1}
    assert [(each.count, each.keys) for each in summary.problems] == [(2, ("s2/a (row 1)", "s2/c (row 4)"))]


def test_damaged_group_ends_the_pass_and_none_of_its_items_is_removed(file, store):
    write(file, [row("a")], [row("b")])
    fill(S2, source_of(file), store)
    about = pq.ParquetFile(file).metadata.row_group(1).column(0)
    with file.open("r+b") as opened:
        opened.seek(about.dictionary_page_offset or about.data_page_offset)
        opened.write(b"\xff" * about.total_compressed_size)
    with pytest.raises((SourceUnavailable, UnsupportedSource)):
        fill(S2, source_of(file), store)
    assert sorted(sizes(store)) == ["a", "b"]


@pytest.mark.parametrize("before", [[], [row("b", geometry=None)]], ids=["absent", "refused"])
@pytest.mark.parametrize("stop", range(5))
def test_an_item_of_an_interrupted_pass_alone_does_not_stay(file, store, stop, before):
    write(file, [row("a")], *[before] * bool(before))
    fill(S2, source_of(file), store)
    write(file, [row("a")], [row("b")])
    stopped(source_of(file), store, stop)
    write(file, [row("a")], *[before] * bool(before))

    fill(S2, source_of(file), store)

    assert sizes(store) == {"a": 1}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_however_groups_change_and_passes_end_the_index_is_as_the_file(url, tmp_path, file, seed, monkeypatch):
    """Rows come, go, move, break and have twins; passes are stopped after any call that changes something."""
    monkeypatch.setattr(geoparquet, "ROWS", 2)
    chance = random.Random(seed)
    groups = [[]]
    with closing(IndexStore(items=open_items(url, tmp_path), passes=open_passes(url, tmp_path))) as store:
        for _round in range(25):
            groups = _edited(groups, chance)
            write(file, *groups)
            if chance.random() < 0.6:
                stopped(source_of(file), store, chance.randrange(5))
                if chance.random() < 0.5:
                    groups = _edited(groups, chance)
                    write(file, *groups)
            summary = fill(S2, source_of(file), store, batch=chance.choice([1, 2, 5]))
            rows = [each for group in groups for each in group]
            last = {each["id"]: each for each in rows}
            assert sizes(store) == {
                id_: each["properties"]["gsd"] for id_, each in last.items() if each["geometry"] is not None
            }
            counts = {each.reason: each.count for each in summary.problems}
            expected = {
                TWIN: len(rows) - len(last),
                "it has no geometry": sum(each["geometry"] is None for each in last.values()),
            }
            assert counts == {reason: count for reason, count in expected.items() if count}


def _edited(groups, chance):
    """Return some groups unchanged, others with different rows, sometimes in another order."""
    groups = [list(group) for group in groups]
    for _edit in range(chance.randrange(1, 4)):
        group = chance.choice(groups)
        what = chance.choice(["add", "add", "drop", "move", "split", "swap"])
        if what == "add":
            broken = {"geometry": None} if chance.random() < 0.2 else {}
            group.insert(chance.randint(0, len(group)), row(f"i{chance.randrange(12)}", chance.randrange(3), **broken))
        elif what == "drop" and group:
            group.pop(chance.randrange(len(group)))
        elif what == "move" and group:
            chance.choice(groups).append(group.pop())
        elif what == "split":
            groups += [group[len(group) // 2 :]]
            del group[len(group) // 2 :]
        else:
            chance.shuffle(groups)
    groups = [group for group in groups if group]
    return groups if any(each["geometry"] for group in groups for each in group) else [*groups, [row("i0")]]
