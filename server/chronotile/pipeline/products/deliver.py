"""What a request for a product or a part of one gets: bytes, or an address in a bucket."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from chronotile.errors import SourceUnavailable, UnknownPath
from chronotile.pipeline.products.bodies import FileBody, ProductBody, ZipBody
from chronotile.pipeline.products.names import ZIP, media_type_of, name_in_zip, safe_name, unique_name
from chronotile.pipeline.products.product import Product, ProductAsset, require_files
from chronotile.pipeline.services import Services
from chronotile.readers.products.files import name_of
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
from chronotile.readers.products.signed import signed_url

Method = Literal["GET", "HEAD"]


@dataclass(frozen=True, slots=True)
class SignedAddress:
    """Where a client fetches a file itself, for a while."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """What is sent."""

    body: ProductBody
    file_name: str
    media_type: str
    checksums: Mapping[str, str] = field(default_factory=dict)
    """Those that are known, in hexadecimal digits, by function."""


Delivery = SignedAddress | Download


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundNode:
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


def find_node(product: Product, path: str) -> FoundNode:
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
            return FoundNode(asset=asset, path=names, node=find_below(node, names, product.allowed))
        if not names:
            return FoundNode(asset=asset, path=names, node=node)
    raise UnknownPath("this product has no file of that name; its nodes are listed")


def list_assets(product: Product) -> Sequence[tuple[ProductAsset, FoundNode | None]]:
    """Return all assets of a product; those elsewhere without what only their servers know, since many may be.

    Raises:
        NoFiles: It has none.
    """
    require_files(product)
    listed = list[tuple[ProductAsset, FoundNode | None]]()
    for asset in product.assets:
        node = None
        if "://" not in asset.href:
            with suppress(SourceUnavailable, UnknownPath):
                node = FoundNode(asset=asset, path=(), node=node_at(asset.href))
        listed.append((asset, node))
    return listed


def list_folder(product: Product, found: FoundNode) -> Sequence[FoundNode]:
    """Return what lies in a folder of a product; nothing of a file.

    Raises:
        LimitExceeded: It has too many files.
        UnknownPath: It is gone.
        SourceUnavailable: It cannot be read now.
    """
    if not isinstance(found.node, ProductFolder):
        return ()
    children = children_of(found.node, product.allowed)
    return [FoundNode(asset=found.asset, path=(*found.path, name), node=node) for name, node in children]


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
        checksums=known_checksums(found, services),
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
    named = list[tuple[str, Node]]()
    taken = set[str]()
    for asset in assets:
        try:
            node = node_at(asset.href)
        except UnknownPath as error:
            raise SourceUnavailable(
                f"the product is not complete: asset {asset.name[:80]!r} is not at its source now; others may be "
                "downloaded one by one"
            ) from error
        name = unique_name(name_in_zip(asset.href, name_of(asset.href) or asset.name), taken, asset.name)
        taken.add(name)
        named.append((name, node))
    return _zipped(product.item, named, services, product.allowed)


def known_checksums(found: FoundNode, services: Services) -> Mapping[str, str]:
    """Return the checksums of a file that are known: computed here of this state, or stated by the item."""
    if isinstance(found.node, ProductFolder):
        return {}
    asset = found.asset
    is_stated = not found.path and asset.size in {None, found.node.size}
    computed = services.checksums.sha256(found.node)
    return {**(asset.checksums if is_stated else {}), **({} if computed is None else {"sha-256": computed})}


def find_checksums(found: FoundNode, services: Services) -> Iterator[Mapping[str, str] | None]:
    """Yield `None` while the SHA-256 of a file is computed, then all checksums that are known.

    Raises:
        UnknownPath: It is a folder.
        SourceChanged: It was written meanwhile.
        SourceUnavailable: It cannot be read now.
    """
    if isinstance(found.node, ProductFolder):
        raise UnknownPath("a folder has no checksum, its files have")
    value = yield from services.checksums.find_sha256(found.node)
    yield {**known_checksums(found, services), "sha-256": value}


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
