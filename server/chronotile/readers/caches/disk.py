"""Folders in which processes of one machine keep what they made: within a bound, each file whole or not there."""

import fcntl
import logging
import os
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import monotonic, time_ns
from typing import Generic, Protocol, TypeVar

from chronotile.readers.library_errors import one_line

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
        self._path, self._max_bytes, self._end = path, max_bytes, end
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


CLOSING_S = 2.0
"""That a making is waited for at the end: a store that hangs must not keep a process from ending."""
RETRY_S = 1.0
"""How long to wait where another process is making files."""
NICENESS = 10
"""By which making gives way to answering, where threads have such a thing."""

log = logging.getLogger(__name__)

Wanted = TypeVar("Wanted")


class FilledFolder(Generic[Wanted]):
    """A folder whose files are made in the background, each by one of the processes that share it.

    Args:
        folder: Of the files.
        what: They are, in the log.
        most_waiting: Files that wait to be made; others are queued when they are requested again.
        log: Of the module that makes them.
    """

    def __init__(self, folder: DiskCache, what: str, *, most_waiting: int, log: logging.Logger = log) -> None:
        self._folder, self._what, self._most_waiting, self._log = folder, what, most_waiting, log
        self._waiting: dict[str, Wanted] = {}
        self._hopeless = set[str]()
        """Files that were tried and cannot be made."""
        self._is_off = False
        self._closing = threading.Event()
        self._changed = threading.Condition()
        self._maker: threading.Thread | None = None

    def start(self) -> None:
        """Begin to make the files that wait, in the background."""
        self._maker = threading.Thread(target=self._make_all, name=self._what, daemon=True)
        self._maker.start()

    def close(self) -> None:
        """Stop; what is half done is forgotten."""
        self._closing.set()
        with self._changed:
            self._changed.notify_all()
        if self._maker is not None:
            self._maker.join(CLOSING_S)

    def has(self, name: str) -> bool:
        """Return whether a file is there."""
        return self._folder.path_of(name).exists()

    def want(self, name: str, wanted: Wanted) -> None:
        """Let a file be made."""
        with self._changed:
            is_full = len(self._waiting) >= self._most_waiting or name in self._hopeless
            if not (is_full or self._is_off or self._closing.is_set()):
                self._waiting.setdefault(name, wanted)
                self._changed.notify()

    def make_next(self) -> bool:
        """Make the first of the files that wait; return whether another may be made at once."""
        with self._changed:
            if not self._waiting:
                return False
            name = self._first()
            wanted = self._waiting[name]
        is_done = True
        try:
            with self._folder.sole_builder() as is_sole:
                if not is_sole:
                    return False
                is_done = self.has(name) or self._make(name, wanted)
        except OSError as error:
            self._turn_off(error)
        with self._changed:
            if is_done:
                self._waiting.pop(name, None)
        return True

    def _first(self) -> str:
        return next(iter(self._waiting))

    def _make(self, name: str, wanted: Wanted) -> bool:
        # Makes and keeps a file that is not there; returns whether that is done with. A folder that cannot be written
        # is an OSError.
        raise NotImplementedError

    def _make_all(self) -> None:
        if sys.platform == "linux":  # where a thread has a niceness of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        while not self._closing.is_set():
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing.is_set())
            if not self.make_next():
                self._closing.wait(RETRY_S)

    def _turn_off(self, error: OSError) -> None:
        self._log.warning("no more %s are made: their folder cannot be written (%s)", self._what, one_line(error))
        with self._changed:
            self._is_off = True
            self._waiting.clear()


# Short texts by name, of one process or shared by several.


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
