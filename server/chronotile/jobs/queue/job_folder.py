"""Folders of jobs with partial results and results, temporary folders, and the removal of both."""

import fcntl
import logging
import math
import os
import re
import secrets
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from chronotile.core.durable_files import Disk
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.job import ID, Job, Result
from chronotile.core.private_files import make_private_folder
from chronotile.jobs.queue.bucket import RESULT_GONE, Bucket
from chronotile.jobs.queue.faults import storing_results

if TYPE_CHECKING:
    from chronotile.jobs.queue.table import JobTable


log = logging.getLogger(__name__)

RESULTS = "results"


PARTIAL_RESULTS = "pieces"
"""Contains one folder per plan: a suspended process may resume a task of an older plan."""


ASIDE = "pieces.gone."
"""Prefix of the names of partial results that are being removed."""


def make_folders(folder: Path) -> None:
    """Create the folders of a job."""
    for name in (PARTIAL_RESULTS, RESULTS):
        make_private_folder(folder / name)
    Disk().settle([folder.parent, folder, folder / PARTIAL_RESULTS])


def clear(folder: Path) -> None:
    """Remove all files of a job except its results; running tasks notice it and stop."""
    try:
        remove_partial_results(folder)
        for path in folder.glob("*"):
            if path.is_file():
                path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("obsolete files of the job %s cannot be deleted: %s", folder.name, error)


def remove(folder: Path) -> bool:
    """Remove the folder of a job; return whether it is removed. If not, the operator gets a log line."""
    try:
        _put_aside(folder)
        shutil.rmtree(folder)
    except FileNotFoundError:  # it never existed, or another process removes it now
        return not folder.exists()
    except OSError as error:
        log.warning("the files of the job %s cannot be deleted: %s", folder.name, error)
        return False
    return True


def remove_partial_results(folder: Path) -> None:
    """Remove the partial results of a job; running tasks then cannot write any more."""
    _put_aside(folder)
    for gone in folder.glob(f"{ASIDE}*"):
        shutil.rmtree(gone, ignore_errors=True)


def _put_aside(folder: Path) -> None:
    # Rename first: running tasks could write new files during the removal.
    with suppress(FileNotFoundError):
        (folder / PARTIAL_RESULTS).rename(folder / f"{ASIDE}{secrets.token_hex(4)}")


