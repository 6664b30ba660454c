"""Groups of a Zarr store as fields, for the understanding of CF."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.zarr.metadata import ArrayNode, GroupNode
from chronotile.readers.zarr.stores import Store, load_all


def fields_of(group: GroupNode, root: GroupNode, store: Store) -> FieldSet:
    """Return the arrays of a group, with the attributes of the root where it has none of its own."""
    fields = {name: _field(name, node, store) for name, node in group.arrays.items() if node.dtype is not None}
    return FieldSet(fields, {**root.attrs, **group.attrs})


def text_of(attrs: Mapping[str, Any], name: str) -> str | None:
    """Return an attribute that is text, if there is any in it."""
    value = attrs.get(name)
    return value if isinstance(value, str) and value else None


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
