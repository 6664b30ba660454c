"""Where the metadata of a Zarr store are: in a folder, in one document for all nodes, or in one for each."""

import json
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol

import tensorstore as ts

from chronotile.errors import UnsupportedSource
from chronotile.readers.hrefs import kvstore, local_path
from chronotile.readers.remote.folders import list_folders
from chronotile.readers.remote.requests import Away, Refused
from chronotile.readers.remote.s3_environment import is_paid
from chronotile.readers.remote.whole_files import read_whole
from chronotile.readers.zarr.commit import nodes_of
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
    store.list_keys()
    return store, store.root()


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
        return sorted(each.name for each in (self._root / path).iterdir() if each.is_dir())


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

    def list_keys(self) -> None:
        """Take the names of all there is."""
        self._keys = {key.decode() for key in result_within(self._store.list())}

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
