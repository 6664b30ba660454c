"""The database of jobs: SQLite in a folder of this machine, or PostgreSQL, which several hosts may share."""

import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from chronotile.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError, SourceUnavailable, StorageFull
from chronotile.extras import missing_extra
from chronotile.machine import MOUNTS, network_file_system
from chronotile.queue.private_files import make_private, make_private_file, make_private_folder

BUSY_S = 10
"""How long to wait for a lock, for a connection to PostgreSQL, and for a sign of life of a host."""
STATEMENT_S = 60
"""How long a statement may take in PostgreSQL, with its waiting for locks."""
SILENT_S = 5
"""How long a session of PostgreSQL may be idle in a transaction, which others wait for: its host may be frozen."""
FILE = "jobs.sqlite"
POSTGRESQL = "postgresql"
LOCKED, UNDEFINED = "55P03", "42P01"
"""What PostgreSQL calls a lock that was not to be had in time, and a table that is not there."""
OPENED = "opened"
"""The status of the file that a connection was opened to, as the system gives it."""
READING = "chronotile_reading"
"""Execution option of connections that only read."""

log = logging.getLogger(__name__)


def open_engine(url: str | None, folder: Path, *, mounts: Path = MOUNTS) -> Engine:
    """Return the engine of the database that `url` names, or of a file in `folder`, which is made.

    Args:
        url: Of PostgreSQL; `None` for SQLite.
        folder: Of the jobs.
        mounts: What is mounted where, as `network_file_system` reads it.

    Raises:
        ConfigurationError: The URL is none that is known, its driver is not installed, or the folder cannot be made or
            is on a disk of another machine, where SQLite's locks do not hold.
    """
    return _sqlite(folder, mounts) if url is None else _postgresql(url)


def _sqlite(folder: Path, mounts: Path) -> Engine:
    try:
        make_private_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            [f"the jobs folder {folder} cannot be made: {error.strerror}; set CHRONOTILE_JOBS_DIR to another"]
        ) from error
    kind = network_file_system(folder, mounts)
    if kind is not None:
        raise ConfigurationError(
            [
                f"the jobs folder {folder} is on a network disk ({kind}), where SQLite would damage the "
                "table of jobs; set CHRONOTILE_DATABASE_URL to a PostgreSQL database, or CHRONOTILE_JOBS_DIR to a "
                "folder of this machine"
            ]
        )
    make_private(folder)
    with suppress(OSError):  # connecting reports it
        make_private_file(folder / FILE)
    for end in ("", "-wal", "-shm"):
        make_private(folder / f"{FILE}{end}")
    # As many connections as threads ask at once, here and below: who waits for one would wait for nothing else.
    engine = create_engine(
        URL.create("sqlite", database=str(folder / FILE)), connect_args={"timeout": BUSY_S}, max_overflow=-1
    )
    event.listen(engine, "connect", partial(_prepare, folder / FILE))
    event.listen(engine, "checkout", partial(_check_place, folder / FILE))
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: str) -> Engine:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise ConfigurationError(
            ["CHRONOTILE_DATABASE_URL is not a URL such as postgresql://user@host/name"]
        ) from error
    if parsed.get_backend_name() != POSTGRESQL:
        raise ConfigurationError(
            [f"CHRONOTILE_DATABASE_URL begins with {parsed.drivername}://, only postgresql:// is supported"]
        )
    # A host that is gone says nothing: without these the system asks it again for a quarter of an hour, or for ever.
    waits = {
        "connect_timeout": BUSY_S,
        "tcp_user_timeout": 1000 * BUSY_S,
        "keepalives_idle": BUSY_S,
        "keepalives_interval": max(1, BUSY_S // 3),
        "keepalives_count": 3,
    }
    unsaid = {name: value for name, value in waits.items() if name not in parsed.query}
    try:
        engine = create_engine(
            parsed.set(drivername=f"{POSTGRESQL}+psycopg"), connect_args=unsaid, pool_pre_ping=True, max_overflow=-1
        )
    except (NoSuchModuleError, ImportError) as error:
        absent = missing_extra("postgresql", "CHRONOTILE_DATABASE_URL")
        raise ConfigurationError([absent or f"CHRONOTILE_DATABASE_URL: psycopg cannot be loaded: {error}"]) from error
    if "options" not in parsed.query:
        event.listen(engine, "connect", _limit_waits)
    return engine


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Give a transaction that is on the disk once it has ended, or is as if it had not been.

    Raises:
        SourceUnavailable: The database is away, damaged, or locked by others for too long.
        StorageFull: There is no room for what is written.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise _fault(error) from error


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Yield a connection that sees one state of the database and does not wait for writers.

    Raises:
        SourceUnavailable: The database does not answer or is damaged.
    """
    try:
        with engine.connect() as connection:
            yield connection.execution_options(**{READING: True})
    except DBAPIError as error:
        raise _fault(error) from error


def hold(connection: Connection, number: int) -> None:
    """Let all others who hold the same number wait until this transaction ends.

    In SQLite they do so anyway: only one writes at a time.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(number)))


def database_time(connection: Connection) -> float:
    """Return seconds since 1970 by the clock that all who use a database have in common.

    It is that of PostgreSQL, whatever those of the hosts say; SQLite serves one host, containers too, by its clock.
    """
    if connection.dialect.name == POSTGRESQL:
        return float(connection.scalars(text("SELECT extract(epoch FROM clock_timestamp())")).one())
    return time.time()


def _fault(error: DBAPIError) -> ChronotileError:
    log.error("the job table: %s", error.orig)
    reason = str(getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None))
    if reason.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or reason == LOCKED:
        return SourceUnavailable(f"the job table has been locked by others for {BUSY_S} s; try later")
    if reason in {"SQLITE_FULL", "53100"}:
        return StorageFull("no disk space left for the job table")
    if reason == UNDEFINED or str(error.orig).startswith("no such table"):
        return SourceUnavailable(
            "the job tables are missing from their database; restore them, or restart the servers and workers, "
            "which create them"
        )
    return SourceUnavailable(f"the job table is unreachable or damaged; {LOG_SAYS_WHY}")


def _prepare(file: Path, connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's own
    """Commits are on the disk when they return; readers do not wait for writers."""
    connection.isolation_level = None  # or else the driver begins transactions when it likes
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    record.info[OPENED] = file.stat()


def _limit_waits(connection: Any, _record: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's own
    """Not among the options of the connection: a pooler between us and the database refuses those."""
    connection.execute(f"SET lock_timeout = '{BUSY_S}s'")
    connection.execute(f"SET statement_timeout = '{STATEMENT_S}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{SILENT_S}s'")
    connection.commit()


def _check_place(file: Path, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """SQLite goes on with a file that was removed or replaced, and jobs accepted there would be seen by nobody."""
    try:
        is_there = os.path.samestat(file.stat(), record.info[OPENED])
    except FileNotFoundError:
        is_there = False
    if not is_there:
        raise DisconnectionError("the file of the job table was replaced or deleted")


def _begin(connection: Connection) -> None:
    """A transaction that reads first, and then writes, may not find that another has written in between."""
    is_reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
