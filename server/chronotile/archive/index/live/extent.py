"""How far a collection of another catalogue reaches, as its document says."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from chronotile.catalog.catalogue import Catalogue
from chronotile.errors import InvalidParameter
from chronotile.model.collection import Collection, StatedExtent
from chronotile.model.grid import BBox
from chronotile.model.source import SourceSpec
from chronotile.model.time.instants import Instant
from chronotile.model.time.parser import parse_instant
from chronotile.readers.stac.fields import Document, list_of, numbers_of, object_of, text_of


def with_stated_extents(
    catalogue: Catalogue, specs: Mapping[str, SourceSpec], documents: Mapping[str, Document]
) -> Catalogue:
    """Return a catalogue whose live collections reach as far as their documents say.

    Args:
        catalogue: What is served.
        specs: Of its collections, by id.
        documents: STAC collections, by id here.
    """

    def stated(collection: Collection) -> Collection:
        is_live = collection.id in specs and specs[collection.id].is_live
        return replace(collection, stated=stated_extent(documents.get(collection.id, {}))) if is_live else collection

    if not any(spec.is_live for spec in specs.values()):
        return catalogue
    return replace(catalogue, collections=tuple(map(stated, catalogue.collections)))


def stated_extent(document: Document) -> StatedExtent | None:
    """Return the extent of a STAC collection; `None` where it states none that is valid."""
    extent = object_of(document.get("extent"))
    boxes = list_of(object_of(extent.get("spatial")).get("bbox"))
    numbers = numbers_of(boxes[0], 4, 6) if boxes else None
    if numbers is None:
        return None
    half = len(numbers) // 2
    box = BBox(numbers[0], numbers[1], numbers[half], numbers[half + 1])
    if not (-90 <= box.ymin <= box.ymax <= 90 and abs(box.xmin) <= 180 and abs(box.xmax) <= 180):
        return None
    intervals = list_of(object_of(extent.get("temporal")).get("interval"))
    ends = [*_instants(list_of(intervals[0]) if intervals else ()), None, None]
    return StatedExtent(bbox=box, first=ends[0], last=ends[1])


def _instants(texts: object) -> Iterator[Instant | None]:
    for each in texts if isinstance(texts, list | tuple) else ():
        text = text_of(each, most=100)
        try:
            yield None if text is None else parse_instant(text).start
        except InvalidParameter:
            yield None
