"""Files that are there whole or not at all, and files that only the user who runs the server may read."""

import fcntl
import logging
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from chronotile.core.errors import UnsupportedSource

PARTIAL = ".part"
"""End of the name of a file that is being written."""


@contextmanager
def _open_descriptor(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags, 0o644)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


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
        with _open_descriptor(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) as descriptor:
            self.write(descriptor, data)
            self.fsync(descriptor)
        self.rename(partial, path)

    def finish(self, partial: Path, path: Path) -> None:
        """Put a file that a library has written under its name, and return when both will outlast a loss of power."""
        self.settle([partial])
        self.rename(partial, path)
        self.settle([path.parent])

    def settle(self, paths: Iterable[Path]) -> None:
        """Return when the names in these folders, or the bytes of these files, will outlast a loss of power."""
        for path in paths:
            with _open_descriptor(path, os.O_RDONLY) as descriptor:
                self.fsync(descriptor)

    def append(self, path: Path, line: str) -> None:
        """Write a line at the end of a file."""
        with _open_descriptor(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND) as descriptor:
            self.write(descriptor, line.encode())


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
def sole_writer(folder: Path, *, by: str = "optimise", name: str | None = None) -> Iterator[None]:
    """Hold a folder, which errors call by its name or by another, against other runs of a command.

    Raises:
        UnsupportedSource: Another run is writing there.
    """
    with _open_descriptor(folder, os.O_RDONLY) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UnsupportedSource(f"another {by} is writing {name or folder.name}; wait for it to end") from error
        yield


# Files and folders of jobs and of the item index, which only the user who runs the server and workers may read.

log = logging.getLogger(__name__)

FILE_MODE = 0o600
FOLDER_MODE = 0o700
OTHERS = 0o077
"""What the group and other users may not do; also the umask of worker processes."""


def make_private_folder(folder: Path) -> None:
    """Make a folder if it is missing, and those above it that are missing.

    Raises:
        OSError: It cannot be made.
    """
    for each in reversed([each for each in (folder, *folder.parents) if not each.exists()] or [folder]):
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)


def open_private(path: str, flags: int) -> int:
    """Open a file; if this makes it, it is private. For the `opener` of `open`."""
    return os.open(path, flags, FILE_MODE)


def make_private_file(path: Path) -> None:
    """Make an empty file if it is missing; one that exists is not opened.

    Raises:
        OSError: It cannot be made.
    """
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))


def make_private(path: Path) -> None:
    """Remove permissions of other users, as a folder of the operator may have, or a restored backup."""
    try:
        mode = path.stat().st_mode
        if mode & OTHERS:
            path.chmod(mode & 0o7700)
    except FileNotFoundError:
        return
    except OSError:
        log.warning("other users of this machine may read %s: it belongs to another user", path)
