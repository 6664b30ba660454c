"""Writing of a publication into a target: first files, then items, then the documents that lead to them."""

import threading
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

from chronotile.archive.index.dates import FILE
from chronotile.archive.index.file_items import STAC_VERSION
from chronotile.archive.publish import documents
from chronotile.archive.publish.copying import Copier, map_in_order
from chronotile.archive.publish.groups import Groups, ItemListing
from chronotile.archive.publish.names import CATALOGUE, group_path, item_name
from chronotile.archive.publish.open_science import documents_of
from chronotile.archive.publish.publication import CatalogueOptions, Publication, PublishedExtent, PublishedItem
from chronotile.archive.publish.target import Target, read_document
from chronotile.core.errors import InvalidItem, SourceUnavailable, UnsupportedSource
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import last_of
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Json
from chronotile.readers.stac.items import span_of

MARK = "publishing.json"
"""Marks an incomplete target with the id of its publication."""
DATA_FOLDER, OPEN_SCIENCE = "data", "open-science-catalogue"
MAX_FAILURES = 10
"""Number of failures that are listed."""
MAX_KEYS = 200
"""Keys of `item_assets`."""
MIN_FIELDS = 2
"""Minimum number of fields of a member of `item_assets`, as required by STAC."""
_OF_ALL = ("title", "description", "type", "roles", "gsd", "data_type", "nodata", "unit", "bands")
_PREFIXES_OF_ALL = ("raster:", "eo:")


@dataclass(slots=True)
class PublicationSummary:
    """Result of a run."""

    added: int = 0
    replaced: int = 0
    unchanged: int = 0
    files: int = 0
    bytes: int = 0
    failed: int = 0
    failures: list[str] = field(default_factory=list)
    """Skipped items with reasons, at most `MAX_FAILURES`."""

    def lines(self, name: str, place: str) -> list[str]:
        """Return a summary of the published items and files.

        Args:
            name: Name of the collection.
            place: Folder or bucket of the catalogue.
        """
        items = f"{self.added} items added, {self.replaced} replaced, {self.unchanged} unchanged; "
        has_items = self.added + self.replaced + self.unchanged + self.failed
        return [f"{name}: {items if has_items else ''}{self.files} files ({self.bytes} bytes) copied to {place}"]


def write_publication(
    publication: Publication,
    target: Target,
    options: CatalogueOptions,
    *,
    served_by: str,
    progress: Callable[[int], None] = lambda _files: None,
) -> PublicationSummary:
    """Write a publication, or update an existing one; return a summary.

    Args:
        publication: The publication.
        target: The target.
        options: Options of the publisher.
        served_by: How `chronotile serve` reads the result: by its `items` or the files of its `data`.
        progress: Called with the number of copied files.

    Raises:
        UnsupportedSource: The target has other content, or there is nothing to publish.
        SourceUnavailable: A file of the collection cannot be read.
        WriteFailed: The target cannot be written.
    """
    return _PublicationRun(publication, target, options, served_by=served_by, progress=progress).write()


