"""Products, their parts and their names: what a request gets of them, bytes or an address in a bucket."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol
from uuid import UUID

import orjson

from chronotile.core.checksum import checksum_of
from chronotile.core.errors import AddressRefused, ConfigurationError, NoFiles, SourceUnavailable, UnknownPath
from chronotile.core.model.formats import COG_TYPE, GEOTIFF_TYPE
from chronotile.core.model.items import FoundItem
from chronotile.core.web.item_places import item_places
from chronotile.pipeline.encoders.zip_layout import FOLDER_END, ZipEntry, ZipLayout, ZipPart
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.search.public_item import is_place, public_item
from chronotile.pipeline.search.search_items import find_item, find_product
from chronotile.pipeline.services import Services
from chronotile.readers.products.checksums import Checksums, crc32
from chronotile.readers.products.files import READ_BYTES, ProductFile, name_of, signed_url
from chronotile.readers.products.folders import (
    Allowed,
    Node,
    ProductFolder,
    children_of,
    find_below,
    node_at,
    require_few,
    walk,
)
from chronotile.readers.remote.requests import WithoutParts

# What is sent of a product: any part of it, without what comes before it.

ZIP_VERSION = 1
"""Of the layout of ZIP files: another one gives other bytes."""


class ProductBody(Protocol):
    """Bytes in one state."""

    @property
    def size(self) -> int:
        """In bytes."""

    @property
    def etag(self) -> str | None:
        """Strong validator without quotes; `None` if other bytes may have the same state."""

    @property
    def modified_ns(self) -> int:
        """When it was last written, since 1970; 0: not known."""

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`, at most a MiB at a time; no bytes where the next ones need time.

        Raises:
            SourceChanged: It is not in its state any more.
            SourceUnavailable: It cannot be read now.
        """


class FileBody:
    """A file.

    Args:
        file: It.
    """

    def __init__(self, file: ProductFile) -> None:
        self.file = file
        self.size = file.size
        self.etag = None if file.tag is None else fingerprint(file.tag)
        self.modified_ns = file.state.mtime_ns

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`; a file that is replaced by another is read to its end."""
        with self.file.open() as opened:
            for place in range(start, stop, READ_BYTES):
                yield opened.read(place, min(place + READ_BYTES, stop))


class ZipBody:
    """Files as a ZIP.

    Args:
        nodes: Files, and folders that are empty, by their names in it.
        checksums: Where those of the files are remembered.
    """

    def __init__(self, nodes: Sequence[tuple[str, Node]], checksums: Checksums) -> None:
        self._nodes = [node for _name, node in nodes]
        self._layout = ZipLayout([_entry(name, node) for name, node in nodes])
        self._checksums = checksums
        self.size = self._layout.size
        tags = [
            node.tag if isinstance(node, ProductFile) else str(entry.modified_ns)
            for node, entry in zip(self._nodes, self._layout.entries, strict=True)
        ]
        names = [name for name, _node in nodes]
        self.etag = None if None in tags else fingerprint("zip", ZIP_VERSION, names, tags)
        self.modified_ns = max((entry.modified_ns for entry in self._layout.entries), default=0)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop`; files of which they hold a checksum are read for it, once."""
        crcs = dict[int, int]()
        for part in self._layout.parts(start, stop):
            if part.kind == "header":
                yield self._layout.header(part.entry)[part.start : part.stop]
            elif part.kind == "data":
                yield from self._data(part, crcs)
            elif part.kind == "descriptor":
                yield from self._find_crc(part.entry, crcs)
                yield self._layout.descriptor(part.entry, crcs[part.entry])[part.start : part.stop]
            else:
                for number in range(part.entry):
                    yield from self._find_crc(number, crcs)
                directory = self._layout.directory([crcs[number] for number in range(part.entry)])
                for place in range(part.start, part.stop, READ_BYTES):
                    yield directory[place : min(place + READ_BYTES, part.stop)]

    def _data(self, part: ZipPart, crcs: dict[int, int]) -> Iterator[bytes]:
        file = self._nodes[part.entry]
        assert isinstance(file, ProductFile)  # noqa: S101 -- folders have no bytes
        is_whole, crc = (part.start, part.stop) == (0, file.size), 0
        with file.open() as opened:
            for place in range(part.start, part.stop, READ_BYTES):
                data = opened.read(place, min(place + READ_BYTES, part.stop))
                crc = crc32(data, crc) if is_whole else 0
                yield data
        if is_whole:
            crcs[part.entry] = crc
            self._checksums.note(file, crc=crc)

    def _find_crc(self, number: int, crcs: dict[int, int]) -> Iterator[bytes]:
        """Find the CRC-32 of an entry; yields no bytes, as often as it takes."""
        node = self._nodes[number]
        if number not in crcs and isinstance(node, ProductFile) and node.size:
            crcs[number] = yield from self._checksums.find_crc(node)
        crcs.setdefault(number, 0)


def _entry(name: str, node: Node) -> ZipEntry:
    if isinstance(node, ProductFolder):
        return ZipEntry(f"{name}{FOLDER_END}", 0, node.modified_ns)
    return ZipEntry(name, node.size, node.state.mtime_ns)


MOST_TEXT = 1000
_PICTURES = {"thumbnail", "overview"}
"""Roles."""
_FUNCTIONS = {"sha-256", "sha-512", "md5"}
"""Of checksums that answers state (RFC 9530)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAsset:
    """A file or folder of a product."""

    name: str
    """The asset's key in the item."""
    href: str
    """An absolute path without links, or a URL, in an allowed place; never shown."""
    title: str | None = None
    media_type: str | None = None
    """As the item states it."""
    size: int | None = None
    """As the item states it (`file:size`), in bytes."""
    is_beside: bool = False
    """Whether it is a picture of the product, or a Zarr store: no file of it where it is made for a request."""
    checksums: Mapping[str, str]
    """As the item states them (`file:checksum`): hexadecimal digits by `sha-256`, `sha-512` or `md5`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An item with the files that are delivered."""

    id: UUID
    collection: str
    item: str
    when: str
    """Its time as the item states it; empty if it does not."""
    assets: tuple[ProductAsset, ...]
    withheld: tuple[str, ...]
    """Names of assets that are not: their addresses are refused."""
    allowed: Allowed
    """Takes an address, gives it as it is opened."""

    def asset(self, name: str) -> ProductAsset | None:
        """Return the asset of a name, if there is one."""
        return next((each for each in self.assets if each.name == name), None)


