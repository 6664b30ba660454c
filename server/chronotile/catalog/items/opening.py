"""Opens the item index: makes its tables, and begins it again where it is damaged or of an older version."""

import logging
import time
from collections.abc import Callable, Sequence
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
from chronotile.core.database import SQLITE, hold, newer_version, open_engine, read_transaction, write_transaction
from chronotile.core.errors import ChronotileError, SourceUnavailable
from chronotile.core.machine import MOUNTS
from chronotile.core.model.items import BandLayout, ItemRef

log = logging.getLogger(__name__)

WITHOUT_CHANGES, WITHOUT_VALUES = 2, 3
"""The versions before instants had the counter of their last change, and ranks an index; and before named properties
had one. All else of them stays."""


def open_items(
    url: str | None,
    folder: Path,
    *,
    archive: str = "",
    mounts: Path = MOUNTS,
    clock: Callable[[], float] = time.monotonic,
) -> ItemIndex:
    """Return the item index of an archive; its tables are made if they are not there.

    A damaged file is moved aside and a new one begun, which is then to be filled from the sources.

    Args:
        url: Of PostgreSQL; `None` for SQLite, in `index.sqlite`.
        folder: Of the file.
        archive: Its id: archives that share a database do not see each other's items.
        mounts: What is mounted where, as `network_file_system` reads it.
        clock: Seconds of a clock that never goes back, by which searches end.

    Raises:
        ConfigurationError: The database cannot be used, or its tables are those of a newer chronotile.
        SourceUnavailable: The database is out of reach.
        StorageFull: There is no room.
    """
    engine = open_engine(url, folder, INDEX, mounts=mounts)
    is_file = engine.dialect.name == SQLITE
    try:
        with damage.opening(folder) if is_file else nullcontext():
            make_tables(engine)
            return ItemIndex(engine, archive=archive, folder=folder if is_file else None, clock=clock)
    except ChronotileError:
        engine.dispose()
        raise


class ReadItems(ItemIndex):
    """An index that others fill: headers of files are not written to it, only encodings that no item states."""

    def note_header(
        self, ref: ItemRef, asset: str, *, header: bytes, etag: str, size: int, layouts: Sequence[BandLayout] = ()
    ) -> None:
        """Write nothing."""


def read_items(url: str | None, folder: Path, *, archive: str) -> ReadItems:
    """Return the item index of an archive as it is, for a process that only reads it: nothing is made or mended.

    Args:
        url: As `open_items` takes it; so are the others.
        folder: Of the file.
        archive: Its id.

    Raises:
        ConfigurationError: The database cannot be used.
        SourceUnavailable: It is out of reach, has no index, or one of another version.
    """
    if url is None and not (folder / INDEX.file).exists():
        raise SourceUnavailable("this process sees no item index: it needs the folder of the jobs, or the database")
    engine = open_engine(url, folder, INDEX)
    try:
        with read_transaction(engine, INDEX) as connection:
            version = connection.scalar(select(SCHEMA.c.version))
        if version != VERSION:
            raise SourceUnavailable(f"the item index has version {version}, and this process knows version {VERSION}")
        return ReadItems(engine, archive=archive)
    except ChronotileError:
        engine.dispose()
        raise


def make_tables(engine: Engine) -> None:
    """Make the tables unless they are there; versions 2 and 3 get what they lack, older ones are made again, empty.

    Raises:
        ConfigurationError: They are those of a newer chronotile.
    """
    with write_transaction(engine, INDEX) as connection:
        hold(connection, MAKING)
        SCHEMA.create(connection, checkfirst=True)
        PASSES.create_all(connection)  # states of collections say whether a pass over their source was ever whole
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
            PASSES.drop_all(connection)  # or else what was seen would not be put again
            PASSES.create_all(connection)
        METADATA.create_all(connection)
        change = first_count(connection)
        values = {"next_item": next_item, "next_collection": 1, "next_change": change, "first_change": change}
        connection.execute(insert(SCHEMA).values(version=VERSION, **values))


def _add_changes(connection: Connection) -> None:
    """Add what version 2 lacks; what is there stays, items that requests added too."""
    _add_column(connection, INSTANTS.c.changed)
    connection.execute(update(INSTANTS).values(changed=1))  # 0 is what processes of that version write from now on
    for index in ITEMS.indexes:
        index.create(connection, checkfirst=True)


def _add_column(connection: Connection, column: Column[Any]) -> None:
    words = CreateColumn(column).compile(dialect=connection.dialect)
    connection.exec_driver_sql(f"ALTER TABLE {column.table.name} ADD COLUMN {words}")
