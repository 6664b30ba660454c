"""Arrays of a Zarr store, read through tensorstore, or through zarr-python if tensorstore lacks their codecs."""

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from time import monotonic, time_ns
from typing import Any

import numpy as np
import tensorstore as ts

from chronotile.core.errors import UnsupportedSource
from chronotile.core.extras import require_extra
from chronotile.core.model.types import NumberArray
from chronotile.readers.cf.array_source import ArraySource, Selection
from chronotile.readers.file_states import SETTLED_NS, FileState, digest_of, state_or_none
from chronotile.readers.hrefs import kvstore, local_path
from chronotile.readers.library_errors import BeingWritten, one_line
from chronotile.readers.reader_caches import ReaderCaches
from chronotile.readers.remote.buckets import needs_obstore
from chronotile.readers.remote.requests import ObjectState
from chronotile.readers.zarr.damage import guard_blosc, require_whole_members
from chronotile.readers.zarr.metadata import ArrayNode, ZarrArray, zip_path
from chronotile.readers.zarr.remote import OpenArray, RemoteMetadata, RemoteReads, State, States
from chronotile.readers.zarr.waits import chunk_context, result_within

MAX_SEEN = 4096
"""Folders of an array whose last state is stored. Above it, everything cached of the array is checked again."""

UNSETTLED = FileState(-1, -1, -1)
"""Replaces a state that may still change; no file has it."""

MAX_FOLDERS = MAX_SEEN
"""Folders of chunks checked for changes of a selection. A larger read checks everything cached."""

ATTEMPTS = 3
"""Number of reads of a selection whose files change during a read."""


class Gone(OSError):
    """A part of the store was deleted or changed its shape or type since the store was opened."""


class Watched:
    """An array that is opened again if its metadata or the requested chunks have changed.

    The states of the metadata file and of the folders of chunks are read before each read: a few microseconds each.

    Args:
        files: Files of the array.
        open_array: Opens the array, with either library.
    """

    def __init__(self, files: "LocalArrayFiles | RemoteMetadata", open_array: Callable[[], Any]) -> None:
        self._files, self._open = files, open_array
        self._seen: States = _mark_unsettled(files.metadata_states())
        self._lock = threading.Lock()
        self._due = 0
        """Number of changes so far; the array is opened again if `_opened_for` is smaller."""
        self._opened_for = 0
        """Value of `_due` when the array in use was opened."""
        self._opened = self._open_now()

    def current(self, selection: Selection) -> OpenArray:
        """Return the array in its current version; threads that have to reopen it do not wait for each other.

        Raises:
            Gone: The array was deleted, or chunks of the selection were.
        """
        return self.current_at(self._files.states(selection))

    def current_at(self, states: States) -> OpenArray:
        """Return the array in the version of these states, as `current`."""
        with self._lock:
            changed = [state for path, state in states.items() if self._seen.get(path, state) != state]
            if None in changed:
                raise Gone("files of the array are gone")
            settled = _mark_unsettled(states)
            self._seen.update(settled)
            is_full = len(self._seen) > MAX_SEEN
            if changed or is_full:
                self._due += 1
            if is_full:
                self._seen = settled
            due = self._due
            if due == self._opened_for:
                return self._opened
        opened = self._open_now()
        with self._lock:
            if due > self._opened_for:
                self._opened, self._opened_for = opened, due
        return opened

    def renew(self) -> None:
        """Open the array again before the next read, so that no cached chunk is used."""
        with self._lock:
            self._due += 1

    def _open_now(self) -> OpenArray:
        begun_s = monotonic()
        return OpenArray(self._open(), begun_s)


