"""Folders in which processes of one machine keep what they made: within a bound, each file whole or not there."""

import fcntl
import logging
import os
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, time_ns
from typing import Protocol

PARTIAL = ".part"
"""End of the name of a file that is being written."""

LOCK = "lock"

TOUCH_S = 300.0
"""How often it is noted that a file is used."""
MOST_TOUCHED = 10_000
"""Files whose use is remembered, beyond those of the last `TOUCH_S`."""


class DiskCache:
    """Files by name; those unused for longest make room for others.

    Args:
        path: Made, for this user alone, when something is to be written.
        max_bytes: The most that all files take together.
        end: Of the files' names, with a dot: no pattern of an archive matches it.
    """

    def __init__(self, path: Path, max_bytes: int, *, end: str) -> None:
        self._path = path
        self._max_bytes = max_bytes
        self._end = end
        self._touched: dict[str, float] = {}
        self._lock = threading.Lock()

    @property
    def max_bytes(self) -> int:
        """The most that all files take together."""
        return self._max_bytes

    def path_of(self, name: str) -> Path:
        """Return where a file is, if it is there."""
        return self._path / f"{name}{self._end}"

    def read(self, name: str) -> bytes | None:
        """Return the bytes of a file, if it is there, and note that it is used."""
        try:
            data = self.path_of(name).read_bytes()
        except OSError:
            return None
        self.touch(name)
        return data

    def touch(self, name: str) -> None:
        """Note that a file is used; its time of modification, by which open files are known, stays."""
        now_s = monotonic()
        with self._lock:
            if now_s - self._touched.get(name, -TOUCH_S) < TOUCH_S:
                return
            self._touched[name] = now_s
            if len(self._touched) > MOST_TOUCHED:  # others may have removed most of them
                self._touched = {name: at_s for name, at_s in self._touched.items() if now_s - at_s < TOUCH_S}
        path = self.path_of(name)
        try:
            os.utime(path, ns=(time_ns(), path.stat().st_mtime_ns))
        except OSError:
            return  # it was removed in the meantime, or belongs to someone who lets others read

    def remove(self, name: str) -> None:
        """Remove a file, if it is there and may be."""
        try:
            self.path_of(name).unlink(missing_ok=True)
        except OSError:
            return  # a folder that cannot be written; what is built next will say so

    @contextmanager
    def sole_builder(self) -> Iterator[bool]:
        """Lock the folder against builders of other processes; yields whether the lock was free.

        Raises:
            OSError: The folder cannot be made or written.
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
        """Write a file under its name once it is whole; return whether the bound has room for one so large.

        Only the sole builder may.

        Raises:
            OSError: It cannot be written.
        """
        for partial in self._path.glob(f"*{PARTIAL}"):  # of a builder that was killed
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
        """Return how many files there are and the bytes they take, those of other processes too."""
        sizes = [status.st_size for _path, status in self._files()]
        return len(sizes), sum(sizes)

    def _make_room(self, size: int) -> None:
        """Remove what was unused for longest until `size` bytes more are within the bound."""
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
        found = []
        try:
            entries = list(os.scandir(self._path))
        except OSError:
            return []  # not made yet
        for entry in entries:
            if entry.name.endswith(self._end):
                try:
                    found.append((Path(entry.path), entry.stat()))
                except FileNotFoundError:
                    continue  # removed by another process
        return found


# Short texts by name, of one process or shared by several.

log = logging.getLogger(__name__)


class Records(Protocol):
    """Texts by name. All methods may be called by several threads, and processes, at once."""

    def add(self, name: str, text: str) -> bool:
        """Store a text, unless there is one of that name; return whether it was stored."""

    def remove(self, name: str) -> bool:
        """Forget a text; return whether there was one."""

    def names(self) -> Collection[str]:
        """Return the names of all stored texts."""

    def read(self, name: str) -> str | None:
        """Return a text, if there is one of that name."""


class RecordsInMemory:
    """Records of one process."""

    def __init__(self) -> None:
        self._texts: dict[str, list[str]] = {}
        """Each in a list of its own, which distinguishes it from an equal text that was there before."""

    def add(self, name: str, text: str) -> bool:
        """Store a text, unless there is one of that name; return whether it was stored."""
        record = [text]
        return self._texts.setdefault(name, record) is record

    def remove(self, name: str) -> bool:
        """Forget a text; return whether there was one."""
        return self._texts.pop(name, None) is not None

    def names(self) -> Collection[str]:
        """Return the names of all stored texts."""
        return tuple(self._texts)

    def read(self, name: str) -> str | None:
        """Return a text, if there is one of that name."""
        record = self._texts.get(name)
        return None if record is None else record[0]


class RecordsInFolder:
    """Records that several processes share, one small file each.

    They are for operators alone, so that nothing else fails where they cannot be written: a folder that was removed is
    made again, and on a full disk a text counts as stored, which may be logged twice.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def add(self, name: str, text: str) -> bool:
        """Store a text, unless there is one of that name; return whether it was stored."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            return self._write(name, text)
        except OSError as error:
            log.warning("records in %s cannot be written: %s", self._folder, error)
            return True

    def _write(self, name: str, text: str) -> bool:
        with NamedTemporaryFile("w", dir=self._folder, prefix=".", encoding="utf-8") as written:
            written.write(text)
            written.flush()
            try:
                (self._folder / name).hardlink_to(written.name)  # whole, and by one process only
            except FileExistsError:
                return False
        return True

    def remove(self, name: str) -> bool:
        """Forget a text; return whether there was one."""
        try:
            (self._folder / name).unlink()
        except FileNotFoundError:
            return False
        return True

    def names(self) -> Collection[str]:
        """Return the names of all stored texts."""
        try:
            return [path.name for path in self._folder.iterdir() if not path.name.startswith(".")]
        except FileNotFoundError:
            return []

    def read(self, name: str) -> str | None:
        """Return a text, if there is one of that name."""
        try:
            return (self._folder / name).read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
