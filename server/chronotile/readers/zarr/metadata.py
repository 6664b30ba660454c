"""The groups and arrays of a Zarr store, versions 2 and 3, from their metadata alone.

zarr-python and xarray would tell the same for two seconds and 130 MB a process more.
"""

import base64
import json
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorstore as ts

from chronotile.errors import UnsupportedSource
from chronotile.readers.hrefs import base_name, kvstore, local_path
from chronotile.readers.remote.requests import Refused
from chronotile.readers.zarr.commit import nodes_of
from chronotile.readers.zarr.waits import request_limits, result_within

MAX_DEPTH = 2
"""Groups in groups that are looked into below the store's root."""

_METADATA = (".zmetadata", "zarr.json", ".zgroup", ".zarray")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayNode:
    """One array, as its metadata describe it."""

    path: str
    """From the root of the store's own store: with a zip's inner folder."""
    version: int
    """2 or 3."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    """`None` of types that numpy has not."""
    dims: tuple[str, ...]
    files: tuple[int, ...]
    """The shape of what one file holds: a shard, or a chunk without shards."""
    separator: str
    """Between the numbers in a chunk's name; `/` makes folders of them."""
    has_c: bool = False
    """Whether a `c` stands before the numbers, as the default of version 3 has it."""
    attrs: Document

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def file_of(self, numbers: Sequence[int]) -> str:
        """Return the path of a file of chunks by its number along each dimension, from where `path` begins."""
        name = self.separator.join((*(["c"] if self.has_c else []), *map(str, numbers)))
        return f"{self.path}/{name or '0'}"


@dataclass(frozen=True, slots=True)
class GroupNode:
    """One group: its attributes, arrays and groups."""

    path: str
    attrs: Document
    arrays: Mapping[str, ArrayNode] = field(default_factory=dict)
    groups: Mapping[str, "GroupNode"] = field(default_factory=dict)

    def at(self, path: str) -> "GroupNode":
        """Return the group of that name in this one; an empty path is this one."""
        return self.groups[path] if path else self

    def all_arrays(self) -> Iterator[ArrayNode]:
        """Yield its arrays and those of its groups, at any depth."""
        yield from self.arrays.values()
        for each in self.groups.values():
            yield from each.all_arrays()


class _Store(Protocol):
    def read(self, key: str) -> bytes | None:
        """The bytes under a key, if there are any."""

    def children(self, path: str) -> list[str]:
        """The names under a path."""


def read_group(href: str) -> GroupNode:
    """Return the root group of a store.

    Raises:
        UnsupportedSource: There is none.
        Refused: The server of one elsewhere refuses access.
    """
    store, root = _open_store(href)
    node = _read_node(store, root, MAX_DEPTH)
    if isinstance(node, ArrayNode):
        raise UnsupportedSource(f"{base_name(href)} is a single Zarr array; name the group that holds it")
    if local_path(href) is None and isinstance(node, GroupNode) and not (node.arrays or node.groups):
        raise UnsupportedSource(
            f"{base_name(href)} is elsewhere and cannot be listed; consolidate its metadata (zarr.consolidate_metadata)"
        )
    if node is None and local_path(href) is None and not href.endswith(".zip"):
        raise Refused(HTTPStatus.NOT_FOUND)  # for each document that may say what there is
    if node is None:
        raise UnsupportedSource(f"{base_name(href)} is not a Zarr group: it has neither zarr.json nor .zgroup")
    return node


def group_of_document(document: bytes) -> GroupNode:
    """Return the group whose `zarr.json` holds the metadata of all that is in it.

    Raises:
        UnsupportedSource: It is not a group.
    """
    store = _KeyValues(None)
    store.add_documents(_consolidated(None, document))
    node = _read_node(store, "", MAX_DEPTH)
    if not isinstance(node, GroupNode):
        raise UnsupportedSource("its zarr.json is not that of a group")
    return node


def _open_store(href: str) -> tuple[_Store, str]:
    """The store and the path of its root in it."""
    path = local_path(href)
    if path is not None and not path.exists():
        raise UnsupportedSource(f"{path.name} does not exist")
    if path is not None and path.is_dir():
        return _Folder(path), ""
    context = ts.Context(request_limits()) if path is None else None
    store = _KeyValues(ts.KvStore.open(kvstore(href), context=context).result())
    if path is None and not href.endswith(".zip"):
        store.add_consolidated()
        return store, ""
    store.list_keys()
    return store, store.root()


