"""What has changed since an archive was opened: configuration, styles, files of its sources."""

import itertools
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from chronotile.archive.discovery.walk import ZARR_MARKS, walk
from chronotile.errors import ChronotileError
from chronotile.machine import are_on_disks_here
from chronotile.model.source import SourceSpec
from chronotile.model.time.instants import Instant
from chronotile.readers.file_state import file_state
from chronotile.readers.files import find_files
from chronotile.readers.hrefs import local_path
from chronotile.yaml_source import Node

PATTERN_KINDS = {"cog", "netcdf"}
"""Kinds whose files a pattern may name."""

MAX_ENTRIES = 500
"""Of a folder of a store that are looked at for groups and arrays."""


@dataclass(frozen=True, slots=True)
class DocumentState:
    """A document of a store, as it was."""

    document: str
    """Its path, as text: a stat of it stands in the way of every request."""
    state: tuple[int, int] | None

    def has_changed(self) -> bool:
        """Return whether it is another by now; one that is gone has nothing newer to tell."""
        try:
            now = os.stat(self.document)  # noqa: PTH116 -- see above
        except OSError:
            return False
        return (now.st_mtime_ns, now.st_size) != self.state


def source_states(specs: Mapping[str, SourceSpec]) -> dict[str, str]:
    """Return a digest for each source that changes when a file comes, goes or is written anew.

    Readers see for themselves that the pixels of a file are new; but one that was left out, because it was half copied
    or had another grid, may fit by now, and one that fitted may not.
    """
    return {collection: _told_state(spec.stored) for collection, spec in specs.items()}


def document_states(specs: Mapping[str, SourceSpec]) -> dict[str, DocumentState]:
    """Return for each source that is a local Zarr v3 store its root document, which every commit replaces."""
    roots = {name: local_path(spec.stored.href) for name, spec in specs.items() if spec.stored.kind == "zarr"}
    found = {name: str(root / "zarr.json") for name, root in roots.items() if root is not None}
    return {name: DocumentState(document, _state(Path(document))) for name, document in found.items()}


def sources_at_hand(specs: Mapping[str, SourceSpec]) -> frozenset[str]:
    """Return the sources on disks of this machine: to look whether they are as they were takes no time."""
    return frozenset(name for name, spec in specs.items() if _is_at_hand(spec.stored))


def state_of_file(path: Path) -> str:
    """Return a digest of the name and age of a file, there or not."""
    return _digest([path])


def folder_state(place: Path) -> str:
    """Return a digest of the names and ages of all data under a folder, or of one file."""
    if not place.is_dir():
        return state_of_file(place)
    found = walk(place)
    return _digest([*found.rasters, *found.netcdf, *found.zarr])


def last_change(written: Node, styles: Iterable[Path], specs: Mapping[str, SourceSpec]) -> Instant | None:
    """Return when configuration, styles or the times of any source last changed, by the ages of their files.

    All processes that serve the same files give the same answer.

    Returns:
        `None` where a source has no file here whose age could be looked at.
    """
    places = [Path(file) for file in _files_of(written)]
    for folder in styles:
        places += [folder, *folder.glob("*.yaml")]
    try:
        for spec in specs.values():
            own = list(_dated(spec.stored))
            if not own:
                return None
            places += own
    except (ChronotileError, OSError):
        return None
    ages = [state[0] for place in places if (state := _state(place)) is not None]
    return np.datetime64(max(ages), "ns") if ages else None


def _files_of(node: Node) -> set[str]:
    """The files that a configuration and its parts are written in."""
    found = {node.place.file} - {""}
    children = node.content.values() if isinstance(node.content, dict) else node.content
    if isinstance(children, str) or not isinstance(children, Iterable):
        return found
    return found.union(*(_files_of(child) for child in children))


def _dated(spec: SourceSpec) -> Iterator[Path]:
    """The files and folders whose age tells when a source gained or lost times; none of a source elsewhere."""
    if spec.kind in PATTERN_KINDS:
        files = [path for paths in find_files(spec).values() for path in map(local_path, paths) if path is not None]
        yield from {file.parent for file in files}
        yield from files
        return
    root = local_path(spec.href)
    if root is not None:
        yield from _zarr_metadata(root) if root.is_dir() else [root]


def _is_at_hand(spec: SourceSpec) -> bool:
    try:
        if spec.kind not in PATTERN_KINDS:
            root = local_path(spec.href)
            return root is not None and are_on_disks_here([root])
        files = [local_path(path) for paths in find_files(spec).values() for path in paths]
    except (ChronotileError, OSError):
        return False
    here = [file for file in files if file is not None]
    return len(here) == len(files) and are_on_disks_here(
        {file.parent for file in here}.union(file for file in here if file.is_symlink())
    )


def _told_state(spec: SourceSpec) -> str:
    """A source that cannot be looked at has that as its state; opening it says why."""
    try:
        return _source_state(spec)
    except (ChronotileError, OSError) as error:
        return str(error)


def _source_state(spec: SourceSpec) -> str:
    if spec.kind in PATTERN_KINDS:
        found = (path for paths in find_files(spec).values() for path in paths)
        return _digest_of(f"{path} {file_state(path)}" for path in found)
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
    return _digest_of(f"{path} {_state(path)}" for path in paths)


def _digest_of(texts: Iterable[str]) -> str:
    digest = blake2b(digest_size=8)
    for text in texts:
        digest.update(f"{text}\n".encode())
    return digest.hexdigest()


def _state(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_mtime_ns, state.st_size
