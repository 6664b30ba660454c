"""Whether a file is still the one that was opened."""

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from chronotile.readers.hrefs import local_path
from chronotile.readers.remote.files import looks

MAX_REMEMBERED = 1 << 14
"""States that one look remembers, about 5 MB; those of more files are read from the system each time."""

SETTLED_NS = 2_000_000_000
"""What was written since may be written again without its time telling; what is read of it is not cached."""

_current = threading.local()


class FileState(NamedTuple):
    """What changes when a file is rewritten."""

    mtime_ns: int
    size: int
    inode: int
    tag: str = ""
    """The ETag of a file elsewhere."""


def file_state(path: str) -> FileState:
    """Return the state of a file; of one elsewhere as it was some seconds ago, or when a part of it was last read.

    Raises:
        OSError: It is gone or away.
    """
    if "://" in path:
        found = looks.state(path)
        return FileState(found.modified_ns, found.size, 0, found.tag)
    look: Look | None = getattr(_current, "look", None)
    return _state_now(path) if look is None else look.state(path)


class Look:
    """The states of files and folders of this machine, each read from the system once."""

    def __init__(self) -> None:
        self.count = 0
        """How many calls of the system were made."""
        self._seen: dict[str, FileState | None] = {}

    def state(self, path: str) -> FileState:
        """Return the state of a file or folder.

        Raises:
            OSError: It is gone or away.
        """
        try:
            found = self._seen[path]
        except KeyError:
            found = self._asked(path)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        return found

    def _asked(self, path: str) -> FileState | None:
        self.count += 1
        try:
            found = _state_now(path)
        except FileNotFoundError:
            found = None
        if len(self._seen) < MAX_REMEMBERED:
            self._seen[path] = found
        return found


@contextmanager
def one_look() -> Iterator[Look]:
    """Have this thread ask once for the state of each file or folder of this machine that it needs in the block.

    For finding states alone: whether a file was written while it was read is not seen in it.
    """
    outer: Look | None = getattr(_current, "look", None)
    if outer is not None:
        yield outer
        return
    look = _current.look = Look()
    try:
        yield look
    finally:
        _current.look = None


def _state_now(path: str) -> FileState:
    status = os.stat(path)  # noqa: PTH116 -- half the time of Path.stat, and done at each read
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino)


def is_any_there(paths: Iterable[str]) -> bool:
    """Return whether any of the files is on this machine; of one elsewhere a failure may be one of the network."""
    local = (local_path(path) for path in paths)
    return any(path is not None and path.is_file() for path in local)
