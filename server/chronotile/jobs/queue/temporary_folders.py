"""Temporary folders of synchronous executions. They do not accumulate, even if servers are killed."""

import fcntl
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from chronotile.jobs.queue.faults import storing_results

PREFIX = "chronotile-executions-"
"""Prefix of folder names: such a folder is removed if no process holds its lock."""


@dataclass(frozen=True, slots=True)
class _LockedFolder:
    path: Path
    descriptor: int | None
    """Holds the lock; `None` on a disk without locks, whose folders no other process removes."""


class TemporaryFolders:
    """Temporary folders within one folder of this process.

    The process holds a lock on that folder. The operating system releases the lock when the process ends in any way. A
    process that starts removes the folders without a lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process_folder: _LockedFolder | None = None

    def make(self) -> Path:
        """Create a folder; the caller removes it.

        Raises:
            StorageFull: The disk is full.
            SourceUnavailable: The folder cannot be created.
        """
        with storing_results(), self._lock:
            # The folder may be missing, because other programs remove temporary files, too.
            if self._process_folder is None or not self._process_folder.path.is_dir():
                for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
                    with suppress(OSError):  # locked, owned by another user, or on a disk without locks
                        descriptor = _lock_folder(path)
                        shutil.rmtree(path, ignore_errors=True)
                        os.close(descriptor)
                self._let_go()
                self._process_folder = _make_locked_folder()
            return Path(tempfile.mkdtemp(dir=self._process_folder.path))

    def close(self) -> None:
        """Remove all folders."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._process_folder is not None:
            shutil.rmtree(self._process_folder.path, ignore_errors=True)
            if self._process_folder.descriptor is not None:
                os.close(self._process_folder.descriptor)
            self._process_folder = None


@contextmanager
def remove_on_failure(folder: Path) -> Iterator[None]:
    """Remove a folder if the body raises an error."""
    try:
        yield
    except BaseException:  # including the stop of the process
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _make_locked_folder() -> _LockedFolder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            return _LockedFolder(path, _lock_folder(path))
        except (BlockingIOError, FileNotFoundError):  # another process removes the folder as abandoned
            continue
        except OSError:
            return _LockedFolder(path, None)


def _lock_folder(path: Path) -> int:
    """Lock a folder until the descriptor is closed.

    Raises:
        BlockingIOError: Another process holds the lock.
        FileNotFoundError: The folder was removed.
        OSError: It is not a folder of this user, or the disk has no locks.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()  # raises if the folder was removed before it was locked
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
