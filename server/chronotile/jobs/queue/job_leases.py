"""The state machine of jobs, and the changes that a worker makes to a job that it owns.

A worker owns a running job for the time of a lease and renews the lease while it works. Every write of a worker names
the owner and has no effect if the job has another owner or status. So a worker that was suspended and returns cannot
change a job that another worker has taken over.

| status | event | method | next status |
|---|---|---|---|
| | a client submits a job | `JobTable.submit` | accepted |
| | a server stores the results of a synchronous execution | `JobTable.add_finished` | successful |
| accepted | a worker takes it, not before `not_before` | `claim` | running |
| running | the owner works | `renew`, `report_progress`, `store_task_result`, `replace_plan` | running |
| running | the lease expired and another worker takes it over | `claim` | running |
| running | the owner is stopped, or meets a temporary fault | `release` | accepted |
| running | the configuration of the owner lacks a name in the job | `decline` | accepted |
| running | the owner has the results | `succeed` | successful |
| running | the owner meets a final fault | `fail` | failed |
| accepted, running | a client or operator cancels it | `JobTable.dismiss` | dismissed |
| accepted, running | the database is restored from a backup | `queue_again` | accepted |
| successful, failed, dismissed | it is deleted, or its retention time is over | `JobTable.forget` | |

`claim` increments `attempts`. It also increments `fruitless` if no task was finished since the last claim (`blocks` is
the number of finished tasks at that claim), and sets it to 0 otherwise. `release` can take the attempt back, and
`decline` always does.
"""

import json
from collections.abc import Callable, Collection, Mapping

from sqlalchemy import ColumnElement, Connection, Engine, and_, case, delete, func, insert, literal, select, update

from chronotile.core.database import database_time
from chronotile.core.model.job import Job, JobFault, Result
from chronotile.core.model.types import Json
from chronotile.jobs.queue.database import read_transaction, write_transaction
from chronotile.jobs.queue.outbox import call_back
from chronotile.jobs.queue.rows import brief_of, fault_text, results_text, storable
from chronotile.jobs.queue.schema import FINISHED_TASKS, JOBS, LOG

BRIEF_COLUMNS = [column for column in JOBS.c if column.name not in {"inputs", "wanted", "results"}]
"""Columns of a job in a list: without inputs and results, which may be long."""


