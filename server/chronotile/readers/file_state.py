"""Whether a file is still the one that was opened."""

import errno
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from chronotile.readers.hrefs import local_path
from chronotile.readers.remote_files import looks

MAX_REMEMBERED = 1 << 14
"""States that one look remembers, about 5 MB; files past it are asked for each time."""

_look = threading.local()


class FileState(NamedTuple):
    """What changes when a file is written anew."""

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
    seen: dict[str, FileState | None] | None = getattr(_look, "seen", None)
    return _state_now(path) if seen is None else _state_of_look(path, seen)


@contextmanager
def one_look() -> Iterator[None]:
    """Have this thread ask once for the state of each file or folder of this machine that it needs in the block.

    For finding states alone: whether a file was written while it was read is not seen in it.
    """
    if getattr(_look, "seen", None) is not None:
        yield
        return
    _look.seen = {}
    try:
        yield
    finally:
        _look.seen = None


def _state_of_look(path: str, seen: dict[str, FileState | None]) -> FileState:
    try:
        found = seen[path]
    except KeyError:
        try:
            found = _state_now(path)
        except FileNotFoundError:
            found = None
        if len(seen) < MAX_REMEMBERED:
            seen[path] = found
    if found is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
    return found


def _state_now(path: str) -> FileState:
    status = os.stat(path)  # noqa: PTH116 -- half the time of Path.stat, and asked at each read
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino)


def is_any_there(paths: Iterable[str]) -> bool:
    """Return whether any of the files is on this machine; of one elsewhere a failure may be one of the network."""
    local = (local_path(path) for path in paths)
    return any(path is not None and path.is_file() for path in local)
