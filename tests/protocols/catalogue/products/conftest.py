"""An archive of products: files that a test wrote, items that refer to them, and the whole application."""

from dataclasses import replace

import orjson
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.app.configured_archive import item_index
from chronotile.app.settings import Settings
from chronotile.archive.index.source import ItemRules
from chronotile.core.model.items import IndexSettings, product_id
from chronotile.core.web.places import AllowedPlaces
from chronotile.readers.reader_caches import ReaderCaches
from tests.archive.index.catalogues import item_document
from tests.protocols import served

COLLECTION = "s2"


class Archive:
    """Products of the collection `s2`; its source is the catalogue in `folder`."""

    def __init__(self, folder, index, *, source=None, prefixes=(), options=None):
        self.folder = folder
        self.index = index
        collection = served.make_collection(served.make_layer(collection=COLLECTION))
        services = served.make_services(collection)
        caches = ReaderCaches(items=lambda: index, places=AllowedPlaces(prefixes))
        self.services = replace(
            services, reader_caches=caches, source_hrefs={COLLECTION: source or str(folder / "catalog.json")}
        )
        self.app = application(self.services, options)
        self.client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)

    def write(self, name, data):
        """Write a file of the archive."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def put(self, id_, assets, **properties):
        """Add an item with these assets instead of the raster that the index requires."""
        document = item_document(id_, href=str(self.folder / "raster.tif"), **properties)
        items = ItemRules().admit(document, "")
        written = {name: {"href": asset} if isinstance(asset, str) else asset for name, asset in assets.items()}
        body = {**document, "assets": written}
        self.index.put(COLLECTION, [replace(items[0], document=dumps(body))])
        return f"/products/{product_id(COLLECTION, id_)}"

    def put_file(self, data, *, name="scene.tif", id_="scene"):
        """Add an item of one file; return its path."""
        return self.put(id_, {"data": str(self.write(name, data))})


def dumps(document):
    """Return JSON in the form of the index."""
    return orjson.dumps(document)


@pytest.fixture
def index(tmp_path, closed_at_end):
    place = tmp_path / "c.yaml"
    place.write_text("collections: {}")
    index = closed_at_end(item_index(Settings(config=place, jobs_dir=tmp_path / "jobs")))
    index.configure(COLLECTION, IndexSettings())
    return index


@pytest.fixture
def make_archive(tmp_path, index, at_end):
    """Return a function: `make_archive(source=…, prefixes=…, options=…)` serves an archive in the folder `data`."""

    def make(options=None, **how):
        folder = tmp_path / "data"
        folder.mkdir(exist_ok=True)
        archive = Archive(folder, index, options=options or ServerOptions(), **how)
        at_end.enter_context(archive.client)
        return archive

    return make


@pytest.fixture
def archive(make_archive):
    return make_archive()
