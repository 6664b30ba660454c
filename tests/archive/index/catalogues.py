"""Catalogues on disk, and an index to fill."""

import json
from pathlib import Path

from chronotile.archive.index.fill import IndexedCollection, IndexStore
from chronotile.catalog.items.passes import SourcePasses
from chronotile.core.database import Usage, open_engine
from chronotile.core.model.items import IndexSettings
from tests.archive.index.index_in_memory import ItemsInMemory

USAGE = Usage(
    name="the item index",
    folder="the folder",
    variable="CHRONOTILE_JOBS_DIR",
    missing="the item index is missing",
    file="index.sqlite",
)
S2 = IndexedCollection(id="s2", settings=IndexSettings())


def item_document(id_, *, day="2020-06-01", west=4.0, href=None, **properties):
    """Return a STAC item of one degree, with a file for RED."""
    east, south, north = west + 1, 50.0, 51.0
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "id": id_,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {"datetime": f"{day}T10:50:00Z", **properties},
        "links": [],
        "assets": {"RED": {"href": href or f"./{id_}_RED.tif", "type": "image/tiff; application=geotiff"}},
    }


class CatalogueOnDisk:
    """A static catalogue: a folder with its catalogue and one file per item."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.href = str(folder / "catalog.json")
        self.links = {}
        folder.mkdir(parents=True, exist_ok=True)
        self.write()

    def write(self, **more):
        links = [{"rel": rel, "href": href} for href, rel in self.links.items()]
        document = {"type": "Catalog", "id": self.folder.name, "stac_version": "1.1.0", "links": links, **more}
        (self.folder / "catalog.json").write_text(json.dumps(document))

    def add(self, document, *, name=None):
        name = name or f"{document['id']}.json"
        (self.folder / name).write_text(json.dumps(document))
        self.links[f"./{name}"] = "item"
        self.write()
        return self

    def remove(self, name):
        (self.folder / f"{name}.json").unlink()
        del self.links[f"./{name}.json"]
        self.write()

    def child(self, name):
        self.links[f"./{name}/catalog.json"] = "child"
        self.write()
        return CatalogueOnDisk(self.folder / name)


def new_store(folder):
    engine = open_engine(None, folder, USAGE)
    return IndexStore(items=ItemsInMemory(), passes=SourcePasses(engine, USAGE))
