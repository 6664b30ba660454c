"""The groups and arrays of a Zarr store, versions 2 and 3, from their metadata alone.

zarr-python and xarray would give the same result, but take two seconds and 130 MB more per process.
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
from chronotile.readers.cf.scope import MAX_GROUP_DEPTH, MAX_GROUPS
from chronotile.readers.hrefs import base_name, kvstore, local_path
from chronotile.readers.remote.buckets import needs_obstore
from chronotile.readers.remote.files import read_whole
from chronotile.readers.remote.requests import Away, Refused, list_folders
from chronotile.readers.zarr.commit import nodes_of
from chronotile.readers.zarr.damage import require_whole_members
from chronotile.readers.zarr.store_files import LEVELS_END
from chronotile.readers.zarr.waits import request_limits, result_within

MAX_DOCUMENT_BYTES = 64 << 20

_LEVELS_GROUP = b"{}"
_LEVELS = tuple(f"{level}.zarr" for level in range(8))
"""Names that are requested in a folder of levels that cannot be listed."""

METADATA = (".zmetadata", "zarr.json", ".zgroup", ".zarray")


class Documents(Protocol):
    """The metadata of a store."""

    is_listed: bool
    """Whether `children` returns all names."""
    is_consolidated: bool
    """Whether the state of one document changes with all others."""
    refused: Refused | None
    """The first refusal of a document."""

    def read(self, key: str) -> bytes | None:
        """Return the document of a key; `None` if it is missing."""

    def children(self, path: str) -> list[str]:
        """Return the names under a path."""


def open_documents(href: str, names: Collection[str] = ()) -> tuple[Documents, str]:
    """Return the metadata of a store, and the path of its root in them.

    Args:
        href: The store.
        names: Arrays to request in a remote store that has no consolidated metadata and cannot be listed.

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
    opened = href.rstrip("/") if needs_obstore(href) else ts.KvStore.open(kvstore(href), context=context).result()
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
    """True in effect: the states of local files are read one by one."""
    refused: Refused | None = None

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, key: str) -> bytes | None:
        """Return the document of a key, `None` if it is missing; a folder of levels is a group without a document."""
        path = self._root / key
        if key == ".zgroup" and self._root.name.endswith(LEVELS_END):
            return _LEVELS_GROUP
        return path.read_bytes() if path.is_file() else None

    def children(self, path: str) -> list[str]:
        """Return the names of all folders under a path."""
        return sorted(i.name for i in (self._root / path).iterdir() if i.is_dir())


class KeyValues:
    """A remote store, read by its consolidated metadata, or a ZIP file, read by its list of keys.

    Args:
        store: The store opened by tensorstore, or its address if tensorstore cannot; `None` if all documents are added.
    """

    is_listed = True
    is_consolidated = True

    def __init__(self, store: Any) -> None:  # noqa: ANN401 -- tensorstore's stubs lack it
        self.refused: Refused | None = None
        self._store = store
        self._known: dict[str, bytes] = {}
        self._keys: set[str] = set()

    def list_keys(self) -> Collection[str]:
        """List the keys of the store, cache them in this object and return them."""
        self._keys = {key.decode() for key in result_within(self._store.list())}
        return self._keys

    def add_consolidated(self) -> None:
        """Store the metadata of all nodes from the consolidated document."""
        self.add_documents(nodes_of_consolidated(self.read(".zmetadata"), self.read("zarr.json")))

    @property
    def is_complete(self) -> bool:
        """Whether documents of arrays are stored."""
        return any(key.endswith(("/zarr.json", "/.zarray")) for key in self._known)

    def add_documents(self, documents: Iterable[tuple[str, bytes]]) -> None:
        """Store documents of nodes unchanged."""
        self._known |= dict(documents)
        self._keys |= set(self._known)

    def root(self) -> str:
        """Return the path of the topmost group."""
        documents = [key.rpartition("/") for key in self._keys if key.rpartition("/")[2] in METADATA]
        return min(
            (folder for folder, _, _name in documents), key=lambda folder: (folder.count("/"), folder), default=""
        )

    def read(self, key: str) -> bytes | None:
        """Return the document of a key; `None` if it is missing."""
        if key in self._known:
            return self._known[key]
        if self._keys and key not in self._keys:
            return None
        return self.request(key)

    def request(self, key: str) -> bytes | None:
        """Request a document; return `None` if it is missing or access to it is refused.

        Raises:
            Refused: Access to attributes is refused; they may exist, and numbers would be wrong without them.
        """
        try:
            return self._fetch(key)
        except Refused as error:
            if key.endswith(".zattrs"):
                raise
            # S3 refuses access to a missing key if the client may not list the bucket.
            self.refused = self.refused or error
            return None

    def _fetch(self, key: str) -> bytes | None:
        if isinstance(self._store, str):
            return read_whole(f"{self._store}/{key}", MAX_DOCUMENT_BYTES)
        answer = result_within(self._store.read(key))
        return bytes(answer.value) if answer.state == "value" else None

    def children(self, path: str) -> list[str]:
        """Return the names under a path."""
        prefix = f"{path}/" if path else ""
        below = (key.removeprefix(prefix) for key in self._keys if key.startswith(prefix))
        return sorted({name.partition("/")[0] for name in below if "/" in name})


