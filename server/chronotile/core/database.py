"""A database of this server: SQLite in a folder of this machine, or PostgreSQL, which several hosts may share."""

import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self
from weakref import WeakSet

import sqlalchemy as sa
from sqlalchemy import URL, Connection, Engine, MetaData, create_engine, event, func, select, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, InvalidatePoolError, NoSuchModuleError
from sqlalchemy.pool import ConnectionPoolEntry

from chronotile.core.durable_files import make_private, make_private_file, make_private_folder
from chronotile.core.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError, SourceUnavailable, StorageFull
from chronotile.core.extras import missing_extra
from chronotile.core.machine import MOUNTS, network_file_system

SQLITE, POSTGRESQL = "sqlite", "postgresql"
SQLITE_FILES = ("", "-wal", "-shm")
"""Ends of the names of the files that a database of SQLite consists of."""
LOCKED, UNDEFINED = "55P03", "42P01"
"""What PostgreSQL calls a lock that was not to be had in time, and a table that is not there."""
OPENED = "opened"
"""The status of the file that a connection was opened to, as the system gives it."""
APPLICATION = "chronotile"
"""Name of our sessions in PostgreSQL, unless the URL sets another."""
USED = "used"
"""When a connection was last in use."""
LIVES_S = 1.0
"""How long after that it counts as being there without a check."""
LOG_AGAIN_S = 0.01
"""After how long a connection to SQLite that was refused a log asks again."""
FAULT_INTERVAL_S = 60.0
"""How often at most a fault of one kind is logged, however many requests meet it."""
READING = "chronotile_reading"
"""Execution option of connections that only read."""
RESTORING = "restoring"
"""Name of the file in a folder of databases that is there while some of them are restored and others are not yet."""
VERSIONS = sa.Table(
    "chronotile_versions",
    MetaData(),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
"""Of the tables in a database that have none of their own for their version."""
_MAKING = 7_105_204
"""Advisory lock that is held while that table is made."""

log = logging.getLogger(__name__)
_logged_s: dict[str, float] = {}
"""When a fault of each kind was last logged."""
_closed = WeakSet[Engine]()
"""Those that `close_engine` got."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """How long to wait for others who use a database, in seconds."""

    busy_s: float = 10
    """For a lock, for a connection to PostgreSQL, and for a sign of life of a host."""
    statement_s: float = 60
    """How long a statement may take in PostgreSQL, with its waiting for locks."""
    silent_s: float = 5
    """How long a session of PostgreSQL may be idle in a transaction, which others wait for: its host may be frozen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What a database is for, in the words of messages, and how its users wait for one another."""

    name: str
    """Such as `the job table`."""
    folder: str
    """Such as `the jobs folder`."""
    variable: str
    """Environment variable by which the folder is chosen."""
    missing: str
    """The message if the tables are missing."""
    file: str
    """Name of the file of SQLite."""
    synchronous: str = "FULL"
    """Of SQLite: `FULL` where a commit has to outlast a loss of power, `NORMAL` where it can be repeated."""
    waits: Callable[[], Waits] = Waits


def open_engine(url: str | None, folder: Path, usage: Usage, *, mounts: Path = MOUNTS) -> Engine:
    """Return the engine of the database that `url` names, or of a file in `folder`, which is made.

    Args:
        url: Of PostgreSQL; `None` for SQLite.
        folder: Of the file.
        usage: What it is for.
        mounts: What is mounted where, as `network_file_system` reads it.

    Raises:
        ConfigurationError: The URL is none that is known, its driver is not installed, or the folder cannot be made, is
            half restored, or is on a disk of another machine, where SQLite's locks do not hold.
    """
    require_restored(folder)
    return _sqlite(folder, usage, mounts) if url is None else _postgresql(url, usage)


def require_restored(folder: Path) -> None:
    """Refuse a folder in which a restore was interrupted.

    Raises:
        ConfigurationError: It is such a folder, or this user may not enter it.
    """
    try:
        is_half_restored = (folder / RESTORING).exists()
    except PermissionError as error:
        raise ConfigurationError(
            [
                f"the folder {folder} belongs to another user, as a command that root ran leaves it; give it to the "
                "user of the service: chown --recursive"
            ]
        ) from error
    if is_half_restored:
        raise ConfigurationError([f"{folder} is half restored: run chronotile restore again, which completes it"])


def _sqlite(folder: Path, usage: Usage, mounts: Path) -> Engine:
    try:
        make_private_folder(folder)
    except OSError as error:
        raise ConfigurationError(
            [f"{usage.folder} {folder} cannot be made: {error.strerror}; set {usage.variable} to another"]
        ) from error
    kind = network_file_system(folder, mounts)
    if kind is not None:
        raise ConfigurationError(
            [
                f"{usage.folder} {folder} is on a network disk ({kind}), where SQLite would damage {usage.name}; set "
                f"CHRONOTILE_DATABASE_URL to a PostgreSQL database, or {usage.variable} to a folder of this machine"
            ]
        )
    file = folder / usage.file
    with suppress(OSError):  # connecting reports it
        make_private_file(file)
    for each in (folder, *(folder / f"{usage.file}{end}" for end in SQLITE_FILES)):
        make_private(each)
    # As many connections as threads ask at once, here and below: who waits for one would wait for nothing else.
    engine = create_engine(
        URL.create(SQLITE, database=str(file)), connect_args={"timeout": usage.waits().busy_s}, max_overflow=-1
    )
    event.listen(engine, "connect", partial(_prepare, file, usage))
    event.listen(engine, "checkout", partial(_check_place, file, usage))
    event.listen(engine, "checkin", partial(_close_returned, engine))
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: str, usage: Usage) -> Engine:
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
    busy_s = int(usage.waits().busy_s)
    # A host that is gone says nothing: without these the system asks it again for a quarter of an hour, or for ever.
    waits = {
        "connect_timeout": busy_s,
        "tcp_user_timeout": 1000 * busy_s,
        "keepalives_idle": busy_s,
        "keepalives_interval": max(1, busy_s // 3),
        "keepalives_count": 3,
    }
    defaults = {**waits, "application_name": APPLICATION}
    unsaid = {name: value for name, value in defaults.items() if name not in parsed.query}
    try:
        engine = create_engine(parsed.set(drivername=f"{POSTGRESQL}+psycopg"), connect_args=unsaid, max_overflow=-1)
    except (NoSuchModuleError, ImportError) as error:
        absent = missing_extra("postgresql", "CHRONOTILE_DATABASE_URL")
        raise ConfigurationError([absent or f"CHRONOTILE_DATABASE_URL: psycopg cannot be loaded: {error}"]) from error
    event.listen(engine, "connect", _note_use)  # or else one that is new is checked, and given up where that fails
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkin", partial(_close_returned, engine))
    event.listen(engine, "checkout", partial(_check_life, engine))
    if "options" not in parsed.query:
        event.listen(engine, "connect", partial(_limit_waits, usage))
    return engine


def close_engine(engine: Engine) -> None:
    """Close the connections; those that threads still use or open are closed as soon as these are done with them."""
    _closed.add(engine)  # before, or else one comes back between the two and stays
    engine.dispose()


def _close_returned(engine: Engine, connection: object, record: ConnectionPoolEntry) -> None:
    if engine in _closed and connection is not None:
        record.close()


@contextmanager
def write_transaction(engine: Engine, usage: Usage) -> Iterator[Connection]:
    """Give a transaction that is on the disk once it has ended, or is as if it had not been.

    Raises:
        SourceUnavailable: The database is away, damaged, or locked by others for too long.
        StorageFull: There is no room for what is written.
    """
    with words_for_faults(engine, usage), engine.begin() as connection:
        yield connection


@contextmanager
def read_transaction(engine: Engine, usage: Usage) -> Iterator[Connection]:
    """Yield a connection that sees one state of the database and does not wait for writers.

    Raises:
        SourceUnavailable: The database does not answer or is damaged.
    """
    with words_for_faults(engine, usage), engine.connect() as connection:
        yield connection.execution_options(**{READING: True})


@contextmanager
def words_for_faults(engine: Engine, usage: Usage) -> Iterator[None]:
    """Let what a database reports be an error of ours, whether SQLAlchemy has wrapped it or not.

    Raises:
        SourceUnavailable: It is away, damaged, or locked by others for too long.
        StorageFull: There is no room for what is written.
    """
    try:
        yield
    except (DBAPIError, DisconnectionError, engine.dialect.loaded_dbapi.Error) as error:
        raise fault_of(getattr(error, "orig", error), usage) from error


def hold(connection: Connection, number: int) -> None:
    """Let all others who hold the same number wait until this transaction ends.

    In SQLite they do so anyway: only one writes at a time.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(number)))


