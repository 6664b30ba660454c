"""What is removed of jobs: those that no client wants any more, and those that ended long ago, with their files."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chronotile.errors import SourceUnavailable
from chronotile.model.job import ID, Job
from chronotile.queue.bucket import Bucket
from chronotile.queue.job_folder import remove

if TYPE_CHECKING:
    from chronotile.queue.table import JobTable  # SQLAlchemy only where there are jobs

AT_ONCE = 500
"""Jobs deleted in one transaction, so that other writers do not wait long."""

log = logging.getLogger(__name__)


def remove_files(folder: Path, id_: str, *, bucket: Bucket | None) -> None:
    """Remove the files of a job; what cannot be removed now is when the job is forgotten.

    Args:
        folder: Of the jobs, with a folder of each by its id.
        id_: Of the job.
        bucket: Of the files of results, if there is one.
    """
    remove(folder / id_)
    if bucket is not None:
        try:
            bucket.remove(id_)
        except SourceUnavailable as error:
            log.warning("the files of the job %s in the bucket are kept for now: %s", id_, error)


def cancel(table: "JobTable", folder: Path, id_: str, *, bucket: Bucket | None = None) -> Job:
    """Cancel a job that has not ended, remove its files, and return it as it was left.

    A worker that still does it finds its partial results gone, and stops.

    Args:
        table: That of the jobs.
        folder: As `remove_files` takes it.
        id_: Of the job.
        bucket: Of the files of results, if there is one.

    Raises:
        UnknownPath: There is not one of that id.
        SourceUnavailable: The table is out of reach.
    """
    job = table.dismiss(id_)
    if job.status == "dismissed":
        remove_files(folder, job.id, bucket=bucket)
    return job


def forget(table: "JobTable", folder: Path, ids: Sequence[str]) -> int:
    """Forget jobs that have ended, with their folders, and return how many.

    The files of a job go first, those in a bucket before this is called: what is interrupted is done the next time. A
    job whose folder cannot be removed stays, and the operator gets a log line.

    Args:
        table: That of the jobs.
        folder: As `remove_files` takes it.
        ids: Of the jobs.

    Raises:
        SourceUnavailable: The table is out of reach.
    """
    without_files = [id_ for id_ in ids if remove(folder / id_)]
    table.forget(without_files)
    return len(without_files)


def forget_ended(table: "JobTable", folder: Path, *, before: float, bucket: Bucket | None = None) -> int:
    """Delete jobs that ended before a time, and orphaned folders as old; return the number of jobs.

    A folder is orphaned if a server was killed after it moved files there and before it wrote the job into the table.
    A job whose files cannot be removed stays, and a line is logged.

    Args:
        table: Of the jobs.
        folder: As `remove_files` takes it.
        before: Seconds since 1970, UTC.
        bucket: Of the files of results, if there is one.

    Raises:
        SourceUnavailable: The table, the folder or the bucket cannot be reached.
    """
    count = 0
    for ids in _some_at_once(table.ended_before(before)):
        count += forget(table, folder, ids if bucket is None else _without_objects(bucket, ids))
    for ids in _some_at_once(_folders(folder, before)):
        for id_ in set(ids) - table.known(ids):
            remove(folder / id_)
    return count


def _without_objects(bucket: Bucket, ids: Sequence[str]) -> list[str]:
    """Those of some jobs whose files in the bucket are gone now."""
    gone = []
    for id_ in ids:
        try:
            bucket.remove(id_)
        except SourceUnavailable as error:
            bucket.try_out()  # a store that is away is found out once, and not by waiting for each job
            log.warning("the job %s is kept, as its files in the bucket cannot be deleted: %s", id_, error)
        else:
            gone.append(id_)
    return gone


def _folders(folder: Path, before: float) -> list[str]:
    """Names of folders as those of jobs that nobody has written to since a moment."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if ID.fullmatch(entry.name) and _changed(entry) < before]
    except FileNotFoundError:  # there was no job yet
        return []
    except OSError as error:
        raise SourceUnavailable("the jobs folder cannot be read") from error


def _changed(entry: "os.DirEntry[str]") -> float:
    """When something was last made or removed in a folder; one that is gone by now was just changed."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf


def _some_at_once(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
