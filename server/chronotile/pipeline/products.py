"""Products: items with the files that clients may download, as a file, as a ZIP or by a signed address."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from uuid import UUID

import orjson

from chronotile.core.checksum import checksum_of
from chronotile.core.errors import AddressRefused, ConfigurationError, NoFiles, SourceUnavailable, UnknownPath
from chronotile.core.model.items import FoundItem
from chronotile.core.web.item_places import item_places
from chronotile.pipeline.download_names import ZIP, media_type_of, name_in_zip, safe_name, unique_name
from chronotile.pipeline.product_bodies import FileBody, ProductBody, ZipBody
from chronotile.pipeline.search.public_item import is_place, public_item
from chronotile.pipeline.search.search_items import find_item, find_product
from chronotile.pipeline.services import Services
from chronotile.readers.hrefs import is_product
from chronotile.readers.products.files import ProductFile, name_of, signed_url
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

MAX_TEXT = 1000
_PICTURES = {"thumbnail", "overview"}
"""Roles of assets that show an item."""
_ALGORITHMS = {"sha-256", "sha-512", "md5"}
"""Algorithms of checksums that answers state (RFC 9530)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductAsset:
    """A file or folder of a product."""

    name: str
    """The asset's key in the item."""
    href: str
    """An absolute path without links, or a URL, in an allowed location; never shown to clients."""
    title: str | None = None
    media_type: str | None = None
    """The media type in the item."""
    size: int | None = None
    """The size in the item (`file:size`), in bytes."""
    is_optional: bool = False
    """Whether the product is complete without it: a picture or a Zarr store, which its server may make on request."""
    checksums: Mapping[str, str]
    """The checksum in the item (`file:checksum`): hexadecimal digits by `sha-256`, `sha-512` or `md5`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """An item with the files that are delivered."""

    id: UUID
    collection: str
    item: str
    when: str
    """The time in the item; empty if it has none."""
    assets: tuple[ProductAsset, ...]
    withheld: tuple[str, ...]
    """Names of assets that are not delivered, as their addresses are not allowed."""
    allowed: Allowed
    """Checks an address and returns the form in which it is opened."""


def product_by_id(product: UUID, services: Services) -> Product:
    """Return a product by its id.

    Raises:
        UnknownItem: The product does not exist.
        SourceUnavailable: The index cannot be read now.
    """
    return product_of(find_product(product, services), services)


def product_of_item(collection: str, item: str, services: Services) -> Product:
    """Return the product of an item.

    Raises:
        UnknownLayer: The collection does not exist.
        UnknownItem: The item does not exist.
        SourceUnavailable: The index cannot be read now.
    """
    return product_of(find_item(collection, item, services), services)


def product_of(item: FoundItem, services: Services) -> Product:
    """Return the product of an item.

    Raises:
        SourceUnavailable: The source of its collection is not open or has no plain address.
    """
    document = orjson.loads(item.document)
    allowed = _address_check(item.collection, services)
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
        id=item.product,
        collection=item.collection,
        item=item.ref.id,
        when=_text(members.get("datetime")) or _text(members.get("start_datetime")) or "",
        assets=tuple(assets),
        withheld=tuple(withheld),
        allowed=allowed,
    )


def require_files(product: Product) -> None:
    """Check that a product has a file that is delivered.

    Raises:
        NoFiles: The product has no file to deliver.
    """
    if not product.assets:
        reason = "its files are not delivered by this server" if product.withheld else "it has no files of its own"
        raise NoFiles(
            f"item {product.item[:80]!r} of {product.collection} has nothing to download: {reason}; its values are "
            "those of the collection's coverage at its time",
            collection=product.collection,
            when=product.when,
        )


def _address_check(collection: str, services: Services) -> Allowed:
    """Return the check of addresses: they must be below the source of the collection, or in an allowed location."""
    href = services.source_hrefs.get(collection)
    if href is None:
        raise SourceUnavailable(f"the source of collection {collection} is not open")
    # A folder that is one product is sent as a whole, like a file.
    root = str(Path(href).parent) if is_product(href) else href
    try:
        return item_places(root, services.reader_caches.places).require_allowed
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
        is_optional=_is_optional(asset),
        checksums=checksums_of(asset.get("file:checksum")),
    )


def is_picture(asset: Mapping[str, Any]) -> bool:
    """Return whether an asset shows its item, instead of having data."""
    return not _PICTURES.isdisjoint(_roles(asset))


def _is_optional(asset: Mapping[str, Any]) -> bool:
    is_store = "zarr" in (_text(asset.get("type")) or "").lower()
    return is_store or (is_picture(asset) and "data" not in _roles(asset))


def _roles(asset: Mapping[str, Any]) -> set[str]:
    roles = asset.get("roles")
    return {role for role in roles if isinstance(role, str)} if isinstance(roles, list) else set()


def checksums_of(multihash: object) -> Mapping[str, str]:
    """Return a checksum of STAC by its algorithm; empty if answers do not state the algorithm."""
    checksum = checksum_of(multihash)
    return {} if checksum is None or checksum.function not in _ALGORITHMS else {checksum.function: checksum.digits}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= MAX_TEXT else None


Method = Literal["GET", "HEAD"]
_ONE_BY_ONE = "others may be downloaded one by one"


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """Address at which a client fetches a file from its store for some time."""

    url: str
    left_out: tuple[str, ...] = ()
    """Names of skipped assets, see `Download.left_out`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """A file or ZIP to send."""

    body: ProductBody
    file_name: str
    media_type: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Available checksums in hexadecimal digits, by algorithm."""
    left_out: tuple[str, ...] = ()
    """Names of assets that are skipped, as their server makes them for each request."""


Delivery = SignedAddress | Download


@dataclass(frozen=True, slots=True, kw_only=True)
class ProductNode:
    """A file or folder of a product."""

    asset: ProductAsset
    path: tuple[str, ...]
    """Names of folders below the asset, and of the node; empty for the asset itself."""
    node: Node

    @property
    def name(self) -> str:
        """The name of the file or folder."""
        return self.path[-1] if self.path else name_of(self.asset.href) or self.asset.name

    @property
    def media_type(self) -> str:
        """The media type of a file; folders are sent as ZIP."""
        if isinstance(self.node, ProductFolder):
            return ZIP
        return media_type_of(None if self.path else self.asset.media_type, self.name)


def hosts_of(product: Product, path: str | None) -> frozenset[str]:
    """Return the servers that have the files of a product, or of one of its assets; empty if all files are local."""
    assets = product.assets if path is None else tuple(_candidates(product, path))
    urls = (asset.href for asset in assets if "://" in asset.href)
    return frozenset("/".join(url.split("/", 3)[:3]) for url in urls)


def find_node(product: Product, path: str) -> ProductNode:
    """Return a file or folder of a product.

    Args:
        product: The product.
        path: Name of an asset. For a node in a folder, a slash and the path inside the folder follow.

    Raises:
        NoFiles: The product has no files.
        UnknownPath: The path does not exist.
        SourceUnavailable: The source is unreachable.
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
    """Return all assets of a product, with the nodes of local files; remote files are not requested.

    Raises:
        NoFiles: The product has no files.
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


def only_file_size(item: FoundItem, services: Services) -> int | None:
    """Return the size in bytes of the only file of an item, if it is local, else `None`."""
    with suppress(NoFiles, SourceUnavailable):
        listed = list_assets(product_of(item, services))
        node = listed[0][1].node if len(listed) == 1 and listed[0][1] is not None else None
        return node.size if isinstance(node, ProductFile) else None
    return None


def describe_item(found_item: FoundItem, services: Services) -> dict[str, Any]:
    """Return the public document of an item, with the size of its file if it has only one.

    Raises:
        SourceUnavailable: The document in the index is not a STAC item.
    """
    item = public_item(found_item, services.source_hrefs.get(found_item.collection))
    for asset in item["assets"].values() if len(item["assets"]) == 1 else ():
        if "file:size" not in asset:
            asset["file:size"] = only_file_size(found_item, services)
    return item


def list_folder(product: Product, parent: ProductNode) -> Sequence[ProductNode]:
    """Return the nodes in a folder of a product; empty for a file.

    Raises:
        LimitExceeded: The folder has too many files.
        UnknownPath: The folder was deleted.
        SourceUnavailable: The folder cannot be read now.
    """
    if not isinstance(parent.node, ProductFolder):
        return ()
    children = children_of(parent.node, product.allowed)
    return [ProductNode(asset=parent.asset, path=(*parent.path, name), node=node) for name, node in children]


def deliver_node(product: Product, path: str, services: Services, *, method: Method = "GET") -> Delivery:
    """Return a file of a product, or one of its folders as a ZIP; arguments and errors are those of `find_node`.

    Raises:
        LimitExceeded: The folder has too many files.
    """
    product_node = find_node(product, path)
    name, node = product_node.name, product_node.node
    if isinstance(node, ProductFolder):
        return _zip_nodes(name, [(safe_name(name), node)], services, product.allowed)
    url = signed_url(node.href, method)
    if url is not None:
        return SignedAddress(url)
    return Download(
        body=FileBody(node),
        file_name=safe_name(name),
        media_type=product_node.media_type,
        checksums=available_checksums(product_node, services),
    )


def deliver_product(product: Product, services: Services, *, method: Method = "GET") -> Delivery:
    """Return the only file or folder of a product, or all of them as a ZIP.

    Raises:
        NoFiles: The product has no files.
        LimitExceeded: The product has too many files.
        SourceUnavailable: A file cannot be read now.
        UnknownPath: The only file was deleted.
    """
    require_files(product)
    assets = list(_distinct(product))
    if len(assets) == 1:
        return deliver_node(product, assets[0].name, services, method=method)
    nodes = [(asset, _node_of_file(asset)) for asset in assets]
    files = [(asset, node) for asset, node in nodes if node is not None]
    left_out = tuple(asset.name for asset, node in nodes if node is None)
    require_files(replace(product, assets=tuple(asset for asset, _node in files)))
    if len(files) == 1:
        return replace(deliver_node(product, files[0][0].name, services, method=method), left_out=left_out)
    entries = dict[str, Node]()
    for asset, node in files:
        entries[unique_name(name_in_zip(asset.href, name_of(asset.href) or asset.name), entries, asset.name)] = node
    return replace(_zip_nodes(product.item, list(entries.items()), services, product.allowed), left_out=left_out)


def _node_of_file(asset: ProductAsset) -> Node | None:
    """Return the node of an asset; `None` if the asset is optional and its server makes it for each request."""
    name = asset.name[:80]
    try:
        return node_at(asset.href, in_parts=True)
    except WithoutParts as error:
        if asset.is_optional:
            return None
        raise SourceUnavailable(f"asset {name!r} cannot be sent with others: {error}; {_ONE_BY_ONE}") from error
    except UnknownPath as error:
        raise SourceUnavailable(
            f"the product is not complete: asset {name!r} is not at its source now; {_ONE_BY_ONE}"
        ) from error


def available_checksums(file: ProductNode, services: Services) -> Mapping[str, str]:
    """Return the checksums of a file that were computed for its present version, or that the item states."""
    if isinstance(file.node, ProductFolder):
        return {}
    asset = file.asset
    is_stated = not file.path and asset.size in {None, file.node.size}
    computed = services.checksums.sha256(file.node)
    return {**(asset.checksums if is_stated else {}), **({} if computed is None else {"sha-256": computed})}


def find_checksums(file: ProductNode, services: Services) -> Iterator[Mapping[str, str] | None]:
    """Yield `None` while the SHA-256 of a file is computed, then all its checksums.

    Raises:
        UnknownPath: The node is a folder.
        SourceChanged: The file was written while it was read.
        SourceUnavailable: The file cannot be read now.
    """
    if isinstance(file.node, ProductFolder):
        raise UnknownPath("a folder has no checksum, its files have")
    value = yield from services.checksums.find_sha256(file.node)
    yield {**available_checksums(file, services), "sha-256": value}


def _candidates(product: Product, path: str) -> Iterator[ProductAsset]:
    """Yield the assets that a path may begin with, longest name first, as names of assets may contain slashes."""
    for asset in sorted(product.assets, key=lambda asset: len(asset.name), reverse=True):
        if path == asset.name or path.startswith(f"{asset.name}/"):
            yield asset


def _distinct(product: Product) -> Iterator[ProductAsset]:
    """Yield the assets without duplicates and without files in a folder that is an asset too."""
    hrefs, listed = {asset.href for asset in product.assets}, set[str]()
    for asset in product.assets:
        parts = asset.href.split("/")
        is_inside = any("/".join(parts[:count]) in hrefs for count in range(2, len(parts)))
        if asset.href not in listed and not is_inside:
            listed.add(asset.href)
            yield asset


def _zip_nodes(name: str, entries: Sequence[tuple[str, Node]], services: Services, allowed: Allowed) -> Download:
    """Return a ZIP of files and folders. If there are several, they are in a folder called `name`."""
    base = "" if len(entries) == 1 else f"{safe_name(name)}/"
    nodes = dict[str, Node]()
    for top, entry in entries:
        below = walk(entry, allowed) if isinstance(entry, ProductFolder) else [("", entry)]
        for path, node in below:
            require_few(len(nodes) + 1)
            inner = "/".join(safe_name(part) for part in path.split("/")) if path else ""
            nodes[unique_name("/".join(filter(None, (f"{base}{top}", inner))), nodes, "other")] = node
    body = ZipBody(list(nodes.items()), services.checksums)
    return Download(body=body, file_name=f"{safe_name(name)}.zip", media_type=ZIP)
