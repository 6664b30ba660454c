"""What is done with jobs by who does them: each owns its job for a time that has to be renewed."""

import json
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import ColumnElement, Connection, Engine, and_, case, delete, func, insert, literal, select, update

from chronotile.core.model.job import Job, JobFault, Result
from chronotile.core.model.types import Json
from chronotile.jobs.queue.database import database_time, read_transaction, write_transaction
from chronotile.jobs.queue.outbox import call_back
from chronotile.jobs.queue.schema import FINISHED_TASKS, JOBS, LOG, brief_of, fault_text, results_text, storable

BRIEF_COLUMNS = [column for column in JOBS.c if column.name not in {"inputs", "wanted", "results"}]
"""What a list gives of each job: what clients give and get may be long."""


class OwnedJobs:
    """Jobs of one archive, for the workers that run them.

    Writes of a worker count only while it owns the job: if two run the same job, because one was cut off for a while,
    only one ends it. Leases use the clock of the database, as the clocks of the hosts may differ.

    Args:
        engine: Of `open_engine`.
        archive: Its id.
        clock: Seconds since 1970, UTC, of the database.
    """

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        self._engine = engine
        self._clock = clock
        self.archive = archive
        self._is_of_archive = JOBS.c.archive == archive

    def now(self) -> float:
        """Return seconds since 1970 by the clock of the database."""
        with read_transaction(self._engine) as connection:
            return self._clock(connection)

    def claim(self, owner: str, *, lease_s: float, without: Collection[str] = ()) -> Job | None:
        """Take over the oldest job whose owner let its lease pass, else the oldest that waits only for this.

        Args:
            owner: Who takes it.
            lease_s: For how long.
            without: Ids of jobs that are left to others.
        """
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            is_left = JOBS.c.status == "running", JOBS.c.leased_until < now
            is_next = JOBS.c.status == "accepted", func.coalesce(JOBS.c.not_before, now) <= now
            for is_free in (and_(*is_left), and_(*is_next)):  # each by an index
                is_ours = self._is_of_archive, is_free, JOBS.c.id.not_in(without)
                oldest = select(*BRIEF_COLUMNS).where(*is_ours).order_by(JOBS.c.number).limit(1)
                found = connection.execute(oldest.with_for_update(key_share=True, skip_locked=True)).one_or_none()
                if found is not None:
                    finished = select(func.count()).select_from(FINISHED_TASKS).where(FINISHED_TASKS.c.job == found.id)
                    tasks = connection.scalar(finished)
                    values = {
                        "status": "running",
                        "message": "is being prepared",
                        "owner": owner,
                        "leased_until": now + lease_s,
                        "started": found.started or now,
                        "updated": now,
                        "attempts": found.attempts + 1,
                        "fruitless": found.fruitless + 1 if tasks == found.blocks else 0,
                        "blocks": tasks,
                    }
                    claimed = update(JOBS).where(JOBS.c.number == found.number).values(values).returning(*BRIEF_COLUMNS)
                    call_back(connection, found.id, "running", now)
                    return brief_of(connection.execute(claimed).one())
        return None

    def renew(self, id_: str, owner: str, *, lease_s: float) -> bool:
        """Own a job for longer; return whether it is still ours: it may have been dismissed, or taken over."""
        with write_transaction(self._engine) as connection:
            return _write(connection, id_, owner, {"leased_until": self._clock(connection) + lease_s})

    def report_progress(self, id_: str, owner: str, *, progress: int, message: str) -> bool:
        """Write the progress of a job; return whether `owner` still owns it."""
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            values = {"progress": progress, "message": storable(message), "updated": now}
            is_ours = _write(connection, id_, owner, values)
            if is_ours:
                call_back(connection, id_, "running", now)
        return is_ours

    def release(self, id_: str, owner: str, *, message: str, wait_s: float = 0.0, is_attempt: bool = True) -> bool:
        """Give a job back, for another to begin again; its finished tasks stay. Return whether it was still ours.

        Args:
            id_: Of the job.
            owner: Who gives it back.
            message: Why.
            wait_s: How long no worker shall begin it.
            is_attempt: Whether it counts as one; not where it could well have gone on.
        """
        values = {"status": "accepted", "message": storable(message), "owner": None, "leased_until": None}
        attempts = {} if is_attempt else {"attempts": JOBS.c.attempts - 1, "blocks": None}
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            return _write(connection, id_, owner, values | attempts | {"not_before": now + wait_s, "updated": now})

    def decline(self, id_: str, owner: str, *, message: str) -> bool:
        """Give a job back as if it had not been begun: its owner cannot do it, and another may at once.

        Return whether it was still ours. Its finished tasks stay.
        """
        values = {"status": "accepted", "message": storable(message), "owner": None, "leased_until": None}
        counts = {
            "attempts": JOBS.c.attempts - 1,
            "blocks": None,
            "started": case((JOBS.c.attempts <= 1, None), else_=JOBS.c.started),
        }
        with write_transaction(self._engine) as connection:
            return _write(connection, id_, owner, values | counts | {"updated": self._clock(connection)})

    def succeed(self, id_: str, owner: str, results: Mapping[str, Result]) -> bool:
        """End a job with its results; return whether it was ours to end, or ended so by us before."""
        values = {"status": "successful", "message": "is done", "progress": 100}
        return self._end_ours(id_, owner, {**values, "results": results_text(results)})

    def fail(self, id_: str, owner: str, fault: JobFault) -> bool:
        """End a job with the reason why it failed; return whether it was ours to end, or ended so by us before."""
        values = {"status": "failed", "message": storable(fault.detail), "fault": fault_text(fault)}
        return self._end_ours(id_, owner, values)

    def store_task_result(self, id_: str, owner: str, number: int, result: Json) -> bool:
        """Remember what a finished task gave; return whether the job is still ours."""
        with write_transaction(self._engine) as connection:
            ours = select(JOBS.c.id).where(*_is_ours(id_, owner))
            if connection.scalar(ours.with_for_update(key_share=True)) is None:
                return False
            is_it = FINISHED_TASKS.c.job == id_, FINISHED_TASKS.c.number == number
            connection.execute(delete(FINISHED_TASKS).where(*is_it))
            connection.execute(insert(FINISHED_TASKS).values(job=id_, number=number, result=json.dumps(result)))
        return True

    def finished_tasks(self, id_: str) -> dict[int, Json]:
        """Return what each finished task gave, by its number."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(FINISHED_TASKS.c.number, FINISHED_TASKS.c.result).where(FINISHED_TASKS.c.job == id_)
            ).all()
        return {row.number: json.loads(row.result) for row in rows}

    def replace_plan(self, id_: str, owner: str, *, revision: str | None) -> bool:
        """Forget what finished tasks of a job gave, as it has another plan; return whether it is still ours.

        Args:
            id_: Of the job.
            owner: Who has planned it.
            revision: Of what it reads by that plan.
        """
        with write_transaction(self._engine) as connection:
            is_ours = _write(connection, id_, owner, {"blocks": 0, "revision": revision})
            if is_ours:
                connection.execute(delete(FINISHED_TASKS).where(FINISHED_TASKS.c.job == id_))
        return is_ours

    def add_log_line(self, id_: str, text: str) -> None:
        """Add a line to the log of a job, unless that was forgotten."""
        with write_transaction(self._engine) as connection:
            now = literal(self._clock(connection))
            line = select(JOBS.c.id, now, literal(storable(text))).where(JOBS.c.id == id_)
            connection.execute(insert(LOG).from_select(["job", "at", "text"], line))

    def _end(self, connection: Connection, values: Json, *is_it: ColumnElement[bool]) -> bool:
        now = self._clock(connection)
        ended = update(JOBS).where(*is_it).values(**values, updated=now, finished=now)
        id_ = connection.scalar(ended.returning(JOBS.c.id))
        connection.execute(delete(FINISHED_TASKS).where(FINISHED_TASKS.c.job == id_))
        if id_ is not None:
            call_back(connection, id_, values["status"], now)
        return id_ is not None

    def _end_ours(self, id_: str, owner: str, values: Json) -> bool:
        """The owner stays: one who lost the answer asks again, and hears the same."""
        with write_transaction(self._engine) as connection:
            if self._end(connection, values, *_is_ours(id_, owner)):
                return True
            by_us = JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == values["status"]
            return connection.scalar(select(JOBS.c.id).where(*by_us)) is not None


def _is_ours(id_: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    return JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == "running"


def _write(connection: Connection, id_: str, owner: str, values: Json) -> bool:
    return connection.execute(update(JOBS).where(*_is_ours(id_, owner)).values(values)).rowcount == 1
