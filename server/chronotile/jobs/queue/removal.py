"""Removal of jobs that were cancelled or that ended long ago, with their files."""

import logging
import math
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.job import JOB_ID, Job
from chronotile.jobs.queue.job_folder import remove
from chronotile.jobs.queue.result_bucket import Bucket

if TYPE_CHECKING:
    from chronotile.jobs.queue.table import JobTable

log = logging.getLogger(__name__)
AT_ONCE = 500
"""Jobs deleted in one transaction, so that other writers do not wait long."""


def remove_files(folder: Path, id_: str, *, bucket: Bucket | None) -> None:
    """Remove the files of a job. The deletion of the job tries again to remove the remaining files.

    Args:
        folder: Folder of all jobs, with one folder per job id.
        id_: Id of the job.
        bucket: Bucket of result files; `None` if they stay in the folder.
    """
    remove(folder / id_)
    if bucket is not None:
        try:
            bucket.remove(id_)
        except SourceUnavailable as error:
            log.warning("the files of the job %s in the bucket are kept for now: %s", id_, error)


def cancel(table: "JobTable", folder: Path, id_: str, *, bucket: Bucket | None = None) -> Job:
    """Cancel a job that has not ended, remove its files, and return the job.

    The worker of the job notices that its partial results are missing, and stops.

    Args:
        table: Table of the jobs.
        folder: See `remove_files`.
        id_: Id of the job.
        bucket: See `remove_files`.

    Raises:
        UnknownPath: No job has that id.
        SourceUnavailable: The table is unreachable.
    """
    job = table.dismiss(id_)
    if job.status == "dismissed":
        remove_files(folder, job.id, bucket=bucket)
    return job


def forget(table: "JobTable", folder: Path, ids: Sequence[str]) -> int:
    """Delete jobs that have ended, with their folders; return the number of deleted jobs.

    Files are removed before their job, so an interrupted deletion is repeated the next time. The caller has removed
    objects in a bucket. A job whose folder cannot be removed stays, and the operator gets a log line.

    Args:
        table: Table of the jobs.
        folder: See `remove_files`.
        ids: Ids of the jobs.

    Raises:
        SourceUnavailable: The table is unreachable.
    """
    without_files = [id_ for id_ in ids if remove(folder / id_)]
    table.forget(without_files)
    return len(without_files)


def forget_ended(table: "JobTable", folder: Path, *, before: float, bucket: Bucket | None = None) -> int:
    """Delete jobs that ended before a time, and orphaned folders of the same age; return the number of jobs.

    A folder is orphaned if a server was killed after it moved files there and before it wrote the job into the table.
    A job whose files cannot be removed stays, and a line is logged.

    Args:
        table: Table of the jobs.
        folder: Folder of all jobs, with one folder per job id.
        before: Seconds since 1970, UTC.
        bucket: Bucket of result files; `None` if they stay in the folder.

    Raises:
        SourceUnavailable: The table, the folder or the bucket is unreachable.
    """
    count = 0
    for ids in _some_at_once(table.list_ended_before(before)):
        count += forget(table, folder, ids if bucket is None else _remove_objects(bucket, ids))
    for ids in _some_at_once(_folders(folder, before)):
        for id_ in set(ids) - table.find_ids(ids):
            remove(folder / id_)
    return count


def _remove_objects(bucket: Bucket, ids: Sequence[str]) -> list[str]:
    """Remove the objects of jobs and return the ids of jobs whose objects are removed."""
    removed = []
    for id_ in ids:
        try:
            bucket.remove(id_)
        except SourceUnavailable as error:
            # Raises if the bucket is unreachable: otherwise each remaining job would wait for the timeout.
            bucket.try_out()
            log.warning("the job %s is kept, as its files in the bucket cannot be deleted: %s", id_, error)
        else:
            removed.append(id_)
    return removed


def _folders(folder: Path, before: float) -> list[str]:
    """Return the names of job folders that were last modified before a time."""
    try:
        with os.scandir(folder) as entries:
            return [
                entry.name for entry in entries if JOB_ID.fullmatch(entry.name) and _modification_time(entry) < before
            ]
    except FileNotFoundError:  # no job was ever accepted
        return []
    except OSError as error:
        raise SourceUnavailable("the jobs folder cannot be read") from error


def _modification_time(entry: "os.DirEntry[str]") -> float:
    """Return the time of the last change in a folder; a folder that was just removed counts as changed now."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf


def _some_at_once(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
