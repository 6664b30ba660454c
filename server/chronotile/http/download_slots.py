"""Limits of concurrent downloads, per process and per client."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from chronotile.core.errors import TooManyDownloads

MAX_DOWNLOADS = 64
"""Per process. Each download takes up to 1 MiB for a part of the file, and as much for bytes that are not sent yet."""
MAX_CLIENT_DOWNLOADS = 8
"""Per address. Programs that download by several connections use 4 to 16."""


class DownloadSlots:
    """Counter of running downloads; belongs to one event loop.

    Args:
        max_downloads: Limit for all clients.
        max_client_downloads: Limit for one address.
    """

    def __init__(self, max_downloads: int = MAX_DOWNLOADS, max_client_downloads: int = MAX_CLIENT_DOWNLOADS) -> None:
        self._max, self._max_of_client = max_downloads, max_client_downloads
        self._running = Counter[str]()

    @property
    def n_running(self) -> int:
        """The number of running downloads."""
        return self._running.total()

    @contextmanager
    def occupy(self, client: str) -> Iterator[None]:
        """Count a download of a client until the block ends.

        Raises:
            TooManyDownloads: The client, or all clients together, have reached the limit.
        """
        if self._running[client] >= self._max_of_client:
            raise TooManyDownloads(
                f"{self._max_of_client} downloads of this address are running, which is the most; try again when one "
                "has ended"
            )
        if self.n_running >= self._max:
            raise TooManyDownloads(f"{self._max} downloads are running, which is the most; try again in a few seconds")
        self._running[client] += 1
        try:
            yield
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]
