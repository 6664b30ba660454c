"""Opening of the item index: its tables are created, and a damaged index or one of an old version is made again."""

import logging
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Connection, Engine, insert, select, update
from sqlalchemy.schema import CreateColumn

from chronotile.catalog.items import damage
from chronotile.catalog.items.index import ItemIndex
from chronotile.catalog.items.pass_tables import MAKING
from chronotile.catalog.items.pass_tables import METADATA as PASSES
from chronotile.catalog.items.schema import COLLECTIONS, INDEX, INSTANTS, ITEMS, METADATA, SCHEMA, VALUES, VERSION
from chronotile.catalog.items.writing import first_count
from chronotile.core.database import (
    SQLITE,
    close_on_error,
    hold,
    newer_version,
    open_engine,
    read_transaction,
    write_transaction,
)
from chronotile.core.errors import SourceUnavailable
from chronotile.core.machine import MOUNTS
from chronotile.core.model.items import ItemRef

log = logging.getLogger(__name__)

WITHOUT_CHANGES, WITHOUT_VALUES = 2, 3
"""Older versions of the tables that are completed in place. Version 2 lacks the counter of changes per instant and an
index by rank; both versions lack the index of configured properties."""


def open_items(
    url: str | None,
    folder: Path,
    *,
    archive: str = "",
    mounts: Path = MOUNTS,
    clock: Callable[[], float] = time.monotonic,
) -> ItemIndex:
    """Return the item index of an archive; missing tables are created.

    A damaged file is moved aside; the new one has to be filled from the sources.

    Args:
        url: URL of PostgreSQL; `None` for SQLite, in `index.sqlite`.
        folder: Folder of the file.
        archive: Id of the archive; archives that share a database do not see each other's items.
        mounts: File with mounted file systems, which `network_file_system` reads.
        clock: Monotonic clock in seconds, for time limits of searches.

    Raises:
        ConfigurationError: The database cannot be used, or its tables are of a newer version of chronotile.
        SourceUnavailable: The database does not answer.
        StorageFull: The disk is full.
    """
    engine = open_engine(url, folder, INDEX, mounts=mounts)
    is_file = engine.dialect.name == SQLITE
    with close_on_error(engine), damage.opening(folder) if is_file else nullcontext():
        make_tables(engine)
        return ItemIndex(engine, archive=archive, folder=folder if is_file else None, clock=clock)


class ReadItems(ItemIndex):
    """An index that other processes fill. It writes no headers of files, only encodings that no item states."""

    def note_header(self, ref: ItemRef, asset: str, *, header: bytes, etag: str, size: int) -> None:
        """Do nothing."""


def read_items(url: str | None, folder: Path, *, archive: str) -> ReadItems:
    """Return an existing item index for a process that only reads it: nothing is created or repaired.

    Raises:
        ConfigurationError: The database cannot be used.
        SourceUnavailable: The database does not answer, or has no index of this version.
    """
    if url is None and not (folder / INDEX.file).exists():
        raise SourceUnavailable("this process has no item index: it needs the folder of the jobs, or the database")
    engine = open_engine(url, folder, INDEX)
    with close_on_error(engine):
        with read_transaction(engine, INDEX) as connection:
            version = connection.scalar(select(SCHEMA.c.version))
        if version != VERSION:
            raise SourceUnavailable(f"the item index has version {version}, and this process needs version {VERSION}")
        return ReadItems(engine, archive=archive)


def make_tables(engine: Engine) -> None:
    """Create missing tables. Versions 2 and 3 are completed; the tables of older versions are created again, empty.

    Raises:
        ConfigurationError: The tables are of a newer version of chronotile.
    """
    with write_transaction(engine, INDEX) as connection:
        hold(connection, MAKING)
        SCHEMA.create(connection, checkfirst=True)
        PASSES.create_all(connection)  # states of collections depend on their passes
        version = connection.scalar(select(SCHEMA.c.version))
        if version == WITHOUT_CHANGES:
            _add_changes(connection)
        if version in {WITHOUT_CHANGES, WITHOUT_VALUES}:
            _add_column(connection, COLLECTIONS.c.searched)
            VALUES.create(connection)
            connection.execute(update(SCHEMA).values(version=VERSION))
            version = VERSION
        if version == VERSION:
            return
        if version is not None and version > VERSION:
            raise newer_version("the item index", version, VERSION)
        next_item = 1
        if version is not None:
            log.warning("the item index has version %d, of an older chronotile: %s", version, damage.FILLED_AGAIN)
            next_item = connection.scalar(select(SCHEMA.c.next_item)) or 1
            METADATA.drop_all(connection)
            PASSES.drop_all(connection)  # else the next pass would skip entries that it has read
            PASSES.create_all(connection)
        METADATA.create_all(connection)
        change = first_count(connection)
        values = {"next_item": next_item, "next_collection": 1, "next_change": change, "first_change": change}
        connection.execute(insert(SCHEMA).values(version=VERSION, **values))


def _add_changes(connection: Connection) -> None:
    """Add the missing parts of version 2; its rows stay, including items that requests added."""
    _add_column(connection, INSTANTS.c.changed)
    connection.execute(update(INSTANTS).values(changed=1))  # processes of version 2 write 0 from now on
    for index in ITEMS.indexes:
        index.create(connection, checkfirst=True)


def _add_column(connection: Connection, column: Column[Any]) -> None:
    words = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {words}")
