"""Limits of concurrent downloads, per process and per client."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chronotile.core.errors import TooManyDownloads

MAX_DOWNLOADS = 64
"""Of a process; each holds a part of its file of at most a MiB, and as much that is not sent yet."""

MAX_CLIENT_DOWNLOADS = 8
"""Programs that download by several connections use 4 to 16."""


class DownloadSlots:
    """Counts downloads; belongs to one event loop.

    Args:
        most: At once.
        most_of_client: Of one address.
    """

    def __init__(self, most: int = MAX_DOWNLOADS, most_of_client: int = MAX_CLIENT_DOWNLOADS) -> None:
        self._most, self._most_of_client = most, most_of_client
        self._running = Counter[str]()

    @property
    def taken(self) -> int:
        """How many run now."""
        return self._running.total()

    @contextmanager
    def one(self, client: str) -> Iterator[None]:
        """Count one more for a client until the block ends.

        Raises:
            TooManyDownloads: It has as many as it may, or all together have.
        """
        if self._running[client] >= self._most_of_client:
            raise TooManyDownloads(
                f"{self._most_of_client} downloads of this address are running, which is the most; try again when one "
                "has ended"
            )
        if self.taken >= self._most:
            raise TooManyDownloads(f"{self._most} downloads are running, which is the most; try again in a few seconds")
        self._running[client] += 1
        try:
            yield
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]