class LocalReads:
    """Reads of a local array: a result has one version of the chunks.

    Args:
        files: Files of the array.
        handle: The array.
        read: Reads a selection of the opened array, with either library.
    """

    def __init__(
        self, files: "LocalArrayFiles", handle: Watched, read: Callable[[Any, Selection], NumberArray]
    ) -> None:
        self._files, self._handle, self._read = files, handle, read

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order.

        Raises:
            BeingWritten: The files changed during each attempt.
            Gone: The array was deleted, or chunks of the selection were.
        """
        for attempt in range(ATTEMPTS):
            # The chunks' own states are needed only if the states of the folders changed in the first attempt.
            chunks = self._files.chunk_states(selection) if attempt else {}
            states = self._files.states(selection)
            numbers = self._read(self._handle.current_at(states).array, selection)
            if self._files.states(selection) == states or (chunks and self._files.chunk_states(selection) == chunks):
                return numbers
        raise BeingWritten("the array is being written")


class _WatchedArray(ZarrArray):
    """The common part of both ways to read an array."""

    _files: "LocalArrayFiles | RemoteMetadata"

    def revision(self, selection: Selection) -> str:
        """Return a digest of the states of the metadata and of the folders of the chunks."""
        return self._files.digest(selection)

    def is_there(self) -> bool:
        """Return whether the store is local and its metadata exist."""
        return self._files.are_there()


class TensorStoreArray(_WatchedArray):
    """An array read by tensorstore, watched because it fills missing chunks, and caches chunks and metadata.

    A remote store is read only in the version that was opened, because its times and grids belong to that version.

    Args:
        href: The store.
        node: The array when the store is opened.
        growing: The dimension that may be longer after reopening, because times are appended.
        caches: Cache of decoded chunks; `None` disables it.
    """

    def __init__(
        self, href: str, node: ArrayNode, growing: str | None = None, caches: ReaderCaches | None = None
    ) -> None:
        self._context = chunk_context(0) if caches is None else caches.chunks
        self._spec: dict[str, Any] = {
            "driver": f"zarr{node.version if node.version == 3 else ''}",
            "recheck_cached_data": "open",
            "recheck_cached_metadata": "open",
        }
        self._href, self._node, self._growing = href, node, growing
        self._remote = RemoteMetadata(href, node) if local_path(href) is None else None
        self._spec["fill_missing_data_reads"] = self._remote is None
        self._zip = None if self._remote is not None else zip_path(href)
        self._reads: RemoteReads | LocalReads
        if self._remote is None:
            self._files = LocalArrayFiles(href, node)
            self._reads = LocalReads(self._files, Watched(self._files, self._open), _read_now)
        else:
            self._files = self._remote
            self._reads = RemoteReads(href, node, self._remote, Watched(self._remote, self._open))

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order."""
        if self._zip is not None and self.chunks == self._node.files:  # without shards, which are never read whole
            files = itertools.product(*map(_chunks, selection, self._node.files))
            require_whole_members(self._zip, map(self._node.file_of, files))
        return self._reads.read(selection)

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a decoded unit: a chunk, or an inner chunk of a shard."""
        return tuple(self._open().chunk_layout.read_chunk.shape)

    def _open(self) -> Any:  # noqa: ANN401 -- tensorstore's stubs lack it
        # Build the location each time: tensorstore reads credentials from files only once per location.
        spec = self._spec | {"kvstore": _sub_store(kvstore(self._href), self._node.path)}
        opening = ts.open(spec, open=True, read=True, context=self._context)
        array = opening.result() if self._remote is None else result_within(opening)
        if self._remote is not None and array.chunk_layout.read_chunk.shape != self._node.files:
            self._remote.require_parts()
        _require_same(self._node, self._growing, array.shape, array.dtype.numpy_dtype)
        return array


class ZarrPythonArray(_WatchedArray):
    """An array whose codecs tensorstore lacks, read by zarr-python and watched for the same reasons."""

    def __init__(self, href: str, node: ArrayNode, growing: str | None = None) -> None:
        self._href, self._node, self._growing = href, node, growing
        self._files = LocalArrayFiles(href, node)
        watched = Watched(self._files, self._open)
        self._reads = LocalReads(self._files, watched, lambda array, selection: np.asarray(array.oindex[selection]))

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers, in stored order."""
        return self._reads.read(selection)

    @cached_property
    def chunks(self) -> tuple[int, ...]:
        """Shape of a decoded unit: a chunk, or an inner chunk of a shard."""
        return tuple(self._open().chunks)

    def _open(self) -> Any:  # noqa: ANN401 -- zarr-python's arrays differ by version
        array = open_with_zarr(self._href, self._node)
        _require_same(self._node, self._growing, array.shape, array.dtype.newbyteorder("="))
        return array


def _read_now(array: Any, selection: Selection) -> NumberArray:  # noqa: ANN401 -- tensorstore's stubs lack it
    numbers: NumberArray = array[selection].read().result()
    return numbers


