"""Databases of this server: SQLite in a local folder, or PostgreSQL, which several hosts may share."""

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
from sqlalchemy.pool import ConnectionPoolEntry, Pool, QueuePool

from chronotile.core.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError, SourceUnavailable, StorageFull
from chronotile.core.extras import missing_extra
from chronotile.core.machine import MOUNTS, network_file_system
from chronotile.core.private_files import make_private, make_private_file, make_private_folder

SQLITE, POSTGRESQL = "sqlite", "postgresql"
SQLITE_FILES = ("", "-wal", "-shm")
"""Suffixes of the files of a SQLite database."""
LOCKED, UNDEFINED = "55P03", "42P01"
"""SQLSTATE of PostgreSQL: a lock was not available in time; a table does not exist."""
OPENED = "opened"
"""Key of the status of the file that a connection opened."""
APPLICATION = "chronotile"
"""Default name of this server's sessions in PostgreSQL."""
USED = "used"
"""Key of the time when a connection was last used."""
LIVES_S = 1.0
"""A connection counts as alive without a check for this time after its last use."""
LOG_AGAIN_S = 0.01
"""Interval of attempts to enable the write-ahead log while another connection prevents it."""
FAULT_INTERVAL_S = 60.0
"""Minimum interval between log lines about the same fault."""
READING = "chronotile_reading"
"""Execution option of connections that only read."""
RESTORING = "restoring"
"""Name of the file that marks a folder while some of its databases are restored and others not yet."""
VERSIONS = sa.Table(
    "chronotile_versions",
    MetaData(),
    sa.Column("name", sa.String(80), primary_key=True),
    sa.Column("version", sa.Integer, nullable=False),
)
"""Versions of the groups of tables in a database, except groups that store their version in a separate table."""
_MAKING = 7_105_204
"""Advisory lock that is held while this table is created."""

log = logging.getLogger(__name__)
_logged_s: dict[str, float] = {}
"""Time of the last log line per fault."""
_closed = WeakSet[Pool]()
"""Pools of engines that were passed to `close_engine`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waits:
    """Maximum waiting times for other users of a database, in seconds."""

    busy_s: float = 10
    """For a lock, for a connection to PostgreSQL, and for an answer of a host."""
    statement_s: float = 60
    """For a statement in PostgreSQL, including its wait for locks."""
    silent_s: float = 5
    """For a session of PostgreSQL that is idle in a transaction: its host may be frozen, and others wait for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """Use of a database, in words for messages, and waiting times of its users."""

    name: str
    """Such as `the job table`."""
    folder: str
    """Such as `the jobs folder`."""
    variable: str
    """Environment variable that sets the folder."""
    missing: str
    """Message if the tables are missing."""
    file: str
    """Name of the SQLite file."""
    synchronous: str = "FULL"
    """For SQLite: `FULL` if commits must survive a loss of power, `NORMAL` if they can be repeated."""
    waits: Callable[[], Waits] = Waits


def open_engine(url: str | None, folder: Path, usage: Usage, *, mounts: Path = MOUNTS) -> Engine:
    """Return the engine of the database at `url`, or of a file in `folder`, which is created.

    Args:
        url: URL of PostgreSQL; `None` for SQLite.
        folder: Folder of the SQLite file.
        usage: Use of the database.
        mounts: Mounted file systems, for `network_file_system`.

    Raises:
        ConfigurationError: The URL is not supported, its driver is not installed, or the folder cannot be made, is half
            restored, or is on a network disk, because SQLite's locks do not work there.
    """
    require_restored(folder)
    return _sqlite(folder, usage, mounts) if url is None else _postgresql(url, usage)


