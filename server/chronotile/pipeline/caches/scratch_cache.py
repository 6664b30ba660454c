"""Scratch files of answers, cached for clients that request an answer part by part."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from chronotile.pipeline.encoders.bodies import FileParts, SizedBody

MAX_BYTES = 6 << 30
"""Room for the largest GeoTIFF that the default `max_coverage_bytes` (4 GiB) allows: overviews take another third."""
MAX_FILES = 32
UNUSED_S = 600.0


@dataclass(slots=True, kw_only=True)
class _Entry:
    body: FileParts
    checksum: str
    used_s: float
    readers: int = 0
    is_dropped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    """A file has one position for all who read it."""


class ScratchCache:
    """Keeps scratch files by key, those used last, within bounds; may be used by several threads.

    A file that is dropped while it is read exists until its last reader closes it.

    Args:
        most_bytes: Of all files.
        most_files: Each holds one or a few descriptors.
        unused_s: `tidy` drops files that no client has requested for so long.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        max_bytes: int = MAX_BYTES,
        max_files: int = MAX_FILES,
        unused_s: float = UNUSED_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_files = max_files
        self._unused_s = unused_s
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def total_bytes(self) -> int:
        """Of the cached files."""
        with self._lock:
            return self._total()

    def has_room_for(self, size: int) -> bool:
        """Return whether a file of so many bytes is cached."""
        return size <= self._max_bytes

    def find(self, key: str) -> SizedBody | None:
        """Return the file of a key, to be closed, if it is there."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return self._reader(entry)

    def keep(self, key: str, body: FileParts) -> SizedBody:
        """Keep a file, and return it to be read and closed.

        One that is too large is not cached, but returned as it is. Where there is one of that key already, that one is
        returned in place of it: clients may have read a part of it.

        Raises:
            OSError: The file cannot be read; it is closed then.
        """
        if not self.has_room_for(body.size):
            return body
        try:
            checksum = body.checksum()  # before others read it: a file has one position
        except OSError:
            body.close()
            raise
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _Entry(body=body, checksum=checksum, used_s=self._clock())
            else:
                self._entries.move_to_end(key)
                body.close()
            reader = self._reader(entry)
            while self._total() > self._max_bytes or len(self._entries) > self._max_files:
                self._drop(self._entries.popitem(last=False)[1])
            return reader

    def drop_idle(self) -> bool:
        """Drop all files that nothing reads now, and return whether there were any."""
        with self._lock:
            idle = [key for key, entry in self._entries.items() if not entry.readers]
            for key in idle:
                self._drop(self._entries.pop(key))
            return bool(idle)

    def tidy(self) -> None:
        """Drop files that no client has requested for a long time."""
        with self._lock:
            oldest_s = self._clock() - self._unused_s
            for key in [key for key, entry in self._entries.items() if entry.used_s < oldest_s]:
                self._drop(self._entries.pop(key))

    def close(self) -> None:
        """Drop all files."""
        with self._lock:
            while self._entries:
                self._drop(self._entries.popitem(last=False)[1])

    def _reader(self, entry: _Entry) -> "_Reader":
        entry.readers += 1
        entry.used_s = self._clock()
        return _Reader(self, entry)

    def _close(self, entry: _Entry) -> None:
        with self._lock:
            entry.readers -= 1
            if entry.is_dropped and not entry.readers:
                entry.body.close()

    def _drop(self, entry: _Entry) -> None:
        entry.is_dropped = True
        if not entry.readers:
            entry.body.close()

    def _total(self) -> int:
        return sum(entry.body.size for entry in self._entries.values())


class _Reader(SizedBody):
    """A file of the cache, for one answer."""

    def __init__(self, cache: ScratchCache, entry: _Entry) -> None:
        self._cache = cache
        self._entry: _Entry | None = entry
        self._checksum = entry.checksum
        self._size = entry.body.size

    @property
    def size(self) -> int:
        """In bytes."""
        return self._size

    def checksum(self) -> str:
        """Return a short text of the bytes of all."""
        return self._checksum

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time; none once it is closed."""
        entry = self._entry
        if entry is None:
            return
        parts = entry.body.part(start, stop)
        while True:
            with entry.lock:
                part = next(parts, None)
            if part is None:
                return
            yield part

    def close(self) -> None:
        """Read no more of it; more than once does no harm."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._cache._close(entry)  # noqa: SLF001 -- of the same module
