import json
import random
import tempfile
from contextlib import closing, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chronotile.archive.index import fill as fill_module
from chronotile.archive.index.catalogues import AGAIN, CatalogueSource
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import TWICE, IndexStore, Interrupted, fill
from chronotile.archive.index.source import TWIN, ItemFilter, ItemRules
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import ItemSearch, PutSummary
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import S2, CatalogueOnDisk, item_document, new_store


@pytest.fixture
def catalogue(tmp_path):
    return CatalogueOnDisk(tmp_path / "catalogue")


def source_of(catalogue, **rules):
    return CatalogueSource(catalogue.href, DocumentReader(), ItemRules(**rules))


def test_items_of_catalogues_and_their_children_are_indexed(catalogue, store):
    catalogue.add(item_document("a"))
    catalogue.child("2020").add(item_document("b")).child("06").add(item_document("c"))
    summary = fill(S2, source_of(catalogue), store)
    assert store.items.ids() == ["a", "b", "c"]
    assert summary.put == PutSummary(added=3)
    assert summary.lines() == ["s2: 3 added, 0 replaced, 0 unchanged, 0 removed"]
    red = store.items.collections["s2"]["c"].assets[0]
    assert red.href == str(catalogue.folder / "2020" / "06" / "c_RED.tif")


def test_second_pass_reads_only_changes(catalogue, store):
    for name in ("a", "b", "c"):
        catalogue.add(item_document(name))
    fill(S2, source_of(catalogue), store)
    puts = store.items.calls["put"]
    assert fill(S2, source_of(catalogue), store).put == PutSummary(unchanged=3)
    assert store.items.calls["put"] == puts
    catalogue.add(item_document("b", west=5.0, gsd=10))
    summary = fill(S2, source_of(catalogue), store)
    assert summary.put == PutSummary(replaced=1, unchanged=2)
    assert store.items.collections["s2"]["b"].properties["gsd"] == 10


def test_file_replaced_by_a_link_is_checked_at_its_target(catalogue, tmp_path, store):
    catalogue.add(item_document("a")).add(item_document("b"))
    allowed = ItemPlaces(catalogue.href, AllowedPlaces()).require_allowed
    assert fill(S2, source_of(catalogue, allowed=allowed), store).put == PutSummary(added=2)
    document, inside, outside = (catalogue.folder / "b.json", catalogue.folder / "inside", tmp_path / "outside.json")
    document.rename(inside)
    document.symlink_to(inside)
    assert fill(S2, source_of(catalogue, allowed=allowed), store).put.replaced == 0
    inside.write_text(json.dumps(item_document("b", gsd=10)))
    assert fill(S2, source_of(catalogue, allowed=allowed), store).put == PutSummary(replaced=1, unchanged=1)
    outside.write_text(json.dumps(item_document("b", gsd=20)))
    document.unlink()
    document.symlink_to(outside)
    summary = fill(S2, source_of(catalogue, allowed=allowed), store)
    assert store.items.ids() == ["a"]
    assert [(each.count, each.keys) for each in summary.problems] == [(1, ("./b.json",))]


def test_all_unchanged_documents_of_several_batches_are_seen(catalogue, store, monkeypatch):
    monkeypatch.setattr(fill_module, "MAX_SEEN", 3)
    for number in range(11):
        catalogue.add(item_document(f"{number:02}"))
    fill(S2, source_of(catalogue), store, batch=2)
    assert fill(S2, source_of(catalogue), store, batch=2).put == PutSummary(unchanged=11)
    catalogue.remove("10")
    summary = fill(S2, source_of(catalogue), store, batch=2)
    assert (summary.put, summary.removed) == (PutSummary(unchanged=10), 1)


def test_items_removed_from_the_source_are_removed(catalogue, store):
    for name in ("a", "b"):
        catalogue.add(item_document(name))
    fill(S2, source_of(catalogue), store)
    catalogue.remove("a")
    assert fill(S2, source_of(catalogue), store).removed == 1
    assert store.items.ids() == ["b"]


def test_items_put_by_others_are_never_removed(catalogue, store):
    catalogue.add(item_document("a"))
    fill(S2, source_of(catalogue), store)
    posted = ItemRules().admit(item_document("posted"), "https://example.test/")
    store.items.put("s2", posted)
    fill(S2, source_of(catalogue), store)
    assert store.items.ids() == ["a", "posted"]


