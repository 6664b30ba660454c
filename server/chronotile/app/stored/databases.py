"""Consistent copies of the databases of an archive, while other processes write to them."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from chronotile.core import database
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.core.private_files import make_private_file
from chronotile.jobs.queue.database import JOBS

TABLES = "tables.json"
"""Descriptions of the tables of PostgreSQL; rows are in files with the suffix `ROWS`, in the format of COPY."""
ROWS = ".rows"
BUSY_S = 60.0
"""How long to wait for a locked SQLite file."""

_SESSIONS = """
SELECT coalesce(host(client_addr), 'this machine') FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND application_name = current_setting('application_name')
"""
_NAMES = """SELECT relname FROM pg_class WHERE relkind = 'r' AND relname ~ '^chronotile[a-z0-9_]*$'
    AND relnamespace = current_schema()::regnamespace ORDER BY relname"""
_COLUMNS = """SELECT quote_ident(attname), format_type(atttypid, atttypmod), attnotnull, quote_ident(collname),
    pg_get_expr(adbin, adrelid), pg_get_serial_sequence(quote_ident(:name), attname)
    FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    LEFT JOIN pg_collation c ON c.oid = attcollation AND collname <> 'default'
    WHERE attrelid = quote_ident(:name)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
_CONSTRAINTS = """SELECT format('ALTER TABLE %I ADD CONSTRAINT %I %s', CAST(:name AS text), conname,
    pg_get_constraintdef(oid, true)) FROM pg_constraint
    WHERE conrelid = quote_ident(:name)::regclass AND contype IN ('p', 'u', 'c', 'f') ORDER BY contype = 'f', conname"""
_INDEXES = """SELECT pg_get_indexdef(indexrelid, 0, true) FROM pg_index
    WHERE indrelid = quote_ident(:name)::regclass
    AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid)"""
_SERIAL = {"integer": "serial", "bigint": "bigserial"}


def copy_file(source: Path, target: Path) -> None:
    """Copy an SQLite database without blocking writers.

    Raises:
        SourceUnavailable: The database is damaged or locked.
    """
    make_private_file(target)
    try:
        with closing(sqlite3.connect(source, timeout=BUSY_S)) as original, closing(sqlite3.connect(target)) as copy:
            original.backup(copy)
    except sqlite3.Error as error:
        raise SourceUnavailable(f"{source} cannot be copied: {error}") from error


@contextmanager
def open_copy(file: Path) -> Iterator[Connection]:
    """Open a transaction in a copy that no other process uses."""
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def require_unused(file: Path) -> None:
    """Require that no other process has opened an SQLite database.

    Raises:
        UnsupportedSource: Another process has opened it.
    """
    try:
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY"):
            raise UnsupportedSource(f"{file} is in use: stop the servers and workers of the archive first") from error
        # A damaged database is accepted: a restore replaces it.


def require_no_sessions(url: str) -> None:
    """Require that no servers or workers are connected to a PostgreSQL database.

    Raises:
        UnsupportedSource: Other sessions with the name of this software exist.
        SourceUnavailable: The database is unavailable.
    """
    with transaction(url, is_snapshot=True) as connection:
        hosts = list(connection.scalars(text(_SESSIONS)))
    if hosts:
        raise UnsupportedSource(
            f"the database is in use by {len(hosts)} sessions of chronotile from {', '.join(sorted(set(hosts)))}: stop "
            "the servers and workers first"
        )