def nodes_of_consolidated(version2: bytes | None, version3: bytes | None) -> Iterator[tuple[str, bytes]]:
    """Yield the key and document of all nodes from the consolidated documents."""
    if version2 is not None:
        for key, document in json.loads(version2).get("metadata", {}).items():
            yield key, json.dumps(document).encode()
    if version3 is not None:
        root = json.loads(version3)
        yield "zarr.json", version3
        for path, document in nodes_of(root).items():
            yield f"{path}/zarr.json", json.dumps(document).encode()


class Unconsolidated(KeyValues):
    """A remote store whose documents are requested individually.

    Args:
        store: The store opened by tensorstore, or its address.
        href: Address of the store.
        names: Arrays to request if the store cannot be listed.
    """

    is_listed = False
    is_consolidated = False

    def __init__(self, store: Any, href: str, names: Collection[str]) -> None:  # noqa: ANN401 -- see above
        super().__init__(store)
        self._href = href.rstrip("/")
        self._names = sorted(names)

    def read(self, key: str) -> bytes | None:
        """Return the document of a key, `None` if it is missing; a folder of levels is a group without a document."""
        return _LEVELS_GROUP if key == ".zgroup" and self._href.endswith(LEVELS_END) else super().read(key)

    def children(self, path: str) -> list[str]:
        """Return the folders under a path, or the names to request if they cannot be listed."""
        try:
            listed = list_folders(f"{self._href}/{path}")
        except Away:
            listed = None
        if listed is None:
            return list(_LEVELS) if not path and self._href.endswith(LEVELS_END) else self._names
        return listed


