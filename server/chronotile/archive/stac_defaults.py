"""STAC metadata as defaults of the configuration of collections of items.

A collection without configured variables gets the variables of its STAC documents, with their styles, indices and
composites. If variables are configured, the documents complete their missing keys. `time`, `mosaic` and `source` are
read only from the configuration, because the item index is built with them.
"""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, cast, runtime_checkable

import orjson

from chronotile.archive.index.documents import MAX_BYTES, DocumentReader
from chronotile.archive.index.geoparquet import is_geoparquet
from chronotile.catalog.catalogue import Catalogue
from chronotile.catalog.configuration import CollectionSection
from chronotile.catalog.load import Configuration
from chronotile.core.errors import ChronotileError, InvalidParameter
from chronotile.core.finding import Finding
from chronotile.core.model.collection import Collection, StatedExtent
from chronotile.core.model.items import ItemPage, ItemSearch
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.style import Style
from chronotile.core.model.time.parser import parse_instant
from chronotile.core.model.types import Instant, JsonMapping
from chronotile.core.sections import validate
from chronotile.core.web.fetch import fetch_if_changed
from chronotile.core.web.inner_hosts import host_of, inner_hosts
from chronotile.core.web.item_places import ItemPlaces
from chronotile.core.web.places import AllowedPlaces
from chronotile.core.yaml_source import node_of
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.mosaic.piece_index import PieceIndex
from chronotile.readers.stac.collection import metadata_of
from chronotile.readers.stac.drafts import DraftSection, StacDraft, draft_of
from chronotile.readers.stac.fields import absolute_address, list_of, numbers_of, object_of, text_of

KIND = "stac"
MAX_ITEMS = 5
"""Number of newest items of a collection that are read."""
THREADS = 8
PATIENCE_S = 5.0
"""Time limit for reading the document of a collection."""
_ABOUT = ("title", "abstract", "attribution", "license", "keywords")
_OF_PLACE = ("asset", "band")


@runtime_checkable
class SearchableItems(Protocol):
    """An index that stores the documents of its items, such as `catalog.items.index.ItemIndex`."""

    def search(self, search: ItemSearch) -> ItemPage:
        """Return a page of items."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionDocument:
    """The STAC document of a collection."""

    body: JsonMapping = field(default_factory=dict)
    """Empty if the source has no such document, or it could not be read."""
    problem: str = ""
    """Why it could not be read."""
    items: tuple[JsonMapping, ...] = ()
    """Newest items at the last time when the index was reachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedConfiguration:
    """A configuration completed by STAC metadata."""

    configuration: Configuration
    styles: Mapping[str, Style]
    """Styles of the configuration and of the metadata, by id."""
    documents: Mapping[str, CollectionDocument]
    """Documents by collection."""
    findings: tuple[Finding, ...]


def add_stac_metadata(
    configuration: Configuration,
    styles: Mapping[str, Style],
    index: PieceIndex | None,
    *,
    before: Mapping[str, CollectionDocument],
    is_same: bool,
) -> CompletedConfiguration:
    """Complete the configuration of collections of kind `stac` by their metadata.

    Args:
        configuration: The written configuration.
        styles: Styles by id.
        index: The item index; `None` if it is unreachable.
        before: Documents of the archive that is reopened. Their items are used while the index is unreachable.
        is_same: Whether these documents belong to the same configuration; if so, they are not read again.
    """
    collections, all_styles, findings = dict(configuration.collections), dict(styles), list[Finding]()
    documents = _documents(configuration, before if is_same else {})
    for name, document in documents.items():
        section = configuration.collections[name]
        items = _items(index, name)
        if items is None:
            items = before[name].items if name in before else ()
        documents[name] = replace(document, items=items)
        metadata = replace(metadata_of(document.body, items), id=name)
        draft = draft_of(metadata, section.source.href, styles)
        completed = _complete_section(configuration, name, draft)
        collections[name] = completed or section
        all_styles = {**draft.styles, **all_styles}
        if document.problem:
            problem = f"{document.problem}; only its items and the configuration describe it"
            findings.append(Finding("warning", name, problem))
        if completed is None:
            findings.append(Finding("warning", name, "its STAC metadata make no valid configuration and are not used"))
        elif not section.variables:
            findings += [replace(finding, place=f"{name}: {finding.place}") for finding in draft.findings]
    return CompletedConfiguration(
        configuration=replace(configuration, collections=collections),
        styles=all_styles,
        documents=documents,
        findings=tuple(findings),
    )


