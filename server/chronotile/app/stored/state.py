"""The tables that an archive stores its state in, each with its version; and how they become those of this release."""

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
from chronotile.jobs.queue import shares, table
from chronotile.jobs.queue.database import JOBS
from chronotile.jobs.queue.webhooks import positions


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the state of an archive is."""

    archive: str
    """Its id."""
    folder: Path
    """Of the jobs and of databases of SQLite."""
    url: str | None
    """Of PostgreSQL."""


Opener = Callable[Concatenate[str | None, Path, ...], Closable]
"""Takes the URL of PostgreSQL, the folder, and the id of the archive as `archive`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTables:
    """Tables that have one version."""

    name: str
    usage: Usage
    """The database that they are in."""
    version: int
    """Of this release."""
    found: Callable[[Connection], int | None]
    """Returns the version in a database; `None`: they are not there."""
    open: Opener
    """Opens them, and brings older ones to the version of this release in one transaction."""
    begun_again: int = 0
    """Those of a lower version are made again, empty."""


def _versioned(usage: Usage, tables: MetaData, open_: Opener) -> StoredTables:
    """Tables with an entry in `chronotile_versions`."""
    name, version = tables.info["name"], tables.info["version"]
    found = partial(database.found_version, tables=tables)
    return StoredTables(name=name, usage=usage, version=version, found=found, open=open_)


def _of_own(schema: Table, connection: Connection) -> int | None:
    # The version in a table of its own.
    return connection.scalar(select(schema.c.version)) if inspect(connection).has_table(schema.name) else None


StoredName = Literal["jobs", "keys", "usage"]
"""Tables that commands read, by their names in `STATE`."""
STATE = (
    StoredTables(
        name="jobs", usage=JOBS, version=jobs.VERSION, found=partial(_of_own, jobs.SCHEMA), open=table.open_store
    ),
    StoredTables(
        name="item index",
        usage=items.INDEX,
        version=items.VERSION,
        found=partial(_of_own, items.SCHEMA),
        open=opening.open_items,
        begun_again=opening.WITHOUT_CHANGES,
    ),
    _versioned(items.INDEX, positions.METADATA, positions.open_positions),
    _versioned(keys.KEYS, keys.METADATA, keys.open_keys),
    _versioned(keys.KEYS, sessions.METADATA, sessions.open_sessions),
    _versioned(keys.KEYS, usage.METADATA, Ledger),
    _versioned(keys.KEYS, quotas.METADATA, Ledger),
    _versioned(JOBS, shares.METADATA, table.open_store),
)
"""All of it; new tables get a line here."""


def database_files(folder: Path) -> list[Path]:
    """Return the databases of SQLite in a folder; others that an operator has there are not ours."""
    return [folder / name for name in sorted({each.usage.file for each in STATE}) if (folder / name).exists()]


def found_versions(place: Place) -> list[tuple[StoredTables, int | None]]:
    """Return all tables with the versions that are found; nothing is made or changed.

    Raises:
        ConfigurationError: Some are of a newer release, the database cannot be used, or the folder is half restored.
        SourceUnavailable: The database is out of reach.
    """
    database.require_restored(place.folder)
    versions = dict[str, int]()
    for where in dict.fromkeys(each.usage for each in STATE):
        for tables, version in _versions_in(place, where):
            if version is not None and version > tables.version:
                raise database.newer_version(where.name, version, tables.version)
            if version is not None:
                versions[tables.name] = version
    return [(each, versions.get(each.name)) for each in STATE]


def has_tables(place: Place, name: StoredName) -> bool:
    """Return whether tables exist; nothing is created.

    Raises:
        ConfigurationError: The database cannot be used.
        SourceUnavailable: The database is out of reach.
    """
    where = next(each.usage for each in STATE if each.name == name)
    return any(tables.name == name and version is not None for tables, version in _versions_in(place, where))


def _versions_in(place: Place, where: Usage) -> list[tuple[StoredTables, int | None]]:
    """Return the tables of one database with their versions; an empty list if its file is missing."""
    if place.url is None and not (place.folder / where.file).exists():
        return []
    engine = database.open_engine(place.url, place.folder, where)
    try:
        with database.read_transaction(engine, where) as connection:
            return [(each, each.found(connection)) for each in STATE if each.usage == where]
    finally:
        database.close_engine(engine)


def migrate(place: Place, *, is_dry_run: bool) -> Iterator[str]:
    """Bring all tables that are there to the versions of this release; yield what was done.

    Args:
        place: Where they are.
        is_dry_run: Whether to tell only what would be done.

    Raises:
        ConfigurationError: Some are of a newer release, whereupon none is changed, or cannot be migrated.
        SourceUnavailable: The database is out of reach.
        StorageFull: There is no room.
    """
    for tables, version in found_versions(place):
        if version is None:
            yield f"{tables.name}: none"
        elif version == tables.version:
            yield f"{tables.name}: version {version}, as in this release"
        else:
            lost = f"; it is begun again: {damage.FILLED_AGAIN}" if version < tables.begun_again else ""
            change = f"{tables.name}: version {version} to {tables.version}{lost}"
            if not is_dry_run:
                tables.open(place.url, place.folder, archive=place.archive).close()
            yield f"{change}{' (not done: --dry-run)' if is_dry_run else ''}"
