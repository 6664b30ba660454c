"""Groups of a Zarr store as fields, for the understanding of CF."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode
from chronotile.readers.zarr.stores import Store, load_all


def fields_of(group: GroupNode, root: GroupNode, store: Store) -> FieldSet:
    """Return the arrays of a group, with the attributes of the root where it has none of its own."""
    bounds = {node.attrs.get(key) for node in group.arrays.values() for key in ("bounds", "climatology")}
    nodes = {name: node for name, node in group.arrays.items() if node.dtype is not None}
    of_coordinates = {name for name, node in nodes.items() if len(node.dims) < 2} | bounds
    fields = {name: _field(name, _filled(node, name in of_coordinates), store) for name, node in nodes.items()}
    return FieldSet(fields, {**root.attrs, **group.attrs})


def text_of(attrs: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is text, if there is any in it."""
    value = attrs.get(name)
    return value if isinstance(value, str) and value else None


def _filled(node: ArrayNode, is_of_coordinates: bool) -> ArrayNode:
    """The array without the fill value 0 that version 2 has where nobody chose one, as 0 is a usual coordinate."""
    if not is_of_coordinates or node.version != 2 or node.attrs.get("_FillValue") != 0:
        return node
    return replace(node, attrs={key: value for key, value in node.attrs.items() if key != "_FillValue"})


def _field(name: str, node: ArrayNode, store: Store) -> Field:
    def load() -> NDArray[Any]:
        return load_all(store, node)

    return Field(
        name=name,
        dims=node.dims,
        shape=node.shape,
        dtype=node.dtype or np.dtype(object),
        attrs=node.attrs,
        load=load,
    )
