"""A disk on which scratch files of requests have no room."""

from collections.abc import Iterator
from contextlib import contextmanager

from chronotile.encoders.scratch import ROOM


@contextmanager
def full_disk(*, beyond: int = 0) -> Iterator[None]:
    """Leave no room, not even where files that are there give back as much as `beyond`."""
    taken = ROOM._left + beyond
    ROOM.give_back(-taken)
    try:
        yield
    finally:
        ROOM.give_back(taken)
