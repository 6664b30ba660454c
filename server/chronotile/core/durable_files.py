"""Files that are never visible half written."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chronotile.core.errors import UnsupportedSource

PARTIAL = ".part"
"""End of the name of an unfinished file."""


@contextmanager
def _open_descriptor(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


class Disk:
    """File operations of a run; tests let each operation fail once."""

    def write(self, descriptor: int, data: bytes) -> None:
        """Write `data` completely."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def fsync(self, descriptor: int) -> None:
        """Return when the contents of a file or folder survive a loss of power."""
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Rename a file, which may replace another file."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file if it exists."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make a folder and its missing parents."""
        path.mkdir(parents=True, exist_ok=True)

    def put(self, path: Path, data: bytes) -> None:
        """Write a file and rename it when it is complete; `settle` makes the new name survive a loss of power."""
        partial = path.with_name(path.name + PARTIAL)
        with _open_descriptor(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            self.write(descriptor, data)
            self.fsync(descriptor)
        self.rename(partial, path)

    def finish(self, partial: Path, path: Path) -> None:
        """Rename a file that a library has written; return when file and name survive a loss of power."""
        self.settle([partial])
        self.rename(partial, path)
        self.settle([path.parent])

    def settle(self, paths: Iterable[Path]) -> None:
        """Return when the names in these folders, or the bytes of these files, survive a loss of power."""
        for path in paths:
            with _open_descriptor(path, os.O_RDONLY) as descriptor:
                self.fsync(descriptor)

    def append(self, path: Path, line: str) -> None:
        """Append a line to a file."""
        with _open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
            self.write(descriptor, line.encode())


def forget(paths: Iterable[Path]) -> None:
    """Remove files from the page cache of the system, to leave space for pages of served files."""
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


@contextmanager
def sole_writer(folder: Path, *, by: str = "optimise", name: str | None = None) -> Iterator[None]:
    """Lock a folder against other runs of a command; messages call the folder `name`, if given.

    Raises:
        UnsupportedSource: Another run writes there.
    """
    with _open_descriptor(folder, os.O_RDONLY) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnsupportedSource(f"another {by} is writing {name or folder.name}; wait for it to end") from error
        yield
