"""Cache of files in a folder that processes of one machine share, within a size limit."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, time_ns

PARTIAL = ".part"
"""End of the name of a file that is being written."""

LOCK = "lock"

TOUCH_S = 300.0
"""Seconds between two updates of the time of use of a file."""
MAX_TOUCHED = 10_000
"""Number of recorded uses of files above which uses older than `TOUCH_S` are dropped."""


class DiskCache:
    """Files by name; the least recently used files are deleted to make room. A file is complete or does not exist.

    Args:
        path: Folder; created for this user only, before the first write.
        max_bytes: Largest total size of the files.
        end: End of the names of the files, with a dot, which no pattern of an archive matches.
    """

    def __init__(self, path: Path, max_bytes: int, *, end: str) -> None:
        self._path, self._max_bytes, self._end = path, max_bytes, end
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def max_bytes(self) -> int:
        """Largest total size of the files."""
        return self._max_bytes

    def path_of(self, name: str) -> Path:
        """Return the path of a file, which may be missing."""
        return self._path / f"{name}{self._end}"

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file and record its use, or `None` if it is missing."""
        try:
            data = self.path_of(name).read_bytes()
        except OSError:
            return None
        self.touch(name)
        return data

    def touch(self, name: str) -> None:
        """Record that a file is used. Its modification time does not change, as it identifies open files."""
        now_s = monotonic()
        with self._lock:
            if now_s - self._touched.get(name, -TOUCH_S) < TOUCH_S:
                return
            self._touched[name] = now_s
            if len(self._touched) > MAX_TOUCHED:  # other processes may have deleted most of these files
                self._touched = {name: at_s for name, at_s in self._touched.items() if now_s - at_s < TOUCH_S}
        path = self.path_of(name)
        try:
            os.utime(path, ns=(time_ns(), path.stat().st_mtime_ns))
        except OSError:
            return  # the file was deleted, or is read-only

    def remove(self, name: str) -> None:
        """Delete a file if it exists and the folder is writable."""
        try:
            self.path_of(name).unlink(missing_ok=True)
        except OSError:
            return  # the next `put` reports that the folder is not writable

    @contextmanager
    def sole_builder(self) -> Iterator[bool]:
        """Lock the folder against builders of other processes; yield whether the lock was free.

        Raises:
            OSError: The folder cannot be created or written.
        """
        self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self._path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True
        finally:
            os.close(descriptor)

    def put(self, name: str, data: bytes) -> bool:
        """Write a file and publish it under its name when it is complete; return whether it fits into the limit.

        Only the sole builder may call it.

        Raises:
            OSError: The file cannot be written.
        """
        for partial in self._path.glob(f"*{PARTIAL}"):  # remains of a killed builder
            partial.unlink(missing_ok=True)
        if len(data) > self._max_bytes:
            return False
        self._make_room(len(data))
        partial = self._path / f"{name}{PARTIAL}"
        try:
            with partial.open("wb", buffering=0) as file:
                view = memoryview(data)
                while view:
                    view = view[file.write(view) :]
                os.fsync(file.fileno())
            partial.replace(self.path_of(name))
        except OSError:
            partial.unlink(missing_ok=True)
            raise
        return True

    def usage(self) -> tuple[int, int]:
        """Return the number of files of all processes, and the bytes they take."""
        sizes = [status.st_size for _path, status in self._files()]
        return len(sizes), sum(sizes)

    def _make_room(self, size: int) -> None:
        """Delete the least recently used files until `size` more bytes fit into the limit."""
        files = sorted(self._files(), key=lambda entry: entry[1].st_atime_ns)
        total = sum(status.st_size for _path, status in files)
        for path, status in files:
            if total + size <= self._max_bytes:
                break
            path.unlink(missing_ok=True)
            total -= status.st_size
            with self._lock:
                self._touched.pop(path.name.removesuffix(self._end), None)

    def _files(self) -> list[tuple[Path, os.stat_result]]:
        files = []
        try:
            entries = list(os.scandir(self._path))
        except OSError:
            return []  # the folder does not exist yet
        for entry in entries:
            if entry.name.endswith(self._end):
                try:
                    files.append((Path(entry.path), entry.stat()))
                except FileNotFoundError:
                    continue  # another process has deleted the file
        return files
