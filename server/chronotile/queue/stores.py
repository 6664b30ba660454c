"""Where the jobs of an archive are: their table and the folder of their files, and those that were stored before."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Unpack

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from chronotile.errors import ChronotileError, UnknownPath
from chronotile.model.job import Job, Selection
from chronotile.private_files import make_private
from chronotile.queue.database import FILE, open_engine
from chronotile.queue.faults import no_job
from chronotile.queue.table import MOST_LISTED, JobTable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStore:
    """Jobs of one archive, or those that were stored before jobs had one."""

    engine: Engine
    table: JobTable
    folder: Path
    """With a folder for the files of each job, by its id."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStores:
    """All jobs that belong to an archive."""

    own: JobStore
    before: JobStore | None = None
    """Those that were stored before jobs had an archive, if any are left: each archive shows them, none does them."""

    def __iter__(self) -> Iterator[JobStore]:
        """Iterate over both."""
        return iter((self.own,) if self.before is None else (self.own, self.before))

    def find(self, id_: str) -> tuple[JobStore, Job]:
        """Return a job, and where it is.

        Raises:
            UnknownPath: There is not one of that id, or it is of another archive.
        """
        for store in self:
            try:
                return store, store.table.job(id_)
            except UnknownPath:
                continue
        raise no_job(id_)

    def of(self, job: Job) -> JobStore:
        """Return where a job is that was found."""
        return self.before if self.before is not None and job.archive is None else self.own

    def jobs(self, *, users: Sequence[str | None] = (), **selection: Unpack[Selection]) -> tuple[tuple[Job, ...], int]:
        """Return jobs, the newest first, and how many there are; those that were stored before come last.

        Args:
            users: As `JobTable.jobs` takes them.
            **selection: As `JobTable.jobs` takes it.
        """
        jobs, count = self.own.table.jobs(users=users, **selection)
        if self.before is None:
            return jobs, count
        limit, offset = selection.get("limit", MOST_LISTED), selection.get("offset", 0)
        rest: Selection = {**selection, "limit": limit - len(jobs), "offset": max(0, offset - count)}
        older, older_count = self.before.table.jobs(users=users, **rest)
        return (*jobs, *older), count + older_count

    def close(self) -> None:
        """Let go of the databases."""
        for store in self:
            store.table.close()


def open_stores(url: str | None, folder: Path, *, archive: str, before: Path | None = None) -> JobStores:
    """Return the jobs of an archive; tables are made, or migrated.

    Args:
        url: As `open_engine` takes it.
        folder: Of the jobs.
        archive: Its id.
        before: Folder of the jobs that were stored before they had an archive; the same one by default.

    Raises:
        ConfigurationError: As `open_engine`, or the table is of a newer chronotile.
        SourceUnavailable: The database is out of reach or damaged.
        StorageFull: There is no room.
    """
    engine = open_engine(url, folder)
    make_private(folder)
    own = JobStore(engine=engine, table=JobTable(engine, archive=archive), folder=folder)
    try:
        return JobStores(own=own, before=_stored_before(own, url, before or folder))
    except (ChronotileError, SQLAlchemyError) as error:
        log.warning("jobs that were stored before jobs had an archive cannot be shown: %s", error)
        return JobStores(own=own)


def _stored_before(own: JobStore, url: str | None, folder: Path) -> JobStore | None:
    if url is not None or folder == own.folder:
        engine = own.engine
    elif (folder / FILE).exists():
        engine = open_engine(None, folder)
    else:
        return None
    count = 0
    try:
        table = JobTable(engine, archive=None)
        _jobs, count = table.jobs(limit=1)
    finally:
        if engine is not own.engine and not count:
            engine.dispose()
    if not count:
        return None
    log.info("%d jobs that were stored before jobs had an archive are shown, and not run", count)
    return JobStore(engine=engine, table=table, folder=folder)