class _Folder:
    """A store that is a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> bytes | None:
        path = self._root / key
        return path.read_bytes() if path.is_file() else None

    def children(self, path: str) -> list[str]:
        return sorted(each.name for each in (self._root / path).iterdir() if each.is_dir())


class _KeyValues:
    """A store elsewhere, known by its consolidated metadata, or a zip file, known by its list."""

    def __init__(self, store: Any) -> None:  # noqa: ANN401 -- tensorstore's stubs lack it
        self._store = store
        self._known: dict[str, bytes] = {}
        self._keys: set[str] = set()

    def list_keys(self) -> None:
        self._keys = {key.decode() for key in result_within(self._store.list())}

    def add_consolidated(self) -> None:
        """Take the metadata of all nodes from the document that holds them."""
        self.add_documents(_consolidated(self.read(".zmetadata"), self.read("zarr.json")))

    def add_documents(self, documents: Iterator[tuple[str, bytes]]) -> None:
        """Take the metadata of nodes as they are."""
        self._known |= dict(documents)
        self._keys |= set(self._known)

    def root(self) -> str:
        found = [key.rpartition("/") for key in self._keys if key.rpartition("/")[2] in _METADATA]
        return min((folder for folder, _, _name in found), key=lambda folder: (folder.count("/"), folder), default="")

    def read(self, key: str) -> bytes | None:
        if key in self._known:
            return self._known[key]
        if self._keys and key not in self._keys:
            return None
        found = result_within(self._store.read(key))
        return bytes(found.value) if found.state == "value" else None

    def children(self, path: str) -> list[str]:
        prefix = f"{path}/" if path else ""
        below = (key.removeprefix(prefix) for key in self._keys if key.startswith(prefix))
        return sorted({name.partition("/")[0] for name in below if "/" in name})


def _consolidated(version2: bytes | None, version3: bytes | None) -> Iterator[tuple[str, bytes]]:
    if version2 is not None:
        for key, document in json.loads(version2).get("metadata", {}).items():
            yield key, json.dumps(document).encode()
    if version3 is not None:
        root = json.loads(version3)
        yield "zarr.json", version3
        for path, document in nodes_of(root).items():
            yield f"{path}/zarr.json", json.dumps(document).encode()


def _read_node(store: _Store, path: str, depth: int) -> ArrayNode | GroupNode | None:
    prefix = f"{path}/" if path else ""
    version3 = _document(store, f"{prefix}zarr.json")
    if version3 is not None:
        if version3.get("node_type") == "array":
            return _array_3(path, version3)
        return _group(store, path, version3.get("attributes") or {}, depth)
    version2 = _document(store, f"{prefix}.zarray")
    if version2 is not None:
        return _array_2(path, version2, _document(store, f"{prefix}.zattrs") or {})
    if _document(store, f"{prefix}.zgroup") is not None:
        return _group(store, path, _document(store, f"{prefix}.zattrs") or {}, depth)
    return None


def _document(store: _Store, key: str) -> Document | None:
    found = store.read(key)
    if found is None:
        return None
    document = json.loads(found)
    if not isinstance(document, dict):
        raise UnsupportedSource(f"{key} is damaged: it holds no metadata")
    return document


def _group(store: _Store, path: str, attrs: Document, depth: int) -> GroupNode:
    arrays: dict[str, ArrayNode] = {}
    groups: dict[str, GroupNode] = {}
    for name in store.children(path) if depth >= 0 else []:
        node = _read_node(store, f"{path}/{name}" if path else name, depth - 1)
        if isinstance(node, ArrayNode):
            arrays[name] = node
        elif node is not None:
            groups[name] = node
    return GroupNode(path, attrs, arrays, groups)


def _array_2(path: str, document: Document, attrs: Document) -> ArrayNode:
    shape = tuple(document["shape"])
    dtype = np.dtype(document["dtype"]) if isinstance(document["dtype"], str) else None
    attrs = dict(attrs)
    dims = attrs.pop("_ARRAY_DIMENSIONS", None)
    if document.get("fill_value") is not None:
        # As xarray does: in version 2 the fill value is what CF calls _FillValue.
        attrs["_FillValue"] = _number(document["fill_value"])
    return ArrayNode(
        path=path,
        version=2,
        shape=shape,
        dtype=dtype,
        dims=_dims(dims, shape),
        files=tuple(document["chunks"]),
        separator=document.get("dimension_separator", "."),
        attrs=attrs,
    )


def _array_3(path: str, document: Document) -> ArrayNode:
    shape = tuple(document["shape"])
    attrs = dict(document.get("attributes") or {})
    if "_FillValue" in attrs:
        attrs["_FillValue"] = _number(attrs["_FillValue"])
    keys = document.get("chunk_key_encoding") or {}
    separator = (keys.get("configuration") or {}).get("separator", "." if keys.get("name") == "v2" else "/")
    return ArrayNode(
        path=path,
        version=3,
        shape=shape,
        dtype=_dtype_3(document["data_type"]),
        dims=_dims(document.get("dimension_names"), shape),
        files=tuple(document["chunk_grid"]["configuration"]["chunk_shape"]),
        separator=separator,
        has_c=keys.get("name", "default") == "default",
        attrs=attrs,
    )


def _dtype_3(name: object) -> np.dtype[Any] | None:
    try:
        return np.dtype(name) if isinstance(name, str) else None
    except TypeError:
        return None


def _dims(names: object, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Dimension names; those that are not given are numbered."""
    given = list(names) if isinstance(names, list) else []
    given += [None] * (len(shape) - len(given))
    return tuple(str(name) if name else f"dim_{position}" for position, name in enumerate(given[: len(shape)]))


def _number(value: object) -> object:
    """A fill value as a number: JSON has no NaN, and xarray writes floats of version 3 as base64."""
    if not isinstance(value, str):
        return value
    try:
        return float(value.replace("Infinity", "inf"))
    except ValueError:
        pass
    try:
        return float(struct.unpack("<d", base64.standard_b64decode(value))[0])
    except (ValueError, struct.error):
        return value
