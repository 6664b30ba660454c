"""Where a server asks for jobs: the table of them, opened when it is first needed, and the folders of their files."""

import shutil
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from chronotile.errors import ChronotileError, ConfigurationError, SourceUnavailable
from chronotile.jobs.blocks import RESULTS, remove
from chronotile.jobs.job import ENDED, Execution, Job, Result

if TYPE_CHECKING:
    from chronotile.jobs.table import JobTable


class JobDesk:
    """Jobs of one server; any thread may ask.

    Args:
        folder: Of jobs; without one none are kept.
        database_url: As `open_engine` takes it.
        most_open: Jobs of one user that have not ended, at most.
    """

    def __init__(self, folder: Path | None, *, database_url: str | None = None, most_open: int = 1000) -> None:
        self._folder = folder
        self._database_url = database_url
        self._most_open = most_open
        self._lock = threading.Lock()
        self._table: JobTable | None = None

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

    def submit(self, execution: Execution, *, user: str | None = None) -> Job:
        """Accept a job.

        Raises:
            SourceUnavailable: No jobs can be kept.
            ServerBusy: This user has too many already.
        """
        return self.table.submit(execution, user=user, most_open=self._most_open)

    def keep(
        self, execution: Execution, results: Mapping[str, Result], made: Path, *, user: str | None = None
    ) -> tuple[Job, Path]:
        """Keep what was done at once as a job, and return it with the folder of its results.

        Args:
            execution: What was asked for.
            results: What came of it.
            made: The folder of their files, which is moved.
            user: Whose it is.

        Raises:
            SourceUnavailable: No jobs can be kept.
        """
        from chronotile.jobs.table import new_id  # noqa: PLC0415 -- SQLAlchemy only where there are jobs

        table, id_ = self.table, new_id()
        folder = self.results_folder(id_)
        folder.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(made, folder)
        return table.keep(id_, execution, results, user=user), folder

    def dismiss(self, id_: str) -> Job:
        """Cancel a job, or forget one that has ended, and remove its files; return it as it was left.

        Raises:
            UnknownPath: There is none of that id.
            SourceUnavailable: No jobs can be kept.
        """
        has_ended = self.table.job(id_).status in ENDED
        job = self.table.dismiss(id_)
        # Whoever does it finds its pieces gone, and stops.
        remove(self.results_folder(job.id).parent)
        if has_ended or job.status != "dismissed":  # which ended meanwhile
            self.table.forget([job.id])
        return job

    def results_folder(self, id_: str) -> Path:
        """Return the folder of the files of a job's results; `id_` is one of the table's.

        Raises:
            SourceUnavailable: No jobs can be kept.
        """
        return _needed(self._folder) / id_ / RESULTS

    def close(self) -> None:
        """Let go of the table."""
        with self._lock:
            if self._table is not None:
                self._table.close()
                self._table = None


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
