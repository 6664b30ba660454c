"""Reads of a remote Zarr store: all in one state of its metadata, with the fill value only for chunks that are missing.

tensorstore fails for a chunk without content, which may be missing or not delivered. `Gaps` requests its file again, so
that an undelivered chunk becomes an error instead of the fill value, and a chunk written later is read.
"""

import threading
from collections import OrderedDict, deque
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from itertools import groupby, islice, product
from time import monotonic
from typing import Any, NamedTuple, Protocol

import numpy as np

from chronotile.core.model.types import NumberArray
from chronotile.core.web.inner_hosts import host_of
from chronotile.readers.cf.array_source import Selection
from chronotile.readers.file_states import FileState, digest_of
from chronotile.readers.library_errors import Damaged, one_line
from chronotile.readers.remote.buckets import REQUEST_S
from chronotile.readers.remote.files import looks
from chronotile.readers.remote.gates import GateClosed, gates
from chronotile.readers.remote.requests import (
    Away,
    ObjectState,
    Refused,
    Replaced,
    ask_whether,
    one_read,
    place_of,
    read_deadline,
    retry,
)
from chronotile.readers.zarr.metadata import ArrayNode
from chronotile.readers.zarr.waits import NoChunk, answers_without_content, requests_so_far, result_within

KEPT_S = 10.0
"""Seconds until a missing file is requested again."""
ASKED_AT_ONCE = 16
LOOKED_AT_ONCE = 8
"""Missing files of a store requested per `KEPT_S`, because answers made without them may be cached."""
MOST_KNOWN = 8192
"""Maximum number of files of a store with a known state; above it, the oldest requests are dropped."""
MOST_STORES = 1024
HASH_BITS = 64


class ChunkFile(NamedTuple):
    """A file of a remote store: a chunk, or a shard of several chunks."""

    href: str
    is_shard: bool


class _Known(NamedTuple):
    asked_s: float
    state: ObjectState | None
    """`None` if it is missing; an existing shard may lack chunks."""
    since_s: float
    """Time of the first request with this state."""


class Gaps:
    """The files of a store without the chunk that tensorstore requested."""

    def __init__(self) -> None:
        self.filled = 0
        """A sum over the files that were missing and exist now, independent of their order; 0 without such files."""
        self._known: OrderedDict[ChunkFile, _Known] = OrderedDict()
        """In the order of the requests."""
        self._looked_s = monotonic()
        self._lock = threading.Lock()

    def were_filled(self, files: Collection[ChunkFile], opened_s: float) -> bool:
        """Return whether a file was written after the array was opened.

        Args:
            files: The files that lack a chunk.
            opened_s: When the array was opened, by the clock `monotonic`.

        Raises:
            Away: A file cannot be requested, or exists although its chunk came without content.
        """
        now_s = monotonic()
        with self._lock:
            known = {f: self._known[f] for f in files if f in self._known}
        due = [f for f in files if f not in known or now_s - known[f].asked_s >= KEPT_S]
        known |= self._ask(due, read_deadline())
        there = [(file, k) for file, k in known.items() if k.state is not None]
        if any(t.since_s >= opened_s for _file, t in there):
            return True
        if any(not file.is_shard for file, _each in there):
            raise Away("its server answers without content for a chunk that is there")
        return False

    def look(self) -> None:
        """Request a few of the files again, the oldest requests first; at most every `KEPT_S`."""
        now_s = monotonic()
        with self._lock:
            if now_s - self._looked_s < KEPT_S:
                return
            self._looked_s = now_s
            due = (
                file
                for file, k in self._known.items()
                if now_s - k.asked_s >= KEPT_S and (file.is_shard or k.state is None)
            )
            files = list(islice(due, LOOKED_AT_ONCE))
        with suppress(OSError):  # the next read reports the failure
            self._ask(files, now_s + 2 * REQUEST_S)

    def _ask(self, files: Collection[ChunkFile], deadline: float | None) -> dict[ChunkFile, _Known]:
        """Request the files and return their states.

        Raises:
            Away: The state of a file cannot be determined.
        """
        if not files:
            return {}

        def ask(file: ChunkFile) -> _Known:
            place = place_of(file.href)
            return self._note(file, retry(lambda: ask_whether(place, in_parts=file.is_shard), deadline))

        with ThreadPoolExecutor(min(ASKED_AT_ONCE, len(files))) as threads:
            return dict(zip(files, threads.map(ask, files), strict=True))

    def _note(self, file: ChunkFile, state: ObjectState | None) -> _Known:
        now_s = monotonic()
        with self._lock:
            known = self._known.pop(file, None)
            is_same = known is not None and known.state == state
            updated = _Known(now_s, state, known.since_s if known is not None and is_same else now_s)
            self._known[file] = updated
            is_news = not is_same and (known is not None or not file.is_shard)
            if state is not None and is_news:
                self.filled = (self.filled + _hash_of(file, state)) % (1 << HASH_BITS)
            while len(self._known) > MOST_KNOWN:
                self._known.popitem(last=False)
        return updated