def test_removals_during_an_interrupted_pass_are_found_when_it_continues(catalogue, store):
    for id_ in "abcdef":
        catalogue.add(item_document(id_))
    stops = iter([False, False, True])
    with pytest.raises(Interrupted):
        fill(S2, source_of(catalogue), store, batch=2, is_stopped=lambda: next(stops))
    assert store.items.ids() == ["a", "b"]
    catalogue.remove("a")
    (catalogue.folder / "b.json").unlink()  # the catalogue still links to it

    summary = fill(S2, source_of(catalogue), store)

    assert store.items.ids() == ["c", "d", "e", "f"]
    assert summary.removed == 2
    assert [(each.reason, each.count) for each in summary.problems] == [("there is no such file", 1)]


def test_nothing_is_removed_if_a_catalogue_cannot_be_read(catalogue, store):
    catalogue.add(item_document("a"))
    child = catalogue.child("2020").add(item_document("b"))
    fill(S2, source_of(catalogue), store)
    catalogue.remove("a")
    (child.folder / "catalog.json").rename(child.folder / "elsewhere.json")
    summary = fill(S2, source_of(catalogue), store)
    assert (summary.removed, summary.is_complete) == (0, False)
    assert "incomplete, 1 parts of the source could not be read, so nothing was removed" in summary.lines()[1]
    assert store.items.ids() == ["a", "b"]
    (child.folder / "elsewhere.json").rename(child.folder / "catalog.json")
    assert fill(S2, source_of(catalogue), store).removed == 1
    assert store.items.ids() == ["b"]


def test_broken_items_are_skipped_and_counted_by_reason(catalogue, store):
    catalogue.add(item_document("a"))
    for name in ("no-place-1", "no-place-2"):
        catalogue.add({**item_document(name), "geometry": None})
    catalogue.add({**item_document("no-files"), "assets": {}})
    (catalogue.folder / "text.json").write_text("not JSON")
    catalogue.links |= {"./text.json": "item", "./missing.json": "item"}
    catalogue.write()
    for _pass in range(2):  # the second pass reads none of them again, with the same messages
        summary = fill(S2, source_of(catalogue), store)
        assert store.items.ids() == ["a"]
        assert {each.reason: each.count for each in summary.problems} == {
            "it has no geometry": 2,
            "it has no asset that is a raster": 1,
            "it is not valid JSON": 1,
            "there is no such file": 1,
        }
        assert any(line.startswith("s2: 2 left out: it has no geometry (") for line in summary.lines())


def test_an_item_that_breaks_is_removed_and_comes_back(catalogue, store):
    catalogue.add(item_document("a"))
    fill(S2, source_of(catalogue), store)
    catalogue.add({**item_document("a"), "geometry": None})
    assert fill(S2, source_of(catalogue), store).removed == 1
    assert store.items.ids() == []
    catalogue.add(item_document("a"))
    fill(S2, source_of(catalogue), store)
    assert store.items.ids() == ["a"]


def test_of_twins_the_least_entry_counts_and_the_other_takes_over(catalogue, store):
    catalogue.add(item_document("a", gsd=1), name="1.json").add(item_document("a", gsd=2), name="2.json")
    summary = fill(S2, source_of(catalogue), store)
    assert store.items.collections["s2"]["a"].properties["gsd"] == 1
    assert [(each.reason, each.count) for each in summary.problems] == [(TWICE, 1)]
    catalogue.remove("1")
    fill(S2, source_of(catalogue), store)
    assert store.items.collections["s2"]["a"].properties["gsd"] == 2
    assert fill(S2, source_of(catalogue), store).problems == ()


def test_a_catalogue_that_contains_itself_is_followed_once(catalogue, store):
    child = catalogue.add(item_document("a")).child("2020").add(item_document("b"))
    child.links["../catalog.json"] = "child"
    child.write()
    summary = fill(S2, source_of(catalogue), store)
    assert store.items.ids() == ["a", "b"]
    assert [each.reason for each in summary.problems] == [AGAIN]


