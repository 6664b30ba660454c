"""Which workers there are: where there is none, jobs wait for what will not come by itself."""

from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy import Connection, Engine, delete, insert, or_, select

from chronotile.model.job import ENDED, Job
from chronotile.queue.database import database_time, read_transaction, write_transaction
from chronotile.queue.schema import WORKERS

GONE_S = 30.0
"""After which a worker that has said nothing is gone."""


class Heartbeat:
    """Workers of an archive say that they are there; any number of processes may ask at once.

    Args:
        engine: Of the table of jobs.
        archive: Its id: workers of others do none of its jobs.
        clock: Of that table, seconds since 1970.

    Raises:
        SourceUnavailable: The database is away, damaged, or locked by others for too long; so may each method.
        StorageFull: There is no room left; so may each method that writes.
    """

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        self._engine = engine
        self._archive = archive
        self._clock = clock

    def report_alive(self, worker: str) -> None:
        """Say that a worker is there, again before `GONE_S` have passed; those that did not are forgotten."""
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            connection.execute(delete(WORKERS).where(or_(WORKERS.c.id == worker, WORKERS.c.seen < now - GONE_S)))
            connection.execute(insert(WORKERS).values(id=worker, archive=self._archive, seen=now))

    def report_gone(self, worker: str) -> None:
        """Say that a worker ends."""
        with write_transaction(self._engine) as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))

    def is_anybody_here(self) -> bool:
        """Return whether there is a worker of the archive."""
        with read_transaction(self._engine) as connection:
            is_here = WORKERS.c.archive == self._archive, WORKERS.c.seen >= self._clock(connection) - GONE_S
            return connection.scalar(select(WORKERS.c.id).where(*is_here).limit(1)) is not None

    def mark_unattended(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Return jobs whose messages name the archive where they have not ended and no worker of it is there."""
        listed = tuple(jobs)
        if all(job.status in ENDED for job in listed) or self.is_anybody_here():
            return listed
        nobody = nobody_here(self._archive)
        return tuple(job if job.status in ENDED else replace(job, message=f"{job.message}; {nobody}") for job in listed)


def nobody_here(archive: str) -> str:
    """Return the message for jobs of an archive of which no worker is running."""
    return f"no worker of the archive {archive} is running"