def require_restored(folder: Path) -> None:
    """Refuse a folder in which a restore was interrupted.

    Raises:
        ConfigurationError: A restore was interrupted, or this user may not enter the folder.
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
    with suppress(OSError):  # connecting reports a file that cannot be written
        make_private_file(file)
    for path in (folder, *(folder / f"{usage.file}{end}" for end in SQLITE_FILES)):
        make_private(path)
    # As many connections as threads need, here and below: a limit would only add another wait.
    engine = create_engine(
        URL.create(SQLITE, database=str(file)),
        connect_args={"timeout": usage.waits().busy_s},
        max_overflow=-1,
        poolclass=_ClosablePool,
    )
    event.listen(engine, "connect", partial(_prepare, file, usage))
    event.listen(engine, "checkout", partial(_check_place, file, usage))
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
    # A vanished host does not answer: without these settings the system retries for a quarter of an hour, or forever.
    waits = {
        "connect_timeout": busy_s,
        "tcp_user_timeout": 1000 * busy_s,
        "keepalives_idle": busy_s,
        "keepalives_interval": max(1, busy_s // 3),
        "keepalives_count": 3,
    }
    defaults = {**waits, "application_name": APPLICATION}
    missing = {name: value for name, value in defaults.items() if name not in parsed.query}
    try:
        address = parsed.set(drivername=f"{POSTGRESQL}+psycopg")
        engine = create_engine(address, connect_args=missing, max_overflow=-1, poolclass=_ClosablePool)
    except (NoSuchModuleError, ImportError) as error:
        absent = missing_extra("postgresql", "CHRONOTILE_DATABASE_URL")
        raise ConfigurationError([absent or f"CHRONOTILE_DATABASE_URL: psycopg cannot be loaded: {error}"]) from error
    event.listen(engine, "connect", _note_use)  # a new connection needs no check by `_check_life`
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", partial(_check_life, engine))
    if "options" not in parsed.query:
        event.listen(engine, "connect", partial(_limit_waits, usage))
    return engine


def close_engine(engine: Engine) -> None:
    """Close the connections; connections that threads still use or open are closed when these are finished."""
    _closed.add(engine.pool)
    engine.dispose()
    _closed.add(engine.pool)  # `dispose` has made a new pool, for connections that are opened later
    engine.pool.dispose()


@contextmanager
def close_on_error(engine: Engine) -> Iterator[None]:
    """Close the connections if the block raises an error."""
    try:
        yield
    except BaseException:
        close_engine(engine)
        raise


class _ClosablePool(QueuePool):
    """Pool that stays empty after `close_engine`."""

    # SQLAlchemy names the logger of a pool after the module of its class: settings for `sqlalchemy` then apply.
    __module__ = QueuePool.__module__

    def _do_return_conn(self, record: ConnectionPoolEntry) -> None:
        super()._do_return_conn(record)
        if self in _closed:  # checked last: `close_engine` may have emptied the pool before this connection returned
            self.dispose()


@contextmanager
def write_transaction(engine: Engine, usage: Usage) -> Iterator[Connection]:
    """Yield a transaction that is on disk when it has ended, or has no effect.

    Raises:
        SourceUnavailable: The database is unreachable, damaged, or locked by others for too long.
        StorageFull: No disk space is left.
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
    """Convert errors of the database, wrapped by SQLAlchemy or not, into errors of this package.

    Raises:
        SourceUnavailable: It is unreachable, damaged, or locked by others for too long.
        StorageFull: No disk space is left.
    """
    try:
        yield
    except (DBAPIError, DisconnectionError, engine.dialect.loaded_dbapi.Error) as error:
        raise fault_of(getattr(error, "orig", error), usage) from error


def hold(connection: Connection, number: int) -> None:
    """Wait for the advisory lock with this number, and hold it until the transaction ends.

    SQLite needs no lock: only one transaction writes at a time.
    """
    if connection.dialect.name == POSTGRESQL:
        connection.execute(select(func.pg_advisory_xact_lock(number)))


@contextmanager
def making_tables(engine: Engine, usage: Usage, tables: MetaData, lock: int) -> Iterator[Connection]:
    """Yield a write transaction with current tables, to one process at a time; raises errors like `write_transaction`.

    Args:
        engine: Engine of the database.
        usage: Use of the database.
        tables: Created if missing. Their `info` may have a `name` and a `version`, first 1. A change of the tables
            increases the version, and adds a function of the connection to `steps`, with the version before as key.
            If old processes would misread the tables, the function renames them.
        lock: Number of the advisory lock for creating the tables.

    Raises:
        ConfigurationError: A newer chronotile made the tables.
    """
    with write_transaction(engine, usage) as connection:
        hold(connection, lock)
        if "version" in tables.info:
            _migrate_tables(connection, tables, usage)
        tables.create_all(connection)
        yield connection


def stored_version(connection: Connection, tables: MetaData) -> int | None:
    """Return the version of tables whose `info` has one; 1 if they are older than versions; `None` without tables."""
    has_table = sa.inspect(connection).has_table
    if has_table(VERSIONS.name):
        version = connection.scalar(select(VERSIONS.c.version).where(VERSIONS.c.name == tables.info["name"]))
        if version is not None:
            return int(version)
    return 1 if any(map(has_table, tables.tables)) else None


def newer_version(what: str, version: int, supported: int) -> ConfigurationError:
    """Return the error for data that a newer release has written."""
    return ConfigurationError(
        [
            f"{what} has version {version}, of a newer chronotile, and this one knows version {supported}: update it, "
            "or give it another CHRONOTILE_DATABASE_URL or CHRONOTILE_JOBS_DIR"
        ]
    )


def _migrate_tables(connection: Connection, tables: MetaData, usage: Usage) -> None:
    """Change tables from their version to the version of this release, and store it."""
    name, version = tables.info["name"], tables.info["version"]
    stored = stored_version(connection, tables)
    if stored is not None and stored > version:
        raise newer_version(usage.name, stored, version)
    for before in range(stored or version, version):
        tables.info["steps"][before](connection)
    if not sa.inspect(connection).has_table(VERSIONS.name):
        hold(connection, _MAKING)
        VERSIONS.create(connection, checkfirst=True)
    is_it = VERSIONS.c.name == name
    if connection.scalar(select(VERSIONS.c.version).where(is_it)) != version:
        connection.execute(sa.delete(VERSIONS).where(is_it))
        connection.execute(sa.insert(VERSIONS).values(name=name, version=version))


