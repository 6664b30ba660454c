"""Puts the state of an archive back from a backup: all of it is there then, or the folder says that it is not."""

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, inspect

from chronotile.app.stored import databases
from chronotile.app.stored.files import (
    CHUNK_BYTES,
    HashingReader,
    Manifest,
    members_of,
    remove,
    verified_manifest,
    words_for_damage,
    work_folder,
)
from chronotile.app.stored.state import STATE, Place, database_files
from chronotile.catalog.items.schema import FILE as INDEX_FILE
from chronotile.catalog.items.schema import SCHEMA as ITEMS
from chronotile.catalog.items.writing import begin_counting
from chronotile.core.database import POSTGRESQL, RESTORING, SQLITE
from chronotile.core.durable_files import Disk, make_private_folder, open_private
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.job import ID
from chronotile.jobs.queue.database import FILE as JOBS_FILE
from chronotile.jobs.queue.schema import JOBS
from chronotile.jobs.queue.table import queue_again

WORK = ".restore"
"""Folder, among those of the jobs, into which a backup is extracted first."""

CHANGED = "the backup has changed while it was read"


def restore(place: Place, file: Path, *, is_replacing: bool) -> Manifest:
    """Put the state of a backup in place, and return what it had.

    Nothing is touched before the whole file has been verified and extracted. Where it is killed then, servers refuse
    the folder until this was called again.

    Args:
        place: Where the state of the archive is to be.
        file: The backup.
        is_replacing: Whether state that is there is replaced.

    Raises:
        UnsupportedSource: The backup is damaged, of another archive, another kind of database or a newer release, or
            there is state already, or it is in use.
        ConfigurationError: The database cannot be used.
        SourceUnavailable: It is out of reach, or others use it.
        OSError: The file cannot be read, or what is in it not be written.
    """
    with file.open("rb") as opened:
        manifest = verified_manifest(opened)
        _require_fitting(manifest, place)
        if place.url is not None:
            databases.require_no_sessions(place.url)
        work, marker = place.folder / WORK, place.folder / RESTORING
        with work_folder(work, by="restore"):
            if not marker.exists() and not is_replacing and _has_state(place):
                raise UnsupportedSource(
                    f"there is state already in {place.folder}"
                    f"{'' if place.url is None else ' or in the database'}: --replace replaces all of it"
                )
            for each in database_files(place.folder):
                databases.require_unused(each)
            _extract(opened, manifest, work)
            if place.url is None:
                _begin_copies(work)
            _put_in_place(place, work, marker)
            Disk().remove(marker)
            Disk().settle([place.folder])
    return manifest


def _require_fitting(manifest: Manifest, place: Place) -> None:
    known = {tables.name: tables.version for tables in STATE}
    newer = next((name for name, version in manifest.versions.items() if version > known.get(name, 0)), None)
    if newer is not None:
        raise UnsupportedSource(
            f"the backup was written by chronotile {manifest.software}, which is newer, as its {newer} show; update"
        )
    if manifest.archive != place.archive:
        raise UnsupportedSource(
            f"the backup is of the archive {manifest.archive}, and the one to restore is {place.archive}: name that "
            f"configuration, or set service.id: {manifest.archive} in this one"
        )
    database = SQLITE if place.url is None else POSTGRESQL
    if manifest.database != database:
        raise UnsupportedSource(
            f"the backup is of {manifest.database}, and CHRONOTILE_DATABASE_URL chooses {database}: rows of the one "
            "are not restored to the other"
        )


def _has_state(place: Place) -> bool:
    if place.url is not None:
        with databases.transaction(place.url, is_snapshot=True) as connection:
            if databases.table_names(connection):
                return True
    return bool(database_files(place.folder)) or any(ID.fullmatch(each.name) for each in place.folder.iterdir())


@words_for_damage()
def _extract(file: IO[bytes], manifest: Manifest, work: Path) -> None:
    """Write databases and results into an empty folder, no byte more than was verified."""
    disk = Disk()
    for name, size, content in members_of(file):
        kind, _, path = name.partition("/")
        if kind not in {"databases", "jobs"}:
            continue
        member = manifest.members.get(name)
        if member is None or size != member.size:
            raise UnsupportedSource(CHANGED)
        target = work / kind / path
        make_private_folder(target.parent)
        hashing = HashingReader(content)
        with open(target, "wb", opener=open_private) as written:
            shutil.copyfileobj(hashing, written, CHUNK_BYTES)
        if hashing.digest.hexdigest() != member.sha256:
            raise UnsupportedSource(CHANGED)
        disk.settle([target])
    disk.settle([each for each in (work, *work.rglob("*")) if each.is_dir()])


def _begin_copies(work: Path) -> None:
    """Make what was copied at one moment a beginning, in the copies of SQLite."""
    for name in (JOBS_FILE, INDEX_FILE):
        if (work / "databases" / name).exists():
            with databases.copied(work / "databases" / name) as connection:
                _begin(connection)


def _begin(connection: Connection) -> None:
    """Queue jobs again that ran, and let no number be given twice that was given after the backup."""
    has_table = inspect(connection).has_table
    if has_table(JOBS.name):
        queue_again(connection)
    if has_table(ITEMS.name):
        begin_counting(connection)


def _put_in_place(place: Place, work: Path, marker: Path) -> None:
    """Replace what is there; done again after any interruption it comes to the same."""
    results, copies = work / "jobs", work / "databases"
    with nullcontext() if place.url is None else databases.transaction(place.url) as connection:
        if connection is not None:
            databases.put_tables(connection, copies)
            _begin(connection)
        # As late as can be: where PostgreSQL refuses the tables, all is as before.
        Disk().put(marker, b"")
        Disk().settle([place.folder])
    for each in place.folder.iterdir():
        if ID.fullmatch(each.name):
            remove(each)
    if results.exists():
        for each in results.iterdir():
            each.rename(place.folder / each.name)
    for each in database_files(place.folder):
        databases.remove_file(each)
    for each in copies.glob("*.sqlite"):
        each.rename(place.folder / each.name)