@contextmanager
def making_tables(engine: Engine, usage: Usage, tables: MetaData, lock: int) -> Iterator[Connection]:
    """Give a transaction of one process at a time, in which the tables are there; errors are those of writing ones.

    Args:
        engine: Of the database.
        usage: What it is for.
        tables: What is made if it is not there. Their `info` may have a `name` and a `version`, which is 1 at first. A
            change counts the version on, and has among `steps`, by the version before, a function of the connection
            that makes it; where old processes would misread the tables, it renames them.
        lock: The number that others hold who make them.

    Raises:
        ConfigurationError: The tables are those of a newer chronotile.
    """
    with write_transaction(engine, usage) as connection:
        hold(connection, lock)
        if "version" in tables.info:
            _bring_up(connection, tables, usage)
        tables.create_all(connection)
        yield connection


def stored_version(connection: Connection, tables: MetaData) -> int | None:
    """Return the version of tables whose `info` has one; 1 if older than versions are; `None`: there are none."""
    has_table = sa.inspect(connection).has_table
    if has_table(VERSIONS.name):
        found = connection.scalar(select(VERSIONS.c.version).where(VERSIONS.c.name == tables.info["name"]))
        if found is not None:
            return int(found)
    return 1 if any(map(has_table, tables.tables)) else None


