"""Services over an index of items that change."""

from dataclasses import replace

from chronotile.catalog.items.index import ItemIndex
from chronotile.pipeline.services import Services
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.stac.items import item_of
from tests.archive.index.catalogues import item_document
from tests.protocols import served


def scene(id_: str, *, assets: dict[str, object] | None = None, **options: object):
    """Return an item of one degree; additional properties by name."""
    document = item_document(id_, **options)
    document["assets"] |= assets or {}
    return item_of(document, "/archive/catalogue/item.json")


def services_over(index: ItemIndex, *collections: str, **options: object) -> Services:
    """Services that serve collections of these ids, whose items are in the index."""
    made = [served.make_collection(served.make_layer(f"{each}.NDVI", collection=each)) for each in collections]
    services = served.make_services(*made, **options)
    return replace(services, reader_caches=ReaderCaches(items=lambda: index))
