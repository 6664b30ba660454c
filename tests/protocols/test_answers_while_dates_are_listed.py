"""No answer looks complete while the dates of a collection are listed; here the listing stops half way."""

from contextlib import closing
from functools import partial

import numpy as np
import pytest
import xarray
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.archive.dated_collections import dated_collections
from chronotile.archive.index.dates import BATCH, DATED, list_dates
from chronotile.archive.index.fill import IndexStore, Interrupted
from chronotile.archive.open import open_archive
from chronotile.catalog.items.opening import open_items
from chronotile.catalog.items.passes import open_passes
from chronotile.core.model.items import product_id
from chronotile.core.model.time.instants import system_clock
from chronotile.http import replaced_services
from chronotile.readers.reader_caches import ReaderCaches

DATES = BATCH + 9
PARTIAL = [{"collection": "cube", "reason": "its source was not yet read completely", "partial": True}]
LAST = product_id("cube", "2020-12-31")
SEARCHES = {
    "items": "/stac/collections/cube/items",
    "search": "/stac/search",
    "records": "/ogcapi/collections/_items/items",
}
REFUSED = {
    "products": "/odata/v1/Products",
    "of a collection": "/odata/v1/Products?$filter=Collection/Name eq 'cube'",
    "count": "/odata/v1/Products/$count",
    "feed": "/stac/collections/cube/feed.atom",
    "item that may come": "/stac/collections/cube/items/2020-12-31",
    "product that may come": "/products/cube/2020-12-31",
    "product by its id": f"/odata/v1/Products({LAST})",
    "product of an id": f"/odata/v1/Products?$filter=Id eq {LAST}",
    "record by its id": f"/ogcapi/collections/_items/items/{LAST}",
}


def write(folder, dates):
    """Write a cube with dates, and a map without dates."""
    y, x = ("y", np.arange(50.0, 40, -1)), ("x", np.arange(10.0))
    attributes = {"lat": {"units": "degrees_north"}, "lon": {"units": "degrees_east"}}
    coords = {"lat": ("lat", y[1], attributes["lat"]), "lon": ("lon", x[1], attributes["lon"])}
    times = np.datetime64("2020-01-01", "ns") + np.arange(dates) * np.timedelta64(1, "D")
    cube = xarray.Dataset(
        {"NDVI": (("time", "lat", "lon"), np.ones((dates, 10, 10), "f4"))}, coords={"time": times, **coords}
    )
    cube.to_netcdf(folder / "cube.nc", engine="h5netcdf")
    xarray.Dataset({"height": (("lat", "lon"), np.ones((10, 10), "f4"))}, coords=coords).to_netcdf(
        folder / "relief.nc", engine="h5netcdf"
    )


class Filled:
    """Archive with an index of its items; a test lists a number of batches."""

    def __init__(self, folder):
        self._folder = folder
        self.store = IndexStore(items=open_items(None, folder / "index"), passes=open_passes(None, folder / "index"))
        self.open()

    def open(self):
        self.archive = open_archive(
            self._folder / "data",
            environment={},
            clock=system_clock,
            caches=ReaderCaches(1 << 20, items=lambda: self.store.items),
        )

    def list(self, batches):
        for each in dated_collections(self.archive):
            stored = []
            most = batches if each.id == "cube" else DATES
            try:
                list_dates(each, self.store, progress=stored.append, is_stopped=partial(_has, stored, most))
            except Interrupted:
                continue


def _has(stored, most):
    return len(stored) >= most


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """Client of an archive with the first batch of its cube in the index."""
    folder = tmp_path_factory.mktemp("half")
    (folder / "data").mkdir()
    write(folder / "data", DATES)
    filled = Filled(folder)
    filled.list(batches=1)
    with closing(filled.store), TestClient(application(filled.archive.services)) as client:
        yield client


@pytest.fixture(autouse=True)
def no_wait_for_the_index(monkeypatch):
    monkeypatch.setattr(replaced_services, "INDEX_WAIT_S", 0)


@pytest.mark.parametrize("path", SEARCHES.values(), ids=SEARCHES)
def test_a_search_names_the_collection_and_counts_nothing(half, path):
    answer = half.get(path, params={"limit": 100})

    assert answer.json()["unanswered"] == PARTIAL
    assert "numberMatched" not in answer.json()
    assert "matched" not in answer.json().get("context", {})
    assert len(answer.json()["features"]) == BATCH


@pytest.mark.parametrize("path", REFUSED.values(), ids=REFUSED)
def test_lists_that_cannot_be_marked_incomplete_are_refused_for_a_while(half, path):
    answer = half.get(path)

    assert answer.status_code == 503, answer.text
    assert int(answer.headers["Retry-After"]) > 0
    assert "the items of cube are being listed" in answer.text


def test_other_collections_answer_as_ever(half):
    products = half.get("/odata/v1/Products", params={"$filter": "Collection/Name eq 'relief'", "$count": "true"})
    items = half.get("/stac/collections/relief/items").json()

    assert (products.status_code, products.json()["@odata.count"]) == (200, 0)
    assert (items["numberMatched"], "unanswered" in items) == (0, False)


def test_changes_and_health_name_the_collection(half):
    ready = half.get("/health/ready").json()

    assert half.get("/stac/changes").json()["unanswered"] == PARTIAL
    assert (ready["status"], ready["filling"], ready["faults"]) == ("ready", ["cube"], [])


def test_collection_without_times_has_no_items(half):
    described = {name: half.get(f"/stac/collections/{name}").json()["description"] for name in ("relief", "cube")}

    assert {name: "It has no times and therefore no items" in text for name, text in described.items()} == {
        "relief": True,
        "cube": False,
    }


def test_dates_listed_again_are_marked_and_complete_lists_are_counted(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", DATES)
    filled = Filled(tmp_path)
    filled.list(batches=9)
    with TestClient(application(filled.archive.services)) as client:
        whole = client.get("/stac/collections/cube/items").json()
        ready = client.get("/health/ready").json()
    write(tmp_path / "data", 3 * BATCH)
    filled.open()
    filled.list(batches=2)

    with closing(filled.store), TestClient(application(filled.archive.services)) as client:
        again = client.get("/stac/collections/cube/items").json()
        products = client.get("/odata/v1/Products")

    assert (whole["numberMatched"], "unanswered" in whole, ready["filling"]) == (DATES, False, [])
    assert again["unanswered"] == PARTIAL
    assert (products.status_code, products.json()["@chronotile.unanswered"]) == (200, PARTIAL)


def test_index_without_passes_over_dates_counts_as_incomplete(tmp_path):
    (tmp_path / "data").mkdir()
    write(tmp_path / "data", 3)
    filled = Filled(tmp_path)
    for each in dated_collections(filled.archive):
        filled.store.items.configure(each.id, DATED)

    with closing(filled.store), TestClient(application(filled.archive.services)) as client:
        answer = client.get("/stac/collections/cube/items").json()

    assert answer["unanswered"] == PARTIAL
    assert "numberMatched" not in answer
