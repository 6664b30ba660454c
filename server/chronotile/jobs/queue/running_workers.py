"""Heartbeats of workers: without a running worker, jobs wait until an operator starts one."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy import Connection, Engine, delete, insert, or_, select

from chronotile.core.database import database_time
from chronotile.core.model.job import ENDED, Job
from chronotile.jobs.queue.database import read_transaction, write_transaction
from chronotile.jobs.queue.schema import WORKERS

GONE_S = 30.0
"""Time without a heartbeat after which a worker counts as ended."""


class Heartbeat:
    """Running workers of an archive; several processes may use it concurrently.

    Args:
        engine: Engine of the job table.
        archive: Id of the archive: workers of other archives do not run its jobs.
        clock: Seconds since 1970, as in `JobTable`.

    Raises:
        SourceUnavailable: The database is unreachable, damaged or locked for too long; also in each method.
        StorageFull: The disk is full; also in each method that writes.
    """

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        self._engine = engine
        self._archive = archive
        self._clock = clock

    def report_alive(self, worker: str) -> None:
        """Register a worker for `GONE_S` seconds, and delete workers whose time is over."""
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            connection.execute(delete(WORKERS).where(or_(WORKERS.c.id == worker, WORKERS.c.seen < now - GONE_S)))
            connection.execute(insert(WORKERS).values(id=worker, archive=self._archive, seen=now))

    def report_end(self, worker: str) -> None:
        """Remove a worker that ends."""
        with write_transaction(self._engine) as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))

    def has_workers(self) -> bool:
        """Return whether a worker of the archive is running."""
        with read_transaction(self._engine) as connection:
            is_here = WORKERS.c.archive == self._archive, WORKERS.c.seen >= self._clock(connection) - GONE_S
            return connection.scalar(select(WORKERS.c.id).where(*is_here).limit(1)) is not None

    def mark_unattended(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Return jobs; if no worker is running, the messages of unfinished jobs mention it."""
        listed = tuple(jobs)
        if all(job.status in ENDED for job in listed) or self.has_workers():
            return listed
        nobody = no_worker_message(self._archive)
        return tuple(job if job.status in ENDED else replace(job, message=f"{job.message}; {nobody}") for job in listed)


def no_worker_message(archive: str) -> str:
    """Return the message for unfinished jobs of an archive without a running worker."""
    return f"no worker of the archive {archive} is running"
