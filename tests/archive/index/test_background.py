import threading
from dataclasses import replace

import pytest

from chronotile.archive.dated_collections import DatedCollections
from chronotile.archive.index import background
from chronotile.archive.index.background import BackgroundFill, reason_to_fill
from chronotile.archive.index.dates import IDENTITY
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.fill import IndexStore, Interrupted, fill
from chronotile.archive.index.sources import SourceAccess, indexed_collection, source_of
from chronotile.archive.live_archive import LiveArchive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.errors import ConfigurationError
from chronotile.core.model.items import IndexSettings, ItemSearch
from chronotile.core.model.source import ItemsSpec, SourceSpec
from chronotile.core.web.places import AllowedPlaces
from tests.archive.index.catalogues import CatalogueOnDisk, item_document
from tests.archive.index.stac_api import StacApi, serving
from tests.running import PATIENCE_S
from tests.scenes import Scene, write_cogs, write_tif

ACCESS = SourceAccess(prefixes=AllowedPlaces(), documents=DocumentReader(wait=lambda _s: None))


@pytest.fixture
def catalogue(tmp_path):
    return CatalogueOnDisk(tmp_path / "catalogue").add(item_document("a")).add(item_document("b", day="2020-06-02"))


@pytest.fixture
def opened(tmp_path, closed_at_end):
    folder = tmp_path / "index"
    return lambda: closed_at_end(IndexStore(items=open_items(None, folder), passes=open_passes(None, folder)))


def spec_of(catalogue, **settings):
    items = ItemsSpec(settings=IndexSettings(**settings))
    return SourceSpec(collection="s2", kind="stac", href=catalogue.href, items=items)


class Turns:
    """Simulated waits of a thread: each advances the clock, and the last one ends the thread."""

    def __init__(self, count=1, at=None):
        self.now_s, self._left, self._at = 0.0, count, at or {}

    def __call__(self):
        return self.now_s

    def wait(self, _stopping, seconds):
        self.now_s += seconds
        self._left -= 1
        self._at.pop(self.now_s, lambda: None)()
        return self._left == 0


def filling_of(specs, open_store, turns=None, dates=tuple):
    turns = turns or Turns()
    return BackgroundFill(lambda: specs, ACCESS, open_store, dates=dates, wait=turns.wait, clock=turns)


def run(filling):
    """Run it to its end, in this thread."""
    filling._run()


def test_a_collection_without_an_index_is_filled_once(catalogue, opened):
    store = opened()
    assert reason_to_fill(spec_of(catalogue), ACCESS, store) == "its index is empty"
    run(filling_of([spec_of(catalogue)], opened))
    assert len(store.items.times("s2").instants) == 2
    assert reason_to_fill(spec_of(catalogue), ACCESS, store) is None
    catalogue.add(item_document("c", day="2020-06-03"))
    run(filling_of([spec_of(catalogue)], opened))  # an existing index is left to `chronotile index`
    assert len(store.items.times("s2").instants) == 2


def test_other_settings_are_put_into_force(catalogue, opened):
    store = opened()
    run(filling_of([spec_of(catalogue)], opened))
    by_day = spec_of(catalogue, group="solar_day")
    assert reason_to_fill(by_day, ACCESS, store) == "its grouping or order was changed in the configuration"
    run(filling_of([by_day], opened))
    assert store.items.settings("s2").group == "solar_day"
    assert [str(each)[11:19] for each in store.items.times("s2").instants] == ["00:00:00", "00:00:00"]


def test_interrupted_pass_continues(catalogue, opened):
    store = opened()
    filling = filling_of([spec_of(catalogue)], opened)
    filling._stopping.set()
    run(filling)
    run(filling_of([spec_of(catalogue)], opened))
    assert len(store.items.times("s2").instants) == 2
    assert store.passes.was_whole("s2")


def test_unavailable_source_is_retried_at_growing_intervals(catalogue, opened, caplog):
    file = catalogue.folder / "catalog.json"
    file.rename(catalogue.folder / "unavailable.json")
    turns = Turns(8, at={20.0: lambda: (catalogue.folder / "unavailable.json").rename(file)})

    run(filling_of([spec_of(catalogue)], opened, turns))

    assert len(opened().items.times("s2").instants) == 2
    failures = [each for each in caplog.messages if each.startswith("s2 cannot be indexed now: ")]
    assert len(failures) == 3  # at 0, 5 and 15 s, and not before 35 s again


def test_a_collection_that_is_configured_later_is_filled(catalogue, tmp_path, opened):
    other = CatalogueOnDisk(tmp_path / "other").add(item_document("c"))
    specs = [spec_of(catalogue)]
    turns = Turns(3, at={5.0: lambda: specs.append(replace(spec_of(other), collection="s1"))})

    run(filling_of(specs, opened, turns))

    store = opened()
    assert [len(store.items.times(name).instants) for name in ("s2", "s1")] == [2, 1]


def test_another_source_of_a_collection_replaces_its_items(catalogue, tmp_path, opened, caplog):
    caplog.set_level("INFO")
    other = CatalogueOnDisk(tmp_path / "other").add(item_document("c"))
    specs = [spec_of(catalogue)]
    turns = Turns(3, at={5.0: lambda: specs.__setitem__(0, spec_of(other))})

    run(filling_of(specs, opened, turns))

    assert len(opened().items.times("s2").instants) == 1
    assert "indexing s2: its index was filled from another source, or with another filter or other variables" in (
        caplog.messages
    )


