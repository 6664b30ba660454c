"""A STAC API over an index of scenes and of dates of cubes."""

from dataclasses import replace

import orjson
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import IndexSettings
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.protocols import served
from tests.protocols.catalogue.stac.documents import DAYS, dated, scene

BASE = "http://testserver"


@pytest.fixture(scope="session")
def stac_index(tmp_path_factory):
    """Index of items of three collections, one not served; shared by all tests, so read-only."""
    index = open_items(None, tmp_path_factory.mktemp("index"), archive="a")
    scenes = [scene(f"scene {number}", day=1 + number, cloud=number * 10) for number in range(9)]
    put(index, "scenes", scenes)
    put(index, "s2", [dated(day) for day in DAYS])
    put(index, "gone", [scene("hidden", day=1, cloud=0)])
    yield index
    index.close()


@pytest.fixture(scope="session")
def api(stac_index):
    """Client of a read-only API."""
    with TestClient(application(services_over(stac_index)), raise_server_exceptions=False) as client:
        yield client


def put(index, collection, documents):
    index.configure(collection, IndexSettings())
    index.put(collection, [indexed(each) for each in documents])


def indexed(document):
    """Return an item in the form of the index; dates of cubes have no files."""
    with_file = {**document, "assets": document["assets"] or scene("x", day=1, cloud=0)["assets"]}
    item = item_of(with_file, "https://scenes.test/x.json")
    assets = item.assets if document["assets"] else ()
    return replace(item, assets=assets, document=orjson.dumps(document))


def services_over(index, *, languages=("en", "nl")):
    """Return services with the cube `s2` (NDVI, LAI, a composite) and `scenes`, with a mosaic of items as layer."""
    cube, *_others = served.tree_collections()
    mosaic = replace(served.make_variable("RED"), is_mosaic=True)
    scenes = served.make_collection(
        served.make_layer("RED", collection="scenes", variable=mosaic), title={"en": "Scenes", "nl": "Beelden"}
    )
    services = served.make_services(cube, scenes)
    catalogue = replace(services.catalogue, service=replace(services.catalogue.service, languages=languages))
    return replace(services, catalogue=catalogue, reader_caches=ReaderCaches(items=lambda: index))