def newer_version(what: str, found: int, known: int) -> ConfigurationError:
    """Return the refusal of what a newer release has written."""
    return ConfigurationError(
        [
            f"{what} has version {found}, of a newer chronotile, and this one knows version {known}: update it, or "
            "give it another CHRONOTILE_DATABASE_URL or CHRONOTILE_JOBS_DIR"
        ]
    )


def _bring_up(connection: Connection, tables: MetaData, usage: Usage) -> None:
    """Make the changes from the version that tables have to that which this release knows, and note it."""
    name, version = tables.info["name"], tables.info["version"]
    found = stored_version(connection, tables)
    if found is not None and found > version:
        raise newer_version(usage.name, found, version)
    for before in range(found or version, version):
        tables.info["steps"][before](connection)
    if not sa.inspect(connection).has_table(VERSIONS.name):
        hold(connection, _MAKING)
        VERSIONS.create(connection, checkfirst=True)
    is_it = VERSIONS.c.name == name
    if connection.scalar(select(VERSIONS.c.version).where(is_it)) != version:
        connection.execute(sa.delete(VERSIONS).where(is_it))
        connection.execute(sa.insert(VERSIONS).values(name=name, version=version))


def database_time(connection: Connection) -> float:
    """Return seconds since 1970 by the clock that all who use a database have in common.

    It is that of PostgreSQL, whatever those of the hosts say; SQLite serves one host, containers too, by its clock.
    """
    if connection.dialect.name == POSTGRESQL:
        return float(connection.scalars(text("SELECT extract(epoch FROM clock_timestamp())")).one())
    return time.time()


class ArchiveTables:
    """Tables of an archive; any number of processes may use them at once.

    Args:
        engine: Of the database.
        archive: Its id.
        clock: Seconds since 1970, which all processes have in common.

    Raises:
        SourceUnavailable: The database is away, or locked by others for too long; so may each method.
        StorageFull: There is no room left; so may each method that writes.
    """

    usage: ClassVar[Usage]
    """The database that they are in."""
    metadata: ClassVar[MetaData]
    making: ClassVar[int]
    """Advisory lock that is held while they are made."""

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        self._engine, self._archive, self._clock = engine, archive, clock
        with self._writing():
            pass

    @classmethod
    def open(cls, url: str | None, folder: Path, *, archive: str) -> Self:
        """Return the tables of an archive.

        Args:
            url: Of PostgreSQL; `None` for SQLite.
            folder: Of the file.
            archive: Its id: archives that share a database do not see each other's rows.

        Raises:
            ConfigurationError: The database cannot be used.
            SourceUnavailable: The database is out of reach.
            StorageFull: There is no room.
        """
        return cls(open_engine(url, folder, cls.usage), archive=archive)

    def close(self) -> None:
        """Close the connections to the database."""
        close_engine(self._engine)

    def _writing(self) -> AbstractContextManager[Connection]:
        return making_tables(self._engine, self.usage, self.metadata, self.making)

    def _reading(self) -> AbstractContextManager[Connection]:
        return read_transaction(self._engine, self.usage)