SAFE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class StoredFile:
    """An object of a bucket. Its existence is not checked."""

    bucket: Bucket
    key: str

    @cached_property
    def size(self) -> int:
        """Bytes."""
        return self.bucket.size(self.key)

    def iter_bytes(self) -> Iterator[bytes]:
        """Yield the content in pieces of at most 1 MiB."""
        return self.bucket.iter_bytes(self.key)

    def read_bytes(self) -> bytes:
        """Return the content."""
        return b"".join(self.iter_bytes())

    def sign_url(self, method: Literal["GET", "HEAD"]) -> str:
        """Return a URL that opens the object for some minutes."""
        return self.bucket.sign_url(self.key, method)


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The result files of one job."""

    folder: Path
    """Folder in which they are written; without a bucket they stay there."""
    bucket: Bucket | None = None
    job: str = ""
    """Id of the job, the prefix of its objects in the bucket."""

    def file(self, name: str) -> Path | StoredFile:
        """Return a file by its name. The name may come from a damaged table, so it is checked.

        Raises:
            SourceUnavailable: The file is missing.
        """
        path = self.folder / name
        if SAFE_NAME.fullmatch(name):
            if path.is_file() and not path.is_symlink():
                return path
            if self.bucket is not None:
                return StoredFile(self.bucket, f"{self.job}/{name}")
        raise SourceUnavailable(RESULT_GONE)

    def place(self, name: str) -> str:
        """Return the path or URL of a file for the operator."""
        path = self.folder / name
        return str(path) if self.bucket is None or path.exists() else f"{self.bucket.url}/{self.job}/{name}"

    def store(self, results: Mapping[str, Result], *, is_active: Callable[[], bool] = lambda: True) -> None:
        """Copy the files of results into the bucket, if one is configured. Repeating it does no harm.

        Raises:
            ClientGone: `is_active` returned `False`.
            SourceUnavailable: The bucket does not accept the files.
        """
        if self.bucket is not None:
            for result in results.values():
                if result.file is not None:
                    key = f"{self.job}/{result.file}"
                    self.bucket.put(key, self.folder / result.file, media_type=result.media_type, is_active=is_active)


# Temporary folders of synchronous executions. They do not accumulate, even if servers are killed.

PREFIX = "chronotile-executions-"
"""Prefix of folder names: such a folder is removed if no process holds its lock."""


@dataclass(frozen=True, slots=True)
class _LockedFolder:
    path: Path
    descriptor: int | None
    """Holds the lock; `None` on a disk without locks, whose folders no other process removes."""


class TemporaryFolders:
    """Temporary folders within one folder of this process.

    The process holds a lock on that folder. The operating system releases the lock when the process ends in any way. A
    process that starts removes the folders without a lock.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: _LockedFolder | None = None

    def make(self) -> Path:
        """Create a folder; the caller removes it.

        Raises:
            StorageFull: The disk is full.
            SourceUnavailable: The folder cannot be created.
        """
        with storing_results(), self._lock:
            if self._own is None or not self._own.path.is_dir():  # other programs remove temporary files too
                for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
                    with suppress(OSError):  # locked, owned by another user, or on a disk without locks
                        descriptor = _lock_folder(path)
                        shutil.rmtree(path, ignore_errors=True)
                        os.close(descriptor)
                self._let_go()
                self._own = _make_locked_folder()
            return Path(tempfile.mkdtemp(dir=self._own.path))

    def close(self) -> None:
        """Remove all folders."""
        with self._lock:
            self._let_go()

    def _let_go(self) -> None:
        if self._own is not None:
            shutil.rmtree(self._own.path, ignore_errors=True)
            if self._own.descriptor is not None:
                os.close(self._own.descriptor)
            self._own = None


@contextmanager
def remove_on_failure(folder: Path) -> Iterator[None]:
    """Remove a folder if the body raises an error."""
    try:
        yield
    except BaseException:  # including the stop of the process
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _make_locked_folder() -> _LockedFolder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            return _LockedFolder(path, _lock_folder(path))
        except (BlockingIOError, FileNotFoundError):  # another process took it for an abandoned folder
            continue
        except OSError:
            return _LockedFolder(path, None)


def _lock_folder(path: Path) -> int:
    """Lock a folder until the descriptor is closed.

    Raises:
        BlockingIOError: Another process holds the lock.
        FileNotFoundError: The folder was removed.
        OSError: It is not a folder of this user, or the disk has no locks.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()  # raises if the folder was removed before it was locked
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


# Removal of jobs that were cancelled or that ended long ago, with their files

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
        folder: See `remove_files`.
        before: Seconds since 1970, UTC.
        bucket: See `remove_files`.

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
            bucket.try_out()  # raises if the store is unreachable, so that not every job waits for its timeout
            log.warning("the job %s is kept, as its files in the bucket cannot be deleted: %s", id_, error)
        else:
            removed.append(id_)
    return removed


def _folders(folder: Path, before: float) -> list[str]:
    """Names of job folders that were last modified before a time."""
    try:
        with os.scandir(folder) as entries:
            return [entry.name for entry in entries if ID.fullmatch(entry.name) and _modification_time(entry) < before]
    except FileNotFoundError:  # no job was ever accepted
        return []
    except OSError as error:
        raise SourceUnavailable("the jobs folder cannot be read") from error


def _modification_time(entry: "os.DirEntry[str]") -> float:
    """Time of the last change in a folder; a folder that was just removed counts as changed now."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf


def _some_at_once(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