def _hash_of(file: ChunkFile, state: ObjectState) -> int:
    return int.from_bytes(blake2b(repr((file, state)).encode(), digest_size=HASH_BITS // 8).digest())


@lru_cache(maxsize=MOST_STORES)
def gaps_of(document: str) -> Gaps:  # noqa: ARG001 -- it is the key
    """Return the gaps of the store with this document of metadata; all arrays of the store share them."""
    return Gaps()


class ChunkPart(NamedTuple):
    """The part of a selection in one chunk."""

    target: tuple[slice, ...]
    """Position of the part in the selection."""
    own: Selection
    first: tuple[int, ...]
    """The first index along each dimension."""


def parts_of(selection: Selection, chunk: tuple[int, ...]) -> Iterator[ChunkPart]:
    """Yield the part of a selection in each chunk that it touches.

    Args:
        selection: Within the array; its slices have a start and an end.
        chunk: The shape of a chunk.
    """
    for splits in product(*(_splits(part, length) for part, length in zip(selection, chunk, strict=True))):
        target = tuple(target for target, _own, _first in splits if target is not None)
        yield ChunkPart(target, tuple(s for _, s, _first in splits), tuple(first for *_, first in splits))


def _splits(part: int | slice | list[int], length: int) -> list[tuple[slice | None, int | slice | list[int], int]]:
    """Split the selection along one dimension by chunks: position in the selection, indexes, first index."""
    if isinstance(part, int):
        return [(None, part, part)]
    indexes = indexes_of(part)
    splits: list[tuple[slice | None, int | slice | list[int], int]] = []
    for _chunk, places in groupby(range(len(indexes)), key=lambda place: indexes[place] // length):
        first, *others = places
        own = indexes[first : first + len(others) + 1]
        selected = own if isinstance(own, list) else slice(own.start, own.stop, own.step)
        splits.append((slice(first, first + len(own)), selected, indexes[first]))
    return splits


def indexes_of(part: slice | list[int]) -> range | list[int]:
    """Return the selected indexes along one dimension."""
    return range(part.start, part.stop, part.step or 1) if isinstance(part, slice) else part


State = FileState | ObjectState
States = dict[str, State | None]
"""States of files and folders by path; `None` for missing ones."""

REFUSED_CHUNK = "S3 answers this for a missing chunk too, without the permission s3:ListBucket"

ATTEMPTS = 2
"""Number of times a selection is read if its missing chunks are written during the read."""


class OpenArray(NamedTuple):
    """An array as a library opened it."""

    array: Any
    opened_s: float
    """Time of opening, or earlier, by the clock `monotonic`."""


class Handle(Protocol):
    """An array that is opened again if it has changed."""

    def current(self, selection: Selection) -> OpenArray:
        """Return the array, opened again if necessary."""

    def renew(self) -> None:
        """Open the array again before the next read, so that no cached chunk is used."""


class RemoteMetadata:
    """The document of a remote store whose state represents all its chunks: the consolidated metadata.

    Without consolidated metadata, the document of one array represents the chunks of this array.

    Args:
        href: The store.
        node: Any array of it.
        is_now: Whether to request the state even if it was requested some seconds ago.
    """

    def __init__(self, href: str, node: ArrayNode, *, is_now: bool = False) -> None:
        self._is_zip = href.endswith(".zip")
        whole = "zarr.json" if node.version == 3 else ".zmetadata"
        name = f"{node.path}/{node.document}" if node.is_alone else whole
        self._document = href if self._is_zip else f"{href.rstrip('/')}/{name}"
        self.gaps = gaps_of(self._document)
        if is_now:
            looks.forget(self._document)
        self._opened = self._state()

    def metadata_states(self) -> States:
        """Return the state of the document, at most some seconds old.

        Raises:
            Away: It cannot be read.
            Replaced: It is not the state at opening.
        """
        if self._state() != self._opened:
            raise Replaced("the store changed since it was opened and has to be reopened")
        return {self._document: self._opened}

    def states(self, _selection: Selection) -> States:
        """Return the state of the document; chunks are not checked."""
        return self.metadata_states()

    def look(self) -> States:
        """Return the state of the document, requested again."""
        looks.forget(self._document)
        return self.metadata_states()

    def require_parts(self) -> None:
        """Check that the server supports range requests, which shards need.

        Raises:
            Away: It does not.
        """
        looks.forget(self._document)
        looks.state(self._document)

    def digest(self, selection: Selection) -> str:
        """Return a digest that changes with the document, and if a missing chunk is found later."""
        states = self.states(selection)
        self.gaps.look()
        filled = self.gaps.filled
        return digest_of({**states, "chunks": filled} if filled else states)

    def are_there(self) -> bool:
        """Return false: a failure may come from the network, so it proves nothing about the store."""
        return False

    def _state(self) -> ObjectState:
        return looks.state(self._document, is_whole=not self._is_zip)


class RemoteReads:
    """Reads an array of a remote store.

    Args:
        href: The store.
        node: The array.
        metadata: Metadata of the store.
        handle: The array; its reads fail if a chunk is missing.
    """

    def __init__(self, href: str, node: ArrayNode, metadata: RemoteMetadata, handle: Handle) -> None:
        self._href, self._node, self._metadata, self._handle = href, node, metadata, handle

    def read(self, selection: Selection) -> NumberArray:
        """Return the selected numbers; check the state of the store afterwards if a chunk was requested.

        Raises:
            Away: They cannot be read.
            Damaged: The store can be read, but these numbers cannot be decoded, or access to them is refused.
            Replaced: The store was written since it was opened.
        """
        fetched = requests_so_far()
        try:  # tensorstore's requests do not pass the gate, so check here whether it is open
            gates.of(host_of(self._href)).require_open()
        except GateClosed as error:
            raise Away(str(error)) from error
        with one_read():
            try:
                numbers = self._read(selection)
            except (Refused, ValueError, NotImplementedError):
                # The answer may have been cut off, or credentials have been renewed since the array was opened.
                self._handle.renew()
                numbers = self._read_again(selection)
        if requests_so_far() != fetched:
            self._metadata.look()
        return numbers

    def _read(self, selection: Selection) -> NumberArray:
        try:
            numbers: NumberArray = result_within(self._handle.current(selection).array[selection].read())
        except NoChunk:
            return self._read_around_gaps(selection)
        return numbers

    def _read_again(self, selection: Selection) -> NumberArray:
        try:
            return self._read(selection)
        except Refused as error:
            reason = f"{error} {REFUSED_CHUNK}"
        except (ValueError, NotImplementedError) as error:
            reason = one_line(error)
        self._metadata.look()  # raises the error if the whole store is affected
        raise Damaged(reason)

    def _read_around_gaps(self, selection: Selection) -> NumberArray:
        try:
            return self._read_parts(selection)
        except Exception:  # do not use the array again after a failure
            self._handle.renew()
            raise

    def _read_parts(self, selection: Selection) -> NumberArray:
        """Return the numbers, after making sure that chunks that were not delivered are missing."""
        for _ in range(ATTEMPTS):
            odd_answers = answers_without_content()
            opened = self._handle.current(selection)
            numbers, lacking = self._read_numbers(opened.array, selection)
            was_filled = self._metadata.gaps.were_filled(lacking, opened.opened_s)
            # An existing shard does not show that it lacks the chunk.
            is_uncertain = answers_without_content() != odd_answers and any(file.is_shard for file in lacking)
            if not was_filled and not is_uncertain:
                return numbers
            self._handle.renew()
        raise Away("its server sometimes sends a chunk and sometimes not")

    def _read_numbers(self, array: Any, selection: Selection) -> tuple[NumberArray, set[ChunkFile]]:  # noqa: ANN401 -- see above
        """Return the numbers, with the fill value for undelivered chunks, and the files of these chunks."""
        chunk = array.chunk_layout.read_chunk.shape
        fill = 0 if array.fill_value is None else array.fill_value
        shape = [len(indexes_of(part)) for part in selection if not isinstance(part, int)]
        numbers = np.full(shape, fill, dtype=array.dtype.numpy_dtype)
        lacking = set[ChunkFile]()
        begun = deque((part, array[part.own].read()) for part in parts_of(selection, chunk))
        while begun:
            part, future = begun.popleft()  # frees the numbers of a part after they are copied
            try:
                numbers[part.target] = result_within(future)
            except NoChunk:
                lacking.add(self._file_of(part, is_sharded=chunk != self._node.files))
        return numbers, lacking

    def _file_of(self, part: ChunkPart, *, is_sharded: bool) -> ChunkFile:
        if self._href.endswith(".zip"):
            return ChunkFile(self._href, is_shard=True)
        numbers = [index // length for index, length in zip(part.first, self._node.files, strict=True)]
        return ChunkFile(f"{self._href.rstrip('/')}/{self._node.file_of(numbers)}", is_sharded)
