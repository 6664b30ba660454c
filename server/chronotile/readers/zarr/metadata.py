"""The groups and arrays of a Zarr store, versions 2 and 3, from their metadata alone.

zarr-python and xarray would tell the same for two seconds and 130 MB a process more.
"""

import base64
import json
import re
import struct
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import tensorstore as ts

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.types import Json
from chronotile.readers.cf.array_source import ArraySource
from chronotile.readers.hrefs import base_name, kvstore, local_path
from chronotile.readers.remote.files import read_whole
from chronotile.readers.remote.requests import Away, Refused, list_folders
from chronotile.readers.remote.s3_environment import is_paid
from chronotile.readers.zarr.commit import nodes_of
from chronotile.readers.zarr.damage import require_whole_members
from chronotile.readers.zarr.kind import LEVELS_END
from chronotile.readers.zarr.waits import request_limits, result_within

MAX_DOCUMENT_BYTES = 64 << 20

_LEVELS_GROUP = b"{}"
_LEVELS = tuple(f"{level}.zarr" for level in range(8))
"""Looked for in a folder of levels that cannot be listed."""

METADATA = (".zmetadata", "zarr.json", ".zgroup", ".zarray")


class Documents(Protocol):
    """The metadata of a store."""

    is_listed: bool
    """Whether `children` gives all there are."""
    is_consolidated: bool
    """Whether the state of one document stands for all."""
    refused: Refused | None
    """The first refusal of a document."""

    def read(self, key: str) -> bytes | None:
        """Return the document of a key, if there is one."""

    def children(self, path: str) -> list[str]:
        """Return the names under a path."""


def open_documents(href: str, names: Collection[str] = ()) -> tuple[Documents, str]:
    """Return the metadata of a store, and the path of its root in them.

    Args:
        href: The store.
        names: Arrays to look for in a store elsewhere that has no consolidated metadata and cannot be listed.

    Raises:
        UnsupportedSource: It does not exist.
        Damaged: A document in a ZIP file has another checksum.
    """
    path = local_path(href)
    if path is not None and not path.exists():
        raise UnsupportedSource(f"{path.name} does not exist")
    if path is not None and path.is_dir():
        return Folder(path), ""
    context = ts.Context(request_limits()) if path is None else None
    opened = href.rstrip("/") if is_paid(href) else ts.KvStore.open(kvstore(href), context=context).result()
    store = KeyValues(opened)
    if path is None and not href.endswith(".zip"):
        store.add_consolidated()
        return (store if store.is_complete else Unconsolidated(opened, href, names)), ""
    keys = store.list_keys()
    if (zipped := zip_path(href)) is not None:
        require_whole_members(zipped, (key for key in keys if key.rpartition("/")[2] in (*METADATA, ".zattrs")))
    return store, store.root()


def zip_path(href: str) -> Path | None:
    """Return the path of a store that is a ZIP file on this machine."""
    path = local_path(href)
    return path if path is not None and path.suffix == ".zip" else None


class Folder:
    """A store that is a folder."""

    is_listed = True
    is_consolidated = True
    """As far as it matters here: files of this machine are looked at one by one."""
    refused: Refused | None = None

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> bytes | None:
        """Return the document of a key, if there is one; a folder of levels is a group without one."""
        path = self._root / key
        if key == ".zgroup" and self._root.name.endswith(LEVELS_END):
            return _LEVELS_GROUP
        return path.read_bytes() if path.is_file() else None

    def children(self, path: str) -> list[str]:
        """Return the names of all folders under a path."""
        return sorted(i.name for i in (self._root / path).iterdir() if i.is_dir())