def product_by_id(product: UUID, services: Services) -> Product:
    """Return a product by its id.

    Raises:
        UnknownItem: There is none.
        SourceUnavailable: The index cannot be read now.
    """
    return product_of(find_product(product, services), services)


def product_of_item(collection: str, item: str, services: Services) -> Product:
    """Return the product that an item of a collection is.

    Raises:
        UnknownLayer: There is no such collection.
        UnknownItem: It has no such item.
        SourceUnavailable: The index cannot be read now.
    """
    return product_of(find_item(collection, item, services), services)


def product_of(found: FoundItem, services: Services) -> Product:
    """Return an item as a product.

    Raises:
        SourceUnavailable: The place of its collection's source is not known.
    """
    document = orjson.loads(found.document)
    allowed = _allowed(found.collection, services)
    assets, withheld = list[ProductAsset](), list[str]()
    written = document.get("assets")
    for name, asset in (written if isinstance(written, dict) else {}).items():
        href = asset.get("href") if isinstance(asset, dict) else None
        if not isinstance(href, str) or not href or not name or is_place(name):
            continue
        try:
            assets.append(_asset(name, asset, allowed(href)))
        except AddressRefused:
            withheld.append(name)
    properties = document.get("properties")
    members = properties if isinstance(properties, dict) else {}
    return Product(
        id=found.product,
        collection=found.collection,
        item=found.ref.id,
        when=_text(members.get("datetime")) or _text(members.get("start_datetime")) or "",
        assets=tuple(assets),
        withheld=tuple(withheld),
        allowed=allowed,
    )


def require_files(product: Product) -> None:
    """Check that a product has a file that is delivered.

    Raises:
        NoFiles: It has none.
    """
    if not product.assets:
        what = "its files are not delivered by this server" if product.withheld else "it has no files of its own"
        raise NoFiles(
            f"item {product.item[:80]!r} of {product.collection} has nothing to download: {what}; its values are those "
            "of the collection's coverage at its time",
            collection=product.collection,
            item=product.item,
            when=product.when,
        )


def _allowed(collection: str, services: Services) -> Allowed:
    """What opens addresses of the items of a collection: below its own source, and below what the operator allows."""
    href = services.source_hrefs.get(collection)
    if href is None:
        raise SourceUnavailable(f"the source of collection {collection} is not open")
    try:
        return item_places(href, services.reader_caches.places).allowed
    except ConfigurationError as error:
        raise SourceUnavailable(f"the source of collection {collection} has no plain address") from error


