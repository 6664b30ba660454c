"""Scratch files of answers, cached for clients that request an answer part by part."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from chronotile.pipeline.encoders.bodies import ConcatenatedFiles, SizedBody

MAX_BYTES = 6 << 30
"""Enough for the largest GeoTIFF that the default `max_coverage_bytes` (4 GiB) allows, with a third for overviews."""
MAX_FILES = 32
UNUSED_S = 600.0


@dataclass(slots=True, kw_only=True)
class _CachedBody:
    body: ConcatenatedFiles
    checksum: str
    used_s: float
    readers: int = 0
    is_dropped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while the file is read, as all its readers share one position."""


class ScratchCache:
    """Cache of the most recently used scratch files by key, with limits. Thread-safe.

    A file that is dropped while it is read is deleted when its last reader closes it.

    Args:
        max_bytes: Limit of all files.
        max_files: Limit of the number of files; each needs one or a few descriptors.
        unused_s: Time without a request after which `tidy` drops a file.
        clock: Returns monotonic seconds.
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
        self._entries: OrderedDict[str, _CachedBody] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def total_bytes(self) -> int:
        """Size of the cached files."""
        with self._lock:
            return self._total()

    def has_room_for(self, size: int) -> bool:
        """Return whether a file of this size would be cached."""
        return size <= self._max_bytes

    def find(self, key: str) -> SizedBody | None:
        """Return the file of a key, to be closed by the caller, or `None`."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                return None
            self._entries.move_to_end(key)
            return self._reader(entry)

    def keep(self, key: str, body: ConcatenatedFiles) -> SizedBody:
        """Cache a file, and return it, to be closed by the caller.

        A file that is too large is returned without being cached. If another file has the key already, that file is
        returned, as clients may have read a part of it.

        Raises:
            OSError: The file cannot be read; it is closed.
        """
        if not self.has_room_for(body.size):
            return body
        try:
            checksum = body.checksum()  # before other threads read it: a file has one position
        except OSError:
            body.close()
            raise
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                entry = self._entries[key] = _CachedBody(body=body, checksum=checksum, used_s=self._clock())
            else:
                self._entries.move_to_end(key)
                body.close()
            reader = self._reader(entry)
            while self._total() > self._max_bytes or len(self._entries) > self._max_files:
                self._drop(self._entries.popitem(last=False)[1])
            return reader

    def drop_idle(self) -> bool:
        """Drop all files without a reader; return whether there were any."""
        with self._lock:
            idle = [key for key, entry in self._entries.items() if not entry.readers]
            for key in idle:
                self._drop(self._entries.pop(key))
            return bool(idle)

    def tidy(self) -> None:
        """Drop files that were not requested for `unused_s`."""
        with self._lock:
            oldest_s = self._clock() - self._unused_s
            for key in [key for key, entry in self._entries.items() if entry.used_s < oldest_s]:
                self._drop(self._entries.pop(key))

    def close(self) -> None:
        """Drop all files."""
        with self._lock:
            while self._entries:
                self._drop(self._entries.popitem(last=False)[1])

    def _reader(self, entry: _CachedBody) -> "_CachedFileBody":
        entry.readers += 1
        entry.used_s = self._clock()
        return _CachedFileBody(self, entry)

    def _close(self, entry: _CachedBody) -> None:
        with self._lock:
            entry.readers -= 1
            if entry.is_dropped and not entry.readers:
                entry.body.close()

    def _drop(self, entry: _CachedBody) -> None:
        entry.is_dropped = True
        if not entry.readers:
            entry.body.close()

    def _total(self) -> int:
        return sum(entry.body.size for entry in self._entries.values())


class _CachedFileBody(SizedBody):
    """A cached file, for one answer."""

    def __init__(self, cache: ScratchCache, entry: _CachedBody) -> None:
        self._cache = cache
        self._entry: _CachedBody | None = entry
        self._checksum = entry.checksum
        self._size = entry.body.size

    @property
    def size(self) -> int:
        """Size in bytes."""
        return self._size

    def checksum(self) -> str:
        """Return the CRC-32 of all bytes."""
        return self._checksum

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield bytes from `start` up to `stop` in pieces of at most 1 MiB; none if it is closed."""
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
        """Stop reading; may be called again."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self._cache._close(entry)  # noqa: SLF001 -- of the same module
