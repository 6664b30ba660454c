"""A disk without room: for scratch files of requests, or for all files of the process."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager

from chronotile.pipeline.encoders.scratch_files import DISK_QUOTA


@contextmanager
def full_disk(*, beyond: int = 0) -> Iterator[None]:
    """Leave no room, even after existing files release up to `beyond` bytes."""
    taken = DISK_QUOTA._remaining + beyond
    DISK_QUOTA.give_back(-taken)
    try:
        yield
    finally:
        DISK_QUOTA.give_back(taken)


@contextmanager
def disk_without_room() -> Iterator[None]:
    """Let no file of this process have more than some bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
