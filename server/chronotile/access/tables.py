"""Tables that are opened when they are first used, so that a server starts without its database."""

from collections.abc import Callable
from logging import Logger
from threading import Lock
from time import monotonic
from typing import Generic, Protocol, TypeVar

from chronotile.core.errors import ConfigurationError, SourceUnavailable, StorageFull

UNAVAILABLE = SourceUnavailable, StorageFull, ConfigurationError
"""Errors of tables that cannot be used now."""
DAY_S = 86_400.0
LOG_S = 60.0
"""Minimum time between two log lines with the same text."""


class Closable(Protocol):
    """An object with connections to a database."""

    def close(self) -> None:
        """Close the connections."""


Tables = TypeVar("Tables", bound=Closable)


class OpenedLater(Generic[Tables]):
    """Tables that are opened when they are first used, once for all threads.

    Args:
        open_tables: Opens the tables, in a thread; `None` if the server has none.
        log: Gets a warning if the tables are unavailable.
    """

    def __init__(self, open_tables: Callable[[], Tables] | None, log: Logger) -> None:
        self.open_tables = open_tables
        self._log = log
        self._lock = Lock()
        self._tables: Tables | None = None
        self._logged_s = dict[str, float]()

    def get(self) -> Tables:
        """Return the tables; call it in a thread.

        Raises:
            SourceUnavailable: The server has no tables, or the database is unavailable.
            StorageFull: The disk is full.
            ConfigurationError: The database cannot be used.
        """
        with self._lock:
            if self._tables is None:
                if self.open_tables is None:
                    raise SourceUnavailable("this server has no database of users")
                self._tables = self.open_tables()
            return self._tables

    def warn(self, text: str, error: Exception) -> None:
        """Log that the tables are unavailable, unless the same text was logged within `LOG_S`."""
        if monotonic() - self._logged_s.get(text, -LOG_S) >= LOG_S:
            self._logged_s[text] = monotonic()
            self._log.warning("%s: %s", text, error)

    def close(self) -> None:
        """Close the connections to the database if it was opened."""
        if self._tables is not None:
            self._tables.close()
