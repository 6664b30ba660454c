"""Files that were made for an answer and are read again, by clients that request them part by part."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from time import monotonic

from chronotile.encoders.file_parts import FileParts, SizedBody

MOST_BYTES = 4 << 30
MOST_FILES = 32
UNUSED_S = 600.0


@dataclass(slots=True, kw_only=True)
class _Kept:
    body: FileParts
    used_s: float
    readers: int = 0
    is_dropped: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)
    """A file has one position for all who read it."""


class KeptBodies:
    """Keeps scratch files by ETag, the last used ones, within bounds; may be used by several threads.

    A file that is dropped while it is read is there until its last reader closes it.

    Args:
        most_bytes: Of all files.
        most_files: Each holds a descriptor.
        unused_s: After which a file that nobody asks for is dropped, when the next one is asked for or kept.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        most_bytes: int = MOST_BYTES,
        most_files: int = MOST_FILES,
        unused_s: float = UNUSED_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self._most_bytes = most_bytes
        self._most_files = most_files
        self._unused_s = unused_s
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def total_bytes(self) -> int:
        """Of the files that are kept."""
        with self._lock:
            return self._total()

    def find(self, etag: str) -> SizedBody | None:
        """Return the file of an ETag, to be closed, if it is there."""
        with self._lock:
            self._tidy()
            kept = self._kept.get(etag)
            if kept is None:
                return None
            self._kept.move_to_end(etag)
            return self._opened(kept)

    def keep(self, etag: str, body: FileParts) -> SizedBody:
        """Keep a file, and return it to be read and closed; one that is too large is gone once it is closed."""
        with self._lock:
            self._tidy()
            kept = _Kept(body=body, used_s=self._clock())
            before = self._kept.pop(etag, None)
            if before is not None:  # another request made it at the same time
                self._drop(before)
            self._kept[etag] = kept
            opened = self._opened(kept)
            while self._kept and (self._total() > self._most_bytes or len(self._kept) > self._most_files):
                self._drop(self._kept.popitem(last=False)[1])
            return opened

    def close(self) -> None:
        """Drop all files."""
        with self._lock:
            while self._kept:
                self._drop(self._kept.popitem(last=False)[1])

    def _opened(self, kept: _Kept) -> "_Opened":
        kept.readers += 1
        kept.used_s = self._clock()
        return _Opened(self, kept)

    def _close(self, kept: _Kept) -> None:
        with self._lock:
            kept.readers -= 1
            if kept.is_dropped and not kept.readers:
                kept.body.close()

    def _tidy(self) -> None:
        """Drop what nobody asked for in a long time; the first one was used the longest ago."""
        oldest_s = self._clock() - self._unused_s
        while self._kept and (first := next(iter(self._kept))) and self._kept[first].used_s < oldest_s:
            self._drop(self._kept.pop(first))

    def _drop(self, kept: _Kept) -> None:
        kept.is_dropped = True
        if not kept.readers:
            kept.body.close()

    def _total(self) -> int:
        return sum(kept.body.size for kept in self._kept.values())


class _Opened:
    """A kept file, for one answer."""

    def __init__(self, bodies: KeptBodies, kept: _Kept) -> None:
        self._bodies = bodies
        self._kept: _Kept | None = kept
        self.size = kept.body.size
        """In bytes."""

    def pieces(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return self.part(0, self.size)

    def part(self, start: int, stop: int) -> Iterator[bytes]:
        """Give bytes from `start` up to `stop`, at most a MiB at a time."""
        kept = self._kept
        pieces = iter(()) if kept is None else kept.body.part(start, stop)
        while kept is not None:
            with kept.lock:
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def close(self) -> None:
        """Read no more of it; more than once does no harm."""
        kept, self._kept = self._kept, None
        if kept is not None:
            self._bodies._close(kept)  # noqa: SLF001 -- of the same module
