"""The database of jobs: SQLite in the folder of jobs, or PostgreSQL, which several hosts may share."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine

from chronotile.core import database
from chronotile.core.database import Usage, Waits, database_time, hold
from chronotile.core.machine import MOUNTS

__all__ = ["FILE", "JOBS", "database_time", "hold", "open_engine", "read_transaction", "write_transaction"]

BUSY_S = 10
"""How long to wait for a lock, for a connection to PostgreSQL, and for a sign of life of a host."""
STATEMENT_S = 60
"""How long a statement may take in PostgreSQL, with its waiting for locks."""
SILENT_S = 5
"""How long a session of PostgreSQL may be idle in a transaction, which others wait for: its host may be frozen."""
FILE = "jobs.sqlite"

JOBS = Usage(
    name="the job table",
    folder="the jobs folder",
    variable="CHRONOTILE_JOBS_DIR",
    missing="the job tables are missing from their database; restore them, or restart the servers and workers, "
    "which create them",
    file=FILE,
    waits=lambda: Waits(busy_s=BUSY_S, statement_s=STATEMENT_S, silent_s=SILENT_S),
)


def open_engine(url: str | None, folder: Path, *, mounts: Path = MOUNTS) -> Engine:
    """Return the engine of the database of jobs, as `chronotile.core.database.open_engine` does."""
    return database.open_engine(url, folder, JOBS, mounts=mounts)


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that is on the disk once it has ended, or is as if it had not been.

    Raises:
        SourceUnavailable: The database is away, damaged, or locked by others for too long.
        StorageFull: There is no room for what is written.
    """
    with database.write_transaction(engine, JOBS) as connection:
        yield connection


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one state of the database and does not wait for writers.

    Raises:
        SourceUnavailable: The database does not answer or is damaged.
    """
    with database.read_transaction(engine, JOBS) as connection:
        yield connection
