"""Where a server requests jobs: the table of them, opened when it is first needed, and the folders of their files."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from chronotile.core.durable_files import make_private_folder
from chronotile.core.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError, SourceUnavailable
from chronotile.core.model.job import Execution, Job, JobDetails, JobSelection, Result, Subscriber
from chronotile.jobs.queue.bucket import Bucket
from chronotile.jobs.queue.faults import no_job, storing_results
from chronotile.jobs.queue.job_folder import RESULTS, ResultFiles, TemporaryFolders, forget, remove_files

if TYPE_CHECKING:
    from chronotile.jobs.queue.shares import JobShares
    from chronotile.jobs.queue.table import JobStore, JobTable


class JobService:
    """Jobs of one archive, of which each user sees their own alone; any thread may ask.

    Jobs are found by `job` and `jobs`, which filter by owner; all else takes a job that was found. The user
    `None` are all those who did not say who they are.

    Args:
        folder: Of jobs; without one none are stored.
        archive: Id of the archive that is served.
        database_url: As `open_engine` takes it.
        max_open: Jobs of one client that have not ended, at most; ten times as many of all clients together.
        bucket: Of the files of results; otherwise they stay in the folder.
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
        """Whether jobs can be requested at all."""
        return self._folder is not None

    @property
    def store(self) -> "JobStore":
        """Where jobs are.

        Raises:
            SourceUnavailable: Their table cannot be opened; the next request tries again.
        """
        with self._lock:
            if self._store is None:
                self._store = _open_store(self._database_url, _require_folder(self._folder), archive=self._archive)
            return self._store

    @property
    def table(self) -> "JobTable":
        """The table of the archive's own jobs.

        Raises:
            SourceUnavailable: It cannot be opened; the next request tries again.
        """
        return self.store.table

    def job(self, id_: str, *, user: str | None) -> Job:
        """Return a job.

        Raises:
            UnknownPath: There is not one of that id, or it is another's, or of another archive.
            SourceUnavailable: No jobs can be stored.
        """
        job = self.table.job(id_)
        if job.user != user:
            raise no_job(id_)
        return self._mark_unattended(job)

    def jobs(self, *, user: str | None, **selection: Unpack[JobSelection]) -> tuple[tuple[Job, ...], int]:
        """Return jobs of a user, the newest first, and how many there are.

        Args:
            user: Whose.
            **selection: As `JobTable.jobs` takes it.

        Raises:
            SourceUnavailable: No jobs can be stored.
        """
        jobs, count = self.table.jobs(users=[user], **selection)
        return self.table.heartbeat.mark_unattended(jobs), count

    @property
    def shares(self) -> "JobShares":
        """The links to jobs; raises as `store`."""
        return self.store.shares

    def shared_job(self, id_: str, digest: bytes) -> tuple[Job, frozenset[str]]:
        """Return a job to which a link leads, with the subjects that its owner was when making the link.

        Raises:
            UnknownPath: No link with that secret leads to a job of that id now.
            SourceUnavailable: No jobs can be stored.
        """
        subjects = self.shares.subjects(id_, digest)
        if subjects is None:
            raise no_job(id_)
        return self._mark_unattended(self.table.job(id_)), subjects

    def execution_without_inputs(self, job: Job) -> Execution:
        """Return the execution that a job is for, without its inputs.

        Raises:
            UnknownPath: The job was forgotten.
        """
        return self.table.execution_without_inputs(job.id)

    def details(self, job: Job, *, most: int) -> JobDetails:
        """Return what people want to see of a job, with so many characters of its inputs at most.

        Raises:
            UnknownPath: The job was forgotten.
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
            execution: The process to run, with its inputs.
            user: Whose it is.
            subscriber: Addresses to notify of its progress, if any.
            revision: The current revision of the data that it reads.
            client: The address that the request comes from.

        Raises:
            SourceUnavailable: No jobs can be stored.
            ServerBusy: This client has too many already, or all together have.
        """
        job = self.table.submit(
            execution, user=user, max_open=self.max_open, subscriber=subscriber, revision=revision, client=client
        )
        try:
            return self._mark_unattended(job)
        except SourceUnavailable:  # the job is accepted, whatever has become of the database since
            return job

    def keep(
        self,
        execution: Execution,
        results: Mapping[str, Result],
        made: Path,
        *,
        user: str | None,
        revision: str | None = None,
    ) -> tuple[Job, ResultFiles]:
        """Keep what was done at once as a job, and return it with the files of its results.

        Args:
            execution: The process to run, with its inputs.
            results: What came of it.
            made: The folder of their files, which is moved or removed.
            user: Whose it is.
            revision: Of what it has read.

        Raises:
            SourceUnavailable: No jobs can be stored, or the bucket is out of reach.
            StorageFull: There is no room for them.
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
            return table.keep(id_, execution, results, user=user, revision=revision), files
        except BaseException:  # whatever it is: no row of the table leads to the files
            remove_files(_require_folder(self._folder), id_, bucket=self._bucket)
            raise

    def cancel(self, job: Job) -> Job:
        """Cancel a job unless it has ended, and return it as it is then; its files are for `remove_files`.

        Raises:
            UnknownPath: The job was forgotten.
        """
        return self.table.dismiss(job.id)

    def remove_files(self, job: Job) -> None:
        """Remove the files of a job that was cancelled; what cannot be removed now is when it is forgotten."""
        if job.started is not None:  # or else nobody has made any
            remove_files(self.store.folder, job.id, bucket=self._bucket)

    def forget(self, job: Job) -> None:
        """Forget a job that has ended, with its files.

        Raises:
            SourceUnavailable: Its files cannot be removed, and it stays.
        """
        if self._bucket is not None and job.started is not None:
            self._bucket.remove(job.id)
        store = self.store
        if not forget(store.table, store.folder, [job.id]):
            raise SourceUnavailable(f"files of the job cannot be deleted now; {LOG_SAYS_WHY}")

    def make_folder(self) -> Path:
        """Return a new folder for files of a synchronous execution; the caller removes it, or `keep` moves it.

        Raises:
            StorageFull: There is no room for it.
            SourceUnavailable: It cannot be made.
        """
        return self._temporary.make()

    def result_files(self, job: Job) -> ResultFiles:
        """Return the files of the results of a job that was found."""
        return self._files(self.store.folder, job.id)

    def close(self) -> None:
        """Let go of the table, and remove what is temporary."""
        self._temporary.close()
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _files(self, folder: Path, id_: str) -> ResultFiles:
        return ResultFiles(folder / id_ / RESULTS, self._bucket, id_)

    def _mark_unattended(self, job: Job) -> Job:
        # A job whose message also says if no worker is there.
        [marked] = self.table.heartbeat.mark_unattended([job])
        return marked


def _require_folder(folder: Path | None) -> Path:
    if folder is None:
        raise SourceUnavailable("this server does not run jobs; leave respond-async out to wait for small results")
    return folder


def _open_store(url: str | None, folder: Path, *, archive: str) -> "JobStore":
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 -- only where there are jobs

    from chronotile.jobs.queue.table import open_store  # noqa: PLC0415 -- as above

    try:
        make_private_folder(folder)
        return open_store(url, folder, archive=archive)
    except OSError as error:
        raise SourceUnavailable("no jobs can be stored now: their folder cannot be written") from error
    except ConfigurationError as error:
        raise SourceUnavailable("no jobs can be stored: their table is not configured correctly") from error
    except (SQLAlchemyError, ChronotileError) as error:
        raise SourceUnavailable("no jobs can be stored now: their table cannot be opened") from error