def fault_of(error: BaseException | None, usage: Usage) -> ChronotileError:
    """Return what an error of a driver means, and log the error itself; others like it follow a minute later."""
    fault, now_s = _meaning_of(error, usage), time.monotonic()
    fault.is_logged = True
    if now_s - _logged_s.get(fault.message, -FAULT_INTERVAL_S) >= FAULT_INTERVAL_S:
        _logged_s[fault.message] = now_s
        log.error("%s: %s", usage.name, error)
    return fault


def _meaning_of(error: BaseException | None, usage: Usage) -> ChronotileError:
    reason = str(getattr(error, "sqlite_errorname", None) or getattr(error, "sqlstate", None))
    if reason.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")) or reason == LOCKED:
        return SourceUnavailable(f"{usage.name} has been locked by others for {usage.waits().busy_s} s; try later")
    if reason in {"SQLITE_FULL", "SQLITE_IOERR_SHMSIZE", "53100"}:  # the second: of the index of the log
        return StorageFull(f"no disk space left for {usage.name}")
    if reason == UNDEFINED or str(error).startswith("no such table"):
        return SourceUnavailable(usage.missing)
    return SourceUnavailable(f"{usage.name} is unreachable or damaged; {LOG_SAYS_WHY}")


def _prepare(file: Path, usage: Usage, connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's own
    """Commits are on the disk when they return; readers do not wait for writers."""
    connection.isolation_level = None  # or else the driver begins transactions when it likes
    keep_log(connection, within_s=usage.waits().busy_s)
    for pragma in (f"synchronous={usage.synchronous}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    record.info[OPENED] = file.stat()


def keep_log(connection: Any, *, within_s: float) -> None:  # noqa: ANN401 -- the driver's own
    """Have SQLite write ahead to a log; it does not wait by itself for others that begin or end that at this moment."""
    end_s = time.monotonic() + within_s
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if not str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY") or time.monotonic() > end_s:
                raise
            time.sleep(LOG_AGAIN_S)
        else:
            return


def _limit_waits(usage: Usage, connection: Any, _record: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's own
    """Not among the options of the connection: a pooler between us and the database refuses those."""
    waits = usage.waits()
    connection.execute(f"SET lock_timeout = '{waits.busy_s}s'")
    connection.execute(f"SET statement_timeout = '{waits.statement_s}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{waits.silent_s}s'")
    connection.commit()


def _check_place(file: Path, usage: Usage, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """SQLite goes on with a file that was removed or replaced, and what is written there would be seen by nobody.

    Raises:
        SourceUnavailable: The folder is half restored.
    """
    try:
        require_restored(file.parent)
    except ConfigurationError as error:
        raise SourceUnavailable(f"{usage.name} is being restored; try again later") from error
    try:
        is_there = os.path.samestat(file.stat(), record.info[OPENED])
    except FileNotFoundError:
        is_there = False
    if not is_there:
        raise DisconnectionError(f"the file of {usage.name} was replaced or deleted")


def _note_use(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info[USED] = time.monotonic()


def _check_life(engine: Engine, connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:  # noqa: ANN401 -- the driver's own
    """A connection that was idle may have ended; to check one just used would double what a small query takes."""
    used_s = record.info.get(USED)
    if used_s is not None and time.monotonic() - used_s < LIVES_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error  # the pool then connects anew


def _begin(connection: Connection) -> None:
    # A transaction that reads first, and then writes, may not find that another has written in between.
    is_reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
