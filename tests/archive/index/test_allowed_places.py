"""After a change of the allowed locations, only the affected items are read again."""

import json

import pytest

from chronotile.archive.index.background import reason_to_fill
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.export import export_items
from chronotile.archive.index.fill import IndexStore, Interrupted, fill
from chronotile.archive.index.source import ItemRules
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import CatalogueOnDisk, item_document

FIRST, SECOND = "https://first.test/", "https://second.test/"


@pytest.fixture
def opened(tmp_path, closed_at_end):
    return closed_at_end(
        IndexStore(items=open_items(None, tmp_path / "index"), passes=open_passes(None, tmp_path / "index"))
    )


@pytest.fixture
def read(monkeypatch):
    """Ids of the documents that were read."""
    ids, whole = [], ItemRules.read

    def noting(self, document, base, state):
        ids.append(document["id"])
        return whole(self, document, base, state)

    monkeypatch.setattr(ItemRules, "read", noting)
    return ids


@pytest.fixture(params=["documents", "collection", "parquet"])
def spec(request, tmp_path):
    documents = [
        item_document("here"),
        item_document("first", href=f"{FIRST}a.tif"),
        item_document("second", href=f"{SECOND}a.tif"),
        item_document("both", href=f"{FIRST}b.tif"),
        {**item_document("broken"), "geometry": None},
    ]
    documents[3]["assets"]["NIR"] = {"href": f"{SECOND}b.tif", "type": "image/tiff; application=geotiff"}
    folder = tmp_path / "catalogue"
    if request.param == "documents":
        catalogue = CatalogueOnDisk(folder)
        for each in documents:
            catalogue.add(each)
        href = catalogue.href
    elif request.param == "collection":
        folder.mkdir()
        href = str(folder / "items.json")
        (folder / "items.json").write_text(json.dumps({"type": "FeatureCollection", "features": documents}))
    else:
        import pyarrow.parquet as pq

        from tests.archive.index.test_geoparquet import Listing

        href = str(folder / "items.parquet")
        export_items(Listing(documents), "s2", tmp_path / "all.parquet")
        folder.mkdir()
        pq.write_table(pq.read_table(tmp_path / "all.parquet"), href)
    return SourceSpec(collection="s2", kind="stac", href=href, items=ItemsSpec(settings=IndexSettings()))


def access_of(*prefixes):
    return SourceAccess(prefixes=AllowedPlaces(prefixes), documents=DocumentReader(wait=lambda _s: None))


def fill_with(spec, store, *prefixes, **more):
    return fill(indexed_collection(spec), source_of(spec, access_of(*prefixes)), store, **more)


def assets_in(store):
    """Names of assets, by item."""
    found = store.items.search(ItemSearch(collections=("s2",), limit=100)).items
    assets = store.items.assets([each.ref.number for each in found])
    return {each.ref.id: sorted(asset.name for asset in assets[each.ref.number]) for each in found}


def test_only_newly_allowed_files_are_read(spec, opened, read):
    fill_with(spec, opened, FIRST)
    assert assets_in(opened) == {"here": ["RED"], "first": ["RED"], "both": ["RED"]}
    read.clear()
    assert reason_to_fill(spec, access_of(FIRST), opened) is None
    assert reason_to_fill(spec, access_of(FIRST, SECOND), opened) == "other addresses are allowed now"
    summary = fill_with(spec, opened, FIRST, SECOND)
    assert sorted(read) == ["both", "second"]
    assert assets_in(opened) == {"here": ["RED"], "first": ["RED"], "both": ["NIR", "RED"], "second": ["RED"]}
    assert (summary.put.added, summary.put.replaced, summary.removed) == (1, 1, 0)
    assert [each.count for each in summary.problems] == [1]  # the broken one, as before
    assert reason_to_fill(spec, access_of(FIRST, SECOND), opened) is None


def test_files_that_are_no_longer_allowed_are_removed_and_nothing_else_is_read(spec, opened, read):
    fill_with(spec, opened, FIRST, SECOND)
    read.clear()
    summary = fill_with(spec, opened, SECOND)
    assert sorted(read) == ["both", "first"]
    assert assets_in(opened) == {"here": ["RED"], "second": ["RED"], "both": ["NIR"]}
    assert summary.removed == 1
    assert any("add https://first.test/ to" in each.reason for each in summary.problems)
    read.clear()
    fill_with(spec, opened)
    assert sorted(read) == ["both", "first", "second"]  # one of them was skipped before too
    assert assets_in(opened) == {"here": ["RED"]}


def test_a_change_amid_an_interrupted_pass_forgets_nothing(spec, opened):
    with pytest.raises(Interrupted):
        fill_with(spec, opened, FIRST, batch=2, is_stopped=iter([False, False, *[True] * 20]).__next__)
    with pytest.raises(Interrupted):
        fill_with(spec, opened, SECOND, batch=2, is_stopped=iter([False, False, *[True] * 20]).__next__)
    fill_with(spec, opened, SECOND)
    assert assets_in(opened) == {"here": ["RED"], "second": ["RED"], "both": ["NIR"]}


def test_another_filter_reads_everything_again(spec, opened, read):
    fill_with(spec, opened, FIRST)
    read.clear()
    filtered = SourceSpec(
        collection="s2",
        kind="stac",
        href=spec.href,
        items=ItemsSpec(settings=IndexSettings(), filter="id <> 'nothing'"),
    )
    fill_with(filtered, opened, FIRST)
    assert sorted(read) == ["both", "broken", "first", "here", "second"]
