"""The tables of the state of an archive, their versions, and their migration to this release."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Concatenate, Literal

from sqlalchemy import Connection, MetaData, Table, inspect, select

from chronotile.access import keys, quotas, sessions, usage
from chronotile.access.accounts import Ledger
from chronotile.access.tables import Closable
from chronotile.catalog.items import damage, opening
from chronotile.catalog.items import schema as items
from chronotile.core import database
from chronotile.core.database import Usage
from chronotile.jobs.queue import schema as jobs
from chronotile.jobs.queue import shares, store
from chronotile.jobs.queue.database import JOBS
from chronotile.jobs.queue.webhooks import positions


@dataclass(frozen=True, slots=True, kw_only=True)
class StateLocation:
    """The location of the state of an archive."""

    archive: str
    """Id of the archive."""
    folder: Path
    """Folder of the jobs and of SQLite databases."""
    url: str | None
    """URL of PostgreSQL; `None` for SQLite."""


TableOpener = Callable[Concatenate[str | None, Path, ...], Closable]
"""Takes the URL of PostgreSQL or `None`, the folder, and the keyword `archive`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTables:
    """Tables that are created, migrated and versioned together."""

    name: str
    usage: Usage
    """Database with the tables."""
    version: int
    """Version of the tables that this release writes; tables with a newer version are refused."""
    read_version: Callable[[Connection], int | None]
    """Returns the version in a database; `None` if the tables do not exist."""
    open: TableOpener
    """Opens the tables, and migrates older ones in one transaction."""
    recreated_below: int = 0
    """Tables with a lower version are created again, empty."""


def _tables_with_version(usage: Usage, tables: MetaData, open_: TableOpener) -> StoredTables:
    """Return tables whose version is in `chronotile_versions`."""
    name, version = tables.info["name"], tables.info["version"]
    read_version = partial(database.stored_version, tables=tables)
    return StoredTables(name=name, usage=usage, version=version, read_version=read_version, open=open_)


def _read_schema_version(schema: Table, connection: Connection) -> int | None:
    # The version is in a separate table.
    return connection.scalar(select(schema.c.version)) if inspect(connection).has_table(schema.name) else None


StoredName = Literal["jobs", "keys", "usage"]
"""Names in `STATE` of tables that commands read."""
STATE = (
    StoredTables(
        name="jobs",
        usage=JOBS,
        version=jobs.VERSION,
        read_version=partial(_read_schema_version, jobs.SCHEMA),
        open=store.open_store,
    ),
    StoredTables(
        name="item index",
        usage=items.INDEX,
        version=items.VERSION,
        read_version=partial(_read_schema_version, items.SCHEMA),
        open=opening.open_items,
        recreated_below=opening.WITHOUT_CHANGES,
    ),
    _tables_with_version(items.INDEX, positions.METADATA, positions.open_positions),
    _tables_with_version(keys.KEYS, keys.METADATA, keys.open_keys),
    _tables_with_version(keys.KEYS, sessions.METADATA, sessions.open_sessions),
    _tables_with_version(keys.KEYS, usage.METADATA, Ledger),
    _tables_with_version(keys.KEYS, quotas.METADATA, Ledger),
    _tables_with_version(JOBS, shares.METADATA, store.open_store),
)
"""All tables of the state. New tables must be added."""


def database_files(folder: Path) -> list[Path]:
    """Return the SQLite databases of this software in a folder."""
    return [folder / name for name in sorted({tables.usage.file for tables in STATE}) if (folder / name).exists()]


def stored_versions(location: StateLocation) -> list[tuple[StoredTables, int | None]]:
    """Return all tables with their stored versions, or `None` for missing ones; nothing is created or changed.

    Raises:
        ConfigurationError: A version is newer than this release, the database cannot be used, or a restore was
            interrupted.
        SourceUnavailable: The database is unavailable.
    """
    versions = dict[str, int]()
    for db in dict.fromkeys(tables.usage for tables in STATE):
        for tables, version in _versions_in(location, db):
            if version is not None and version > tables.version:
                raise database.newer_version(db.name, version, tables.version)
            if version is not None:
                versions[tables.name] = version
    return [(tables, versions.get(tables.name)) for tables in STATE]


def has_tables(location: StateLocation, name: StoredName) -> bool:
    """Return whether tables exist; nothing is created.

    Raises:
        ConfigurationError: A restore was interrupted, or the database cannot be used.
        SourceUnavailable: The database does not answer.
    """
    db = next(tables.usage for tables in STATE if tables.name == name)
    return any(tables.name == name and version is not None for tables, version in _versions_in(location, db))


def _versions_in(location: StateLocation, db: Usage) -> list[tuple[StoredTables, int | None]]:
    """Return the tables of one database with their versions; an empty list if its file is missing.

    Raises:
        ConfigurationError: A restore was interrupted, or the database cannot be used.
        SourceUnavailable: The database is unavailable.
    """
    database.require_restored(location.folder)
    if location.url is None and not (location.folder / db.file).exists():
        return []
    engine = database.open_engine(location.url, location.folder, db)
    try:
        with database.read_transaction(engine, db) as connection:
            return [(tables, tables.read_version(connection)) for tables in STATE if tables.usage == db]
    finally:
        database.close_engine(engine)


def migrate(location: StateLocation, *, is_dry_run: bool) -> Iterator[str]:
    """Migrate all existing tables to the versions of this release; yield a line per table.

    Args:
        location: The location of the state.
        is_dry_run: Whether to report the migrations without doing them.

    Raises:
        ConfigurationError: A version is newer than this release (then nothing is changed), or cannot be migrated.
        SourceUnavailable: The database is out of reach.
        StorageFull: The disk is full.
    """
    for tables, version in stored_versions(location):
        if version is None:
            yield f"{tables.name}: none"
        elif version == tables.version:
            yield f"{tables.name}: version {version}, as in this release"
        else:
            loss = f"; it is begun again: {damage.FILLED_AGAIN}" if version < tables.recreated_below else ""
            change = f"{tables.name}: version {version} to {tables.version}{loss}"
            if not is_dry_run:
                tables.open(location.url, location.folder, archive=location.archive).close()
            yield f"{change}{' (not done: --dry-run)' if is_dry_run else ''}"
