"""Backup of the state of an archive while it is served."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, inspect, select

from chronotile import __version__
from chronotile.app.stored.databases import TABLES, copy_file, copy_tables, open_copy, transaction
from chronotile.app.stored.files import NAMES, BackupManifest, BackupWriter, work_folder
from chronotile.app.stored.state import StateLocation, database_files, stored_versions
from chronotile.core.database import POSTGRESQL, SQLITE
from chronotile.core.durable_files import Disk
from chronotile.core.errors import UnsupportedSource
from chronotile.core.private_files import open_private
from chronotile.jobs.queue.database import JOBS_FILE
from chronotile.jobs.queue.job_folder import RESULTS, SAFE_NAME
from chronotile.jobs.queue.schema import JOBS

WORK = ".chronotile-backup"
"""Work folder next to the backup; the next run removes files of a killed run."""


class _ListedResult(NamedTuple):
    """A file in the table of jobs."""

    job: str
    name: str
    is_of_archive: bool


def back_up(location: StateLocation, to: Path, *, configuration: Path, has_bucket: bool) -> list[str]:
    """Write the state of an archive into one file, and return lines for the operator.

    Args:
        location: The location of the state.
        to: A new file, or an existing folder.
        configuration: Configuration of the archive; a file is copied into the backup.
        has_bucket: Whether results that are not in the folder are in a bucket.

    Raises:
        UnsupportedSource: The file exists, another backup is being written next to it, or there is nothing to copy.
        ConfigurationError: The database cannot be used.
        SourceUnavailable: The database is unavailable or damaged.
        OSError: The file cannot be written.
    """
    now = datetime.now(UTC)
    if to.is_dir():
        to /= f"chronotile-{location.archive}-{now:%Y%m%dT%H%M%SZ}.tar"
    elif not to.suffix:
        raise UnsupportedSource(f"there is no folder {to}: make it, or name a file, such as {to.name}.tar")
    if to.exists():
        raise UnsupportedSource(f"{to} is there already: name another file, or a folder")
    versions = {tables.name: version for tables, version in stored_versions(location) if version is not None}
    if not versions:
        raise UnsupportedSource(
            f"the archive {location.archive} has no jobs, index or keys: there is nothing to back up"
        )
    work = to.parent / WORK
    with work_folder(work, by="backup"):
        partial = work / "backup.tar"
        with open(partial, "wb", opener=open_private) as file:
            writer = BackupWriter(file)
            with _databases(location, work) as (names, results):
                for name in names:
                    _add(writer, f"databases/{name}", work / name)
            in_bucket, missing = _add_results(writer, results, location.folder, has_bucket=has_bucket)
            for name, path in _operator_files(configuration):
                _add(writer, f"configuration/{name}", path.resolve())  # the file itself: Kubernetes mounts links
            manifest = BackupManifest(
                archive=location.archive,
                software=__version__,
                created=f"{now:%Y-%m-%dT%H:%M:%SZ}",
                database=SQLITE if location.url is None else POSTGRESQL,
                versions=versions,
                in_bucket=in_bucket,
                missing=missing,
                members=writer.members,
            )
            writer.finish(manifest)
        Disk().finish(partial, to)
    count = sum(name.startswith("jobs/") for name in writer.members)
    lines = [f"{to}: {to.stat().st_size} bytes, {manifest.database}, {count} files of results"]
    lines += [f"not copied: {len(in_bucket)} files of results in the bucket"] if in_bucket else []
    return [*lines, *(f"missing: the result {name}" for name in missing)]


@contextmanager
def _databases(location: StateLocation, work: Path) -> Iterator[tuple[list[str], list[_ListedResult]]]:
    """Copy the databases into a folder; yield the names of the copies and the results that they list.

    All listed results exist, because files are written before they are listed.
    """
    if location.url is not None:
        with transaction(location.url, is_snapshot=True) as connection:
            copy_tables(connection, work)
            results = _list_results(connection, location.archive)
        names = [TABLES, *sorted(path.name for path in work.glob("*.rows"))]
    else:
        names = [path.name for path in database_files(location.folder)]
        for name in names:
            copy_file(location.folder / name, work / name)
        results = []
        if JOBS_FILE in names:
            with open_copy(work / JOBS_FILE) as connection:
                results = _list_results(connection, location.archive)
    yield names, results
    for name in names:
        (work / name).unlink()  # in the backup now; frees disk space for the results


def _list_results(connection: Connection, archive: str) -> list[_ListedResult]:
    if not inspect(connection).has_table(JOBS.name):
        return []
    query = select(JOBS.c.id, JOBS.c.archive, JOBS.c.results).where(JOBS.c.results.is_not(None))
    return [
        _ListedResult(row.id, result["file"], row.archive == archive)
        for row in connection.execution_options(yield_per=100).execute(query)
        for result in json.loads(row.results).values()
        if result.get("file") is not None and SAFE_NAME.fullmatch(result["file"])
    ]


def _add_results(
    writer: BackupWriter, results: list[_ListedResult], folder: Path, *, has_bucket: bool
) -> tuple[list[str], list[str]]:
    """Add the files of results; return the names of results in the bucket, and of missing ones.

    Missing results of other archives are not reported: their jobs may have another folder.
    """
    in_bucket, missing = list[str](), list[str]()
    for result in results:
        name = f"{result.job}/{RESULTS}/{result.name}"
        try:
            _add(writer, f"jobs/{name}", folder / name)
        except FileNotFoundError:
            if has_bucket:
                in_bucket.append(f"{result.job}/{result.name}")
            elif result.is_of_archive:
                missing.append(f"{result.job}/{result.name}")
    return in_bucket, missing


def _operator_files(configuration: Path) -> Iterator[tuple[str, Path]]:
    """Yield the configuration and its styles; they are for the operator, and a restore does not write them."""
    if configuration.is_file():
        styles = sorted(path for path in configuration.parent.glob("styles/*") if path.is_file())
        for name, path in ((configuration.name, configuration), *((f"styles/{style.name}", style) for style in styles)):
            if NAMES.fullmatch(f"configuration/{name}"):
                yield name, path


def _add(writer: BackupWriter, name: str, path: Path) -> None:
    with open(path, "rb", opener=lambda file, flags: os.open(file, flags | os.O_NOFOLLOW)) as file:
        writer.add(name, file, os.fstat(file.fileno()).st_size)
