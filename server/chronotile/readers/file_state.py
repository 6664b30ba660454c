"""Whether a file is still the one that was opened."""

import os
from collections.abc import Iterable
from typing import NamedTuple

from chronotile.readers.hrefs import local_path
from chronotile.readers.remote_files import looks


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
    status = os.stat(path)  # noqa: PTH116 -- half the time of Path.stat, and asked at each read
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino)


def is_any_there(paths: Iterable[str]) -> bool:
    """Return whether any of the files is on this machine; of one elsewhere a failure may be one of the network."""
    local = (local_path(path) for path in paths)
    return any(path is not None and path.is_file() for path in local)
