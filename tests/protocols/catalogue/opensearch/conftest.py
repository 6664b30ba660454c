"""Products of three collections, searched through the whole application."""

from contextlib import closing
from dataclasses import replace

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.app.configured_archive import item_index
from chronotile.app.settings import Settings
from chronotile.core.model.items import IndexSettings
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.protocols import served
from tests.protocols.catalogue.odata.conftest import SERVED, client, document, index, put, sentinel_1, sentinel_2  # noqa: F401 -- of tests that add products

PRODUCTS = {
    "SENTINEL-2": [sentinel_2(day) for day in range(1, 9)] + [sentinel_2(3, "31UES", west=3.0, level="L1C")],
    "SENTINEL-1": [sentinel_1(day) for day in (3, 4, 5)],
    "LANDSAT-8": [],
    "hidden": [document("not-served", start="2022-05-03T00:00:00Z")],
}


@pytest.fixture(scope="session")
def searched(tmp_path_factory):
    """Client of products, shared by all tests, so read-only."""
    folder = tmp_path_factory.mktemp("products")
    (folder / "c.yaml").write_text("collections: {}")
    with closing(item_index(Settings(config=folder / "c.yaml", jobs_dir=folder / "jobs"))) as found:
        for name, documents in PRODUCTS.items():
            found.configure(name, IndexSettings())
            found.put(name, [item_of(each, "https://scenes.test/catalog.json") for each in documents])
        layers = [served.make_layer(f"{name}.B", collection=name) for name in SERVED]
        services = served.make_services(*(served.make_collection(each) for each in layers))
        services = replace(services, reader_caches=ReaderCaches(items=lambda: found))
        with TestClient(application(services), raise_server_exceptions=False) as reading:
            yield reading
