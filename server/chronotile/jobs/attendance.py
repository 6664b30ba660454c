"""Which workers there are: where there is none, jobs wait for what will not come by itself."""

import time
from collections.abc import Callable, Iterable
from dataclasses import replace

from sqlalchemy import Engine, delete, insert, or_, select

from chronotile.jobs.engine import reading, writing
from chronotile.jobs.job import ENDED, Job
from chronotile.jobs.schema import WORKERS

GONE_S = 30.0
"""After which a worker that has said nothing is gone."""
NOBODY_HERE = "no worker is there to do it"


class Attendance:
    """Workers say that they are there; any number of processes may ask at once.

    Args:
        engine: Of the table of jobs.
        clock: Of that table, seconds since 1970.

    Raises:
        SourceUnavailable: The database is away, damaged, or locked by others for too long; so may each method.
        StorageFull: There is no room left; so may each method that writes.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock

    def say_here(self, worker: str) -> None:
        """Say that a worker is there, again before `GONE_S` have passed; those that did not are forgotten."""
        now = self._clock()
        with writing(self._engine) as connection:
            connection.execute(delete(WORKERS).where(or_(WORKERS.c.id == worker, WORKERS.c.seen < now - GONE_S)))
            connection.execute(insert(WORKERS).values(id=worker, seen=now))

    def say_gone(self, worker: str) -> None:
        """Say that a worker ends."""
        with writing(self._engine) as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))

    def is_anybody_here(self) -> bool:
        """Return whether there is a worker."""
        with reading(self._engine) as connection:
            seen = select(WORKERS.c.id).where(WORKERS.c.seen >= self._clock() - GONE_S).limit(1)
            return connection.scalar(seen) is not None

    def told(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Return jobs whose messages say so where they have not ended and nobody is there to do them."""
        told = tuple(jobs)
        if all(job.status in ENDED for job in told) or self.is_anybody_here():
            return told
        return tuple(
            job if job.status in ENDED else replace(job, message=f"{job.message}; {NOBODY_HERE}") for job in told
        )
