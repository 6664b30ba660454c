"""Files that are not in the page cache."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple


def drop_cached(places: Iterable[Path]) -> None:
    """Drop the contents of files and folders from the page cache, except mapped and modified pages."""
    for place in places:
        for path in place.rglob("*") if place.is_dir() else [place]:
            if path.is_file():
                _drop(path)


def _drop(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)


class Fetched(NamedTuple):
    """Bytes."""

    requested: int
    """Bytes that this process requested from the system."""
    from_storage: int
    """Bytes that the system fetched for it, including read-ahead."""


def fetched() -> Fetched:
    """Return how much this process has had so far (`/proc/self/io`)."""
    lines = Path("/proc/self/io").read_text().splitlines()
    told = dict(line.split(": ") for line in lines)
    return Fetched(int(told["rchar"]), int(told["read_bytes"]))
