"""Parts of remote files on the local disk, shared by all processes of the machine, within a size limit.

Nothing depends on this cache: damaged or deleted files count as missing. If the disk is full or the folder is not
writable, sources are read without it.
"""

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from hashlib import blake2b
from pathlib import Path
from secrets import token_hex
from struct import Struct
from time import monotonic, time, time_ns

from isal.isal_zlib import crc32

from chronotile.readers.caches.byte_cache import CacheState

log = logging.getLogger(__name__)

END, PARTIAL = ".block", ".part"
"""Ends of the names of complete files, and of files that are being written."""
CHECK_DIVISOR = 64
"""A process checks the total size each time it has written 1/64 of the limit. Up to 16 processes that each write this
much between two checks stay within the quarter above `FULL`."""
FULL, AFTER = 0.75, 0.625
"""Fractions of the limit: if the total exceeds the first, files are deleted until it reaches the second."""
TOUCH_S = 300.0
"""Seconds between two updates of the time of use of a file."""
PAUSE_S = 60.0
"""Seconds without writing after a failure."""
ABANDONED_S = 3600.0

_CHECKSUM = Struct("<I")


class ByteBlocks:
    """Bytes by name, one file per name; the least recently used files are deleted to make room.

    Any number of threads and processes read and write concurrently.

    Args:
        path: Folder; created for this user only, before the first write.
        max_bytes: Largest total size of the files.
        clock: Returns monotonic seconds.
    """

    def __init__(self, path: Path, max_bytes: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._path, self._max_bytes, self._clock = path, max_bytes, clock
        self._resumes_s = -PAUSE_S
        self._unchecked = max_bytes  # at least the interval of checks, so that the first write checks the total size
        self._checking = threading.Lock()
        self._lock = threading.Lock()
        self._hits = self._misses = 0
        self._stored: tuple[int, int] | None = None
        """Bytes and files at the last check plus later writes of this process; `None` before the first check."""
        self._counting: threading.Thread | None = None

    @property
    def state(self) -> CacheState:
        """Total size of the files at the last check plus later writes of this process, and the use by this process.

        The size is unknown until a thread, which the first call starts, has listed all files.
        """
        with self._lock:
            if self._stored is None and self._counting is None:
                self._counting = threading.Thread(target=self._count, name="stored blocks", daemon=True)
                self._counting.start()
            size, count = self._stored or (None, None)
        return CacheState(size, self._max_bytes, count, self._hits, self._misses)

    def _count(self) -> None:
        sizes = [status.st_size for _path, status in self._files()]
        with self._lock:
            if self._stored is None:  # a check may have counted the files in the meantime
                self._stored = sum(sizes), len(sizes)

    def get(self, name: bytes, size: int) -> bytes | None:
        """Return the bytes stored under a name, or `None` if they are missing, damaged or not `size` bytes."""
        data = self._read(self._path_of(name), name, size)
        with self._lock:
            self._hits += data is not None
            self._misses += data is None
        return data

    def has(self, name: bytes) -> bool:
        """Return whether bytes are probably stored under a name; only `get` verifies them."""
        return self._path_of(name).is_file()

    def put(self, name: bytes, data: bytes) -> None:
        """Store bytes under a name, unless they are too many or the disk cannot take them."""
        room = len(data) + _CHECKSUM.size
        if room > self._max_bytes // CHECK_DIVISOR or self._clock() < self._resumes_s:
            return
        try:
            if self._is_check_due(room):
                self._make_room()
            self._write(self._path_of(name), _CHECKSUM.pack(crc32(data, crc32(name))), data)
            with self._lock:
                if self._stored is not None:
                    self._stored = self._stored[0] + room, self._stored[1] + 1
        except OSError as error:
            self._resumes_s = self._clock() + PAUSE_S
            log.warning("blocks of remote files are not stored in %s for %g s: %s", self._path, PAUSE_S, error)

    def _path_of(self, name: bytes) -> Path:
        digest = blake2b(name, digest_size=16).hexdigest()
        return self._path / digest[:2] / f"{digest[2:]}{END}"

    def _read(self, path: Path, name: bytes, size: int) -> bytes | None:
        try:
            with path.open("rb", buffering=0) as file:
                status = os.fstat(file.fileno())
                if status.st_size == size + _CHECKSUM.size:
                    content = file.read(size + _CHECKSUM.size)
                    data = content[_CHECKSUM.size :]
                    if len(data) == size and _CHECKSUM.pack(crc32(data, crc32(name))) == content[: _CHECKSUM.size]:
                        if time() - status.st_atime > TOUCH_S:
                            with suppress(OSError):  # the file may belong to another user, and be read-only
                                os.utime(path, ns=(time_ns(), status.st_mtime_ns))
                        return data
        except OSError:
            return None  # the file is missing, or was deleted concurrently
        with suppress(OSError):
            path.unlink()
        return None

    def _write(self, path: Path, *parts: bytes) -> None:
        if not path.parent.is_dir():
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.parent.mkdir(mode=0o700, exist_ok=True)
        partial = path.with_name(f"{token_hex(8)}{PARTIAL}")
        try:
            with partial.open("xb", buffering=0) as file:
                for part in parts:
                    view = memoryview(part)
                    while view:
                        view = view[file.write(view) :]
            partial.replace(path)
        except OSError:
            with suppress(OSError):
                partial.unlink()
            raise

    def _is_check_due(self, room: int) -> bool:
        with self._lock:
            self._unchecked += room
            is_due = self._unchecked > self._max_bytes // CHECK_DIVISOR
            if is_due:
                self._unchecked = room
            return is_due

    def _make_room(self) -> None:
        """Delete the least recently used files if the total is too large; one thread at a time."""
        if not self._checking.acquire(blocking=False):
            return
        try:
            files = sorted(self._files(), key=lambda entry: entry[1].st_atime_ns)
            total, count = sum(status.st_size for _path, status in files), len(files)
            room = self._max_bytes * (AFTER if total > self._max_bytes * FULL else 1)
            for path, status in files:
                if total <= room:
                    break
                path.unlink(missing_ok=True)
                total, count = total - status.st_size, count - 1
            self._stored = total, count
        finally:
            self._checking.release()

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """All complete files; partial files of killed writers are deleted."""
        for folder in _entries(self._path):
            for entry in _entries(Path(folder.path)) if len(folder.name) == 2 else ():
                with suppress(OSError):  # deleted by another process
                    status = entry.stat()
                    if entry.name.endswith(END):
                        yield Path(entry.path), status
                    elif entry.name.endswith(PARTIAL) and time() - status.st_mtime > ABANDONED_S:
                        Path(entry.path).unlink()


def _entries(path: Path) -> list["os.DirEntry[str]"]:
    try:
        return list(os.scandir(path))
    except OSError:
        return []  # the path does not exist yet, or is no folder