def _asset(name: str, asset: Mapping[str, Any], href: str) -> ProductAsset:
    size = asset.get("file:size")
    return ProductAsset(
        name=name,
        href=href,
        title=_text(asset.get("title")),
        media_type=_text(asset.get("type")),
        size=size if isinstance(size, int) and not isinstance(size, bool) and size >= 0 else None,
        is_beside=_is_beside(asset),
        checksums=checksums_of(asset.get("file:checksum")),
    )


def is_picture(asset: Mapping[str, Any]) -> bool:
    """Return whether an asset of an item shows it, instead of having its data."""
    return not _PICTURES.isdisjoint(_roles(asset))


def _is_beside(asset: Mapping[str, Any]) -> bool:
    is_store = "zarr" in (_text(asset.get("type")) or "").lower()
    return is_store or (is_picture(asset) and "data" not in _roles(asset))


def _roles(asset: Mapping[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {each for each in roles if isinstance(each, str)} if isinstance(roles, list) else set()


def checksums_of(multihash: object) -> Mapping[str, str]:
    """Return a checksum as STAC writes it, by its function; empty of one that answers do not state."""
    checksum = checksum_of(multihash)
    return {} if checksum is None or checksum.function not in _FUNCTIONS else {checksum.function: checksum.digits}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MOST_TEXT else None


Method = Literal["GET", "HEAD"]
_ONE_BY_ONE = "others may be downloaded one by one"


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """Where a client fetches a file itself, for a while."""

    url: str
    left_out: tuple[str, ...] = ()
    """As of a download."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What is sent."""

    body: ProductBody
    file_name: str
    media_type: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Those that are known, in hexadecimal digits, by function."""
    left_out: tuple[str, ...] = ()
    """Names of assets of the product that are made for each request, and are not in it."""


Delivery = SignedAddress | Download


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductNode:
    """A file or folder of a product."""

    asset: ProductAsset
    path: tuple[str, ...]
    """Names below the asset; empty: the asset itself."""
    node: Node

    @property
    def name(self) -> str:
        """The name of the file or folder."""
        return self.path[-1] if self.path else name_of(self.asset.href) or self.asset.name

    @property
    def media_type(self) -> str:
        """Of a file its own; a folder is sent as a ZIP."""
        if isinstance(self.node, ProductFolder):
            return ZIP
        return media_type_of(None if self.path else self.asset.media_type, self.name)


def hosts_of(product: Product, path: str | None) -> frozenset[str]:
    """Return the servers that have the files of a product, or of one of its assets; of this machine none."""
    assets = product.assets if path is None else tuple(_candidates(product, path))
    urls = (each.href for each in assets if "://" in each.href)
    return frozenset("/".join(url.split("/", 3)[:3]) for url in urls)


def find_node(product: Product, path: str) -> ProductNode:
    """Return a file or folder of a product.

    Args:
        product: It.
        path: Name of an asset; for what lies in a folder, followed by a slash and the path from there.

    Raises:
        NoFiles: It has none at all.
        UnknownPath: It has none of that name.
        SourceUnavailable: It cannot be read now.
    """
    require_files(product)
    for asset in _candidates(product, path):
        names = tuple(path[len(asset.name) + 1 :].split("/")) if path != asset.name else ()
        node = node_at(asset.href)
        if isinstance(node, ProductFolder):
            return ProductNode(asset=asset, path=names, node=find_below(node, names, product.allowed))
        if not names:
            return ProductNode(asset=asset, path=names, node=node)
    raise UnknownPath("this product has no file of that name; its nodes are listed")


def list_assets(product: Product) -> Sequence[tuple[ProductAsset, ProductNode | None]]:
    """Return all assets of a product; those elsewhere without what only their servers know, since many may be.

    Raises:
        NoFiles: It has none.
    """
    require_files(product)
    listed = list[tuple[ProductAsset, ProductNode | None]]()
    for asset in product.assets:
        node = None
        if "://" not in asset.href:
            with suppress(SourceUnavailable, UnknownPath):
                node = ProductNode(asset=asset, path=(), node=node_at(asset.href))
        listed.append((asset, node))
    return listed


def only_file_size(found: FoundItem, services: Services) -> int | None:
    """Return the bytes of the only file of an item, if it has one alone, on this machine."""
    with suppress(NoFiles, SourceUnavailable):
        listed = list_assets(product_of(found, services))
        node = listed[0][1].node if len(listed) == 1 and listed[0][1] is not None else None
        return node.size if isinstance(node, ProductFile) else None
    return None


def describe_item(found: FoundItem, services: Services) -> dict[str, Any]:
    """Return an item as strangers may see it, with the size of its file if it has one alone.

    Raises:
        SourceUnavailable: The document in the index is not a STAC item.
    """
    item = public_item(found, services.source_hrefs.get(found.collection))
    for only in item["assets"].values() if len(item["assets"]) == 1 else ():
        if "file:size" not in only:
            only["file:size"] = only_file_size(found, services)
    return item


def list_folder(product: Product, found: ProductNode) -> Sequence[ProductNode]:
    """Return what lies in a folder of a product; nothing of a file.

    Raises:
        LimitExceeded: It has too many files.
        UnknownPath: It is gone.
        SourceUnavailable: It cannot be read now.
    """
    if not isinstance(found.node, ProductFolder):
        return ()
    children = children_of(found.node, product.allowed)
    return [ProductNode(asset=found.asset, path=(*found.path, name), node=node) for name, node in children]


def deliver_node(product: Product, path: str, services: Services, *, method: Method = "GET") -> Delivery:
    """Return a file of a product, or one of its folders as a ZIP; arguments and errors are those of `find_node`.

    Raises:
        LimitExceeded: The folder has too many files.
    """
    found = find_node(product, path)
    node = found.node
    if isinstance(node, ProductFolder):
        return _zipped(found.name, [(safe_name(found.name), node)], services, product.allowed)
    url = signed_url(node.href, method)
    if url is not None:
        return SignedAddress(url)
    return Download(
        body=FileBody(node),
        file_name=safe_name(found.name),
        media_type=found.media_type,
        checksums=available_checksums(found, services),
    )


def deliver_product(product: Product, services: Services, *, method: Method = "GET") -> Delivery:
    """Return the one file or folder of a product, or all of them as a ZIP.

    Raises:
        NoFiles: It has none.
        LimitExceeded: It has too many.
        SourceUnavailable: One of them cannot be read now.
        UnknownPath: The only one is gone.
    """
    require_files(product)
    assets = list(_distinct(product))
    if len(assets) == 1:
        return deliver_node(product, assets[0].name, services, method=method)
    found = [(asset, _node_of_file(asset)) for asset in assets]
    files = [(asset, node) for asset, node in found if node is not None]
    left_out = tuple(asset.name for asset, node in found if node is None)
    require_files(replace(product, assets=tuple(asset for asset, _node in files)))
    if len(files) == 1:
        return replace(deliver_node(product, files[0][0].name, services, method=method), left_out=left_out)
    named = dict[str, Node]()
    for asset, node in files:
        named[unique_name(name_in_zip(asset.href, name_of(asset.href) or asset.name), named, asset.name)] = node
    return replace(_zipped(product.item, list(named.items()), services, product.allowed), left_out=left_out)


def _node_of_file(asset: ProductAsset) -> Node | None:
    """What is at an asset; nothing where it is a picture, or a store, that its server makes for each request."""
    name = asset.name[:80]
    try:
        return node_at(asset.href, in_parts=True)
    except WithoutParts as error:
        if asset.is_beside:
            return None
        raise SourceUnavailable(f"asset {name!r} cannot be sent with others: {error}; {_ONE_BY_ONE}") from error
    except UnknownPath as error:
        raise SourceUnavailable(
            f"the product is not complete: asset {name!r} is not at its source now; {_ONE_BY_ONE}"
        ) from error


def available_checksums(found: ProductNode, services: Services) -> Mapping[str, str]:
    """Return the checksums of a file that are known: computed here of this state, or stated by the item."""
    if isinstance(found.node, ProductFolder):
        return {}
    asset = found.asset
    is_stated = not found.path and asset.size in {None, found.node.size}
    computed = services.checksums.sha256(found.node)
    return {**(asset.checksums if is_stated else {}), **({} if computed is None else {"sha-256": computed})}


def find_checksums(found: ProductNode, services: Services) -> Iterator[Mapping[str, str] | None]:
    """Yield `None` while the SHA-256 of a file is computed, then all checksums that are known.

    Raises:
        UnknownPath: It is a folder.
        SourceChanged: It was written meanwhile.
        SourceUnavailable: It cannot be read now.
    """
    if isinstance(found.node, ProductFolder):
        raise UnknownPath("a folder has no checksum, its files have")
    value = yield from services.checksums.find_sha256(found.node)
    yield {**available_checksums(found, services), "sha-256": value}


def _candidates(product: Product, path: str) -> Iterator[ProductAsset]:
    """Assets that a path may begin with, those of the longest names first: names of assets may have slashes."""
    for asset in sorted(product.assets, key=lambda each: len(each.name), reverse=True):
        if path == asset.name or path.startswith(f"{asset.name}/"):
            yield asset


def _distinct(product: Product) -> Iterator[ProductAsset]:
    """Assets that are not the same as another before them, and do not lie in a folder that is one."""
    hrefs, seen = {each.href for each in product.assets}, set[str]()
    for asset in product.assets:
        parts = asset.href.split("/")
        is_inside = any("/".join(parts[:count]) in hrefs for count in range(2, len(parts)))
        if asset.href not in seen and not is_inside:
            seen.add(asset.href)
            yield asset


def _zipped(name: str, named: Sequence[tuple[str, Node]], services: Services, allowed: Allowed) -> Download:
    """A ZIP of files and folders under their names; several are in a folder of that name."""
    base = "" if len(named) == 1 else f"{safe_name(name)}/"
    nodes = dict[str, Node]()
    for top, node in named:
        below = walk(node, allowed) if isinstance(node, ProductFolder) else [("", node)]
        for path, each in below:
            require_few(len(nodes) + 1)
            inner = "/".join(safe_name(part) for part in path.split("/")) if path else ""
            nodes[unique_name("/".join(filter(None, (f"{base}{top}", inner))), nodes, "other")] = each
    body = ZipBody(list(nodes.items()), services.checksums)
    return Download(body=body, file_name=f"{safe_name(name)}.zip", media_type=ZIP)


MOST_NAME = 180
SAFE = ".safe"
"""End of the name of a folder that is a product of Sentinel; its files keep their places in it."""
BINARY = "application/octet-stream"
ZIP = "application/zip"

_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069<>:\"/\\|?*]")
"""Also marks that turn the direction of writing: `gpj.exe` would be shown as `exe.jpg`."""
_MEDIA_TYPE = re.compile(
    r"[a-z0-9][a-z0-9!#$&^_.+-]{0,100}/[a-z0-9][a-z0-9!#$&^_.+-]{0,100}(; ?[a-z0-9-]+=[\w./:-]+)*", re.IGNORECASE
)
_ACTIVE = ("text/html", "image/svg+xml", "application/xhtml+xml", "text/javascript", "application/javascript")
"""Media types of what browsers run; strangers state them, and it would run as if it were ours."""
_BY_END = {
    "cog": COG_TYPE,
    "csv": "text/csv",
    "geojson": "application/geo+json",
    "gif": "image/gif",
    "gml": "application/gml+xml",
    "h5": "application/x-hdf5",
    "jp2": "image/jp2",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "json": "application/json",
    "nc": "application/netcdf",
    "parquet": "application/vnd.apache.parquet",
    "pdf": "application/pdf",
    "png": "image/png",
    "tif": GEOTIFF_TYPE,
    "tiff": GEOTIFF_TYPE,
    "txt": "text/plain",
    "xml": "application/xml",
    "zip": ZIP,
}


def safe_name(text: str) -> str:
    """Return a name for a file that means the same in every system: without slashes, never `.` or `..`."""
    name = _UNSAFE.sub("_", text).strip(" .")
    if not name:
        return "product"
    stem, dot, end = name.rpartition(".")
    return name if len(name) <= MOST_NAME else f"{(stem or end)[: MOST_NAME - 20]}{dot}{end[-19:] if dot else ''}"


def media_type_of(stated: str | None, name: str) -> str:
    """Return the media type of a file: as its item states it, unless browsers would run it; else by its name."""
    if stated and _MEDIA_TYPE.fullmatch(stated):
        return BINARY if stated.partition(";")[0].strip().lower() in _ACTIVE else stated
    return _BY_END.get(name.rpartition(".")[2].lower(), BINARY)


def name_in_zip(href: str, name: str) -> str:
    """Return the path of a file in the ZIP of its product: its name, and for one in a SAFE folder its place there.

    Args:
        href: An absolute path or URL.
        name: Its last part.
    """
    parts = href.partition("?")[0].split("/")[:-1]
    first = next((number for number, part in enumerate(parts) if part.lower().endswith(SAFE)), len(parts))
    return "/".join(safe_name(part) for part in (*parts[first:], name))


def unique_name(name: str, taken: Collection[str], asset: str) -> str:
    """Return a name that no other entry of a ZIP has, with the name of its asset where it must."""
    number, found = 1, name
    while found in taken:
        folder, slash, last = name.rpartition("/")
        found = f"{folder}{slash}{safe_name(asset)}{'' if number == 1 else f'_{number}'}_{last}"
        number += 1
    return found
