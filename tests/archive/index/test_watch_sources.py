import json

import pytest

from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.sources import SourceAccess
from chronotile.archive.index.watch_sources import EVERY_S, TICK_S, WHOLE_S, Watch
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import CatalogueOnDisk, item_document
from tests.archive.index.stac_api import StacApi, serving
from tests.archive.index.test_files import spec_of, tree, write_tile
from tests.clock import Clock


class Watching:
    """A watch over one source, with the summaries that it reported."""

    def __init__(self, spec, store):
        self.clock, self.reports = Clock(), []
        access = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader(wait=lambda _s: None))
        self.watch = Watch(specs=[spec], access=access, store=store, report=self.reports.append, clock=self.clock)
        self.watch.look()

    def after(self, seconds=TICK_S):
        """Check again, and return the numbers of added, replaced and removed items."""
        self.clock.now_s += seconds
        self.reports.clear()
        self.watch.look()
        return [(each.put.added, each.put.replaced, each.removed) for each in self.reports]


def stac_spec(href):
    return SourceSpec(collection="s2", kind="stac", href=str(href), items=ItemsSpec())


def test_new_replaced_and_removed_files_are_seen_at_the_next_look(tmp_path, store):
    pattern = tree(tmp_path / "a")
    folder = tmp_path / "a" / "2020"
    watching = Watching(spec_of(pattern, "NDVI"), store)
    assert len(store.items.ids()) == 4
    assert watching.after() == []
    write_tile(folder / "S2_20200621_31UFS_NDVI.tif")
    assert watching.after() == [(1, 0, 0)]
    write_tile(tmp_path / "a" / "2021" / "S2_20210601_31UFS_NDVI.tif")  # in a new folder
    assert watching.after() == [(1, 0, 0)]
    other = write_tile(tmp_path / "elsewhere.tif", scale=0.5)
    other.rename(folder / "S2_20200601_31UFS_NDVI.tif")
    assert watching.after() == [(0, 1, 0)]
    (folder / "S2_20200611_31UGS_NDVI.tif").unlink()
    assert watching.after() == [(0, 0, 1)]
    assert watching.after() == []
    assert store.items.ids() == [
        *("2020--S2_20200601_31UFS", "2020--S2_20200601_31UGS", "2020--S2_20200611_31UFS", "2020--S2_20200621_31UFS"),
        "2021--S2_20210601_31UFS",
    ]
    puts = store.items.calls["put"]
    assert puts == 4 + 3  # only changed items are read


def test_file_overwritten_in_place_is_seen(tmp_path, store):
    pattern = tree(tmp_path / "a")
    watching = Watching(spec_of(pattern, "NDVI"), store)
    write_tile(tmp_path / "a" / "2020" / "S2_20200601_31UFS_NDVI.tif", scale=0.5, size=128)
    assert [each for _look in range(3) for each in watching.after()] == [(0, 1, 0)]
    asset = store.items.collections["s2"]["2020--S2_20200601_31UFS"].assets[0]
    assert asset.layouts[0].encoding.scale == 0.5


def test_change_that_could_not_be_stored_is_seen_again(tmp_path, store, monkeypatch):
    pattern = tree(tmp_path / "a")
    watching = Watching(spec_of(pattern, "NDVI"), store)
    write_tile(tmp_path / "a" / "2020" / "S2_20200621_31UFS_NDVI.tif")

    def put(_collection, _items):
        raise SourceUnavailable("the item index is locked")

    with monkeypatch.context() as patch:
        patch.setattr(store.items, "put", put)
        assert watching.after() == []
    assert watching.after() == []  # not yet: it waits after a failure
    assert watching.after(EVERY_S) == [(1, 0, 0)]


def test_a_disk_that_is_unmounted_for_a_while_removes_nothing(tmp_path, store):
    pattern = tree(tmp_path / "a")
    watching = Watching(spec_of(pattern, "NDVI"), store)
    (tmp_path / "a").rename(tmp_path / "b")
    assert watching.after() == []
    assert len(store.items.ids()) == 4
    (tmp_path / "b").rename(tmp_path / "a")
    assert watching.after(EVERY_S) == []
    write_tile(tmp_path / "a" / "2020" / "S2_20200621_31UFS_NDVI.tif")
    assert watching.after() == [(1, 0, 0)]


def test_catalogues_on_disk_are_seen_at_the_next_look(tmp_path, store):
    catalogue = CatalogueOnDisk(tmp_path / "catalogue")
    catalogue.child("2020").add(item_document("a")).add(item_document("b"))
    watching = Watching(stac_spec(catalogue.href), store)
    assert watching.after() == []
    catalogue.child("2021").add(item_document("c"))
    assert watching.after() == [(1, 0, 0)]
    (tmp_path / "catalogue" / "2020" / "a.json").write_text(json.dumps(item_document("a", gsd=20)))
    assert [each for _look in range(3) for each in watching.after()] == [(0, 1, 0)]


@pytest.mark.slow
def test_apis_are_requested_at_a_polite_interval(store):
    with serving(StacApi().add(item_document("a", updated="2024-01-01T00:00:00Z"))) as api:
        watching = Watching(stac_spec(api.href), store)
        requests = len(api.requests)
        assert watching.after(EVERY_S / 2) == []
        assert len(api.requests) == requests
        api.add(item_document("b", updated="2024-01-02T00:00:00Z"))
        assert watching.after(EVERY_S / 2) == [(1, 0, 0)]
        assert "filter" in api.requests[-1][1]
        api.items.pop("a")
        assert watching.after(EVERY_S) == []
        assert watching.after(WHOLE_S) == [(0, 0, 1)]


@pytest.mark.slow
def test_unavailable_api_is_requested_at_growing_intervals(store):
    with serving(StacApi()) as api:
        api.add(item_document("a"))
        watching = Watching(stac_spec(api.href), store)
        api.failures = [503] * 8
        assert watching.after(EVERY_S) == watching.after(EVERY_S) == []
        tried = len(api.requests)
        assert watching.after(EVERY_S) == []
        assert len(api.requests) == tried
        api.failures.clear()
        api.add(item_document("b"))
        assert watching.after(2 * EVERY_S) == [(1, 0, 0)]