def _documents(
    configuration: Configuration, earlier: Mapping[str, CollectionDocument]
) -> dict[str, CollectionDocument]:
    """Return the documents of all collections of kind `stac`, by id; they are read concurrently."""
    names = [name for name, section in configuration.collections.items() if section.source.kind == KIND]
    places = dict[str, str]()
    for name in names:
        href = configuration.collections[name].source.href
        path = local_path(href)
        places[name] = href if path is None else str(configuration.folder_of("collections", name) / path)
        inner_hosts.trust(places[name])
    unknown = [name for name in names if name not in earlier]
    with ThreadPoolExecutor(THREADS, thread_name_prefix="stac") as pool:
        read = dict(zip(unknown, pool.map(lambda name: _document(places[name]), unknown), strict=True))
    return {name: earlier[name] if name in earlier else read[name] for name in names}


def _document(href: str) -> CollectionDocument:
    if is_geoparquet(href):
        return CollectionDocument()
    try:
        body = _read(href)
        links = [m for m in map(object_of, list_of(body.get("links"))) if m.get("rel") == "child"]
        is_catalogue = body.get("type") == "Catalog" and len(links) == 1
        child = text_of(links[0].get("href")) if is_catalogue else None
        if child is not None:
            body = _read(ItemPlaces(href, AllowedPlaces()).require_allowed(absolute_address(child, href)))
    except ChronotileError as error:
        return CollectionDocument(problem=f"its STAC document {shown_href(href)} could not be read: {error.message}")
    return CollectionDocument(body=body if body.get("type", "Collection") == "Collection" else {})


def _read(href: str) -> JsonMapping:
    if not href.startswith(("http://", "https://")):
        document = DocumentReader(wait=lambda _s: None).read(href)
        return {} if document is None else document.body
    headers = {"Accept": "application/json"}
    answer = fetch_if_changed(href, max_bytes=MAX_BYTES, locator=host_of(href), headers=headers, max_s=PATIENCE_S)
    try:
        body: Any = orjson.loads(b"" if answer is None else answer.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def _items(index: PieceIndex | None, collection: str) -> tuple[JsonMapping, ...] | None:
    """Return the newest items of a collection; `None` if the index does not answer."""
    if not isinstance(index, SearchableItems):
        return None
    try:
        page = index.search(ItemSearch(collections=(collection,), limit=MAX_ITEMS))
    except ChronotileError:
        return None  # opening the collection reports it
    return tuple(orjson.loads(item.document) for item in page.items if item.document)


def _complete_section(configuration: Configuration, name: str, draft: StacDraft) -> CollectionSection | None:
    """Return the section of a collection completed by its draft; `None` if the result is invalid."""
    written = configuration.root.child("collections", name)
    values = dict(cast("Mapping[str, Any]", written.plain()))
    for key in _ABOUT:
        if key in draft.section:
            values.setdefault(key, draft.section[key])
    drafted = cast("Mapping[str, DraftSection]", draft.section["variables"])
    if values.get("variables"):
        values["variables"] = {
            key: {**_defaults(key, variable or {}, drafted), **(variable or {})}
            for key, variable in values["variables"].items()
        }
    else:
        values["variables"] = drafted
        values.setdefault("composites", draft.section.get("composites", {}))
    section, _mistakes = validate(CollectionSection, node_of(values, written.place.file))
    return section


def _defaults(name: str, variable: Mapping[str, Any], drafted: Mapping[str, DraftSection]) -> DraftSection:
    """Return defaults of a configured variable from the documents: those of the same band of the same asset."""
    if "formula" in variable:
        return {}
    place = variable.get("asset", name), variable.get("band")
    places = {key: (d.get("asset", key), d.get("band")) for key, d in drafted.items()}
    matches = [drafted[key] for key, p in places.items() if p == place]
    if not matches or "formula" in matches[0]:
        return {}
    # The drafted range belongs to the drafted styles, which configured styles replace.
    omitted = {*_OF_PLACE, "range"} if "styles" in variable else _OF_PLACE
    return {key: value for key, value in matches[0].items() if key not in omitted}


def add_stated_extents(
    catalogue: Catalogue, specs: Mapping[str, SourceSpec], documents: Mapping[str, JsonMapping]
) -> Catalogue:
    """Set the extents of live collections to those of their documents.

    Args:
        catalogue: The catalogue.
        specs: Sources by collection.
        documents: STAC documents by collection.
    """

    def add_extent(collection: Collection) -> Collection:
        is_live = collection.id in specs and specs[collection.id].is_live
        return replace(collection, stated=stated_extent(documents.get(collection.id, {}))) if is_live else collection

    if not any(spec.is_live for spec in specs.values()):
        return catalogue
    return replace(catalogue, collections=tuple(map(add_extent, catalogue.collections)))


def stated_extent(document: JsonMapping) -> StatedExtent | None:
    """Return the extent of a STAC collection; `None` if it is missing or invalid."""
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
    for value in texts if isinstance(texts, list | tuple) else ():
        text = text_of(value, most=100)
        try:
            yield None if text is None else parse_instant(text).start
        except InvalidParameter:
            yield None