def database_time(connection: Connection) -> float:
    """Return seconds since 1970 by the clock that all users of a database share.

    PostgreSQL has one clock, even if the clocks of hosts differ. SQLite serves one host and its containers.
    """
    if connection.dialect.name == POSTGRESQL:
        return float(connection.scalars(text("SELECT extract(epoch FROM clock_timestamp())")).one())
    return time.time()


class ArchiveTables:
    """Tables of an archive; any number of processes may use them concurrently.

    Args:
        engine: Engine of the database.
        archive: Id of the archive.
        clock: Seconds since 1970, the same for all processes.

    Raises:
        SourceUnavailable: The database is unreachable, or locked by others for too long; all methods may raise it.
        StorageFull: No disk space is left; all methods that write may raise it.
    """

    usage: ClassVar[Usage]
    """Database that contains the tables."""
    metadata: ClassVar[MetaData]
    making: ClassVar[int]
    """Advisory lock that is held while the tables are created."""

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        self._engine, self._archive, self._clock = engine, archive, clock
        with self._writing():
            pass

    @classmethod
    def open(cls, url: str | None, folder: Path, *, archive: str) -> Self:
        """Return the tables of an archive.

        Args:
            url: URL of PostgreSQL; `None` for SQLite.
            folder: Folder of the SQLite file.
            archive: Id of the archive; archives that share a database do not see each other's rows.

        Raises:
            ConfigurationError: The database cannot be used.
            SourceUnavailable: The database is unreachable.
            StorageFull: No disk space is left.
        """
        engine = open_engine(url, folder, cls.usage)
        with close_on_error(engine):
            return cls(engine, archive=archive)

    def close(self) -> None:
        """Close the connections to the database."""
        close_engine(self._engine)

    def _writing(self) -> AbstractContextManager[Connection]:
        return making_tables(self._engine, self.usage, self.metadata, self.making)

    def _reading(self) -> AbstractContextManager[Connection]:
        return read_transaction(self._engine, self.usage)


def fault_of(error: BaseException | None, usage: Usage) -> ChronotileError:
    """Return the error for an error of a driver, and log the latter at most once per interval."""
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
    if reason in {
        "SQLITE_FULL",
        "SQLITE_IOERR_SHMSIZE",
        "53100",
    }:  # SQLITE_IOERR_SHMSIZE: the index of the write-ahead log cannot grow
        return StorageFull(f"no disk space left for {usage.name}")
    if reason == UNDEFINED or str(error).startswith("no such table"):
        return SourceUnavailable(usage.missing)
    return SourceUnavailable(f"{usage.name} is unreachable or damaged; {LOG_SAYS_WHY}")


def _prepare(file: Path, usage: Usage, connection: Any, record: ConnectionPoolEntry) -> None:  # noqa: ANN401 -- the driver's own
    """Make commits durable, and let readers work without waiting for writers."""
    connection.isolation_level = None  # otherwise the driver starts transactions itself
    keep_log(connection, within_s=usage.waits().busy_s)
    for pragma in (f"synchronous={usage.synchronous}", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    record.info[OPENED] = file.stat()


def keep_log(connection: Any, *, within_s: float) -> None:  # noqa: ANN401 -- the driver's own
    """Enable SQLite's write-ahead log, waiting for connections that enable or end it at the same moment."""
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
    """Limit waits with statements, because a pooler before the database refuses them as options of the connection."""
    waits = usage.waits()
    connection.execute(f"SET lock_timeout = '{waits.busy_s}s'")
    connection.execute(f"SET statement_timeout = '{waits.statement_s}s'")
    connection.execute(f"SET idle_in_transaction_session_timeout = '{waits.silent_s}s'")
    connection.commit()


def _check_place(file: Path, usage: Usage, _connection: object, record: ConnectionPoolEntry, _proxy: object) -> None:
    """Refuse a connection whose file was removed or replaced, because SQLite would continue to write to that file.

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
    """Check a connection that was idle, as it may have ended. After recent use, a check would double small queries."""
    used_s = record.info.get(USED)
    if used_s is not None and time.monotonic() - used_s < LIVES_S:
        return
    try:
        engine.dialect.do_ping(connection)
    except engine.dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error  # the pool then connects again


def _begin(connection: Connection) -> None:
    # Locks at the start, so that no other transaction writes between the first read and the first write.
    is_reading = connection.get_execution_options().get(READING, False)
    connection.exec_driver_sql("BEGIN" if is_reading else "BEGIN IMMEDIATE")
