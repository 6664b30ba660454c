"""Summary of a STAC catalogue or API by few requests: its collection, some items, and the locations of their files."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import NoReturn

from chronotile.core.errors import AddressRefused, ChronotileError, ConfigurationError, InvalidItem
from chronotile.core.model.types import JsonMapping
from chronotile.core.web.inner_hosts import inner_hosts
from chronotile.core.web.item_places import ItemPlaces, prefix_of
from chronotile.core.web.places import AllowedPlaces, is_local
from chronotile.core.yaml_source import list_names
from chronotile.readers.hrefs import local_path, shown_href
from chronotile.readers.stac.fields import absolute_address, is_raster

ReadDocument = Callable[[str], JsonMapping]
"""Returns the JSON object at a permitted path or URL.

Raises:
    ChronotileError: It is missing or unreachable.
"""

MAX_ITEMS = 20
"""Number of items that are read."""
MAX_CHILDREN = 10
"""Number of child catalogues that are read to find out if there are several collections."""
MAX_DOCUMENTS = 100
MAX_UNREAD = 5
"""Number of documents that may fail: each failure may take as long as the time limit of its server."""
MAX_SHOWN = 8
"""Names per line."""
_ITEMS = ("Feature", "FeatureCollection")
_HostsByPrefix = dict[tuple[str, bool], tuple[dict[str, None], set[int]]]
"""Keys of assets and numbers of items, by prefix and whether the prefix is permitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenItem:
    """An item, and the URL of its document."""

    document: JsonMapping
    base: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenCatalogue:
    """Summary of a catalogue."""

    href: str
    """`source.href` for the configuration."""
    collection: JsonMapping
    """Empty if there is no collection document."""
    items: tuple[SeenItem, ...]
    """Some of the items, at least one."""
    left_out: tuple[str, ...] = ()
    """Documents that could not be read, with reasons."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenHost:
    """A server, bucket or folder with files of items."""

    prefix: str
    """Prefix for `CHRONOTILE_SOURCE_PREFIXES` that permits the location."""
    is_allowed: bool
    assets: tuple[str, ...]
    """Keys of the assets whose files are at the location."""
    items: int
    """Number of items with files at the location."""

    @property
    def line(self) -> str:
        """Line of a report for the operator: prefix, items, assets, and whether reading is allowed."""
        names = ", ".join(self.assets[:MAX_SHOWN]) + (", …" if len(self.assets) > MAX_SHOWN else "")
        state = "allowed" if self.is_allowed else f"not allowed; to read them, add --allow {self.prefix}"
        return f"files at      {self.prefix} of {self.items} items ({names}): {state}"


def look_at(place: str, read: ReadDocument, prefixes: AllowedPlaces) -> SeenCatalogue:
    """Summarise a catalogue, collection, item collection, item or API by reading few documents.

    Args:
        place: Its path or URL.
        read: Reads a document.
        prefixes: Permitted locations of linked documents, in addition to the catalogue's host or folder.

    Raises:
        ConfigurationError: It is not a STAC document, has no items, or has several collections and none is named.
        ChronotileError: A document cannot be read.
    """
    path = local_path(place)
    href = place if path is None else os.path.realpath(path)
    inner_hosts.trust(href)
    return _CatalogueReader(href, read, ItemPlaces(href, prefixes)).summarise()


def hosts_of(catalogue: SeenCatalogue, prefixes: AllowedPlaces) -> list[SeenHost]:
    """Return the locations of the items' rasters by decreasing number of items. Local files share one folder.

    Args:
        catalogue: Summary of the items of a catalogue.
        prefixes: Permitted locations, in addition to the catalogue's host or folder.
    """
    places = ItemPlaces(catalogue.href, prefixes)
    hosts_by_prefix: _HostsByPrefix = {}
    for number, item in enumerate(catalogue.items):
        for name, address in _rasters(item):
            try:
                key = prefix_of(places.require_allowed(address)), True
            except AddressRefused as error:
                key = error.prefix, False
            names, items = hosts_by_prefix.setdefault(key, ({}, set()))
            names[name] = None
            items.add(number)
    hosts = [
        SeenHost(prefix=prefix, is_allowed=is_allowed, assets=tuple(names), items=len(items))
        for (prefix, is_allowed), (names, items) in _join_folders(hosts_by_prefix).items()
        if prefix
    ]
    return sorted(hosts, key=lambda host: -host.items)


def _join_folders(hosts_by_prefix: _HostsByPrefix) -> _HostsByPrefix:
    """Replace local folders by their common folder, because tiles often have separate folders."""
    together: _HostsByPrefix = {}
    for is_allowed in (True, False):
        folders = [
            prefix for prefix, allowed in hosts_by_prefix if prefix and is_local(prefix) and allowed is is_allowed
        ]
        common = os.path.commonpath(folders) if folders else ""
        for (prefix, allowed), (names, items) in hosts_by_prefix.items():
            if allowed is is_allowed:
                is_joined = prefix in folders and common != os.sep
                all_names, all_items = together.setdefault((common if is_joined else prefix, allowed), ({}, set()))
                all_names |= names
                all_items |= items
    return together


def _rasters(item: SeenItem) -> Iterator[tuple[str, str]]:
    assets = item.document.get("assets")
    for name, asset in assets.items() if isinstance(assets, Mapping) else ():
        if isinstance(asset, Mapping) and isinstance(asset.get("href"), str) and is_raster(asset):
            with suppress(InvalidItem):
                yield str(name), absolute_address(asset["href"], item.base)


class _CatalogueReader:
    """A reader of at most `MAX_DOCUMENTS` documents, without repetition."""

    def __init__(self, href: str, read: ReadDocument, places: ItemPlaces) -> None:
        self._href, self._read, self._places = href, read, places
        self._documents: dict[str, JsonMapping] = {}
        self._visited = {href}
        self._collection: JsonMapping = {}
        self._left_out: list[str] = []

    def summarise(self) -> SeenCatalogue:
        """Return the summary.

        Raises:
            ConfigurationError: See `look_at`.
        """
        root = self._document(self._href)
        if isinstance(root.get("conformsTo"), list):
            return self._summarise_api(root)
        if root.get("type") not in ("Catalog", "Collection", *_ITEMS):
            self._refuse("it is not a STAC catalogue, collection, item collection, item or API")
        children = islice(self._links(root, self._href, "child"), MAX_CHILDREN)
        collections = [href for href in children if self._document_below(href).get("type") == "Collection"]
        if len(collections) > 1:
            self._refuse(f"it has several collections; name one: {list_names([*map(shown_href, collections)])}")
        items = tuple(islice(self._walk(root, self._href), MAX_ITEMS))
        if not items:
            why = f"; {self._left_out[0]}" if self._left_out else ""
            self._refuse(f"there is no item in the first {len(self._documents)} documents{why}")
        left_out = tuple(self._left_out)
        return SeenCatalogue(href=self._href, collection=self._collection, items=items, left_out=left_out)

    def _summarise_api(self, root: JsonMapping) -> SeenCatalogue:
        links = self._links(root, self._href, "data")
        listed = self._document(next(links, f"{self._href.rstrip('/')}/collections")).get("collections")
        ids = [str(x.get("id")) for x in listed if isinstance(x, Mapping)] if isinstance(listed, list) else []
        below = f"{self._href.rstrip('/')}/collections"
        if len(ids) != 1:
            self._refuse(f"it has {len(ids)} collections ({list_names(ids)}); name one: {shown_href(below)}/ID")
        return _CatalogueReader(f"{below}/{ids[0]}", self._read, self._places).summarise()

    def _walk(self, document: JsonMapping, href: str) -> Iterator[SeenItem]:
        """Yield the items of a document and of those below it, depth first."""
        if document.get("type") == "Collection" and not self._collection:
            self._collection = document
        yield from self._features(document, href)
        for page in islice(self._links(document, href, "items"), 1):  # link of an API to its items
            address = f"{page}{'&' if '?' in page else '?'}limit={MAX_ITEMS}"
            yield from self._features(self._document(address), address)
        for item in self._links(document, href, "item"):
            if len(self._documents) < MAX_DOCUMENTS:
                document_of_item = self._document_below(item)
                if document_of_item:
                    yield SeenItem(document=document_of_item, base=item)
        for child in self._links(document, href, "child"):
            if child not in self._visited and len(self._documents) < MAX_DOCUMENTS:
                self._visited.add(child)
                yield from self._walk(self._document_below(child), child)

    def _features(self, document: JsonMapping, base: str) -> Iterator[SeenItem]:
        if document.get("type") == "Feature":
            yield SeenItem(document=document, base=base)
        features = document.get("features")
        for feature in features if isinstance(features, list) else ():
            if isinstance(feature, Mapping):
                yield SeenItem(document=feature, base=base)

    def _links(self, document: JsonMapping, base: str, relation: str) -> Iterator[str]:
        """Yield permitted targets of links; indexing reports the others."""
        links = document.get("links")
        for link in links if isinstance(links, list) else ():
            if isinstance(link, Mapping) and link.get("rel") == relation and isinstance(link.get("href"), str):
                with suppress(AddressRefused, InvalidItem):
                    yield self._places.require_allowed(absolute_address(link["href"], base))

    def _document(self, href: str) -> JsonMapping:
        document = self._documents.get(href)
        if document is None:
            document = self._documents[href] = self._read(href)
        return document

    def _document_below(self, href: str) -> JsonMapping:
        """Return a linked document; empty if it cannot be read, which is noted."""
        try:
            return self._document(href)
        except ChronotileError as error:
            if len(self._left_out) == MAX_UNREAD:
                raise
            self._documents[href] = {}
            self._left_out.append(f"{shown_href(href)} is left out: {error.message}")
            return {}

    def _refuse(self, reason: str) -> NoReturn:
        raise ConfigurationError([f"{shown_href(self._href)}: {reason}"])
