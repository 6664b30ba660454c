"""The jobs of one archive: table, folder and links."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine

from chronotile.core.database import close_on_error
from chronotile.core.private_files import make_private
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.shares import JobShares
from chronotile.jobs.queue.table import JobTable


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStore:
    """Jobs of one archive, with their folder and links."""

    engine: Engine
    table: JobTable
    folder: Path
    """Folder with one folder per job, named by its id."""
    shares: JobShares

    def close(self) -> None:
        """Close the database."""
        self.table.close()


def open_store(url: str | None, folder: Path, *, archive: str) -> JobStore:
    """Open the jobs of an archive; missing tables are created.

    Args:
        url: See `open_engine`.
        folder: Folder of all jobs.
        archive: Id of the archive.

    Raises:
        ConfigurationError: See `open_engine`, or the tables have the version of another chronotile.
        SourceUnavailable: The database is unreachable or damaged.
        StorageFull: The disk is full.
    """
    engine = open_engine(url, folder)
    with close_on_error(engine):
        make_private(folder)
        return JobStore(engine=engine, table=JobTable(engine, archive=archive), folder=folder, shares=JobShares(engine))
