"""Tables of access are opened in a thread when they are first used: a database that is away holds up no start."""

from collections.abc import Callable
from logging import Logger
from threading import Lock
from time import monotonic
from typing import Generic, Protocol, TypeVar

from chronotile.core.errors import ConfigurationError, SourceUnavailable, StorageFull

AWAY = SourceUnavailable, StorageFull, ConfigurationError
"""What tables raise that cannot be used now."""
DAY_S = 86_400.0
SAID_S = 60.0
"""How often at most it is logged that tables are away."""


class Closable(Protocol):
    """What has connections to a database."""

    def close(self) -> None:
        """Close them."""


Tables = TypeVar("Tables", bound=Closable)


class OpenedLater(Generic[Tables]):
    """Tables that are opened when they are first used, once for all threads.

    Args:
        open_tables: Opens them, in a thread; `None`: there are none.
        log: Gets the reason why they are away, now and then.
    """

    def __init__(self, open_tables: Callable[[], Tables] | None, log: Logger) -> None:
        self.open_tables = open_tables
        self._log = log
        self._lock = Lock()
        self._tables: Tables | None = None
        self._said_s = dict[str, float]()

    def get(self) -> Tables:
        """Return the tables, in a thread.

        Raises:
            SourceUnavailable: There are none, or the database is away.
            StorageFull: There is no room left.
            ConfigurationError: The database cannot be used.
        """
        with self._lock:
            if self._tables is None:
                if self.open_tables is None:
                    raise SourceUnavailable("this server has no database of users")
                self._tables = self.open_tables()
            return self._tables

    def say(self, what: str, error: Exception) -> None:
        """Log that the tables are away, however many requests find it out."""
        if monotonic() - self._said_s.get(what, -SAID_S) >= SAID_S:
            self._said_s[what] = monotonic()
            self._log.warning("%s: %s", what, error)

    def close(self) -> None:
        """Close the connections to the database, if it was opened."""
        if self._tables is not None:
            self._tables.close()
