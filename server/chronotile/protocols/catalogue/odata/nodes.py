"""Nodes of products, which are files and folders, as JSON; `Nodes(…)` in paths."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from chronotile.core.errors import MAX_SHOWN, UnknownPath
from chronotile.core.model.types import Json
from chronotile.pipeline.products import (
    Product,
    ProductAsset,
    ProductNode,
    find_node,
    hosts_of,
    list_assets,
    list_folder,
)
from chronotile.protocols.catalogue.odata.documents import ROOT
from chronotile.protocols.common.links import product_path
from chronotile.readers.products.folders import ProductFolder

MAX_PATH = 4_000
"""Characters of the path of a node."""
VALUE = "$value"
BEGIN, BETWEEN = "Nodes(", ")/Nodes("
ENDS = {")/Nodes": False, f")/{VALUE}": True}
"""Ends of paths, and whether they request the bytes of a node."""


@dataclass(frozen=True, slots=True)
class NodeQuery:
    """A requested node of a product."""

    names: tuple[str, ...]
    """Path of the node, starting with the name of the product."""
    is_value: bool
    """Whether its bytes are requested, or else its children."""


def node_query(path: str) -> NodeQuery:
    """Return the node of a path such as `Nodes(name)/Nodes(name)/…`, which ends with `Nodes` or `$value`.

    Raises:
        UnknownPath: The path does not have this form.
    """
    end = next((suffix for suffix in ENDS if path.endswith(suffix)), "")
    names = path.removeprefix(BEGIN).removesuffix(end).split(BETWEEN)
    if len(path) > MAX_PATH or not path.startswith(BEGIN) or not end or not all(names):
        message = f"{path[:MAX_SHOWN]!r} is not a path of nodes, such as Nodes(name)/Nodes or Nodes(name)/$value"
        raise UnknownPath(message)
    return NodeQuery(tuple(name.removeprefix("'").removesuffix("'") for name in names), is_value=ENDS[end])


def root_node(product: Product, base: str) -> list[Json]:
    """Return the product as the only root node."""
    return [_node(product, (product.item,), 0, len(_top(product)), base=base)]


def nodes_in(product: Product, names: Sequence[str], base: str) -> list[Json]:
    """Return the children of a node; empty for a file.

    Raises:
        NoFiles: The product has no files.
        UnknownPath: No such node exists.
        SourceUnavailable: The node cannot be read now.
    """
    path = _asset_path(product, names)
    if path is None:
        return [_node_of(product, (*names, name), asset, node, base=base) for name, asset, node in _top(product)]
    if hosts_of(product, path):
        return []  # the children of a remote file are not listed
    children = list_folder(product, find_node(product, path))
    return [_node_of(product, (*names, child.name), child.asset, child, base=base) for child in children]


def download_path(product: Product, names: Sequence[str]) -> str:
    """Return the path of the URL that downloads a node.

    Raises:
        UnknownPath: The first name is not the name of the product.
    """
    path = _asset_path(product, names)
    return product_path(product.id) + ("" if path is None else f"/nodes/{quote(path)}")


def _asset_path(product: Product, names: Sequence[str]) -> str | None:
    """Return the path of a node below the product's assets; `None` for the product itself.

    If the only asset of a product is a folder, its files are children of the product, as in SAFE folders at CDSE.
    """
    if names[0] != product.item:
        message = f"the product has no node {names[0][:MAX_SHOWN]!r}; its only root node has the name of the product"
        raise UnknownPath(message)
    if not names[1:]:
        return None
    folder = _only_folder(product)
    return "/".join(names[1:] if folder is None else (folder.asset.name, *names[1:]))


def _only_folder(product: Product) -> ProductNode | None:
    assets = list_assets(product)
    only = assets[0][1] if len(assets) == 1 else None
    return only if only is not None and isinstance(only.node, ProductFolder) else None


def _top(product: Product) -> list[tuple[str, ProductAsset, ProductNode | None]]:
    folder = _only_folder(product)
    if folder is not None:
        return [(child.name, child.asset, child) for child in list_folder(product, folder)]
    return [(asset.name, asset, node) for asset, node in list_assets(product)]


def _node_of(
    product: Product, names: Sequence[str], asset: ProductAsset, node: ProductNode | None, *, base: str
) -> Json:
    if node is None:
        return _node(product, names, asset.size or 0, 0, base=base)
    size = 0 if isinstance(node.node, ProductFolder) else node.node.size
    return _node(product, names, size, len(list_folder(product, node)), base=base)


def _node(product: Product, names: Sequence[str], size: int, children: int, *, base: str) -> Json:
    path = "".join(f"/Nodes({quote(name, safe='')})" for name in names)
    return {
        "Id": names[-1],
        "Name": names[-1],
        "ContentLength": size,
        "ChildrenNumber": children,
        "Nodes": {"uri": f"{base}{ROOT}/Products({product.id}){path}/Nodes"},
    }