def remove_file(file: Path) -> None:
    """Remove an SQLite database and its log; the log first, because a new database must not read it."""
    for end in reversed(database.SQLITE_FILES):
        file.with_name(file.name + end).unlink(missing_ok=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCopy:
    """A table of PostgreSQL without its rows."""

    name: str
    columns: tuple[str, ...]
    """Quoted names."""
    create: str
    constraints: tuple[str, ...]
    indexes: tuple[str, ...]
    sequences: tuple[tuple[str, int, bool], ...]
    """Serial columns with their last number, and whether that number was used."""


@contextmanager
def transaction(url: str, *, is_snapshot: bool = False) -> Iterator[Connection]:
    """Open a transaction of PostgreSQL for replacing tables, or a read-only snapshot.

    Raises:
        SourceUnavailable: The database is unavailable, or its tables are locked.
    """
    # Without a folder: the folder of the jobs may be half restored.
    engine = database.open_engine(url, Path("/nonexistent"), JOBS)
    level = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if is_snapshot else {}
    try:
        with database.words_for_faults(engine, JOBS), engine.execution_options(**level).begin() as connection:
            # Copying large tables takes longer than statements of requests.
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(text(f"SET LOCAL {name} = 0"))
            connection.execute(text("SET LOCAL client_encoding = 'UTF8'"))  # of rows, independent of the database
            yield connection
    finally:
        database.close_engine(engine)


def table_names(connection: Connection) -> list[str]:
    """Return the names of all tables of this software in PostgreSQL."""
    return list(connection.scalars(text(_NAMES)))


def copy_tables(connection: Connection, folder: Path) -> None:
    """Write all tables of a snapshot into a folder."""
    tables = [_describe_table(connection, name) for name in table_names(connection)]
    (folder / TABLES).write_text(json.dumps([asdict(table) for table in tables]))
    for table in tables:
        with (
            (folder / f"{table.name}{ROWS}").open("wb") as file,
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {table.name} ({', '.join(table.columns)}) TO STDOUT") as rows,
        ):
            for data in rows:
                file.write(data)


def put_tables(connection: Connection, folder: Path) -> None:
    """Replace all tables by the copies in a folder."""
    for name in table_names(connection):
        connection.exec_driver_sql(f"DROP TABLE {name} CASCADE")
    tables = [TableCopy(**members) for members in json.loads((folder / TABLES).read_text())]
    for table in tables:
        connection.exec_driver_sql(table.create)
        with (
            (folder / f"{table.name}{ROWS}").open("rb") as file,
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {table.name} ({', '.join(table.columns)}) FROM STDIN") as rows,
        ):
            while data := file.read(1 << 20):
                rows.write(data)
        for column, last, is_used in table.sequences:
            value = {"table": table.name, "column": column, "last": last, "is_used": is_used}
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last, :is_used)"), value)
    for statement in (*_statements(tables, "constraints"), *_statements(tables, "indexes")):
        connection.exec_driver_sql(statement)


def _statements(tables: Sequence[TableCopy], part: str) -> list[str]:
    # Foreign keys last.
    return sorted((sql for table in tables for sql in getattr(table, part)), key=lambda sql: " FOREIGN KEY " in sql)


def _describe_table(connection: Connection, name: str) -> TableCopy:
    columns, sequences = list[str](), list[tuple[str, int, bool]]()
    rows = connection.execute(text(_COLUMNS), {"name": name}).all()
    for column, type_, is_needed, collation, default, sequence in rows:
        words = [column, type_ if sequence is None else _SERIAL[type_]]
        words += [f"COLLATE {collation}"] if collation else []
        words += [f"DEFAULT {default}"] if default and sequence is None else []
        columns.append(" ".join([*words, *(["NOT NULL"] if is_needed else [])]))
        if sequence is not None:
            last, is_used = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608 -- a name from the database
            sequences.append((column.strip('"'), last, is_used))
    return TableCopy(
        name=name,
        columns=tuple(row[0] for row in rows),
        create=f"CREATE TABLE {name} ({', '.join(columns)})",
        constraints=tuple(connection.scalars(text(_CONSTRAINTS), {"name": name})),
        indexes=tuple(connection.scalars(text(_INDEXES), {"name": name})),
        sequences=tuple(sequences),
    )


def _cursor(connection: Connection) -> Any:  # noqa: ANN401 -- a type of the driver
    return connection.connection.cursor()
