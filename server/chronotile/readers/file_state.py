"""Whether a file is still the one that was opened."""

import os
from typing import NamedTuple


class FileState(NamedTuple):
    """What changes when a file is written anew."""

    mtime_ns: int
    size: int
    inode: int


def file_state(path: str) -> FileState | None:
    """Return the state of a file on this machine, `None` of one elsewhere.

    Raises:
        OSError: It is gone.
    """
    if "://" in path:
        return None
    status = os.stat(path)  # noqa: PTH116 -- half the time of Path.stat, and asked at each read
    return FileState(status.st_mtime_ns, status.st_size, status.st_ino)
