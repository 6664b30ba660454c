"""Restore of the state of an archive from a backup; an interrupted restore marks the folder as incomplete."""

import shutil
from contextlib import nullcontext
from pathlib import Path
from typing import IO

from sqlalchemy import Connection, inspect

from chronotile.app.stored import databases
from chronotile.app.stored.files import (
    CHUNK_BYTES,
    BackupManifest,
    HashingReader,
    convert_tar_errors,
    members_of,
    remove,
    verified_manifest,
    work_folder,
)
from chronotile.app.stored.state import STATE, StateLocation, database_files
from chronotile.catalog.items.schema import INDEX_FILE
from chronotile.catalog.items.schema import SCHEMA as ITEMS
from chronotile.catalog.items.writing import begin_counting
from chronotile.core.database import POSTGRESQL, RESTORING, SQLITE
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.job import JOB_ID
from chronotile.core.private_files import make_private_folder, open_private
from chronotile.jobs.queue.database import JOBS_FILE
from chronotile.jobs.queue.schema import JOBS
from chronotile.jobs.queue.table import queue_again

WORK = ".restore"
"""Subfolder of the folder of jobs, into which a backup is extracted first."""

CHANGED = "the backup has changed while it was read"


def restore(location: StateLocation, file: Path, *, is_replacing: bool) -> BackupManifest:
    """Restore the state of an archive, and return the manifest of the backup.

    Existing state is not changed before the whole file has been verified and extracted. If the process is killed later,
    servers refuse the folder until a restore is completed.

    Args:
        location: The location of the state.
        file: The backup.
        is_replacing: Whether to replace existing state.

    Raises:
        UnsupportedSource: The backup is damaged, or of another archive, kind of database or newer release; or state
            exists and must not be replaced, or is in use.
        ConfigurationError: The database cannot be used.
        SourceUnavailable: The database is unavailable or in use.
        OSError: The backup cannot be read, or its files cannot be written.
    """
    with file.open("rb") as backup:
        manifest = verified_manifest(backup)
        _require_fitting(manifest, location)
        if location.url is not None:
            databases.require_no_sessions(location.url)
        work, marker = location.folder / WORK, location.folder / RESTORING
        with work_folder(work, by="restore"):
            if not marker.exists() and not is_replacing and _has_state(location):
                raise UnsupportedSource(
                    f"there is state already in {location.folder}"
                    f"{'' if location.url is None else ' or in the database'}: --replace replaces all of it"
                )
            for path in database_files(location.folder):
                databases.require_unused(path)
            _extract(backup, manifest, work)
            if location.url is None:
                _prepare_copies(work)
            _put_in_place(location, work, marker)
            Disk().remove(marker)
            Disk().settle([location.folder])
    return manifest


def _require_fitting(manifest: BackupManifest, location: StateLocation) -> None:
    versions = {tables.name: tables.version for tables in STATE}
    newer = next((name for name, version in manifest.versions.items() if version > versions.get(name, 0)), None)
    if newer is not None:
        raise UnsupportedSource(
            f"the backup was written by chronotile {manifest.software}, which is newer, as its {newer} show; update"
        )
    if manifest.archive != location.archive:
        raise UnsupportedSource(
            f"the backup is of the archive {manifest.archive}, and the one to restore is {location.archive}: name that "
            f"configuration, or set service.id: {manifest.archive} in this one"
        )
    database = SQLITE if location.url is None else POSTGRESQL
    if manifest.database != database:
        raise UnsupportedSource(
            f"the backup is of {manifest.database}, and CHRONOTILE_DATABASE_URL chooses {database}: rows of the one "
            "are not restored to the other"
        )


def _has_state(location: StateLocation) -> bool:
    if location.url is not None:
        with databases.transaction(location.url, is_snapshot=True) as connection:
            if databases.table_names(connection):
                return True
    return bool(database_files(location.folder)) or any(
        JOB_ID.fullmatch(path.name) for path in location.folder.iterdir()
    )


@convert_tar_errors()
def _extract(file: IO[bytes], manifest: BackupManifest, work: Path) -> None:
    """Write databases and results into an empty folder, and compare them with the manifest again."""
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
        with open(target, "wb", opener=open_private) as copy:
            shutil.copyfileobj(hashing, copy, CHUNK_BYTES)
        if hashing.digest.hexdigest() != member.sha256:
            raise UnsupportedSource(CHANGED)
        disk.settle([target])
    disk.settle([path for path in (work, *work.rglob("*")) if path.is_dir()])


def _prepare_copies(work: Path) -> None:
    """Prepare the copies of SQLite for a new start."""
    for name in (JOBS_FILE, INDEX_FILE):
        if (work / "databases" / name).exists():
            with databases.open_copy(work / "databases" / name) as connection:
                _prepare(connection)


def _prepare(connection: Connection) -> None:
    """Queue jobs that were running, and skip numbers of items that may have been used after the backup."""
    has_table = inspect(connection).has_table
    if has_table(JOBS.name):
        queue_again(connection)
    if has_table(ITEMS.name):
        begin_counting(connection)


def _put_in_place(location: StateLocation, work: Path, marker: Path) -> None:
    """Replace the existing state; it can be repeated after an interruption at any point."""
    results, copies = work / "jobs", work / "databases"
    with nullcontext() if location.url is None else databases.transaction(location.url) as connection:
        if connection is not None:
            databases.put_tables(connection, copies)
            _prepare(connection)
        # As late as possible: if PostgreSQL refuses the tables, nothing has changed.
        Disk().put(marker, b"")
        Disk().settle([location.folder])
    for path in location.folder.iterdir():
        if JOB_ID.fullmatch(path.name):
            remove(path)
    if results.exists():
        for path in results.iterdir():
            path.rename(location.folder / path.name)
    for path in database_files(location.folder):
        databases.remove_file(path)
    for path in copies.glob("*.sqlite"):
        path.rename(location.folder / path.name)
