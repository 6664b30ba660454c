"""Kind of Zarr stores: folders, zip files and remote stores."""

import itertools
import math
import os
import re
from collections import deque
from collections.abc import Collection, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.finding import Finding
from chronotile.core.model.source import KindOptions, SourceSpec
from chronotile.readers.cf.scope import MAX_GROUP_DEPTH
from chronotile.readers.hrefs import CREDENTIALS_REMEDY, local_path
from chronotile.readers.kind import AS_STORED, SourceKind, add_coordinates, has_file
from chronotile.readers.reader import Reader
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.zarr.store_files import HEADS, LEVELS_END, LINK, SNAPSHOTS, linked_store

if TYPE_CHECKING:
    import xarray

    from chronotile.readers.zarr.metadata import GroupNode

_GROUP_NODE = re.compile(rb'"node_type"\s*:\s*"group"')

REFERENCED = re.compile(rb'"([^"]*/)?(\.zgroup|\.zarray|zarr\.json)"\s*:')
CONSOLIDATED = b'"zarr_consolidated_format"'
"""Member of consolidated metadata of a store: their other keys look like references of kerchunk."""

MAX_ENTRIES = 500
"""Maximum number of entries of a folder that are searched for groups and arrays."""
MAX_WAITING = 5000
"""Maximum number of folders that wait for their search; if there are more, folders below are not added."""


class ZarrKind(SourceKind):
    """Zarr stores, including serving cubes."""

    options = KindOptions(name="zarr", has_groups=True)
    file_ends = (".zarr.zip",)
    shared_ends = (".json",)
    folder_ends = (LEVELS_END,)
    folder_marks = (".zmetadata", "zarr.json", ".zgroup", ".zarray")

    def is_folder(self, path: Path) -> bool:
        """Return whether a folder is a store, or an Icechunk repository."""
        is_repository = any(has_file(path, name) for name in HEADS) and (path / SNAPSHOTS).is_dir()
        return super().is_folder(path) or is_repository

    def has_content(self, path: Path, head: bytes) -> bool:
        """Return whether a JSON document has keys of a Zarr store, like references of kerchunk."""
        return REFERENCED.search(head) is not None and CONSOLIDATED not in head

    def open(self, spec: SourceSpec, caches: ReaderCaches) -> Reader:
        """Return a reader of the store."""
        from chronotile.readers.zarr.source import open_zarr

        parts = urlsplit(spec.href)
        if local_path(spec.href) is None and parts.scheme != "s3" and parts.query:
            raise UnsupportedSource(
                f"a query in the URL of a Zarr store, such as a signature, is not supported; {CREDENTIALS_REMEDY}"
            )
        return open_zarr(spec, caches)

    def files(self, spec: SourceSpec) -> list[str]:
        """Return metadata documents of groups and arrays, without searching folders of chunks."""
        root = local_path(spec.href)
        if root is None:
            return []
        if not root.is_dir():
            return [str(root)]
        linked = linked_store(root)
        stores = [root] if linked is None or not linked.is_dir() else [root, linked]
        return [str(m) for store in stores for m in self._metadata(store)]

    def root_document(self, spec: SourceSpec) -> Path | None:
        """Return the root document of Zarr v3, which each commit replaces."""
        root = local_path(spec.href)
        return None if root is None else root / "zarr.json"

    def findings(self, spec: SourceSpec, reported: Collection[str]) -> Iterator[Finding]:
        """Yield arrays with large chunks."""
        from chronotile.readers.zarr.stores import chunk_findings

        yield from chunk_findings(spec)

    def datasets(self, path: Path, group: str | None = None) -> "Iterator[xarray.Dataset]":
        """Yield the groups with arrays, largest arrays first; or only `group` and the groups below."""
        from chronotile.readers.zarr.stores import PlainStore, open_store

        path = linked_store(path) or path
        plain_store = open_store(str(path))
        if not isinstance(plain_store, PlainStore):
            raise UnsupportedSource("references and repositories are not audited; audit the files behind them")
        require_extra("zarr", "reading a Zarr store apart", error=UnsupportedSource)
        import xarray
        from zarr.storage import ZipStore

        def open_group(node: "GroupNode") -> "xarray.Dataset":
            store = ZipStore(path, mode="r") if path.suffix == ".zip" else path
            options = {"chunks": None, "consolidated": False, **AS_STORED}
            dataset: xarray.Dataset = xarray.open_zarr(store, group=node.path or None, **options)
            return dataset

        root = plain_store.read_group()
        nodes = [node for _path, node in root.walk() if node.arrays]
        served = [node for _path, node in root.at(group or "").walk() if node.arrays]
        for node in sorted(served, key=lambda node: -max(math.prod(array.shape) for array in node.arrays.values())):
            try:
                yield add_coordinates(open_group(node), (open_group(other) for other in nodes if other is not node))
            except (OSError, ValueError, KeyError):
                continue

    def _metadata(self, root: Path) -> Iterator[Path]:
        yield from (root / name for name in (*self.folder_marks, "commit.json", *HEADS, LINK))
        waiting = deque((child, 1) for child in _folders(root))
        while waiting:
            folder, depth = waiting.popleft()
            yield from (folder / name for name in self.folder_marks)
            if len(waiting) < MAX_WAITING and (depth == 1 or (depth <= MAX_GROUP_DEPTH and _is_group(folder))):
                waiting += [(child, depth + 1) for child in _folders(folder)]


def _is_group(folder: Path) -> bool:
    """Return whether a folder is a group; folders of chunks are not searched (version 3: `c`)."""
    if (folder / "c").is_dir() or has_file(folder, ".zarray"):
        return False
    if has_file(folder, ".zgroup"):
        return True
    with suppress(OSError):
        return _GROUP_NODE.search((folder / "zarr.json").read_bytes()) is not None
    return False


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, MAX_ENTRIES) if entry.is_dir()]
    return [folder / name for name in sorted(names) if name != "c"]