def test_item_collections_are_read_whole(tmp_path, store):
    features = [item_document("a"), item_document("b"), {**item_document("c"), "geometry": None}]
    file = tmp_path / "items.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    source = CatalogueSource(str(file), DocumentReader(), ItemRules())
    summary = fill(S2, source, store)
    assert store.items.ids() == ["a", "b"]
    assert summary.problems[0].keys == (f"{file}#c",)


def test_of_features_with_one_id_the_last_counts_and_the_others_are_reported(tmp_path, store):
    file = tmp_path / "items.json"
    twins = [item_document("a", gsd=1), item_document("b"), item_document("a", gsd=2), {"id": None}, item_document("a")]
    file.write_text(json.dumps({"type": "FeatureCollection", "features": twins}))
    for put in (PutSummary(added=2), PutSummary(unchanged=2)):
        puts = store.items.calls["put"]
        summary = fill(S2, CatalogueSource(str(file), DocumentReader(), ItemRules()), store)
        assert summary.put == put
        assert [(each.count, each.keys) for each in summary.problems if each.reason == TWIN] == [
            (2, (f"{file}#a (1)", f"{file}#a (3)"))
        ]
    assert store.items.calls["put"] == puts
    assert "gsd" not in store.items.collections["s2"]["a"].properties
    file.write_text(json.dumps({"type": "FeatureCollection", "features": twins[:2]}))
    assert fill(S2, CatalogueSource(str(file), DocumentReader(), ItemRules()), store).problems == ()
    assert store.items.collections["s2"]["a"].properties["gsd"] == 1


def test_feature_without_an_id_does_not_match_a_numeric_id(tmp_path, store):
    file = tmp_path / "items.json"
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [item_document("1"), {"id": None}]}))
    summary = fill(S2, CatalogueSource(str(file), DocumentReader(), ItemRules()), store)
    assert store.items.ids() == ["1"]
    assert [each.keys for each in summary.problems] == [(f"{file}#feature 2 (without a valid id)",)]


def test_a_filter_leaves_items_out_and_the_summary_counts_them(catalogue, store):
    catalogue.add(item_document("clear", **{"eo:cloud_cover": 3})).add(item_document("dull", **{"eo:cloud_cover": 90}))
    catalogue.add(item_document("unknown"))
    rules = {"filter": ItemFilter("eo:cloud_cover < 60")}
    summary = fill(S2, source_of(catalogue, **rules), store)
    assert summary.problems == ()
    assert summary.lines() == ["s2: 1 added, 0 replaced, 0 unchanged, 0 removed, 2 left out by the filter"]
    assert store.items.ids() == ["clear"]
    fill(S2, source_of(catalogue), store)  # another filter reads everything again
    assert store.items.ids() == ["clear", "dull", "unknown"]


def test_items_without_files_of_variables_are_skipped(catalogue, store):
    catalogue.add(item_document("a"))
    summary = fill(S2, source_of(catalogue, assets=frozenset({"B04", "B08"})), store)
    assert [each.reason for each in summary.problems] == ["it has none of the assets B04, B08"]


def test_only_allowed_addresses_are_accepted(catalogue, store):
    catalogue.add(item_document("here")).add(item_document("there", href="https://elsewhere.test/a.tif"))
    catalogue.links["https://elsewhere.test/catalog.json"] = "child"
    catalogue.write()
    allowed = ItemPlaces(catalogue.href, AllowedPlaces()).require_allowed
    summary = fill(S2, source_of(catalogue, allowed=allowed), store)
    assert store.items.ids() == ["here"]
    [problem] = summary.problems
    assert problem.count == 2
    assert problem.reason == (
        "addresses below https://elsewhere.test/ are not allowed; add https://elsewhere.test/ to "
        "CHRONOTILE_SOURCE_PREFIXES to allow them"
    )


def test_items_in_allowed_locations_are_accepted(catalogue, store):
    catalogue.add(item_document("here")).add(item_document("there", href="https://elsewhere.test/a.tif"))
    allowed = ItemPlaces(catalogue.href, AllowedPlaces(["https://elsewhere.test/"])).require_allowed
    fill(S2, source_of(catalogue, allowed=allowed), store)
    assert store.items.ids() == ["here", "there"]