_NAME = re.compile(r"[\w.-]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrayNode:
    """An array as described by its metadata."""

    path: str
    """Path from the root of the key-value store, including the inner folder of a ZIP."""
    version: int
    """2 or 3."""
    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    """`None` for types that numpy lacks."""
    dims: tuple[str, ...]
    files: tuple[int, ...]
    """Shape of the part in one file: a shard, or a chunk if there are no shards."""
    separator: str
    """Separator of the numbers in a chunk's name; `/` turns them into folders."""
    has_c: bool = False
    """Whether the numbers follow a `c`, the default of version 3."""
    attrs: Json
    is_alone: bool = False
    """Whether only its document contains its metadata, because the store is not consolidated."""

    @property
    def document(self) -> str:
        """Name of the file with its metadata."""
        return "zarr.json" if self.version == 3 else ".zarray"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition("/")[2]

    def file_of(self, numbers: Sequence[int]) -> str:
        """Return the path of the file of a chunk or shard by its number along each dimension; starts with `path`."""
        name = self.separator.join((*(["c"] if self.has_c else []), *map(str, numbers)))
        return f"{self.path}/{name or '0'}"


class ZarrArray(ArraySource):
    """An array of a store."""

    _node: ArrayNode

    @property
    def files(self) -> tuple[int, ...]:
        """Lengths of a file, dimension by dimension: a chunk, or a shard."""
        return self._node.files


@dataclass(frozen=True, slots=True)
class GroupNode:
    """A group: its attributes, arrays and groups."""

    path: str
    attrs: Json
    arrays: Mapping[str, ArrayNode] = field(default_factory=dict)
    groups: Mapping[str, "GroupNode"] = field(default_factory=dict)
    is_cut: bool = False
    """Whether its content was not read, because of the limits of groups."""

    def at(self, path: str) -> "GroupNode":
        """Return the group with a path below this group; the group itself for an empty path."""
        name, _slash, rest = path.partition("/")
        return self.groups[name].at(rest) if path else self

    def walk(self, path: str = "") -> "Iterator[tuple[str, GroupNode]]":
        """Yield the group and all groups below it with their paths, which start with `path`."""
        yield path, self
        for name, group in self.groups.items():
            yield from group.walk(f"{path}/{name}" if path else name)

    def all_arrays(self) -> Iterator[ArrayNode]:
        """Yield all arrays of the group, at any depth."""
        for _path, group in self.walk():
            yield from group.arrays.values()


def read_group(href: str, names: Collection[str] = ()) -> GroupNode:
    """Return the root group of a store.

    Args:
        href: The store.
        names: Arrays to request in a remote store that has no consolidated metadata and cannot be listed.

    Raises:
        UnsupportedSource: It is not a group, or its arrays cannot be found.
        Refused: The server refuses access to a remote store, or has none of its documents (status 404).
    """
    store, root = open_documents(href, names)
    node = _read_node(store, root, _GroupCount())
    if isinstance(node, ArrayNode):
        raise UnsupportedSource(f"{base_name(href)} is a single Zarr array; name the group that holds it")
    if local_path(href) is None and isinstance(node, GroupNode) and not (node.arrays or node.groups):
        raise UnsupportedSource(
            f"{base_name(href)} is elsewhere and cannot be listed; name its variables in the configuration, or "
            "consolidate its metadata (zarr.consolidate_metadata)"
        )
    if node is None and local_path(href) is None and not href.endswith(".zip"):
        # The first refusal, because S3 also refuses missing keys; without a refusal, all documents are missing.
        raise store.refused or Refused(HTTPStatus.NOT_FOUND)
    if node is None:
        raise UnsupportedSource(f"{base_name(href)} is not a Zarr group: it has neither zarr.json nor .zgroup")
    return node


def group_of_document(document: bytes) -> GroupNode:
    """Return the group of a `zarr.json` with consolidated metadata.

    Raises:
        UnsupportedSource: It is not a group.
    """
    return group_of_documents(nodes_of_consolidated(None, document))


def group_of_documents(documents: Iterable[tuple[str, bytes]]) -> GroupNode:
    """Return the group that metadata describe, given by their keys, such as `NDVI/.zarray`.

    Raises:
        UnsupportedSource: It is not a group.
    """
    store = KeyValues(None)
    store.add_documents(documents)
    node = _read_node(store, "", _GroupCount())
    if not isinstance(node, GroupNode):
        raise UnsupportedSource("the metadata of its root are not those of a group")
    return node


@dataclass(slots=True)
class _GroupCount:
    """Groups that may still be read, and the depth of the current one."""

    groups: int = MAX_GROUPS
    depth: int = 0


def _read_node(store: Documents, path: str, limits: _GroupCount) -> ArrayNode | GroupNode | None:
    prefix = f"{path}/" if path else ""
    version3 = _document(store, f"{prefix}zarr.json")
    if version3 is not None:
        if version3.get("node_type") == "array":
            return _array_3(path, version3)
        return _group(store, path, version3.get("attributes") or {}, limits)
    version2 = _document(store, f"{prefix}.zarray")
    if version2 is not None:
        return _array_2(path, version2, _document(store, f"{prefix}.zattrs") or {})
    if _document(store, f"{prefix}.zgroup") is not None:
        return _group(store, path, _document(store, f"{prefix}.zattrs") or {}, limits)
    return None


def _document(store: Documents, key: str) -> Json | None:
    found = store.read(key)
    if found is None:
        return None
    document = json.loads(found)
    if not isinstance(document, dict):
        raise UnsupportedSource(f"{key} is damaged: it holds no metadata")
    return document


def _group(store: Documents, path: str, attrs: Json, limits: _GroupCount) -> GroupNode:
    arrays: dict[str, ArrayNode] = {}
    groups: dict[str, GroupNode] = {}
    if limits.depth > MAX_GROUP_DEPTH or limits.groups < 1:
        return GroupNode(path, attrs, is_cut=True)
    limits.groups, limits.depth = limits.groups - 1, limits.depth + 1
    names, seen = store.children(path), set[str]()
    while names:
        for name in names:
            node = _read_node(store, f"{path}/{name}" if path else name, limits)
            if isinstance(node, ArrayNode):
                arrays[name] = node if store.is_consolidated else replace(node, is_alone=True)
            elif node is not None:
                groups[name] = node
        seen.update(names)
        # If the store cannot be listed, request the arrays that the attributes of found arrays name.
        names = [] if store.is_listed else sorted(set[str]().union(*map(_related_names, arrays.values())) - seen)
    limits.depth -= 1
    return GroupNode(path, attrs, arrays, groups)


def _related_names(array: ArrayNode) -> set[str]:
    # Names of other arrays that belong to an array.
    words = " ".join(str(array.attrs.get(name, "")) for name in ("coordinates", "grid_mapping", "bounds"))
    return {*array.dims, *(word for word in words.replace(":", " ").split() if _NAME.fullmatch(word))}


def _array_2(path: str, document: Json, attrs: Json) -> ArrayNode:
    shape = tuple(document["shape"])
    dtype = np.dtype(document["dtype"]) if isinstance(document["dtype"], str) else None
    attrs = dict(attrs)
    dims = attrs.pop("_ARRAY_DIMENSIONS", None)
    if document.get("fill_value") is not None:
        # The fill value of version 2 is the _FillValue of CF, as in xarray.
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
"""Types of texts, in the spelling of zarr-python."""


def _dtype_3(type_: object) -> np.dtype[Any] | None:
    name = type_.get("name") if isinstance(type_, dict) else type_
    if name in _TEXTS:
        return np.dtype(object)
    try:
        return np.dtype(name) if isinstance(name, str) else None
    except TypeError:
        return None


def _dims(names: object, shape: tuple[int, ...]) -> tuple[str, ...]:
    """Return the dimension names; missing names are replaced by numbered ones."""
    all_names = list(names) if isinstance(names, list) else []
    all_names += [None] * (len(shape) - len(all_names))
    return tuple(str(name) if name else f"dim_{position}" for position, name in enumerate(all_names[: len(shape)]))


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
