"""Folders of jobs: partial results, where results are, what is removed of them, and temporary ones."""

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

from chronotile.core.durable_files import Disk, make_private_folder
from chronotile.core.errors import SourceUnavailable
from chronotile.core.model.job import ID, Job, Result
from chronotile.jobs.queue.bucket import RESULT_GONE, Bucket
from chronotile.jobs.queue.faults import storing_results

if TYPE_CHECKING:
    from chronotile.jobs.queue.table import JobTable


log = logging.getLogger(__name__)

RESULTS = "results"


PARTIAL_RESULTS = "pieces"
"""In it each plan has a folder of its own: a process that was suspended may still do a task of an older plan."""


ASIDE = "pieces.gone."
"""Beginning of the names that partial results get which are to be removed."""


def make_folders(folder: Path) -> None:
    """Make the folders of a job."""
    for name in (PARTIAL_RESULTS, RESULTS):
        make_private_folder(folder / name)
    Disk().settle([folder.parent, folder, folder / PARTIAL_RESULTS])


def clear(folder: Path) -> None:
    """Remove all of a job but its results; tasks that are still being done see it and stop."""
    try:
        remove_partial_results(folder)
        for each in folder.glob("*"):
            if each.is_file():
                each.unlink(missing_ok=True)
    except OSError as error:
        log.warning("obsolete files of the job %s cannot be deleted: %s", folder.name, error)


def remove(folder: Path) -> bool:
    """Remove all of a job, results too; return whether all is gone. If not, the operator gets a log line."""
    try:
        _put_aside(folder)
        shutil.rmtree(folder)
    except FileNotFoundError:  # it had none, or another removes it now
        return not folder.exists()
    except OSError as error:
        log.warning("the files of the job %s cannot be deleted: %s", folder.name, error)
        return False
    return True


def remove_partial_results(folder: Path) -> None:
    """Remove the partial results of a job; tasks that are still being done find no place to write."""
    _put_aside(folder)
    for gone in folder.glob(f"{ASIDE}*"):
        shutil.rmtree(gone, ignore_errors=True)


def _put_aside(folder: Path) -> None:
    # Let tasks that are still being done find no place to write: they might while all is removed.
    with suppress(FileNotFoundError):
        (folder / PARTIAL_RESULTS).rename(folder / f"{ASIDE}{secrets.token_hex(4)}")


SAFE_NAME = re.compile(r"\w[\w.-]*", re.ASCII)


@dataclass(frozen=True)
class StoredFile:
    """An object of a bucket, whose existence is not checked."""

    bucket: Bucket
    key: str

    @cached_property
    def size(self) -> int:
        """In bytes."""
        return self.bucket.size(self.key)

    def iter_bytes(self) -> Iterator[bytes]:
        """Give all, at most a MiB at a time."""
        return self.bucket.iter_bytes(self.key)

    def read_bytes(self) -> bytes:
        """Return all of it."""
        return b"".join(self.iter_bytes())

    def sign_url(self, method: Literal["GET", "HEAD"]) -> str:
        """Return a URL that opens it for a while."""
        return self.bucket.sign_url(self.key, method)


@dataclass(frozen=True, slots=True)
class ResultFiles:
    """The files of the results of one job."""

    folder: Path
    """Where they are made, and stay if there is no bucket."""
    bucket: Bucket | None = None
    job: str = ""
    """Its id, below which they are in the bucket."""

    def file(self, name: str) -> Path | StoredFile:
        """Return one of them, whatever the table says of its name.

        Raises:
            SourceUnavailable: It is gone.
        """
        path = self.folder / name
        if SAFE_NAME.fullmatch(name):
            if path.is_file() and not path.is_symlink():
                return path
            if self.bucket is not None:
                return StoredFile(self.bucket, f"{self.job}/{name}")
        raise SourceUnavailable(RESULT_GONE)

    def place(self, name: str) -> str:
        """Return where one of them lies, for who runs the server."""
        path = self.folder / name
        return str(path) if self.bucket is None or path.exists() else f"{self.bucket.url}/{self.job}/{name}"

    def store(self, results: Mapping[str, Result], *, is_active: Callable[[], bool] = lambda: True) -> None:
        """Put those of results into the bucket, if there is one; done again it does no harm.

        Raises:
            ClientGone: The client left.
            SourceUnavailable: The bucket does not take them.
        """
        if self.bucket is not None:
            for result in results.values():
                if result.file is not None:
                    key = f"{self.job}/{result.file}"
                    self.bucket.put(key, self.folder / result.file, media_type=result.media_type, is_active=is_active)


# Folders for what is done while a client waits, which do not pile up where servers are killed.

PREFIX = "chronotile-executions-"
"""Of names of folders that are removed where no process holds them."""


@dataclass(frozen=True, slots=True)
class _LockedFolder:
    path: Path
    descriptor: int | None
    """Holds it; `None` on a disk without locks, where none is ever removed for another process."""


class TemporaryFolders:
    """Folders within one of this process, where temporary files are.

    The process holds that one by a lock, which the system takes back when the process ends, however it does; who
    begins removes those that no process holds.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._own: _LockedFolder | None = None

    def make(self) -> Path:
        """Return a new folder; the caller removes it.

        Raises:
            StorageFull: There is no room for it.
            SourceUnavailable: It cannot be made.
        """
        with storing_results(), self._lock:
            if self._own is None or not self._own.path.is_dir():  # others clean up there too
                for path in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
                    with suppress(OSError):  # held, another user's, or on a disk without locks
                        descriptor = _lock_folder(path)
                        shutil.rmtree(path, ignore_errors=True)
                        os.close(descriptor)
                self._let_go()
                self._own = _make_locked_folder()
            return Path(tempfile.mkdtemp(dir=self._own.path))

    def close(self) -> None:
        """Remove all of them."""
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
    """Remove a folder where what is done inside fails."""
    try:
        yield
    except BaseException:  # also where the process is being stopped
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _make_locked_folder() -> _LockedFolder:
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        try:
            return _LockedFolder(path, _lock_folder(path))
        except (BlockingIOError, FileNotFoundError):  # another took it for one that was left
            continue
        except OSError:
            return _LockedFolder(path, None)


def _lock_folder(path: Path) -> int:
    """Lock a folder until the descriptor is closed.

    Raises:
        BlockingIOError: Another holds it.
        FileNotFoundError: It was removed.
        OSError: It is not a folder of ours, or there are no locks.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.stat()  # or else it was removed before it was locked
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


# What is removed of jobs: those that no client wants any more, and those that ended long ago, with their files.

AT_ONCE = 500
"""Jobs deleted in one transaction, so that other writers do not wait long."""


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
    for ids in _some_at_once(table.list_ended_before(before)):
        count += forget(table, folder, ids if bucket is None else _remove_objects(bucket, ids))
    for ids in _some_at_once(_folders(folder, before)):
        for id_ in set(ids) - table.find_ids(ids):
            remove(folder / id_)
    return count


def _remove_objects(bucket: Bucket, ids: Sequence[str]) -> list[str]:
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
            return [entry.name for entry in entries if ID.fullmatch(entry.name) and _modification_time(entry) < before]
    except FileNotFoundError:  # there was no job yet
        return []
    except OSError as error:
        raise SourceUnavailable("the jobs folder cannot be read") from error


def _modification_time(entry: "os.DirEntry[str]") -> float:
    """When something was last made or removed in a folder; one that is gone by now was just changed."""
    try:
        return entry.stat(follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return math.inf


def _some_at_once(ids: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(ids), AT_ONCE):
        yield ids[start : start + AT_ONCE]