def test_invalid_catalogue_is_refused(tmp_path, store):
    file = tmp_path / "x.json"
    for text in ("[]", "{}", "nothing"):
        file.write_text(text)
        with pytest.raises(UnsupportedSource):
            fill(S2, CatalogueSource(str(file), DocumentReader(), ItemRules()), store)
    with pytest.raises(UnsupportedSource, match="there is no such file"):
        fill(S2, CatalogueSource(str(tmp_path / "y.json"), DocumentReader(), ItemRules()), store)


def test_empty_index_is_filled_again_despite_the_stored_state(catalogue, store):
    catalogue.add(item_document("a"))
    fill(S2, source_of(catalogue), store)
    store.items.collections.clear()
    fill(S2, source_of(catalogue), store)
    assert store.items.ids() == ["a"]


def test_two_passes_over_a_collection_exclude_each_other(catalogue, store):
    catalogue.add(item_document("a"))
    store.passes.begin("s2", source="x", holder="another")
    with pytest.raises(SourceUnavailable, match="s2 is being indexed by another process"):
        fill(S2, source_of(catalogue), store)


EDITS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "break"]), st.integers(0, 11), st.integers(0, 3)), max_size=12
)


@pytest.mark.slow
@settings(max_examples=25)
@given(first=EDITS, then=EDITS, stops=st.lists(st.integers(0, 6), max_size=6), seed=st.integers(0, 99))
def test_interrupted_anywhere_it_gives_the_same_index(first, then, stops, seed):
    """Stopped after any entry, or in the middle of storing one, and begun again: as if it had never stopped."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fill_module, "BATCH", 2)
        catalogue = CatalogueOnDisk(Path(folder) / "catalogue")
        with closing(new_store(Path(folder) / "a")) as store, closing(new_store(Path(folder) / "b")) as plain:
            for edits in (first, then):
                _edit(catalogue, edits, random.Random(seed))
                for stop in stops:
                    stopped(source_of(catalogue), store, stop)
                fill(S2, source_of(catalogue), store)
                fill(S2, source_of(catalogue), plain)
                assert store.items.collections.get("s2", {}) == plain.items.collections.get("s2", {})


@pytest.mark.slow
@settings(max_examples=8)
@given(first=EDITS, then=EDITS, stops=st.lists(st.integers(0, 6), max_size=4), seed=st.integers(0, 99))
def test_interrupted_anywhere_it_gives_the_same_index_in_a_database(first, then, stops, seed):
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(fill_module, "BATCH", 2)
        catalogue = CatalogueOnDisk(Path(folder) / "catalogue")
        stores = [
            IndexStore(items=open_items(None, Path(folder) / name), passes=open_passes(None, Path(folder) / name))
            for name in ("a", "b")
        ]
        for edits in (first, then):
            _edit(catalogue, edits, random.Random(seed))
            for stop in stops:
                stopped(source_of(catalogue), stores[0], stop)
            for store in stores:
                fill(S2, source_of(catalogue), store)
            found = [store.items.search(ItemSearch(collections=("s2",), limit=100)).items for store in stores]
            documents = [{each.ref.id: each.document for each in items} for items in found]
            assert documents[0] == documents[1]
            assert (stores[0].items.times("s2").instants == stores[1].items.times("s2").instants).all()
        for store in stores:
            store.close()


def _edit(catalogue, edits, rng):
    for number, (what, name, west) in enumerate(edits):
        file = f"{name}.json"
        if what == "remove":
            if f"./{file}" in catalogue.links:
                catalogue.remove(str(name))
            continue
        document = item_document(f"item-{name % 8}", west=west, step=number, seed=rng.random())
        catalogue.add({**document, "geometry": None} if what == "break" else document, name=file)


def stopped(source, store, stop):
    """Run a pass that is stopped after `stop` changing calls of any kind."""
    left = iter(range(stop))

    def step(*_args, **_more):
        if next(left, None) is None:
            raise Interrupted

    with pytest.MonkeyPatch.context() as patch:
        for owner, name in (
            *((store.items, "put"), (store.items, "remove")),
            *((store.passes, "expect"), (store.passes, "note"), (store.passes, "forget")),
        ):
            whole = getattr(owner, name)
            patch.setattr(owner, name, lambda *args, whole=whole, **more: (step(), whole(*args, **more))[1])
        with suppress(Interrupted):
            fill(S2, source, store)
