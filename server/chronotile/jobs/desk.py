"""Where a server asks for jobs: the table of them, opened when it is first needed, and the folders of their files."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Unpack

from chronotile.errors import LOG_SAYS_WHY, ChronotileError, ConfigurationError, SourceUnavailable
from chronotile.jobs.blocks import RESULTS
from chronotile.jobs.bucket import Bucket
from chronotile.jobs.faults import no_job, storing_results
from chronotile.jobs.job import Execution, Job, JobDetails, Result, Selection, Subscriber
from chronotile.jobs.result_files import ResultFiles
from chronotile.jobs.retention import forget, remove_files
from chronotile.jobs.temporary import TemporaryFolders

if TYPE_CHECKING:
    from chronotile.jobs.table import JobTable


class JobDesk:
    """Jobs of one server, of which each user sees their own alone; any thread may ask.

    Jobs are found by `job` and `jobs`, which ask for whom; all else is asked about a job that was found. The user
    `None` are all those who did not say who they are.

    Args:
        folder: Of jobs; without one none are kept.
        database_url: As `open_engine` takes it.
        most_open: Jobs of one user that have not ended, at most.
        bucket: Of the files of results; otherwise they stay in the folder.
    """

    def __init__(
        self,
        folder: Path | None,
        *,
        database_url: str | None = None,
        most_open: int = 1000,
        bucket: Bucket | None = None,
    ) -> None:
        self._folder = folder
        self._database_url = database_url
        self._most_open = most_open
        self._bucket = bucket
        self._lock = threading.Lock()
        self._table: JobTable | None = None
        self._temporary = TemporaryFolders()

    @property
    def table(self) -> "JobTable":
        """The table of jobs.

        Raises:
            SourceUnavailable: It cannot be opened; the next one who asks tries again.
        """
        with self._lock:
            if self._table is None:
                self._table = _opened(self._folder, self._database_url)
            return self._table

    def job(self, id_: str, *, user: str | None) -> Job:
        """Return a job.

        Raises:
            UnknownPath: There is none of that id, or it is another's.
            SourceUnavailable: No jobs can be kept.
        """
        job = self.table.job(id_)
        if job.user != user:
            raise no_job(id_)
        return self._told(job)

    def jobs(self, *, user: str | None, **selection: Unpack[Selection]) -> tuple[tuple[Job, ...], int]:
        """Return jobs of a user, the newest first, and how many there are.

        Args:
            user: Whose.
            **selection: As `JobTable.jobs` takes it.

        Raises:
            SourceUnavailable: No jobs can be kept.
        """
        jobs, count = self.table.jobs(users=[user], **selection)
        return self.table.attendance.told(jobs), count

    def wanted(self, job: Job) -> Execution:
        """Return what was asked for, without its inputs.

        Raises:
            UnknownPath: The job was forgotten.
        """
        return self.table.wanted(job.id)

    def details(self, job: Job, *, most: int) -> JobDetails:
        """Return what people want to see of a job, with so many characters of its inputs at most.

        Raises:
            UnknownPath: The job was forgotten.
        """
        return JobDetails(inputs=self.table.inputs(job.id, most=most), log=self.table.log(job.id))

    def submit(self, execution: Execution, *, user: str | None, subscriber: Subscriber | None = None) -> Job:
        """Accept a job.

        Args:
            execution: What is asked for.
            user: Whose it is.
            subscriber: Who hears how it goes on, if anybody.

        Raises:
            SourceUnavailable: No jobs can be kept.
            ServerBusy: This user has too many already.
        """
        job = self.table.submit(execution, user=user, most_open=self._most_open, subscriber=subscriber)
        try:
            return self._told(job)
        except SourceUnavailable:  # the job is accepted, whatever has become of the database since
            return job

    def keep(
        self, execution: Execution, results: Mapping[str, Result], made: Path, *, user: str | None
    ) -> tuple[Job, ResultFiles]:
        """Keep what was done at once as a job, and return it with the files of its results.

        Args:
            execution: What was asked for.
            results: What came of it.
            made: The folder of their files, which is moved or removed.
            user: Whose it is.

        Raises:
            SourceUnavailable: No jobs can be kept, or the bucket is out of reach.
            StorageFull: There is no room for them.
        """
        from chronotile.jobs.table import new_id  # noqa: PLC0415 -- SQLAlchemy only where there are jobs

        table, id_ = self.table, new_id()
        files = self.result_files(id_)
        try:
            if self._bucket is None:
                with storing_results():
                    files.folder.parent.mkdir(parents=True, exist_ok=True)
                    shutil.move(made, files.folder)
            else:
                ResultFiles(made, self._bucket, id_).store(results)
                shutil.rmtree(made, ignore_errors=True)
            return table.keep(id_, execution, results, user=user), files
        except BaseException:
            remove_files(_needed(self._folder), id_, bucket=self._bucket)
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
            remove_files(_needed(self._folder), job.id, bucket=self._bucket)

    def forget(self, job: Job) -> None:
        """Forget a job that has ended, with its files.

        Raises:
            SourceUnavailable: Its files cannot be removed, and it is kept.
        """
        if self._bucket is not None and job.started is not None:
            self._bucket.remove(job.id)
        if not forget(self.table, _needed(self._folder), [job.id]):
            raise SourceUnavailable(f"files of the job cannot be removed now; {LOG_SAYS_WHY}")

    def make_folder(self) -> Path:
        """Return a new folder for files of what is done at once; whoever asked for it removes it, or `keep` moves it.

        Raises:
            StorageFull: There is no room for it.
            SourceUnavailable: It cannot be made.
        """
        return self._temporary.make()

    def result_files(self, id_: str) -> ResultFiles:
        """Return the files of a job's results; `id_` is one of the table's.

        Raises:
            SourceUnavailable: No jobs can be kept.
        """
        return ResultFiles(self.results_folder(id_), self._bucket, id_)

    def results_folder(self, id_: str) -> Path:
        """Return the folder of the files of a job's results; `id_` is one of the table's.

        Raises:
            SourceUnavailable: No jobs can be kept.
        """
        return _needed(self._folder) / id_ / RESULTS

    def close(self) -> None:
        """Let go of the table, and remove what is temporary."""
        self._temporary.close()
        with self._lock:
            if self._table is not None:
                self._table.close()
                self._table = None

    def _told(self, job: Job) -> Job:
        """A job whose message tells too if no worker is there."""
        [told] = self.table.attendance.told([job])
        return told


def _needed(folder: Path | None) -> Path:
    if folder is None:
        raise SourceUnavailable("this server keeps no jobs; leave respond-async out to wait for what takes little")
    return folder


def _opened(folder: Path | None, url: str | None) -> "JobTable":
    from sqlalchemy.exc import SQLAlchemyError  # noqa: PLC0415 -- only where there are jobs

    from chronotile.jobs.engine import open_engine  # noqa: PLC0415
    from chronotile.jobs.table import JobTable  # noqa: PLC0415

    place = _needed(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        return JobTable(open_engine(url, place))
    except OSError as error:
        raise SourceUnavailable("no jobs can be kept now: their folder cannot be written") from error
    except ConfigurationError as error:
        raise SourceUnavailable("no jobs can be kept: their table is not configured as it must be") from error
    except (SQLAlchemyError, ChronotileError) as error:
        raise SourceUnavailable("no jobs can be kept now: their table cannot be opened") from error
