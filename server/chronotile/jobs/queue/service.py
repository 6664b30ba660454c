"""Jobs as seen by a server: the job table, opened at the first use, and the folders of files."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from chronotile.core.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError, SourceUnavailable
from chronotile.core.model.job import Execution, Job, JobDetails, JobSelection, Result, Subscriber
from chronotile.core.private_files import make_private_folder
from chronotile.jobs.queue.faults import no_job, storing_results
from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles
from chronotile.jobs.queue.removal import forget, remove_files
from chronotile.jobs.queue.result_bucket import Bucket
from chronotile.jobs.queue.temporary_folders import TemporaryFolders

if TYPE_CHECKING:
    from chronotile.jobs.queue.shares import JobShares
    from chronotile.jobs.queue.store import JobStore
    from chronotile.jobs.queue.table import JobTable


class JobService:
    """Jobs of one archive. A user sees only their jobs. Thread-safe.

    `job`, `jobs` and `shared_job` filter by owner or link. All other methods take a job that these returned. The user
    `None` stands for all anonymous clients.

    Args:
        folder: Folder of all jobs; without it the server accepts no jobs.
        archive: Id of the served archive.
        database_url: See `open_engine`.
        max_open: Limit of unfinished jobs per client; ten times as many for all clients of a user together.
        bucket: Bucket of result files; `None` if they stay in the folder.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        archive: str,
        database_url: str | None = None,
        max_open: int = 1000,
        bucket: Bucket | None = None,
    ) -> None:
        self._folder = folder
        self._archive = archive
        self._database_url = database_url
        self.max_open = max_open
        self._bucket = bucket
        self._lock = threading.Lock()
        self._store: JobStore | None = None
        self._temporary = TemporaryFolders()

    @property
    def takes_jobs(self) -> bool:
        """Whether this server accepts jobs."""
        return self._folder is not None

    @property
    def store(self) -> "JobStore":
        """Jobs with their folder and links.

        Raises:
            SourceUnavailable: The table cannot be opened; the next request tries again.
        """
        with self._lock:
            if self._store is None:
                self._store = _open_store(self._database_url, _require_folder(self._folder), archive=self._archive)
            return self._store

    @property
    def table(self) -> "JobTable":
        """Job table of the served archive.

        Raises:
            SourceUnavailable: The table cannot be opened; the next request tries again.
        """
        return self.store.table

    def is_database_up(self) -> bool:
        """Return whether PostgreSQL answers, after at most the timeout of a connection; True for SQLite."""
        try:
            if self._database_url is not None:
                self.table.heartbeat.has_workers()
        except ChronotileError:
            return False
        return True

    def job(self, id_: str, *, user: str | None) -> Job:
        """Return a job.

        Raises:
            UnknownPath: No job of this user and archive has that id.
            SourceUnavailable: This server cannot store jobs.
        """
        job = self.table.job(id_)
        if job.user != user:
            raise no_job(id_)
        return self._mark_unattended(job)

    def jobs(self, *, user: str | None, **selection: Unpack[JobSelection]) -> tuple[tuple[Job, ...], int]:
        """Return jobs of a user, the newest first, and the number of all matching jobs.

        Args:
            user: Name of the owner; `None` for anonymous clients.
            **selection: See `JobTable.jobs`.

        Raises:
            SourceUnavailable: This server cannot store jobs.
        """
        jobs, count = self.table.jobs(users=[user], **selection)
        return self.table.heartbeat.mark_unattended(jobs), count

    @property
    def shares(self) -> "JobShares":
        """Links to jobs; raises like `store`."""
        return self.store.shares

    def shared_job(self, id_: str, digest: bytes) -> tuple[Job, frozenset[str]]:
        """Return the job of a link, with the subjects of its owner at the time when the link was made.

        Raises:
            UnknownPath: The link does not lead to this job, or has expired.
            SourceUnavailable: This server cannot store jobs.
        """
        subjects = self.shares.subjects(id_, digest)
        if subjects is None:
            raise no_job(id_)
        return self._mark_unattended(self.table.job(id_)), subjects

    def execution_without_inputs(self, job: Job) -> Execution:
        """Return the request of a job without its inputs.

        Raises:
            UnknownPath: The job was deleted.
        """
        return self.table.execution_without_inputs(job.id)

    def details(self, job: Job, *, most: int) -> JobDetails:
        """Return inputs and log of a job for display, with at most `most` characters of inputs.

        Raises:
            UnknownPath: The job was deleted.
        """
        table = self.table
        return JobDetails(inputs=table.inputs(job.id, most=most), log=table.log(job.id))

    def submit(
        self,
        execution: Execution,
        *,
        user: str | None,
        subscriber: Subscriber | None = None,
        revision: str | None = None,
        client: str | None = None,
    ) -> Job:
        """Accept a job.

        Args:
            execution: Process to run, with its inputs.
            user: Name of the owner; `None` for anonymous clients.
            subscriber: Addresses to notify of its progress.
            revision: Current revision of the data that it reads; `None` if it reads no layer.
            client: IP address that sent the request.

        Raises:
            SourceUnavailable: This server cannot store jobs.
            ServerBusy: The limit of unfinished jobs of this client or user is reached.
        """
        job = self.table.submit(
            execution, user=user, max_open=self.max_open, subscriber=subscriber, revision=revision, client=client
        )
        try:
            return self._mark_unattended(job)
        except SourceUnavailable:  # the job is in the table, even if the database is unreachable now
            return job

    def store_execution(
        self,
        execution: Execution,
        results: Mapping[str, Result],
        made: Path,
        *,
        user: str | None,
        revision: str | None = None,
    ) -> tuple[Job, ResultFiles]:
        """Store a synchronous execution as a job; return the job and its result files.

        Args:
            execution: Process that ran, with its inputs.
            results: Results by output name.
            made: Folder of the result files, which is moved or removed.
            user: Name of the owner; `None` for anonymous clients.
            revision: Revision of the data that was read; `None` if no layer was read.

        Raises:
            SourceUnavailable: This server cannot store jobs, or the bucket is unreachable.
            StorageFull: The disk is full.
        """
        from chronotile.jobs.queue.table import new_id  # noqa: PLC0415 -- SQLAlchemy only where there are jobs

        table, id_ = self.table, new_id()
        files = self._files(_require_folder(self._folder), id_)
        try:
            if self._bucket is None:
                with storing_results():
                    make_private_folder(files.folder.parent)
                    shutil.move(made, files.folder)
            else:
                ResultFiles(made, self._bucket, id_).store(results)
                shutil.rmtree(made, ignore_errors=True)
            return table.add_finished(id_, execution, results, user=user, revision=revision), files
        except BaseException:  # in any case: the files are useless without a row in the table
            remove_files(_require_folder(self._folder), id_, bucket=self._bucket)
            raise

    def cancel(self, job: Job) -> Job:
        """Cancel a job unless it has ended, and return it. The caller calls `remove_files`.

        Raises:
            UnknownPath: The job was deleted.
        """
        return self.table.dismiss(job.id)

    def remove_files(self, job: Job) -> None:
        """Remove the files of a cancelled job. The deletion of the job tries again to remove the remaining files."""
        if job.started is not None:  # a job that never started has no files
            remove_files(self.store.folder, job.id, bucket=self._bucket)

    def forget(self, job: Job) -> None:
        """Delete a job that has ended, with its files.

        Raises:
            SourceUnavailable: Its files cannot be removed; the job stays.
        """
        if self._bucket is not None and job.started is not None:
            self._bucket.remove(job.id)
        store = self.store
        if not forget(store.table, store.folder, [job.id]):
            raise SourceUnavailable(f"files of the job cannot be deleted now; {LOG_SAYS_WHY}")

    def make_folder(self) -> Path:
        """Create a folder for files of a synchronous execution; the caller removes it, or `store_execution` moves it.

        Raises:
            StorageFull: The disk is full.
            SourceUnavailable: The folder cannot be created.
        """
        return self._temporary.make()

    def result_files(self, job: Job) -> ResultFiles:
        """Return the result files of a job."""
        return self._files(self.store.folder, job.id)

    def close(self) -> None:
        """Close the table and remove temporary folders."""
        self._temporary.close()
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _files(self, folder: Path, id_: str) -> ResultFiles:
        return ResultFiles(folder / id_ / RESULTS, self._bucket, id_)

    def _mark_unattended(self, job: Job) -> Job:
        # The message of an unfinished job mentions it if no worker is running.
        [marked] = self.table.heartbeat.mark_unattended([job])
        return marked


def _require_folder(folder: Path | None) -> Path:
    if folder is None:
        raise SourceUnavailable("this server does not run jobs; leave respond-async out to wait for small results")
    return folder


def _open_store(url: str | None, folder: Path, *, archive: str) -> "JobStore":
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 -- only where there are jobs

    from chronotile.jobs.queue.store import open_store  # noqa: PLC0415 -- as above

    try:
        make_private_folder(folder)
        return open_store(url, folder, archive=archive)
    except OSError as error:
        raise SourceUnavailable("no jobs can be stored now: their folder cannot be written") from error
    except ConfigurationError as error:
        raise SourceUnavailable("no jobs can be stored: their table is not configured correctly") from error
    except (SQLAlchemyError, ChronotileError) as error:
        raise SourceUnavailable("no jobs can be stored now: their table cannot be opened") from error
