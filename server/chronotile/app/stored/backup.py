"""Makes a backup of the state of an archive while it is served."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, inspect, select

from chronotile import __version__
from chronotile.app.stored.databases import TABLES, copied, copy_file, copy_tables, transaction
from chronotile.app.stored.files import NAMES, BackupWriter, Manifest, work_folder
from chronotile.app.stored.state import Place, database_files, found_versions
from chronotile.core.database import POSTGRESQL, SQLITE
from chronotile.core.durable_files import Disk, open_private
from chronotile.core.errors import UnsupportedSource
from chronotile.jobs.queue.database import FILE
from chronotile.jobs.queue.job_folder import RESULTS, SAFE_NAME
from chronotile.jobs.queue.schema import JOBS

WORK = ".chronotile-backup"
"""Folder beside the backup in which it is made; what a killed run left there goes with the next one."""


class _ResultFile(NamedTuple):
    """A file that the table of jobs names."""

    job: str
    name: str
    is_of_archive: bool


def back_up(place: Place, to: Path, *, configuration: Path, has_bucket: bool) -> list[str]:
    """Write the state of an archive into one file, and return what to tell the operator.

    Args:
        place: Where it is.
        to: The file, which must not be there yet, or a folder.
        configuration: Of the archive, of which the backup has a copy where it is a file.
        has_bucket: Whether results are in a bucket, unless they lie in the folder.

    Raises:
        UnsupportedSource: The file is there, or another backup is being written beside it.
        ConfigurationError: The database cannot be used.
        SourceUnavailable: It is out of reach or damaged.
        OSError: The file cannot be written.
    """
    now = datetime.now(UTC)
    if to.is_dir():
        to /= f"chronotile-{place.archive}-{now:%Y%m%dT%H%M%SZ}.tar"
    elif not to.suffix:
        raise UnsupportedSource(f"there is no folder {to}: make it, or name a file, such as {to.name}.tar")
    if to.exists():
        raise UnsupportedSource(f"{to} is there already: name another file, or a folder")
    versions = {tables.name: version for tables, version in found_versions(place) if version is not None}
    if not versions:
        raise UnsupportedSource(f"the archive {place.archive} has no jobs, index or keys: there is nothing to back up")
    work = to.parent / WORK
    with work_folder(work, by="backup"):
        partial = work / "backup.tar"
        with open(partial, "wb", opener=open_private) as file:
            writer = BackupWriter(file)
            with _databases(place, work) as (names, results):
                for name in names:
                    _add(writer, f"databases/{name}", work / name)
            in_bucket, missing = _add_results(writer, results, place.folder, has_bucket=has_bucket)
            for name, path in _of_operator(configuration):
                _add(writer, f"configuration/{name}", path.resolve())  # such as a link that Kubernetes mounts
            manifest = Manifest(
                archive=place.archive,
                software=__version__,
                created=f"{now:%Y-%m-%dT%H:%M:%SZ}",
                database=SQLITE if place.url is None else POSTGRESQL,
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
def _databases(place: Place, work: Path) -> Iterator[tuple[list[str], list[_ResultFile]]]:
    """Give the names of the copies in a folder, and the files of results that they name.

    Whatever is finished in a copy has its files: they are written before the table says so.
    """
    if place.url is not None:
        with transaction(place.url, is_snapshot=True) as connection:
            copy_tables(connection, work)
            results = _named_results(connection, place.archive)
        names = [TABLES, *sorted(each.name for each in work.glob("*.rows"))]
    else:
        names = [each.name for each in database_files(place.folder)]
        for name in names:
            copy_file(place.folder / name, work / name)
        results = []
        if FILE in names:
            with copied(work / FILE) as connection:
                results = _named_results(connection, place.archive)
    yield names, results
    for name in names:
        (work / name).unlink()  # there is room for results then


def _named_results(connection: Connection, archive: str) -> list[_ResultFile]:
    if not inspect(connection).has_table(JOBS.name):
        return []
    wanted = select(JOBS.c.id, JOBS.c.archive, JOBS.c.results).where(JOBS.c.results.is_not(None))
    return [
        _ResultFile(row.id, result["file"], row.archive == archive)
        for row in connection.execution_options(yield_per=100).execute(wanted)
        for result in json.loads(row.results).values()
        if result.get("file") is not None and SAFE_NAME.fullmatch(result["file"])
    ]


def _add_results(
    writer: BackupWriter, results: list[_ResultFile], folder: Path, *, has_bucket: bool
) -> tuple[list[str], list[str]]:
    """Add the files of results; return those that are in the bucket, and those that are gone.

    Jobs of other archives of the database may have another folder.
    """
    in_bucket, missing = list[str](), list[str]()
    for each in results:
        name = f"{each.job}/{RESULTS}/{each.name}"
        try:
            _add(writer, f"jobs/{name}", folder / name)
        except FileNotFoundError:
            if has_bucket:
                in_bucket.append(f"{each.job}/{each.name}")
            elif each.is_of_archive:
                missing.append(f"{each.job}/{each.name}")
    return in_bucket, missing


def _of_operator(configuration: Path) -> Iterator[tuple[str, Path]]:
    """The configuration and the styles beside it, for the operator: a restore does not write them."""
    if configuration.is_file():
        styles = sorted(each for each in configuration.parent.glob("styles/*") if each.is_file())
        for name, path in ((configuration.name, configuration), *((f"styles/{each.name}", each) for each in styles)):
            if NAMES.fullmatch(f"configuration/{name}"):
                yield name, path


def _add(writer: BackupWriter, name: str, path: Path) -> None:
    with open(path, "rb", opener=lambda file, flags: os.open(file, flags | os.O_NOFOLLOW)) as file:
        writer.add(name, file, os.fstat(file.fileno()).st_size)