class _PublicationRun:
    def __init__(
        self,
        publication: Publication,
        target: Target,
        options: CatalogueOptions,
        *,
        served_by: str,
        progress: Callable[[int], None],
    ) -> None:
        self._publication, self._target, self._options = publication, target, options
        self._served_by, self._progress = served_by, progress
        self._summary, self._lock = PublicationSummary(), threading.Lock()
        self._copier = Copier(target, self._count)
        self._extents = list[PublishedExtent]([publication.extent])
        self._item_assets: dict[str, Json] = {}
        self._formats = dict[str, None]()
        self._extensions = {FILE}

    def write(self) -> PublicationSummary:
        """Write it."""
        self._claim()
        before = read_document(self._target, "collection.json")
        earlier_assets = {} if before is None else before.get("assets", {})
        assets = self._copier.assets(self._publication.assets, DATA_FOLDER, _relative_assets(earlier_assets))
        assets = {
            name: asset | {"href": f"./{DATA_FOLDER}/{asset['href'].removeprefix('./')}"}
            for name, asset in assets.items()
        }
        with closing(ItemListing()) as listing:
            for written in map_in_order(self._item, self._publication.items()):
                self._note(written, listing)
            groups = Groups(self._publication, self._target, self._copier, listing)
            years = groups.write()
            if not assets and not years and before is None:
                reason = next(iter(self._summary.failures), "there is nothing to publish")
                raise UnsupportedSource(f"{self._publication.id}: {reason}")
            if before is not None and not self._publication.assets:
                # Items that the source no longer has stay in the catalogue, so the collection still describes them.
                self._extents.append(_extent_of(before))
                self._item_assets = {**before.get("item_assets", {}), **self._item_assets}
                self._extensions.update(before.get("stac_extensions", ()))
                years.update(documents.linked_titles(before, "child"))
            self._write_collection(assets, years)  # links lead to moved items before their old documents are removed
            emptied = groups.drop_moved(years)
            if emptied:
                self._write_collection(assets, years.difference(emptied))
                groups.remove(emptied)
        self._copier.remove_replaced("", earlier_assets, assets)
        self._target.finish()
        return self._summary

    def _claim(self) -> None:
        """Require that the target is empty or has this publication; mark an empty target.

        Raises:
            UnsupportedSource: It has other content.
        """
        id_, name = self._publication.id, self._target.name
        catalogue = read_document(self._target, CATALOGUE)
        if catalogue is not None:
            if documents.FORM not in catalogue:
                raise UnsupportedSource(f"{name} holds a catalogue that was not published here; name another place")
            if catalogue.get("id") != documents.catalogue_of(self._publication, served_by=self._served_by)["id"]:
                raise UnsupportedSource(f"{name} holds {catalogue.get('title')!r} and not {id_}; name another place")
            return
        mark = read_document(self._target, MARK)
        if mark is None and not self._target.is_empty():
            raise UnsupportedSource(f"{name} holds something else than a published collection; name another place")
        if mark is not None and mark.get("id") != id_:
            raise UnsupportedSource(
                f"{name} holds the beginning of {mark.get('id')!r}, whose publishing was interrupted; finish that one, "
                "remove it, or name another place"
            )
        self._target.write(MARK, documents.encode({"id": id_}), media_type=documents.JSON)

    def _item(self, item: PublishedItem) -> "_WrittenItem":
        """Write the files of an item, then the item, if it has changed. Thread-safe."""
        group = group_path(item.start, is_daily=self._publication.is_daily)
        name = item_name(item.id)
        folder = f"{group}/{name}"
        path = f"{folder}/{name}.json"
        before = read_document(self._target, path)
        earlier_assets = {} if before is None else before.get("assets", {})
        try:
            span_of(item.document["properties"])
            assets = self._copier.assets(item.assets, folder, earlier_assets, document=f"{name}.json")
        except (SourceUnavailable, UnsupportedSource, InvalidItem) as error:
            # The published version stays.
            failure = f"{item.id} is left out: {error.message}"
            return _WrittenItem(group=group, id=item.id, document=before, outcome="failed", failure=failure)
        document = self._document(item, assets, depth=folder.count("/") + 1)
        if before == document:
            return _WrittenItem(group=group, id=item.id, document=document, outcome="unchanged")
        self._target.write(path, documents.encode(document), media_type=documents.GEOJSON)
        self._copier.remove_replaced(folder, earlier_assets, assets)
        return _WrittenItem(
            group=group, id=item.id, document=document, outcome="added" if before is None else "replaced"
        )

    def _document(self, item: PublishedItem, assets: dict[str, Json], *, depth: int) -> Json:
        up = "../" * depth
        title = self._publication.title
        return {
            **item.document,
            "type": "Feature",
            "stac_version": STAC_VERSION,
            "stac_extensions": sorted({*item.document.get("stac_extensions", ()), FILE}),
            "collection": self._publication.id,
            "assets": assets,
            "links": [
                documents.link("root", f"{up}catalog.json", title),
                documents.link("parent", "../catalog.json"),
                documents.link("collection", f"{up}collection.json", title),
            ],
        }

    def _note(self, written: "_WrittenItem", listing: ItemListing) -> None:
        """Collect the facts about an item that catalogues and collection state."""
        summary, document = self._summary, written.document
        setattr(summary, written.outcome, getattr(summary, written.outcome) + 1)
        if written.failure and len(summary.failures) < MAX_FAILURES:
            summary.failures.append(written.failure)
        if document is None:
            return
        listing.add(written.group, written.id)
        span = span_of(document["properties"])
        extent = PublishedExtent(bbox=_bbox_of(document), start=span.start, last=last_of(span.start, span.end))
        self._extents = [documents.join_extents([*self._extents, extent])]
        self._extensions.update(document["stac_extensions"])
        for name, asset in document["assets"].items():
            if asset.get("type"):
                self._formats[str(asset["type"])] = None
            first_asset = self._item_assets.get(name, asset)
            if name in self._item_assets or len(self._item_assets) < MAX_KEYS:
                common = {
                    key: value for key, value in first_asset.items() if _is_of_all(key) and asset.get(key) == value
                }
                self._item_assets[name] = common

    def _write_collection(self, assets: dict[str, Json], years: set[str]) -> None:
        """Write the documents that lead to all others; the root catalogue last."""
        extent = documents.join_extents(self._extents)
        formats = list(self._formats | {str(asset["type"]): None for asset in assets.values() if asset.get("type")})
        of_items = {name: a for name, a in self._item_assets.items() if len(a) >= MIN_FIELDS}
        members: Json = {"assets": assets, **({"item_assets": of_items} if of_items else {})}
        extensions = documents.used_extensions(self._extensions, members)
        publication, options = self._publication, self._options
        written_documents = {
            "record.json": documents.record_of(publication, extent, options, formats=sorted(formats)),
            **{f"{OPEN_SCIENCE}/{path}": x for path, x in documents_of(publication, extent, options)},
            "collection.json": documents.collection_of(
                publication, extent, members=members, years=sorted(years), extensions=extensions
            ),
            CATALOGUE: documents.catalogue_of(publication, served_by=self._served_by),
        }
        for path, document in written_documents.items():
            if read_document(self._target, path) != document:
                media_type = documents.GEOJSON if path == "record.json" else documents.JSON
                self._target.write(path, documents.encode(document), media_type=media_type)
        self._target.remove(MARK)

    def _count(self, files: int, size: int) -> None:
        with self._lock:
            self._summary.files += files
            self._summary.bytes += size
            self._progress(self._summary.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class _WrittenItem:
    """Result of writing an item."""

    group: str
    """The folder of its catalogue."""
    id: str
    document: Json | None
    """The published document; `None`: the item is not published."""
    outcome: Literal["added", "replaced", "unchanged", "failed"]
    failure: str = ""


def _bbox_of(document: Json) -> BBox | None:
    box = document.get("bbox")
    if not isinstance(box, list) or len(box) not in {4, 6}:
        return None
    half = len(box) // 2
    return BBox(box[0], box[1], box[half], box[half + 1])


def _is_of_all(key: str) -> bool:
    return key in _OF_ALL or key.startswith(_PREFIXES_OF_ALL)


def _relative_assets(assets: dict[str, Json]) -> dict[str, Json]:
    """Return the assets of the collection with hrefs relative to the data folder."""
    return {
        name: asset | {"href": f"./{str(asset['href']).removeprefix(f'./{DATA_FOLDER}/')}"}
        for name, asset in assets.items()
    }


def _extent_of(document: Json) -> PublishedExtent:
    """Return the extent of a published collection."""
    (box,), (interval,) = document["extent"]["spatial"]["bbox"], document["extent"]["temporal"]["interval"]
    if interval[0] is None:
        return PublishedExtent(bbox=BBox(*box))
    return PublishedExtent(
        bbox=BBox(*box), start=parse_instant(interval[0]).start, last=parse_instant(interval[1]).start
    )
