"""Nodes of products: the product as a folder with its name, its files and folders below it."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from chronotile.errors import MAX_SHOWN, UnknownPath
from chronotile.pipeline.products.deliver import FoundNode, find_node, hosts_of, list_assets, list_folder
from chronotile.pipeline.products.product import Product, ProductAsset
from chronotile.protocols.common.openapi import Json
from chronotile.protocols.common.product_links import product_path
from chronotile.protocols.odata.documents import ROOT
from chronotile.readers.products.folders import ProductFolder

MOST_PATH = 4_000
"""Characters of the path of a node."""
VALUE = "$value"
BEGIN, BETWEEN = "Nodes(", ")/Nodes("
ENDS = {")/Nodes": False, f")/{VALUE}": True}
"""Of paths, and whether they are of the bytes of a node."""


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """A node of a product, and what of it."""

    names: tuple[str, ...]
    """From that of the product on."""
    is_value: bool
    """Its bytes, or else what lies in it."""


def node_query(path: str) -> NodeQuery:
    """Return the node that `Nodes(name)/Nodes(name)/…` names, up to `Nodes` or `$value` at its end.

    Raises:
        UnknownPath: It is not such a path.
    """
    end = next((each for each in ENDS if path.endswith(each)), "")
    names = path.removeprefix(BEGIN).removesuffix(end).split(BETWEEN)
    if len(path) > MOST_PATH or not path.startswith(BEGIN) or not end or not all(names):
        raise UnknownPath(
            f"{path[:MAX_SHOWN]!r} is not a path of nodes, such as Nodes(name)/Nodes or Nodes(name)/$value"
        )
    return NodeQuery(tuple(name.removeprefix("'").removesuffix("'") for name in names), is_value=ENDS[end])


def root_node(product: Product, base: str) -> list[Json]:
    """Return the product itself as the only node at the top."""
    return [_node(product, (product.item,), 0, len(_top(product)), base=base)]


def nodes_in(product: Product, names: Sequence[str], base: str) -> list[Json]:
    """Return what lies in a node; nothing of a file.

    Raises:
        NoFiles: The product has no files.
        UnknownPath: There is no such node.
        SourceUnavailable: It cannot be read now.
    """
    path = _asset_path(product, names)
    if path is None:
        return [
            _node(product, (*names, name), _size(found, asset), _count(product, found), base=base)
            for name, asset, found in _top(product)
        ]
    if hosts_of(product, path):
        return []  # a file elsewhere
    return [
        _node(product, (*names, child.name), _size(child, child.asset), _count(product, child), base=base)
        for child in list_folder(product, find_node(product, path))
    ]


def download_path(product: Product, names: Sequence[str]) -> str:
    """Return where a node is downloaded.

    Raises:
        UnknownPath: The first name is not that of the product.
    """
    path = _asset_path(product, names)
    return product_path(product.id) + ("" if path is None else f"/nodes/{quote(path)}")


def _asset_path(product: Product, names: Sequence[str]) -> str | None:
    """The path below the product's assets; `None`: the product itself.

    A product that is one folder is that folder, as a SAFE folder is for clients of CDSE.
    """
    if names[0] != product.item:
        raise UnknownPath(
            f"the product has no node {names[0][:MAX_SHOWN]!r}; its only node at the top has its own name"
        )
    if not names[1:]:
        return None
    folder = _only_folder(product)
    return "/".join(names[1:] if folder is None else (folder.asset.name, *names[1:]))


def _only_folder(product: Product) -> FoundNode | None:
    found = list_assets(product)
    only = found[0][1] if len(found) == 1 else None
    return only if only is not None and isinstance(only.node, ProductFolder) else None


def _top(product: Product) -> list[tuple[str, ProductAsset, FoundNode | None]]:
    folder = _only_folder(product)
    if folder is not None:
        return [(child.name, child.asset, child) for child in list_folder(product, folder)]
    return [(asset.name, asset, found) for asset, found in list_assets(product)]


def _size(found: FoundNode | None, asset: ProductAsset) -> int:
    if found is None:
        return asset.size or 0
    return 0 if isinstance(found.node, ProductFolder) else found.node.size


def _count(product: Product, found: FoundNode | None) -> int:
    return 0 if found is None else len(list_folder(product, found))


def _node(product: Product, names: Sequence[str], size: int, children: int, *, base: str) -> Json:
    path = "".join(f"/Nodes({quote(name, safe='')})" for name in names)
    return {
        "Id": names[-1],
        "Name": names[-1],
        "ContentLength": size,
        "ChildrenNumber": children,
        "Nodes": {"uri": f"{base}{ROOT}/Products({product.id}){path}/Nodes"},
    }
