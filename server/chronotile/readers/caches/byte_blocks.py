"""Parts of files elsewhere on the disk of this machine, shared by its processes, within a bound.

Nothing depends on it: of a part that is damaged, or was removed by anyone, there is none; on a full disk, or in a
folder that cannot be written, reading goes on without it.
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
"""Ends of the names of files, and of those that are being written."""
SHARE_BETWEEN_LOOKS = 64
"""A process looks at what all files take when it has written this part of the bound: with so many more as leave a
quarter of it, they stay below the bound."""
FULL, AFTER = 0.75, 0.625
"""Parts of the bound: beyond the first, files are removed until they take the second."""
TOUCH_S = 300.0
"""How often it is noted that a file is used."""
PAUSE_S = 60.0
"""For how long nothing is written after a failure."""
ABANDONED_S = 3600.0

_CHECKSUM = Struct("<I")


class ByteBlocks:
    """Bytes by name in files of a folder; those unused for longest make room for others.

    Any number of threads and processes read and write at once.

    Args:
        path: Made, for this user alone, when something is to be written.
        max_bytes: The most that all files take together.
        clock: Gives seconds.
    """

    def __init__(self, path: Path, max_bytes: int, *, clock: Callable[[], float] = monotonic) -> None:
        self._path, self._max_bytes, self._clock = path, max_bytes, clock
        self._resumes_s = -PAUSE_S
        self._unseen = max_bytes  # so that the first writing looks at what there is
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._hits = self._misses = 0
        self._stored: tuple[int, int] | None = None
        """Bytes and files, when this process looked last, with what it stored since; `None`: it has not looked."""
        self._counting: threading.Thread | None = None

    @property
    def state(self) -> CacheState:
        """What all processes stored when this one looked last, with what it stored since, and what it did.

        How much is stored is not known until a thread, which the first call begins, has looked at all files.
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
            if self._stored is None:  # or else looking for room was faster
                self._stored = sum(sizes), len(sizes)

    def get(self, name: bytes, size: int) -> bytes | None:
        """Return bytes by their name, if they are there, are as many, and are what was put."""
        data = self._read(self._path_of(name), name, size)
        with self._lock:
            self._hits += data is not None
            self._misses += data is None
        return data

    def has(self, name: bytes) -> bool:
        """Return whether there are probably bytes under a name; only `get` checks that they are whole."""
        return self._path_of(name).is_file()

    def put(self, name: bytes, data: bytes) -> None:
        """Keep bytes under a name, unless they are too many or the disk cannot take them."""
        room = len(data) + _CHECKSUM.size
        if room > self._max_bytes // SHARE_BETWEEN_LOOKS or self._clock() < self._resumes_s:
            return
        try:
            if self._is_to_look(room):
                self._make_room()
            self._write(self._path_of(name), _CHECKSUM.pack(crc32(data, crc32(name))), data)
            with self._lock:
                if self._stored is not None:
                    self._stored = self._stored[0] + room, self._stored[1] + 1
        except OSError as error:
            self._resumes_s = self._clock() + PAUSE_S
            log.warning("blocks of files elsewhere are not stored in %s for %g s: %s", self._path, PAUSE_S, error)

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
                            with suppress(OSError):  # of someone who lets others read
                                os.utime(path, ns=(time_ns(), status.st_mtime_ns))
                        return data
        except OSError:
            return None  # it is not there, or was removed just now
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

    def _is_to_look(self, room: int) -> bool:
        with self._lock:
            self._unseen += room
            is_due = self._unseen > self._max_bytes // SHARE_BETWEEN_LOOKS
            if is_due:
                self._unseen = room
            return is_due

    def _make_room(self) -> None:
        """Remove what was unused for longest, where all files take too much; one thread at a time."""
        if not self._looking.acquire(blocking=False):
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
            self._looking.release()

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        """All files; those that a writer left behind when it was killed are removed."""
        for folder in _entries(self._path):
            for entry in _entries(Path(folder.path)) if len(folder.name) == 2 else ():
                with suppress(OSError):  # removed by another process
                    status = entry.stat()
                    if entry.name.endswith(END):
                        yield Path(entry.path), status
                    elif entry.name.endswith(PARTIAL) and time() - status.st_mtime > ABANDONED_S:
                        Path(entry.path).unlink()


def _entries(path: Path) -> list["os.DirEntry[str]"]:
    try:
        return list(os.scandir(path))
    except OSError:
        return []  # not made yet, or no folder