def _require_same(node: ArrayNode, growing: str | None, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    """Check that an array has the type and shape that it had when the store was opened; `growing` may differ."""
    expected = None if node.dtype is None else node.dtype.newbyteorder("=")
    if len(shape) != len(node.shape) or dtype != expected:
        raise Gone("the array has another type or other dimensions than when it was opened")
    for dim, length, now in zip(node.dims, node.shape, shape, strict=True):
        if now != length and dim != growing:
            raise Gone("the array has another shape than when it was opened")


def open_array(
    href: str, node: ArrayNode, *, growing: str | None = None, caches: ReaderCaches | None = None
) -> ArraySource:
    """Return an array, opened by the fastest library that can decode it; the dimension `growing` may get longer."""
    if needs_obstore(href):
        from chronotile.readers.zarr.obstore_arrays import ObstoreArray  # noqa: PLC0415 -- seldom needed

        return ObstoreArray(href, node)
    try:
        return TensorStoreArray(href, node, growing, caches)
    except ValueError as error:
        if local_path(href) is None:
            raise UnsupportedSource(
                f"{node.name} is stored in a way that can only be read locally ({one_line(error)}); copy it here"
            ) from error
        require_extra(
            "zarr", f"{node.name}, which tensorstore cannot read ({one_line(error)}),", error=UnsupportedSource
        )
        try:
            return ZarrPythonArray(href, node, growing)
        except (ValueError, KeyError, ImportError) as unknown:  # raised for unknown codecs, by version
            raise UnsupportedSource(
                f"{node.name} has codecs that are not read ({one_line(unknown)}): install the package of the codec "
                "(such as pcodec, zfpy or imagecodecs), or write it again with Zstandard"
            ) from unknown


def open_with_zarr(href: str, node: ArrayNode) -> Any:  # noqa: ANN401 -- zarr-python's arrays differ by version
    """Return an array of a local store, opened by zarr-python."""
    import zarr

    guard_blosc()
    store = zarr.storage.ZipStore(path, mode="r") if (path := zip_path(href)) else local_path(href)
    return zarr.open_array(store, path=node.path, mode="r")


class LocalArrayFiles:
    """The files of an array of a local store."""

    def __init__(self, href: str, node: ArrayNode) -> None:
        root = local_path(href)
        assert root is not None  # noqa: S101 -- a local store
        folder = root / node.path if root.is_dir() else None
        metadata = root if folder is None else folder / node.document
        self._node, self._root = node, root
        # Texts, because building paths takes longer than reading their states.
        self._metadata = str(metadata)
        self._folder = None if folder is None else str(folder)
        self._top = None if folder is None else str(folder / "c" if node.has_c else folder)
        self._written = self._numbered_folders()

    def are_there(self) -> bool:
        """Return whether the metadata exist."""
        return state_or_none(self._metadata) is not None

    def metadata_states(self) -> States:
        """Return the state of the metadata file."""
        return {self._metadata: state_or_none(self._metadata)}

    def states(self, selection: Selection) -> States:
        """Return the states of the metadata and of the folders with the chunks of a selection.

        Raises:
            Gone: The array was deleted, or a folder of chunks that existed at opening.
        """
        metadata = self.metadata_states()
        if None in metadata.values():
            raise Gone("the array is gone")
        folders = list(itertools.islice(self._folders(selection), MAX_FOLDERS + 1))
        states = {folder: state_or_none(folder) for folder in folders[:MAX_FOLDERS]}
        if len(folders) > MAX_FOLDERS or None in states.values():
            self._require_written(selection[0])
        return metadata | states

    def chunk_states(self, selection: Selection) -> States:
        """Return the states of the metadata and the selected chunks, empty if chunks have several folders.

        A writer that adds chunks to this folder does not change them.
        """
        if self._folder is None or self._node.separator == "/":
            return {}
        numbers = itertools.product(*map(_chunks, selection, self._node.files))
        files = (f"{self._root}/{self._node.file_of(n)}" for n in itertools.islice(numbers, MAX_FOLDERS))
        return self.metadata_states() | {file: state_or_none(file) for file in files}

    def digest(self, selection: Selection) -> str:
        """Return a short text that changes with the states of the files of a selection."""
        return digest_of(self.states(selection))

    def _numbered_folders(self) -> bytes:
        """Return a byte per chunk along the first dimension: 1 if its folder exists, so that it was written."""
        if self._top is None or self._node.separator != "/" or len(self._node.shape) < 2:
            return b""
        is_there = bytearray(-(-self._node.shape[0] // self._node.files[0]))
        with contextlib.suppress(FileNotFoundError), os.scandir(self._top) as entries:
            for entry in entries:
                if entry.name.isdecimal() and int(entry.name) < len(is_there):
                    is_there[int(entry.name)] = 1
        return bytes(is_there)

    def _require_written(self, part: int | slice | list[int]) -> None:
        """Check folders of a part of the first dimension: tensorstore would fill deleted chunks as never written."""
        for number in _chunks(part, self._node.files[0]):
            if self._written[number : number + 1] == b"\1" and state_or_none(f"{self._top}/{number}") is None:
                raise Gone("chunks of the array are gone")

    def _folders(self, selection: Selection) -> Iterator[str]:
        """Yield the folders of chunks. A rewritten file is renamed into its folder, which changes the folder's time."""
        if self._folder is None:
            return
        if self._node.separator != "/":
            yield self._folder
            return
        ranges = [_chunks(part, length) for part, length in zip(selection, self._node.files, strict=True)]
        for numbers in itertools.product(*ranges[:-1]):
            yield "/".join((str(self._top), *map(str, numbers)))


def _chunks(part: int | slice | list[int], length: int) -> Iterable[int]:
    """Return the numbers of the chunks that a part of a dimension touches."""
    if isinstance(part, int):
        return (part // length,)
    if isinstance(part, slice):
        return range(part.start // length, (part.stop - 1) // length + 1)
    return sorted({index // length for index in part})


def _mark_unsettled(states: States) -> States:
    # Recently written files get a state that no file has, so that they count as changed at the next check.
    now_ns = time_ns()
    return {path: UNSETTLED if _is_young(state, now_ns) else state for path, state in states.items()}


def _is_young(state: State | None, now_ns: int) -> bool:
    # Whether a local file may be written again without a change of its time; remote files have ETags.
    return state is not None and not isinstance(state, ObjectState) and abs(now_ns - state[0]) <= SETTLED_NS


def _sub_store(store: dict[str, Any], path: str) -> dict[str, Any]:
    # The kvstore of a path below another kvstore.
    start = str(store.get("path", "")).rstrip("/")
    return {**store, "path": f"{start}/{path}/" if start else f"{path}/"}
