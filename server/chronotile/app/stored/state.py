"""The tables that an archive stores its state in, each with its version; and how they become those of this release."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, MetaData, Table, inspect, select

from chronotile.access import keys
from chronotile.catalog.items import damage, opening
from chronotile.catalog.items import schema as items
from chronotile.core.database import (
    Usage,
    close_engine,
    found_version,
    newer_version,
    open_engine,
    read_transaction,
    require_restored,
)
from chronotile.core.errors import SourceUnavailable
from chronotile.jobs.queue import schema as jobs
from chronotile.jobs.queue import table
from chronotile.jobs.queue.database import JOBS
from chronotile.jobs.queue.webhooks import positions


class Closable(Protocol):
    """What opening tables gives."""

    def close(self) -> None:
        """Let go of the database."""


class Opener(Protocol):
    """Opens tables, and brings older ones to the version of this release, in one transaction."""

    def __call__(self, url: str | None, folder: Path, *, archive: str) -> Closable:
        """Open them."""


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
    begun_again: int = 0
    """Those of a lower version are made again, empty."""


def _versioned(usage: Usage, tables: MetaData, open_: Opener) -> StoredTables:
    """Tables with an entry in `chronotile_versions`."""
    name, version = tables.info["name"], tables.info["version"]
    return StoredTables(
        name=name, usage=usage, version=version, found=lambda connection: found_version(connection, tables), open=open_
    )


def _of_own(schema: Table) -> Callable[[Connection], int | None]:
    """The version in a table of its own."""

    def found(connection: Connection) -> int | None:
        return connection.scalar(select(schema.c.version)) if inspect(connection).has_table(schema.name) else None

    return found


STATE = (
    StoredTables(name="jobs", usage=JOBS, version=jobs.VERSION, found=_of_own(jobs.SCHEMA), open=table.open_store),
    StoredTables(
        name="item index",
        usage=items.INDEX,
        version=items.VERSION,
        found=_of_own(items.SCHEMA),
        open=opening.open_items,
        begun_again=opening.WITHOUT_CHANGES,
    ),
    _versioned(items.INDEX, positions.METADATA, positions.open_positions),
    _versioned(keys.KEYS, keys.METADATA, keys.open_keys),
)
"""All of it; new tables get a line here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the state of an archive is."""

    archive: str
    """Its id."""
    folder: Path
    """Of the jobs and of databases of SQLite."""
    url: str | None
    """Of PostgreSQL."""


def found_versions(place: Place) -> Iterator[tuple[StoredTables, int | None]]:
    """Yield all tables with the versions that are found; nothing is made or changed.

    Raises:
        ConfigurationError: The database cannot be used, or the folder is half restored.
        SourceUnavailable: The database is out of reach.
    """
    require_restored(place.folder)
    for tables in STATE:
        if place.url is None and not (place.folder / tables.usage.file).exists():
            yield tables, None
            continue
        engine = open_engine(place.url, place.folder, tables.usage)
        try:
            with read_transaction(engine, tables.usage) as connection:
                version = tables.found(connection)
        finally:
            close_engine(engine)
        yield tables, version


def require_known(place: Place) -> None:
    """Refuse to begin where a newer release has written, or a restore was interrupted.

    Raises:
        ConfigurationError: It is so.
    """
    try:
        for tables, version in found_versions(place):
            if version is not None and version > tables.version:
                raise newer_version(tables.usage.name, version, tables.version)
    except SourceUnavailable:  # who needs the database finds that out later, and tries again
        return


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
    found = list(found_versions(place))
    for tables, version in found:
        if version is not None and version > tables.version:
            raise newer_version(tables.usage.name, version, tables.version)
    for tables, version in found:
        if version is None:
            yield f"{tables.name}: none"
        elif version == tables.version:
            yield f"{tables.name}: version {version}, as in this release"
        else:
            lost = f"; it is begun again: {damage.FILLED_AGAIN}" if version < tables.begun_again else ""
            change = f"{tables.name}: version {version} to {tables.version}{lost}"
            if is_dry_run:
                yield f"{change} (not done: --dry-run)"
                continue
            with closing(tables.open(place.url, place.folder, archive=place.archive)):
                yield change