class OwnedJobs:
    """Jobs of one archive, for the workers that run them.

    Leases use the clock of the database, as the clocks of the hosts may differ.

    Args:
        engine: Engine from `open_engine`.
        archive: Id of the archive.
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
        """Take the oldest running job with an expired lease, or else the oldest accepted job that may start.

        Args:
            owner: Unique name of the attempt.
            lease_s: Duration of the lease.
            without: Ids of jobs that this worker declined.
        """
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            is_abandoned = JOBS.c.status == "running", JOBS.c.leased_until < now
            is_next = JOBS.c.status == "accepted", func.coalesce(JOBS.c.not_before, now) <= now
            for is_free in (and_(*is_abandoned), and_(*is_next)):  # two statements, as each can use an index
                is_ours = self._is_of_archive, is_free, JOBS.c.id.not_in(without)
                oldest = select(*BRIEF_COLUMNS).where(*is_ours).order_by(JOBS.c.number).limit(1)
                row = connection.execute(oldest.with_for_update(key_share=True, skip_locked=True)).one_or_none()
                if row is not None:
                    finished = select(func.count()).select_from(FINISHED_TASKS).where(FINISHED_TASKS.c.job == row.id)
                    tasks = connection.scalar(finished)
                    values = {
                        "status": "running",
                        "message": "is being prepared",
                        "owner": owner,
                        "leased_until": now + lease_s,
                        "started": row.started or now,
                        "updated": now,
                        "attempts": row.attempts + 1,
                        "fruitless": row.fruitless + 1 if tasks == row.blocks else 0,
                        "blocks": tasks,
                    }
                    claimed = update(JOBS).where(JOBS.c.number == row.number).values(values).returning(*BRIEF_COLUMNS)
                    call_back(connection, row.id, "running", now)
                    return brief_of(connection.execute(claimed).one())
        return None

    def renew(self, id_: str, owner: str, *, lease_s: float) -> bool:
        """Extend the lease; return whether `owner` still owns the job."""
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
        """Return a job to the queue with its finished tasks; return whether `owner` still owned it.

        Args:
            id_: Id of the job.
            owner: Unique name of the attempt.
            message: Reason.
            wait_s: Time during which no worker starts the job.
            is_attempt: Whether the attempt counts; `False` if the job itself did not cause the interruption.
        """
        values = {"status": "accepted", "message": storable(message), "owner": None, "leased_until": None}
        attempts = {} if is_attempt else {"attempts": JOBS.c.attempts - 1, "blocks": None}
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            return _write(connection, id_, owner, values | attempts | {"not_before": now + wait_s, "updated": now})

    def decline(self, id_: str, owner: str, *, message: str) -> bool:
        """Return a job to the queue as if this attempt had not started, so that another worker can take it immediately.

        Finished tasks stay. Return whether `owner` still owned the job.
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
        """End a job with its results; return whether `owner` owned it, or has ended it this way before."""
        values = {"status": "successful", "message": "is done", "progress": 100}
        return self._end_ours(id_, owner, {**values, "results": results_text(results)})

    def fail(self, id_: str, owner: str, fault: JobFault) -> bool:
        """End a job with a fault; return whether `owner` owned it, or has ended it this way before."""
        values = {"status": "failed", "message": storable(fault.detail), "fault": fault_text(fault)}
        return self._end_ours(id_, owner, values)

    def store_task_result(self, id_: str, owner: str, number: int, result: Json) -> bool:
        """Store the result of a finished task; return whether `owner` still owns the job."""
        with write_transaction(self._engine) as connection:
            ours = select(JOBS.c.id).where(*_is_ours(id_, owner))
            if connection.scalar(ours.with_for_update(key_share=True)) is None:
                return False
            is_it = FINISHED_TASKS.c.job == id_, FINISHED_TASKS.c.number == number
            connection.execute(delete(FINISHED_TASKS).where(*is_it))
            connection.execute(insert(FINISHED_TASKS).values(job=id_, number=number, result=json.dumps(result)))
        return True

    def finished_tasks(self, id_: str) -> dict[int, Json]:
        """Return the results of finished tasks by task number."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(FINISHED_TASKS.c.number, FINISHED_TASKS.c.result).where(FINISHED_TASKS.c.job == id_)
            ).all()
        return {row.number: json.loads(row.result) for row in rows}

    def replace_plan(self, id_: str, owner: str, *, revision: str | None) -> bool:
        """Delete the results of finished tasks, because the job has another plan; return whether `owner` still owns it.

        Args:
            id_: Id of the job.
            owner: Unique name of the attempt.
            revision: Revision of the data that the new plan reads; `None` if the job reads no layer.
        """
        with write_transaction(self._engine) as connection:
            is_ours = _write(connection, id_, owner, {"blocks": 0, "revision": revision})
            if is_ours:
                connection.execute(delete(FINISHED_TASKS).where(FINISHED_TASKS.c.job == id_))
        return is_ours

    def add_log_line(self, id_: str, text: str) -> None:
        """Add a line to the log of a job, unless the job was deleted."""
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
        """End a job. The owner stays in the row, so a worker that lost the answer gets the same answer again."""
        with write_transaction(self._engine) as connection:
            if self._end(connection, values, *_is_ours(id_, owner)):
                return True
            by_us = JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == values["status"]
            return connection.scalar(select(JOBS.c.id).where(*by_us)) is not None


def _is_ours(id_: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    return JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == "running"


def _write(connection: Connection, id_: str, owner: str, values: Json) -> bool:
    return connection.execute(update(JOBS).where(*_is_ours(id_, owner)).values(values)).rowcount == 1