class KeyValues:
    """A store elsewhere, known by its consolidated metadata, or a zip file, known by its list.

    Args:
        store: As tensorstore opens it, or its address, where tensorstore cannot; `None`: all documents are added.
    """

    is_listed = True
    is_consolidated = True

    def __init__(self, store: Any) -> None:  # noqa: ANN401 -- tensorstore's stubs lack it
        self.refused: Refused | None = None
        self._store = store
        self._known: dict[str, bytes] = {}
        self._keys: set[str] = set()

    def list_keys(self) -> Collection[str]:
        """Take the names of all there is, and return them."""
        self._keys = {key.decode() for key in result_within(self._store.list())}
        return self._keys

    def add_consolidated(self) -> None:
        """Take the metadata of all nodes from the document that holds them."""
        self.add_documents(consolidated(self.read(".zmetadata"), self.read("zarr.json")))

    @property
    def is_complete(self) -> bool:
        """Whether the documents of arrays are known."""
        return any(key.endswith(("/zarr.json", "/.zarray")) for key in self._known)

    def add_documents(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Take the metadata of nodes as they are."""
        self._known |= dict(documents)
        self._keys |= set(self._known)

    def root(self) -> str:
        """Return the path of the group above all others."""
        found = [key.rpartition("/") for key in self._keys if key.rpartition("/")[2] in METADATA]
        return min((folder for folder, _, _name in found), key=lambda folder: (folder.count("/"), folder), default="")

    def read(self, key: str) -> bytes | None:
        """Return the document of a key, if there is one."""
        if key in self._known:
            return self._known[key]
        if self._keys and key not in self._keys:
            return None
        return self.request(key)

    def request(self, key: str) -> bytes | None:
        """Return a document that is requested.

        Raises:
            Refused: It holds attributes, and may be there; without them numbers would be wrong.
        """
        try:
            return self._fetch(key)
        except Refused as error:
            if key.endswith(".zattrs"):
                raise
            # S3 answers so for what is not there to those who may not list the bucket.
            self.refused = self.refused or error
            return None

    def _fetch(self, key: str) -> bytes | None:
        if isinstance(self._store, str):
            return read_whole(f"{self._store}/{key}", MAX_DOCUMENT_BYTES)
        found = result_within(self._store.read(key))
        return bytes(found.value) if found.state == "value" else None

    def children(self, path: str) -> list[str]:
        """Return the names under a path."""
        prefix = f"{path}/" if path else ""
        below = (key.removeprefix(prefix) for key in self._keys if key.startswith(prefix))
        return sorted({name.partition("/")[0] for name in below if "/" in name})


def consolidated(version2: bytes | None, version3: bytes | None) -> Iterator[tuple[str, bytes]]:
    """Yield the documents of all nodes by key, from the documents that hold them."""
    if version2 is not None:
        for key, document in json.loads(version2).get("metadata", {}).items():
            yield key, json.dumps(document).encode()
    if version3 is not None:
        root = json.loads(version3)
        yield "zarr.json", version3
        for path, document in nodes_of(root).items():
            yield f"{path}/zarr.json", json.dumps(document).encode()


class Unconsolidated(KeyValues):
    """A store elsewhere whose documents are requested one by one.

    Args:
        store: As tensorstore opens it.
        href: The same.
        names: Arrays to look for where it cannot be listed.
    """

    is_listed = False
    is_consolidated = False

    def __init__(self, store: Any, href: str, names: Collection[str]) -> None:  # noqa: ANN401 -- see above
        super().__init__(store)
        self._href = href.rstrip("/")
        self._names = sorted(names)

    def read(self, key: str) -> bytes | None:
        """Return the document of a key, if there is one; a folder of levels is a group without one."""
        return _LEVELS_GROUP if key == ".zgroup" and self._href.endswith(LEVELS_END) else super().read(key)

    def children(self, path: str) -> list[str]:
        """Return the folders under a path, or the names to look for."""
        try:
            listed = list_folders(f"{self._href}/{path}")
        except Away:
            listed = None
        if listed is None:
            return list(_LEVELS) if not path and self._href.endswith(LEVELS_END) else self._names
        return listed


MAX_DEPTH = 6
"""Groups in groups that are looked into below the store's root."""

_NAME = re.compile(r"[\w.-]+")


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
    attrs: Json
    is_alone: bool = False
    """Whether its metadata are in no document but its own."""

    @property
    def document(self) -> str:
        """The name of the file of its own metadata."""
        return "zarr.json" if self.version == 3 else ".zarray"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def file_of(self, numbers: Sequence[int]) -> str:
        """Return the path of a file of chunks by its number along each dimension, from where `path` begins."""
        name = self.separator.join((*(["c"] if self.has_c else []), *map(str, numbers)))
        return f"{self.path}/{name or '0'}"


class ZarrArray(ArraySource):
    """An array of a store."""

    _node: ArrayNode

    @property
    def files(self) -> tuple[int, ...]:
        """The lengths, dimension by dimension, of a file: those of a chunk, or of a shard."""
        return self._node.files


@dataclass(frozen=True, slots=True)
class GroupNode:
    """One group: its attributes, arrays and groups."""

    path: str
    attrs: Json
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


def read_group(href: str, names: Collection[str] = ()) -> GroupNode:
    """Return the root group of a store.

    Args:
        href: The store.
        names: Arrays to look for in one elsewhere that has no consolidated metadata and cannot be listed.

    Raises:
        UnsupportedSource: There is none.
        Refused: The server of one elsewhere refuses access.
    """
    store, root = open_documents(href, names)
    node = _read_node(store, root, MAX_DEPTH)
    if isinstance(node, ArrayNode):
        raise UnsupportedSource(f"{base_name(href)} is a single Zarr array; name the group that holds it")
    if local_path(href) is None and isinstance(node, GroupNode) and not (node.arrays or node.groups):
        raise UnsupportedSource(
            f"{base_name(href)} is elsewhere and cannot be listed; name its variables in the configuration, or "
            "consolidate its metadata (zarr.consolidate_metadata)"
        )
    if node is None and local_path(href) is None and not href.endswith(".zip"):
        # For each document that may say what there is.
        raise store.refused or Refused(HTTPStatus.NOT_FOUND)
    if node is None:
        raise UnsupportedSource(f"{base_name(href)} is not a Zarr group: it has neither zarr.json nor .zgroup")
    return node


def group_of_document(document: bytes) -> GroupNode:
    """Return the group whose `zarr.json` holds the metadata of all that is in it.

    Raises:
        UnsupportedSource: It is not a group.
    """
    return group_of_documents(consolidated(None, document))


def group_of_documents(documents: Iterable[tuple[str, bytes]]) -> GroupNode:
    """Return the group that metadata describe, given by their keys, such as `NDVI/.zarray`.

    Raises:
        UnsupportedSource: It is not a group.
    """
    store = KeyValues(None)
    store.add_documents(documents)
    node = _read_node(store, "", MAX_DEPTH)
    if not isinstance(node, GroupNode):
        raise UnsupportedSource("the metadata of its root are not those of a group")
    return node


def _read_node(store: Documents, path: str, depth: int) -> ArrayNode | GroupNode | None:
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


def _document(store: Documents, key: str) -> Json | None:
    found = store.read(key)
    if found is None:
        return None
    document = json.loads(found)
    if not isinstance(document, dict):
        raise UnsupportedSource(f"{key} is damaged: it holds no metadata")
    return document


def _group(store: Documents, path: str, attrs: Json, depth: int) -> GroupNode:
    arrays: dict[str, ArrayNode] = {}
    groups: dict[str, GroupNode] = {}
    names = store.children(path) if depth >= 0 else []
    seen = set[str]()
    while names:
        for name in names:
            node = _read_node(store, f"{path}/{name}" if path else name, depth - 1)
            if isinstance(node, ArrayNode):
                arrays[name] = node if store.is_consolidated else replace(node, is_alone=True)
            elif node is not None:
                groups[name] = node
        seen.update(names)
        # Coordinates of what was found, where there is no list of all.
        names = [] if store.is_listed else sorted(set[str]().union(*map(_named_by, arrays.values())) - seen)
    return GroupNode(path, attrs, arrays, groups)


def _named_by(array: ArrayNode) -> set[str]:
    # The names of other arrays that belong to one.
    words = " ".join(str(array.attrs.get(name, "")) for name in ("coordinates", "grid_mapping", "bounds"))
    return {*array.dims, *(word for word in words.replace(":", " ").split() if _NAME.fullmatch(word))}


def _array_2(path: str, document: Json, attrs: Json) -> ArrayNode:
    shape = tuple(document["shape"])
    dtype = np.dtype(document["dtype"]) if isinstance(document["dtype"], str) else None
    attrs = dict(attrs)
    dims = attrs.pop("_ARRAY_DIMENSIONS", None)
    if document.get("fill_value") is not None:
        # As xarray does: in version 2 the fill value is what CF calls _FillValue.
        attrs["_FillValue"] = number_of_json(document["fill_value"])
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


def _array_3(path: str, document: Json) -> ArrayNode:
    shape = tuple(document["shape"])
    attrs = dict(document.get("attributes") or {})
    if "_FillValue" in attrs:
        attrs["_FillValue"] = number_of_json(attrs["_FillValue"])
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


_TEXTS = ("string", "fixed_length_utf32", "fixed_length_ascii", "null_terminated_bytes", "variable_length_utf8")
"""Types of texts by the names that zarr-python writes."""


def _dtype_3(type_: object) -> np.dtype[Any] | None:
    name = type_.get("name") if isinstance(type_, dict) else type_
    if name in _TEXTS:
        return np.dtype(object)
    try:
        return np.dtype(name) if isinstance(name, str) else None
    except TypeError:
        return None


def _dims(names: object, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Dimension names; those that are not given are numbered."""
    given = list(names) if isinstance(names, list) else []
    given += [None] * (len(shape) - len(given))
    return tuple(str(name) if name else f"dim_{position}" for position, name in enumerate(given[: len(shape)]))


def number_of_json(value: object) -> object:
    """Return a fill value as a number: JSON has no NaN, and xarray writes floats of version 3 as base64."""
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
