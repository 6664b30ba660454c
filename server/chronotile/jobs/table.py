"""The table of jobs: what was accepted is there until it is forgotten, whatever is killed."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    and_,
    delete,
    func,
    insert,
    literal,
    or_,
    select,
    true,
    update,
)

from chronotile.errors import ServerBusy
from chronotile.jobs.attendance import Attendance
from chronotile.jobs.callbacks import call_back, subscribe
from chronotile.jobs.engine import hold, reading, writing
from chronotile.jobs.faults import no_job
from chronotile.jobs.job import ID, Excerpt, Execution, Job, JobFault, Json, Result, Status, Subscriber
from chronotile.jobs.rows import (
    brief_of,
    excerpt_of,
    execution_of,
    fault_text,
    job_of,
    results_text,
    row_of,
    storable,
    wanted_of,
)
from chronotile.jobs.schema import BLOCKS, JOBS, LOG, make_tables

MOST_LISTED = 1000
LOG_LINES = 1000
"""Of a job, that are told."""

OPEN = JOBS.c.status.in_(["accepted", "running"])
BRIEF = [column for column in JOBS.c if column.name not in {"inputs", "wanted", "results"}]
"""What is told of each job of a list: what clients give and get may be long."""
TOLD = [*BRIEF, JOBS.c.results]
"""What is told of one job: the names and media types of its results too, but not its inputs."""

_SUBMITTING = 7_105_102
"""Whom PostgreSQL lets count the open jobs of a user and add one."""


class JobTable:
    """Jobs in a database; any number of processes may use it at once, each with a table of its own.

    Who does a job owns it for a time that has to be renewed. What an owner writes counts only as long as it is still
    the owner: of two that do the same job, one of them cut off for a while, only one ends it.

    Args:
        engine: Of `open_engine`.
        clock: Seconds since 1970, UTC. Hosts that share a table have to agree on it to a fraction of a lease.

    Raises:
        ConfigurationError: The table is of a newer or an older chronotile.
        SourceUnavailable: The database is away, damaged, or locked by others for too long; so may each method.
        StorageFull: There is no room left; so may each method that writes.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        self.attendance = Attendance(engine, clock=clock)
        """Which workers there are."""
        make_tables(engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def submit(
        self, execution: Execution, *, user: str | None, most_open: int, subscriber: Subscriber | None = None
    ) -> Job:
        """Accept a job.

        Args:
            execution: What is asked for.
            user: Whose it is.
            most_open: Jobs of this user that have not ended, at most.
            subscriber: Who hears how it goes on, if anybody.

        Raises:
            ServerBusy: This user has `most_open` jobs already that have not ended.
        """
        values = {"status": "accepted", "message": "waits for its turn", "progress": 0, "attempts": 0, "fruitless": 0}
        row = row_of(execution, {"id": new_id(), "user": user, **values, "created": self._clock()})
        with writing(self._engine) as connection:
            hold(connection, _SUBMITTING)
            is_theirs = _is_of([user])
            waiting = connection.scalar(select(func.count()).select_from(JOBS).where(OPEN, is_theirs)) or 0
            if waiting >= most_open:
                raise ServerBusy(f"{waiting} jobs have not ended yet, and no more may be asked for at once; try later")
            job = _add(connection, row)
            if subscriber is not None:
                subscribe(connection, job.id, subscriber)
            return job

    def keep(self, id_: str, execution: Execution, results: Mapping[str, Result], *, user: str | None) -> Job:
        """Add a job that was done while its client waited, so that its results can be asked for.

        Args:
            id_: Of `new_id`; its files lie in its folder already.
            execution: What was asked for.
            results: What came of it.
            user: Whose it is.
        """
        now = self._clock()
        values = {"status": "successful", "message": "is done", "progress": 100, "attempts": 1, "fruitless": 0}
        times = {"created": now, "started": now, "finished": now}
        row = row_of(execution, {"id": id_, "user": user, **values, **times, "results": results_text(results)})
        with writing(self._engine) as connection:
            return _add(connection, row)

    def job(self, id_: str) -> Job:
        """Return a job.

        Raises:
            UnknownPath: There is none of that id.
        """
        if ID.fullmatch(id_):  # what is none may be text that a database does not take
            with reading(self._engine) as connection:
                row = connection.execute(select(*TOLD).where(JOBS.c.id == id_)).one_or_none()
            if row is not None:
                return job_of(row)
        raise no_job(id_)

    def execution(self, id_: str) -> Execution:
        """Return what was asked for: tens of megabytes, for some.

        Raises:
            UnknownPath: There is no job of that id; it is one of the table's.
        """
        return execution_of(self._asked(id_, JOBS.c.process, JOBS.c.wanted, JOBS.c.inputs))

    def wanted(self, id_: str) -> Execution:
        """Return what was asked for without its inputs, which take seconds to be taken apart for some.

        Raises:
            UnknownPath: There is no job of that id; it is one of the table's.
        """
        return wanted_of(self._asked(id_, JOBS.c.process, JOBS.c.wanted))

    def inputs(self, id_: str, *, most: int) -> Excerpt:
        """Return the inputs of a job as JSON for people to read; of long ones no more is read than is shown.

        Args:
            id_: Of a job of the table.
            most: So many characters at most.

        Raises:
            UnknownPath: It was forgotten.
        """
        written = JOBS.c.inputs
        beginning, count = self._asked(id_, func.substr(written, 1, most), func.length(written))
        return excerpt_of(beginning, count, most=most)

    def jobs(  # noqa: PLR0913 -- all that selects, each by its name
        self,
        *,
        users: Sequence[str | None] = (),
        processes: Sequence[str] = (),
        statuses: Sequence[Status] = (),
        created: tuple[float | None, float | None] = (None, None),
        seconds: tuple[float | None, float | None] = (None, None),
        limit: int = MOST_LISTED,
        offset: int = 0,
    ) -> tuple[tuple[Job, ...], int]:
        """Return jobs, the newest first, and how many there are.

        Their results are left out: those of a thousand may be gigabytes.

        Args:
            users: Only those of these, if any; `None` are those who did not say who they are.
            processes: Only of these, if any.
            statuses: Only with one of these, if any.
            created: Only those accepted from the first moment on and before the second, each if there is one.
            seconds: Only those that ran for so long, from the least to the most, each if there is one; until now if
                they still run.
            limit: So many at most.
            offset: So many are left out before.
        """
        lasted = func.coalesce(JOBS.c.finished, self._clock()) - JOBS.c.started
        bounds = [
            *([JOBS.c.created >= created[0]] if created[0] is not None else []),
            *([JOBS.c.created < created[1]] if created[1] is not None else []),
            *([lasted >= seconds[0]] if seconds[0] is not None else []),
            *([lasted <= seconds[1]] if seconds[1] is not None else []),
        ]
        is_wanted = and_(
            true(),
            *bounds,
            *([_is_of(users)] if users else []),
            *([JOBS.c.process.in_(map(storable, processes))] if processes else []),
            *([JOBS.c.status.in_(statuses)] if statuses else []),
        )
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(*BRIEF).where(is_wanted).order_by(JOBS.c.number.desc()).limit(limit).offset(offset)
            ).all()
            count = connection.scalar(select(func.count()).select_from(JOBS).where(is_wanted)) or 0
        return tuple(map(brief_of, rows)), count

    def claim(self, owner: str, *, lease_s: float) -> Job | None:
        """Take over the oldest job whose owner let its lease pass, else the oldest that waits for nothing but this."""
        now = self._clock()
        is_left = JOBS.c.status == "running", JOBS.c.leased_until < now
        is_next = JOBS.c.status == "accepted", func.coalesce(JOBS.c.not_before, now) <= now
        with writing(self._engine) as connection:
            for is_free in (and_(*is_left), and_(*is_next)):  # each by an index
                oldest = select(*BRIEF).where(is_free).order_by(JOBS.c.number).limit(1)
                found = connection.execute(oldest.with_for_update(key_share=True, skip_locked=True)).one_or_none()
                if found is not None:
                    finished = select(func.count()).select_from(BLOCKS).where(BLOCKS.c.job == found.id)
                    blocks = connection.scalar(finished)
                    values = {
                        "status": "running",
                        "message": "is being prepared",
                        "owner": owner,
                        "leased_until": now + lease_s,
                        "started": found.started or now,
                        "updated": now,
                        "attempts": found.attempts + 1,
                        "fruitless": found.fruitless + 1 if blocks == found.blocks else 0,
                        "blocks": blocks,
                    }
                    claimed = update(JOBS).where(JOBS.c.number == found.number).values(values).returning(*BRIEF)
                    call_back(connection, found.id, "running", now)
                    return brief_of(connection.execute(claimed).one())
        return None

    def renew(self, id_: str, owner: str, *, lease_s: float) -> bool:
        """Own a job for longer; return whether it is still ours: it may have been dismissed, or taken over."""
        return self._write(id_, owner, {"leased_until": self._clock() + lease_s})

    def tell(self, id_: str, owner: str, *, progress: int, message: str) -> bool:
        """Say how far a job is; return whether it is still ours."""
        now = self._clock()
        values = {"progress": progress, "message": storable(message), "updated": now}
        with writing(self._engine) as connection:
            is_ours = _write(connection, id_, owner, values)
            if is_ours:
                call_back(connection, id_, "running", now)
        return is_ours

    def release(self, id_: str, owner: str, *, message: str, wait_s: float = 0.0, is_attempt: bool = True) -> bool:
        """Give a job back, for another to begin again; its finished blocks stay. Return whether it was still ours.

        Args:
            id_: Of the job.
            owner: Who gives it back.
            message: Why.
            wait_s: How long nobody shall begin it.
            is_attempt: Whether it counts as one; not where it could well have gone on.
        """
        values = {"status": "accepted", "message": storable(message), "owner": None, "leased_until": None}
        attempts = {} if is_attempt else {"attempts": JOBS.c.attempts - 1, "blocks": None}
        now = self._clock()
        return self._write(id_, owner, values | attempts | {"not_before": now + wait_s, "updated": now})

    def succeed(self, id_: str, owner: str, results: Mapping[str, Result]) -> bool:
        """End a job with its results; return whether it was ours to end, or ended so by us before."""
        values = {"status": "successful", "message": "is done", "progress": 100}
        return self._end_ours(id_, owner, {**values, "results": results_text(results)})

    def fail(self, id_: str, owner: str, fault: JobFault) -> bool:
        """End a job with the reason why it failed; return whether it was ours to end, or ended so by us before."""
        values = {"status": "failed", "message": storable(fault.detail), "fault": fault_text(fault)}
        return self._end_ours(id_, owner, values)

    def dismiss(self, id_: str) -> Job:
        """Cancel a job that has not ended; whoever does it hears of it at its next word.

        Raises:
            UnknownPath: There is none of that id.
        """
        if ID.fullmatch(id_):
            values = {"status": "dismissed", "message": "was dismissed", "owner": None}
            with writing(self._engine) as connection:
                self._end(connection, values, JOBS.c.id == id_, OPEN)
        return self.job(id_)

    def remember(self, id_: str, owner: str, number: int, result: Json) -> bool:
        """Remember what a finished block gave; return whether the job is still ours."""
        with writing(self._engine) as connection:
            ours = select(JOBS.c.id).where(*_is_ours(id_, owner))
            if connection.scalar(ours.with_for_update(key_share=True)) is None:
                return False
            is_it = BLOCKS.c.job == id_, BLOCKS.c.number == number
            connection.execute(delete(BLOCKS).where(*is_it))
            connection.execute(insert(BLOCKS).values(job=id_, number=number, result=json.dumps(result)))
        return True

    def finished_blocks(self, id_: str) -> dict[int, Json]:
        """Return what each finished block gave, by its number."""
        with reading(self._engine) as connection:
            rows = connection.execute(select(BLOCKS.c.number, BLOCKS.c.result).where(BLOCKS.c.job == id_)).all()
        return {row.number: json.loads(row.result) for row in rows}

    def forget_blocks(self, id_: str, owner: str) -> bool:
        """Forget what finished blocks of a job gave, to be planned anew; return whether it is still ours."""
        with writing(self._engine) as connection:
            is_ours = _write(connection, id_, owner, {"blocks": 0})
            if is_ours:
                connection.execute(delete(BLOCKS).where(BLOCKS.c.job == id_))
        return is_ours

    def say(self, id_: str, text: str) -> None:
        """Add a line to the log of a job, unless that was forgotten."""
        line = select(JOBS.c.id, literal(self._clock()), literal(storable(text))).where(JOBS.c.id == id_)
        with writing(self._engine) as connection:
            connection.execute(insert(LOG).from_select(["job", "at", "text"], line))

    def log(self, id_: str) -> tuple[tuple[float, str], ...]:
        """Return the last lines of the log of a job, each with when it was said."""
        with reading(self._engine) as connection:
            rows = connection.execute(
                select(LOG.c.at, LOG.c.text).where(LOG.c.job == id_).order_by(LOG.c.id.desc()).limit(LOG_LINES)
            ).all()
        return tuple((row.at, row.text) for row in reversed(rows))

    def ended_before(self, moment: float) -> tuple[str, ...]:
        """Return the ids of jobs that ended before a moment."""
        with reading(self._engine) as connection:
            return tuple(connection.scalars(select(JOBS.c.id).where(JOBS.c.finished < moment)))

    def known(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of some ids that are of jobs."""
        with reading(self._engine) as connection:
            return frozenset(connection.scalars(select(JOBS.c.id).where(JOBS.c.id.in_(list(ids)))))

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs and all that is known of them; their files are removed before."""
        with writing(self._engine) as connection:
            connection.execute(delete(JOBS).where(JOBS.c.id.in_(list(ids))))

    def _asked(self, id_: str, *columns: ColumnElement[Any]) -> Row[*tuple[Any, ...]]:
        with reading(self._engine) as connection:
            row = connection.execute(select(*columns).where(JOBS.c.id == id_)).one_or_none()
        if row is None:
            raise no_job(id_)
        return row

    def _end(self, connection: Connection, values: Json, *is_it: ColumnElement[bool]) -> bool:
        now = self._clock()
        ended = update(JOBS).where(*is_it).values(**values, updated=now, finished=now)
        id_ = connection.scalar(ended.returning(JOBS.c.id))
        connection.execute(delete(BLOCKS).where(BLOCKS.c.job == id_))
        if id_ is not None:
            call_back(connection, id_, values["status"], now)
        return id_ is not None

    def _end_ours(self, id_: str, owner: str, values: Json) -> bool:
        """The owner stays: one who lost the answer asks again, and hears the same."""
        with writing(self._engine) as connection:
            if self._end(connection, values, *_is_ours(id_, owner)):
                return True
            by_us = JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == values["status"]
            return connection.scalar(select(JOBS.c.id).where(*by_us)) is not None

    def _write(self, id_: str, owner: str, values: Json) -> bool:
        with writing(self._engine) as connection:
            return _write(connection, id_, owner, values)


def new_id() -> str:
    """Return the id of a new job: whoever knows it may see the job, so that nobody may guess it."""
    return secrets.token_hex(16)


def _add(connection: Connection, row: Json) -> Job:
    return job_of(connection.execute(insert(JOBS).values(row).returning(*TOLD)).one())


def _is_of(users: Sequence[str | None]) -> ColumnElement[bool]:
    return or_(*(JOBS.c.user.is_(None) if user is None else JOBS.c.user == user for user in users))


def _is_ours(id_: str, owner: str) -> tuple[ColumnElement[bool], ...]:
    return JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == "running"


def _write(connection: Connection, id_: str, owner: str, values: Json) -> bool:
    return connection.execute(update(JOBS).where(*_is_ours(id_, owner)).values(values)).rowcount == 1
