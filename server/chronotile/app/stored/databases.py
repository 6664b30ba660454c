"""Copies of the databases of an archive: each as it was at one moment, while others write to it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, text

from chronotile.core import database
from chronotile.core.durable_files import make_private_file
from chronotile.core.errors import SourceUnavailable, UnsupportedSource
from chronotile.jobs.queue.database import JOBS

TABLES = "tables.json"
"""Describes the tables of PostgreSQL; the rows of each are in a file of its name and `ROWS`, as COPY writes them."""
ROWS = ".rows"
BUSY_S = 60.0
"""How long to wait for others who have a file of SQLite locked."""

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


# SQLite: whole files.


def copy_file(source: Path, target: Path) -> None:
    """Copy a database of SQLite; writers do not wait for it.

    Raises:
        SourceUnavailable: It is damaged, or others have it locked.
    """
    make_private_file(target)
    try:
        with closing(sqlite3.connect(source, timeout=BUSY_S)) as read, closing(sqlite3.connect(target)) as written:
            read.backup(written)
    except sqlite3.Error as error:
        raise SourceUnavailable(f"{source} cannot be copied: {error}") from error


@contextmanager
def copied(file: Path) -> Iterator[Connection]:
    """Give a transaction in a copy that no other process uses."""
    engine = create_engine(f"sqlite:///{file}")
    try:
        with engine.begin() as connection:
            yield connection
    finally:
        engine.dispose()


def require_unused(file: Path) -> None:
    """Refuse a database that other processes have open.

    Raises:
        UnsupportedSource: They have.
    """
    try:
        with closing(sqlite3.connect(file, timeout=0, isolation_level=None)) as connection:
            connection.execute("PRAGMA locking_mode=EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            connection.execute("ROLLBACK")
    except sqlite3.Error as error:
        if str(getattr(error, "sqlite_errorname", "")).startswith("SQLITE_BUSY"):
            raise UnsupportedSource(f"{file} is in use: stop the servers and workers of the archive first") from error
        # A damaged one is what a restore is for.


def require_no_sessions(url: str) -> None:
    """Refuse a database of PostgreSQL to which servers or workers are connected.

    Raises:
        UnsupportedSource: Other sessions have the name of ours.
        SourceUnavailable: The database is out of reach.
    """
    with transaction(url, is_snapshot=True) as connection:
        hosts = list(connection.scalars(text(_SESSIONS)))
    if hosts:
        raise UnsupportedSource(
            f"the database is in use by {len(hosts)} sessions of chronotile from {', '.join(sorted(set(hosts)))}: stop "
            "the servers and workers first"
        )


def remove_file(file: Path) -> None:
    """Remove a database of SQLite with the files beside it; its log first, which another database must not get."""
    for end in reversed(database.SQLITE_FILES):
        file.with_name(file.name + end).unlink(missing_ok=True)


# PostgreSQL: the tables whose names begin with `chronotile`, as SQL and as rows.


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCopy:
    """A table of PostgreSQL without its rows."""

    name: str
    columns: tuple[str, ...]
    """Their names, quoted."""
    create: str
    constraints: tuple[str, ...]
    indexes: tuple[str, ...]
    sequences: tuple[tuple[str, int, bool], ...]
    """Columns that count, the last number of each, and whether it was given."""


@contextmanager
def transaction(url: str, *, is_snapshot: bool = False) -> Iterator[Connection]:
    """Give a transaction of PostgreSQL, in which tables are replaced; or one whose statements all see the same moment.

    Raises:
        SourceUnavailable: The database is out of reach, or others use its tables.
    """
    # Of no folder: the one of the jobs may be half restored.
    engine = database.open_engine(url, Path("/nonexistent"), JOBS)
    level = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True} if is_snapshot else {}
    try:
        with database.words_for_faults(engine, JOBS), engine.execution_options(**level).begin() as connection:
            # Large tables take longer than a statement of a request, and so does writing them to a disk.
            for name in ("statement_timeout", "idle_in_transaction_session_timeout"):
                connection.execute(text(f"SET LOCAL {name} = 0"))
            connection.execute(text("SET LOCAL client_encoding = 'UTF8'"))  # of rows, whatever that of the database is
            yield connection
    finally:
        database.close_engine(engine)


def table_names(connection: Connection) -> list[str]:
    """Return the names of all tables of ours in PostgreSQL."""
    return list(connection.scalars(text(_NAMES)))


def copy_tables(connection: Connection, folder: Path) -> None:
    """Write all tables of a snapshot into a folder."""
    tables = [_described(connection, name) for name in table_names(connection)]
    (folder / TABLES).write_text(json.dumps([asdict(each) for each in tables]))
    for each in tables:
        with (
            (folder / f"{each.name}{ROWS}").open("wb") as file,
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {each.name} ({', '.join(each.columns)}) TO STDOUT") as rows,
        ):
            for data in rows:
                file.write(data)


def put_tables(connection: Connection, folder: Path) -> None:
    """Replace all tables by those of a folder."""
    for name in table_names(connection):
        connection.exec_driver_sql(f"DROP TABLE {name} CASCADE")
    tables = [TableCopy(**each) for each in json.loads((folder / TABLES).read_text())]
    for each in tables:
        connection.exec_driver_sql(each.create)
        with (
            (folder / f"{each.name}{ROWS}").open("rb") as file,
            _cursor(connection) as cursor,
            cursor.copy(f"COPY {each.name} ({', '.join(each.columns)}) FROM STDIN") as rows,
        ):
            while data := file.read(1 << 20):
                rows.write(data)
        for column, last, is_given in each.sequences:
            value = {"table": each.name, "column": column, "last": last, "is_given": is_given}
            connection.execute(text("SELECT setval(pg_get_serial_sequence(:table, :column), :last, :is_given)"), value)
    for statement in (*_all(tables, "constraints"), *_all(tables, "indexes")):
        connection.exec_driver_sql(statement)


def _all(tables: Sequence[TableCopy], part: str) -> list[str]:
    # Statements of all tables, foreign keys last.
    return sorted((each for table in tables for each in getattr(table, part)), key=lambda each: " FOREIGN KEY " in each)


def _described(connection: Connection, name: str) -> TableCopy:
    columns, sequences = list[str](), list[tuple[str, int, bool]]()
    found = connection.execute(text(_COLUMNS), {"name": name}).all()
    for column, type_, is_needed, collation, default, sequence in found:
        words = [column, type_ if sequence is None else _SERIAL[type_]]
        words += [f"COLLATE {collation}"] if collation else []
        words += [f"DEFAULT {default}"] if default and sequence is None else []
        columns.append(" ".join([*words, *(["NOT NULL"] if is_needed else [])]))
        if sequence is not None:
            last, is_given = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()  # noqa: S608 -- the database's own name
            sequences.append((column.strip('"'), last, is_given))
    return TableCopy(
        name=name,
        columns=tuple(row[0] for row in found),
        create=f"CREATE TABLE {name} ({', '.join(columns)})",
        constraints=tuple(connection.scalars(text(_CONSTRAINTS), {"name": name})),
        indexes=tuple(connection.scalars(text(_INDEXES), {"name": name})),
        sequences=tuple(sequences),
    )


def _cursor(connection: Connection) -> Any:  # noqa: ANN401 -- the driver's own
    return connection.connection.cursor()