def test_it_ends_when_it_is_closed(catalogue, opened):
    begun = threading.Event()

    def wait(stopping, _seconds):
        begun.set()
        return stopping.wait(PATIENCE_S)

    filling = BackgroundFill(lambda: [spec_of(catalogue)], ACCESS, opened, wait=wait)
    filling.start()
    assert begun.wait(PATIENCE_S)
    filling.close()
    assert not filling._thread.is_alive()


@pytest.mark.slow  # a server
def test_it_ends_while_it_waits_for_a_server_that_fails(opened):
    waits = threading.Event()

    def wait(stopping, _seconds):
        waits.set()
        return stopping.wait(PATIENCE_S)

    with serving(StacApi().add(item_document("a"))) as api:
        api.failures = [503] * 100
        source = SourceSpec(collection="s2", kind="stac", href=f"{api.href}/items", items=ItemsSpec())
        filling = BackgroundFill(lambda: [source], ACCESS, opened, wait=wait)
        filling.start()
        assert waits.wait(PATIENCE_S)

        filling.close()

        assert not filling._thread.is_alive()
        assert len(api.requests) == 1  # it waits before the second one


def test_an_unexpected_error_of_one_collection_leaves_the_others_and_is_tried_again(
    catalogue, tmp_path, opened, caplog, monkeypatch
):
    other = replace(spec_of(CatalogueOnDisk(tmp_path / "other").add(item_document("c"))), collection="s1")
    failures = [RuntimeError("by no rule")]

    def source(spec, access):
        if spec.collection == "s2" and failures:
            raise failures.pop()
        return source_of(spec, access)

    monkeypatch.setattr(background, "source_of", source)

    run(filling_of([spec_of(catalogue), other], opened, Turns(3)))

    store = opened()
    assert [len(store.items.times(name).instants) for name in ("s2", "s1")] == [2, 1]
    assert [each.levelname for each in caplog.records if each.getMessage() == "s2 cannot be indexed now"] == ["ERROR"]


def test_stopped_pass_reads_no_more_entries_and_stores_those_already_read(catalogue, opened):
    store, stopping = opened(), threading.Event()
    for number in range(50):
        catalogue.add(item_document(f"c{number:02}"))

    class Stopping(DocumentReader):
        def read(self, href, before=""):
            if href.endswith("c10.json"):
                stopping.set()
            return super().read(href, before)

    spec = spec_of(catalogue)
    source = source_of(spec, replace(ACCESS, documents=Stopping()))
    with pytest.raises(Interrupted):
        fill(indexed_collection(spec), source, store, is_stopped=stopping.is_set)

    assert len(store.items.times("s2").instants) > 0
    fill(indexed_collection(spec), source_of(spec, ACCESS), store)
    assert store.passes.was_whole("s2")


@pytest.fixture
def dated(tmp_path):
    """Return `dated()`: the current listing of a folder of two dates; and the folder."""
    folder = tmp_path / "data"
    write_cogs(folder, Scene(days=("2020-01-01", "2020-01-11")))
    live = LiveArchive.open(folder)
    listed = DatedCollections(lambda: live.archive)
    yield lambda: (live.refresh(), listed())[1], folder
    live.archive.close()


def ids_of(store):
    return sorted(each.ref.id for each in store.items.search(ItemSearch(limit=100)).items)


def test_dates_are_listed_after_the_start_and_after_each_change(dated, opened, caplog):
    caplog.set_level("INFO")
    dates, folder = dated
    ids = []
    turns = Turns(
        6,
        at={
            5.0: lambda: (ids.append(ids_of(opened())), (folder / "NDVI_20200111.tif").unlink()),
        },
    )
    write_tif(folder / "NDVI_20200121.tif", Scene().numbers(0), Scene())

    run(filling_of([], opened, turns, dates))

    assert ids == [["2020-01-01", "2020-01-11", "2020-01-21"]]
    assert ids_of(opened()) == ["2020-01-01", "2020-01-21"]
    assert [each for each in caplog.messages if each.startswith("indexing")] == [
        "indexing ndvi: its dates are not listed yet, as /stac needs them",
        "indexing ndvi: its dates or files have changed",
    ]


def test_dates_that_are_listed_are_not_listed_again_at_the_next_start(dated, opened, caplog):
    caplog.set_level("INFO")
    run(filling_of([], opened, Turns(3), dated[0]))
    caplog.clear()

    run(filling_of([], opened, Turns(3), dated[0]))

    assert not caplog.messages


def test_dates_wait_while_another_process_lists_them(dated, opened):
    dates = dated[0]
    store = opened()
    (collection,) = dates()
    store.items.configure(collection.id, IndexSettings())
    other = store.passes.begin(collection.id, source=IDENTITY, holder="elsewhere 1 a")
    turns = Turns(8, at={5.0: lambda: store.passes.release(other)})

    run(filling_of([], opened, turns, dates))

    assert ids_of(store) == ["2020-01-01", "2020-01-11"]


def test_index_that_cannot_be_opened_is_reported_once(dated, caplog):
    def broken():
        raise ConfigurationError(["the folder cannot be made"])

    run(filling_of([], broken, Turns(20), dated[0]))

    assert caplog.messages == ["the item index cannot be filled now: the folder cannot be made"]
