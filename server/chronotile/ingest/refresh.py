"""What has changed since an archive was opened: configuration, styles, files of its sources."""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path

from chronotile.errors import ChronotileError
from chronotile.ingest.walk import ZARR_MARKS, walk
from chronotile.model.source import SourceSpec
from chronotile.readers.hrefs import local_path
from chronotile.readers.raster_files import find_files

MAX_ENTRIES = 500
"""Of a folder of a store that are looked at for groups and arrays."""


def source_states(specs: Mapping[str, SourceSpec]) -> dict[str, str]:
    """Return a digest for each source that changes when it gains or loses times; pixels are minded by readers."""
    return {collection: _told_state(spec.stored) for collection, spec in specs.items()}


def folder_state(place: Path) -> str:
    """Return a digest of the names and ages of all data under a folder, or of one file."""
    if not place.is_dir():
        return _digest([place])
    found = walk(place)
    return _digest([*found.rasters, *found.netcdf, *found.zarr])


def _told_state(spec: SourceSpec) -> str:
    """A source that cannot be looked at has that as its state; opening it says why."""
    try:
        return _source_state(spec)
    except (ChronotileError, OSError) as error:
        return str(error)


def _source_state(spec: SourceSpec) -> str:
    if spec.kind == "cog":
        names = [path for paths in find_files(spec).values() for path in paths]
        return blake2b("\n".join(names).encode(), digest_size=8).hexdigest()
    root = local_path(spec.href)
    if root is None:
        return ""
    return _digest(_zarr_metadata(root) if root.is_dir() else [root])


def _zarr_metadata(root: Path) -> Iterator[Path]:
    """The metadata of a store's groups and arrays, two folders deep; the folders of chunks are not looked into."""
    yield from (root / name for name in (*ZARR_MARKS, "commit.json"))
    for child in _folders(root):
        yield from (child / name for name in ZARR_MARKS)
        for grandchild in _folders(child):
            yield from (grandchild / name for name in ZARR_MARKS)


def _folders(folder: Path) -> list[Path]:
    with os.scandir(folder) as entries:
        names = [entry.name for entry in itertools.islice(entries, MAX_ENTRIES) if entry.is_dir()]
    return [folder / name for name in sorted(names) if name != "c"]


def _digest(paths: Iterable[Path]) -> str:
    digest = blake2b(digest_size=8)
    for path in paths:
        digest.update(f"{path}{_state(path)}".encode())
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
