"""Detection of changes since an archive was opened: configuration, styles, files of its sources."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np

from chronotile.archive.discovery.walk import walk
from chronotile.core.errors import ChronotileError, SourceUnavailable
from chronotile.core.machine import are_on_disks_here
from chronotile.core.model.source import SourceSpec
from chronotile.core.model.types import Instant
from chronotile.core.yaml_source import YamlNode
from chronotile.readers.file_states import DocumentState, FileState, file_state
from chronotile.readers.hrefs import local_path, stored_file
from chronotile.readers.kinds import kind_of_spec
from chronotile.readers.mosaic.piece_index import PieceIndex


@dataclass(frozen=True, slots=True)
class IndexState:
    """State of a collection in the item index at an earlier time."""

    index: PieceIndex
    collection: str
    state: str

    def has_changed(self) -> bool:
        """Return whether instants, layouts or extent have changed; False if the index is unreachable."""
        try:
            return state_in_index(self.index, self.collection) != self.state
        except SourceUnavailable:
            return False


def state_in_index(index: PieceIndex, collection: str) -> str:
    """Return a text that changes whenever instants, layouts or the extent of a collection in the index change.

    Raises:
        SourceUnavailable: The index does not answer.
    """
    state = index.state(collection)
    return f"{state.times_counter} {state.layouts_counter}"


def source_states(specs: Mapping[str, SourceSpec], index: PieceIndex | None = None) -> dict[str, str]:
    """Return a digest for each source that changes when a file is added, removed or rewritten.

    Readers detect new pixels of a file themselves. The digest is needed for files that start or cease to fit, such as
    half-copied files or files on another grid. For items it is the state of the index.
    """
    return {
        collection: _state_of(spec.stored) if spec.items is None else _indexed_state(collection, index)
        for collection, spec in specs.items()
    }


def _indexed_state(collection: str, index: PieceIndex | None) -> str:
    try:
        return "" if index is None else state_in_index(index, collection)
    except SourceUnavailable as error:
        return str(error)


def document_states(
    specs: Mapping[str, SourceSpec], index: PieceIndex | None = None
) -> dict[str, DocumentState | IndexState]:
    """Return the states of local sources that are checked at each request.

    These are items, by the state of the index, and stores whose changes all replace one document, such as Zarr v3.
    """
    root_documents = {name: kind_of_spec(spec).root_document(spec) for name, spec in specs.items()}
    states: dict[str, DocumentState | IndexState] = {
        name: DocumentState(str(f), _state(f)) for name, f in root_documents.items() if f is not None
    }
    if index is not None:
        indexed = [name for name, spec in specs.items() if spec.items is not None]
        states |= {name: IndexState(index, name, _indexed_state(name, index)) for name in indexed}
    return states


def local_sources(specs: Mapping[str, SourceSpec]) -> frozenset[str]:
    """Return the sources on disks of this machine, whose changes are cheap to detect."""
    return frozenset(name for name, spec in specs.items() if _is_local(spec.stored))


def state_of_file(path: Path) -> str:
    """Return a digest of the name and state of a file, which may be missing."""
    return _digest([path])


def folder_state(place: Path) -> str:
    """Return a digest of the names and states of all data below a folder, or of one file."""
    if not place.is_dir():
        return state_of_file(place)
    return _digest(path for paths in walk(place).places.values() for path in paths)


def last_changes(
    written: YamlNode, styles: Iterable[Path], specs: Mapping[str, SourceSpec]
) -> dict[str, Instant | None]:
    """Return when the times of each source last changed, by the modification times of its files.

    All processes that serve the same files return the same times.

    Returns:
        Instants by collection; `None` for a source without local files that can be checked. The empty key has the
        instant of the configuration and the styles.
    """
    places = [Path(file) for file in _files_of(written)]
    for folder in styles:
        places += [folder, *folder.glob("*.yaml")]
    return {"": _newest_of(places), **{name: _last_change(spec) for name, spec in specs.items()}}


def _last_change(spec: SourceSpec) -> Instant | None:
    try:
        return _newest_of(_dated_paths(spec.stored))
    except (ChronotileError, OSError):
        return None


def _newest_of(places: Iterable[Path]) -> Instant | None:
    ages = [state.mtime_ns for place in places if (state := _state(place)) is not None]
    return np.datetime64(max(ages), "ns") if ages else None


def _files_of(node: YamlNode) -> set[str]:
    """Return the files of a configuration and its parts."""
    files = {node.place.file} - {""}
    children = node.content.values() if isinstance(node.content, dict) else node.content
    if isinstance(children, str) or not isinstance(children, Iterable):
        return files
    return files.union(*(_files_of(child) for child in children))


def _dated_paths(spec: SourceSpec) -> Iterator[Path]:
    """Yield local files and folders whose modification time shows that a source gained or lost times."""
    kind = kind_of_spec(spec)
    local_files = {Path(stored_file(str(path))) for path in map(local_path, kind.files(spec)) if path is not None}
    if kind.options.is_of_files:
        yield from {file.parent for file in local_files}
    yield from local_files


def _is_local(spec: SourceSpec) -> bool:
    kind = kind_of_spec(spec)
    try:
        if not kind.options.is_of_files:
            root = local_path(spec.href)
            return root is not None and are_on_disks_here([root])
        files = [local_path(path) for path in kind.files(spec)]
    except (ChronotileError, OSError):
        return False
    local_files = [file for file in files if file is not None]
    return len(local_files) == len(files) and are_on_disks_here(
        {file.parent for file in local_files}.union(file for file in local_files if file.is_symlink())
    )


def _state_of(spec: SourceSpec) -> str:
    """Return a digest of a source; the text of the error if it cannot be read, which its opening reports."""
    try:
        return _digest(kind_of_spec(spec).files(spec))
    except (ChronotileError, OSError) as error:
        return str(error)


def _digest(paths: Iterable[str | Path]) -> str:
    digest = blake2b(digest_size=8)
    for path in paths:
        digest.update(f"{path} {_state(path)}\n".encode(errors="surrogatepass"))
    return digest.hexdigest()


def _state(path: str | Path) -> FileState | None:
    try:
        return file_state(str(path))
    except OSError:
        return None
