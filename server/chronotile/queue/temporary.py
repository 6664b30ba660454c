"""Folders for what is done while a client waits, which do not pile up where servers are killed."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chronotile.queue.faults import storing_results

PREFIX = "chronotile-executions-"
"""Of names of folders that are removed where no process holds them."""


@dataclass(frozen=True, slots=True)
class _Folder:
    path: Path
    descriptor: int | None
    """Holds it; `None` on a disk without locks, where none is ever removed for another process."""


class TemporaryFolders:
    """Folders within one of this process, where temporary files are.

    The process holds that one by a lock, which the system takes back when the process ends, however it does; who
    begins removes those that no process holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: _Folder | None = None

    def make(self) -> Path:
        """Return a new folder; the caller removes it.

        Raises:
            StorageFull: There is no room for it.
            SourceUnavailable: It cannot be made.
        """
        with storing_results(), self._lock:
            if self._own is None or not self._own.path.is_dir():  # others clean up there too
                _remove_left()
                self._let_go()
                self._own = _held_folder()
            return Path(tempfile.mkdtemp(dir=self._own.path))

    def close(self) -> None:
        """Remove all of them."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._own is not None:
            shutil.rmtree(self._own.path, ignore_errors=True)
            if self._own.descriptor is not None:
                os.close(self._own.descriptor)
            self._own = None


@contextmanager
def remove_on_failure(folder: Path) -> Iterator[None]:
    """Remove a folder where what is done inside fails."""
    try:
        yield
    except BaseException:  # also where the process is being stopped
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _held_folder() -> _Folder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            return _Folder(path, _hold(path))
        except (BlockingIOError, FileNotFoundError):  # another took it for one that was left
            continue
        except OSError:
            return _Folder(path, None)


def _remove_left() -> None:
    for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # held, another user's, or on a disk without locks
            descriptor = _hold(path)
            shutil.rmtree(path, ignore_errors=True)
            os.close(descriptor)


def _hold(path: Path) -> int:
    """Lock a folder until the descriptor is closed.

    Raises:
        BlockingIOError: Another holds it.
        FileNotFoundError: It was removed.
        OSError: It is not a folder of ours, or there are no locks.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()  # or else it was removed before it was locked
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
