"""Files written so that each is there whole or not at all, and stays out of the way of what is being served."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from chronotile.errors import UnsupportedSource

PARTIAL = ".part"
"""End of the name of a file that is being written."""


class Disk:
    """The file operations of a run; tests let each of them fail once."""

    def write(self, descriptor: int, data: bytes) -> None:
        """Write all of `data`."""
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]

    def fsync(self, descriptor: int) -> None:
        """Return when what was written to a file or folder will outlast a loss of power."""
        os.fsync(descriptor)

    def rename(self, source: Path, target: Path) -> None:
        """Put a file in another's place."""
        source.replace(target)

    def remove(self, path: Path) -> None:
        """Remove a file, if it is there."""
        path.unlink(missing_ok=True)

    def make_folder(self, path: Path) -> None:
        """Make a folder and those above it."""
        path.mkdir(parents=True, exist_ok=True)

    def put(self, path: Path, data: bytes) -> None:
        """Write a file under its name once it is whole; `settle` makes the name itself last."""
        partial = path.with_name(path.name + PARTIAL)
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        try:
            self.write(descriptor, data)
            self.fsync(descriptor)
        finally:
            os.close(descriptor)
        self.rename(partial, path)

    def finish(self, partial: Path, path: Path) -> None:
        """Put a file that a library has written under its name, and return when both will outlast a loss of power."""
        self.settle([partial])
        self.rename(partial, path)
        self.settle([path.parent])

    def settle(self, paths: Iterable[Path]) -> None:
        """Return when the names in these folders, or the bytes of these files, will outlast a loss of power."""
        for path in paths:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                self.fsync(descriptor)
            finally:
                os.close(descriptor)

    def append(self, path: Path, line: str) -> None:
        """Write a line at the end of a file."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            self.write(descriptor, line.encode())
        finally:
            os.close(descriptor)


def forget(paths: Iterable[Path]) -> None:
    """Let the system drop files from its page cache, so that pages which are being served may stay there."""
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
def sole_writer(folder: Path) -> Iterator[None]:
    """Hold a folder against other runs.

    Raises:
        UnsupportedSource: Another run is writing there.
    """
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnsupportedSource(f"another optimise is writing {folder.name}; wait for it to end") from error
        yield
    finally:
        os.close(descriptor)
