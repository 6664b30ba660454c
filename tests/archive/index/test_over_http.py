"""Static catalogues and stac-geoparquet on a server of files, which fails at times."""

import json

import pytest

from chronotile.archive.index.catalogues import CatalogueSource
from chronotile.archive.index.documents import DocumentReader
from chronotile.archive.index.export import export_items
from chronotile.archive.index.fill import Interrupted, fill
from chronotile.archive.index.geoparquet import GeoparquetSource
from chronotile.archive.index.source import ItemRules
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.model.items import PutSummary
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.remote import files
from tests.archive.index.catalogues import S2, CatalogueOnDisk, item_document
from tests.archive.index.test_geoparquet import DOCUMENTS, Listing
from tests.faulty_source import Fault, faulty_source

pytestmark = pytest.mark.slow


@pytest.fixture
def catalogue(tmp_path):
    catalogue = CatalogueOnDisk(tmp_path / "served")
    catalogue.add(item_document("a"))
    catalogue.child("2020").add(item_document("b")).add(item_document("c"))
    return catalogue


@pytest.fixture
def server(catalogue):
    with faulty_source(catalogue.folder) as server:
        yield server


def source_of(server, path="catalog.json"):
    href = server.url_of(path)
    rules = ItemRules(allowed=ItemPlaces(href, AllowedPlaces()).require_allowed)
    return CatalogueSource(href, DocumentReader(wait=lambda _s: None), rules)


def test_only_changed_documents_are_sent_again(catalogue, server, store):
    assert fill(S2, source_of(server), store).put == PutSummary(added=3)
    assert store.items.collections["s2"]["b"].assets[0].href == server.url_of("2020/b_RED.tif")
    catalogue.add(item_document("a", gsd=20))
    server.requests.clear()
    assert fill(S2, source_of(server), store).put == PutSummary(replaced=1, unchanged=2)
    conditions = {each.path: each.headers.get("If-None-Match") for each in server.requests}
    assert {path for path, condition in conditions.items() if condition} == {"a.json", "2020/b.json", "2020/c.json"}


def test_without_etags_the_time_of_change_is_the_condition(server, store):
    server.sends_etags = False
    fill(S2, source_of(server), store)
    server.requests.clear()
    assert fill(S2, source_of(server), store).put == PutSummary(unchanged=3)  # by their content
    assert all(each.headers.get("If-Modified-Since") for each in server.requests if each.path.endswith("b.json"))


@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, Fault.SERVER_ERROR, Fault.CUT, Fault.CUT_AT_ONCE])
def test_item_that_cannot_be_read_now_stays_unchanged(catalogue, server, store, fault):
    fill(S2, source_of(server), store)
    catalogue.remove("a")
    (catalogue.folder / "2020" / "b.json").write_text(json.dumps(item_document("b", gsd=20)))
    server.switch(fault, "2020/b.json")
    summary = fill(S2, source_of(server), store)
    assert (summary.is_complete, summary.removed) == (False, 0)
    assert summary.unread[0].key == server.url_of("2020/b.json")
    assert store.items.ids() == ["a", "b", "c"]
    server.heal()
    assert fill(S2, source_of(server), store).removed == 1
    assert store.items.ids() == ["b", "c"]


@pytest.mark.parametrize("fault", [Fault.MISSING, Fault.FORBIDDEN, Fault.EMPTY])
def test_missing_item_is_skipped(server, store, fault):
    server.switch(fault, "2020/b.json")
    summary = fill(S2, source_of(server), store)
    assert store.items.ids() == ["a", "c"]
    assert [each.keys for each in summary.problems] == [(server.url_of("2020/b.json"),)]
    server.heal()
    fill(S2, source_of(server), store)
    assert store.items.ids() == ["a", "b", "c"]


def test_temporary_failure_is_not_seen(server, store):
    server.switch(Fault.UNAVAILABLE, "2020/catalog.json", times=2)
    server.switch(Fault.CUT, "a.json", times=1)
    assert fill(S2, source_of(server), store).is_complete


def test_unavailable_catalogue_is_an_error(server, store):
    fill(S2, source_of(server), store)
    server.switch(Fault.UNAVAILABLE, "catalog.json")
    with pytest.raises(SourceUnavailable, match="503"):
        fill(S2, source_of(server), store)
    server.switch(Fault.MISSING, "catalog.json")
    with pytest.raises(UnsupportedSource, match="404"):
        fill(S2, source_of(server), store)
    server.switch(Fault.NOT_MODIFIED, "catalog.json")
    with pytest.raises(UnsupportedSource, match="304 without a condition"):
        fill(S2, source_of(server), store)
    assert store.items.ids() == ["a", "b", "c"]


def test_documents_read_by_an_interrupted_pass_are_not_requested_again(server, store):
    stored = list[int]()
    with pytest.raises(Interrupted):
        fill(S2, source_of(server), store, progress=stored.append, is_stopped=lambda: bool(stored))
    server.requests.clear()
    assert fill(S2, source_of(server), store).put == PutSummary(unchanged=3)
    assert {each.path for each in server.requests} == {"catalog.json", "2020/catalog.json"}


def test_a_redirect_is_not_followed(server, store):
    server.redirects["2020/b.json"] = "http://127.0.0.2/b.json"
    summary = fill(S2, source_of(server), store)
    assert "redirects are not followed" in summary.problems[0].reason


def test_stac_geoparquet_is_read_in_parts(catalogue, server, store):
    documents = [
        {**each, "assets": item_document(each["id"], href=server.url_of("x.tif"))["assets"]} for each in DOCUMENTS
    ]
    export_items(Listing(documents), "s2", catalogue.folder / "items.parquet")
    fill(S2, GeoparquetSource(server.url_of("items.parquet"), ItemRules()), store)
    assert store.items.ids() == ["a", "b", "c", "d", "e"]
    assert json.loads(store.items.collections["s2"]["b"].document)["properties"]["eo:cloud_cover"] == 3.5
    assert all(each.range for each in server.requests if each.method == "GET")
    server.switch(Fault.UNAVAILABLE, "items.parquet")
    with pytest.raises(SourceUnavailable):
        fill(S2, GeoparquetSource(server.url_of("items.parquet"), ItemRules()), store)
    assert store.items.ids() == ["a", "b", "c", "d", "e"]


def test_a_damaged_parquet_file_is_refused_in_words(catalogue, server, store):
    (catalogue.folder / "items.parquet").write_bytes(b"no Parquet" * 100)
    with pytest.raises(UnsupportedSource, match="is damaged, or no Parquet file"):
        fill(S2, GeoparquetSource(server.url_of("items.parquet"), ItemRules()), store)


def test_parquet_file_of_a_server_without_validators_is_read_again(catalogue, server, store, monkeypatch):
    server.sends_etags = server.sends_times = False
    sizes = set()
    for cloud in (3, 4):
        monkeypatch.setattr(files, "_pages", files._Pages())  # each pass simulates another process
        document = item_document("a", href=server.url_of("x.tif"), **{"eo:cloud_cover": cloud})
        export_items(Listing([document]), "s2", catalogue.folder / "items.parquet")
        sizes.add((catalogue.folder / "items.parquet").stat().st_size)
        fill(S2, GeoparquetSource(server.url_of("items.parquet"), ItemRules()), store, is_whole=False)
    assert len(sizes) == 1
    assert json.loads(store.items.collections["s2"]["a"].document)["properties"]["eo:cloud_cover"] == 4
