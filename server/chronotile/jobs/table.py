"""The table of jobs: what was accepted is there until it is forgotten, whatever is killed."""

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Float,
    Integer,
    MetaData,
    Row,
    String,
    Table,
    Text,
    and_,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)

from chronotile.errors import ServerBusy, UnknownPath
from chronotile.jobs.job import ENDED, Execution, Job, JobFault, Json, Result, Status

MOST_LISTED = 1000
LOG_LINES = 1000
"""Of a job, that are told."""

METADATA = MetaData()
JOBS = Table(
    "jobs",
    METADATA,
    Column("id", String(32), primary_key=True),
    Column("number", Integer, nullable=False, unique=True),  # in the order in which they came
    Column("process", String(80), nullable=False, index=True),
    Column("execution", Text, nullable=False),
    Column("user", String(200), index=True),
    Column("status", String(10), nullable=False, index=True),
    Column("message", Text, nullable=False),
    Column("progress", Integer, nullable=False),
    Column("created", Float(53), nullable=False),
    Column("updated", Float(53), nullable=False),
    Column("started", Float(53)),
    Column("finished", Float(53), index=True),
    Column("attempts", Integer, nullable=False),
    Column("owner", String(80)),
    Column("leased_until", Float(53)),
    Column("fault", Text),
    Column("results", Text),
)
BLOCKS = Table(
    "blocks",
    METADATA,
    Column("job", String(32), primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("result", Text, nullable=False),
)
LOG = Table(
    "log",
    METADATA,
    Column("id", Integer, primary_key=True, autoincrement=True),
    Column("job", String(32), nullable=False, index=True),
    Column("at", Float(53), nullable=False),
    Column("text", Text, nullable=False),
)
OPEN = JOBS.c.status.in_(["accepted", "running"])


class JobTable:
    """Jobs in a database; any number of processes may use it at once, each with a table of its own.

    Who does a job owns it for a time that has to be renewed. What an owner writes counts only as long as it is still
    the owner: of two that do the same job, one of them cut off for a while, only one ends it.

    Args:
        engine: Of `open_engine`.
        clock: Seconds since 1970, UTC.
    """

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._clock = clock
        METADATA.create_all(engine)

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def submit(self, execution: Execution, *, user: str | None, most_open: int) -> Job:
        """Accept a job.

        Raises:
            ServerBusy: This user has `most_open` jobs already that have not ended.
        """
        with self._engine.begin() as connection:
            is_theirs = JOBS.c.user == user if user is not None else JOBS.c.user.is_(None)
            waiting = connection.scalar(select(func.count()).select_from(JOBS).where(OPEN, is_theirs)) or 0
            if waiting >= most_open:
                raise ServerBusy(f"{waiting} jobs have not ended yet, and no more may be asked for at once; try later")
            id_ = new_id()
            values = {"status": "accepted", "message": "waits for its turn", "progress": 0, "attempts": 0}
            _add(connection, execution, {"id": id_, "user": user, **values, "created": self._clock()})
        return self.job(id_)

    def keep(self, id_: str, execution: Execution, results: Mapping[str, Result], *, user: str | None) -> Job:
        """Add a job that was done while its client waited, so that its results can be asked for.

        Args:
            id_: Of `new_id`; its files lie in its folder already.
            execution: What was asked for.
            results: What came of it.
            user: Whose it is.
        """
        now = self._clock()
        values = {"status": "successful", "message": "is done", "progress": 100, "attempts": 1}
        times = {"created": now, "started": now, "finished": now}
        with self._engine.begin() as connection:
            _add(connection, execution, {"id": id_, "user": user, **values, **times, "results": _written(results)})
        return self.job(id_)

    def job(self, id_: str) -> Job:
        """Return a job.

        Raises:
            UnknownPath: There is none of that id.
        """
        with self._engine.connect() as connection:
            row = connection.execute(select(JOBS).where(JOBS.c.id == id_)).one_or_none()
        if row is None:
            raise UnknownPath(f"there is no job {id_[:80]!r}, or it was forgotten", locator="jobID")
        return _job(row)

    def jobs(  # noqa: PLR0913 -- all that selects, each by its name
        self,
        *,
        user: str | None = None,
        processes: Sequence[str] = (),
        statuses: Sequence[Status] = (),
        created: tuple[float | None, float | None] = (None, None),
        seconds: tuple[float | None, float | None] = (None, None),
        limit: int = MOST_LISTED,
        offset: int = 0,
    ) -> tuple[tuple[Job, ...], int]:
        """Return jobs, the newest first, and how many there are.

        Args:
            user: Only those of this user; of all if `None`.
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
            *bounds,
            *([JOBS.c.user == user] if user is not None else []),
            *([JOBS.c.process.in_(processes)] if processes else []),
            *([JOBS.c.status.in_(statuses)] if statuses else []),
            JOBS.c.number > 0,
        )
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(JOBS).where(is_wanted).order_by(JOBS.c.number.desc()).limit(limit).offset(offset)
            ).all()
            count = connection.scalar(select(func.count()).select_from(JOBS).where(is_wanted)) or 0
        return tuple(map(_job, rows)), count

    def claim(self, owner: str, *, lease_s: float) -> Job | None:
        """Take over the oldest job that nobody does, or whose owner was not heard of for longer than its lease."""
        now = self._clock()
        is_free = or_(JOBS.c.status == "accepted", and_(JOBS.c.status == "running", JOBS.c.leased_until < now))
        with self._engine.begin() as connection:
            found = connection.execute(
                select(JOBS).where(is_free).order_by(JOBS.c.number).limit(1).with_for_update(skip_locked=True)
            ).one_or_none()
            if found is None:
                return None
            connection.execute(
                update(JOBS)
                .where(JOBS.c.id == found.id)
                .values(
                    status="running",
                    message="is being prepared",
                    owner=owner,
                    leased_until=now + lease_s,
                    started=found.started or now,
                    updated=now,
                    attempts=found.attempts + 1,
                )
            )
        return self.job(found.id)

    def renew(self, id_: str, owner: str, *, lease_s: float) -> bool:
        """Own a job for longer; return whether it is still ours: it may have been dismissed, or taken over."""
        return self._write(id_, owner, {"leased_until": self._clock() + lease_s})

    def tell(self, id_: str, owner: str, *, progress: int, message: str) -> bool:
        """Say how far a job is; return whether it is still ours."""
        return self._write(id_, owner, {"progress": progress, "message": message, "updated": self._clock()})

    def release(self, id_: str, owner: str, *, message: str) -> bool:
        """Give a job back, for another to begin again; its finished blocks stay. Return whether it was still ours."""
        values = {"status": "accepted", "message": message, "owner": None, "leased_until": None}
        return self._write(id_, owner, values | {"updated": self._clock()})

    def succeed(self, id_: str, owner: str, results: Mapping[str, Result]) -> bool:
        """End a job with its results; return whether it was still ours."""
        values = {"status": "successful", "message": "is done", "progress": 100}
        return self._end(id_, owner, {**values, "results": _written(results)})

    def fail(self, id_: str, owner: str, fault: JobFault) -> bool:
        """End a job with the reason why it failed; return whether it was still ours."""
        return self._end(id_, owner, {"status": "failed", "message": fault.detail, "fault": json.dumps(asdict(fault))})

    def dismiss(self, id_: str) -> Job:
        """Cancel a job that has not ended; whoever does it hears of it at its next word.

        Raises:
            UnknownPath: There is none of that id.
        """
        now = self._clock()
        values = {"status": "dismissed", "message": "was dismissed", "owner": None, "updated": now, "finished": now}
        with self._engine.begin() as connection:
            connection.execute(update(JOBS).where(JOBS.c.id == id_, OPEN).values(values))
        return self.job(id_)

    def remember(self, id_: str, owner: str, number: int, result: Json) -> bool:
        """Remember what a finished block gave; return whether the job is still ours."""
        with self._engine.begin() as connection:
            is_ours = JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == "running"
            if connection.scalar(select(JOBS.c.id).where(*is_ours).with_for_update()) is None:
                return False
            is_it = BLOCKS.c.job == id_, BLOCKS.c.number == number
            connection.execute(delete(BLOCKS).where(*is_it))
            connection.execute(insert(BLOCKS).values(job=id_, number=number, result=json.dumps(result)))
        return True

    def finished_blocks(self, id_: str) -> dict[int, Json]:
        """Return what each finished block gave, by its number."""
        with self._engine.connect() as connection:
            rows = connection.execute(select(BLOCKS.c.number, BLOCKS.c.result).where(BLOCKS.c.job == id_)).all()
        return {row.number: json.loads(row.result) for row in rows}

    def say(self, id_: str, text: str) -> None:
        """Add a line to the log of a job."""
        with self._engine.begin() as connection:
            connection.execute(insert(LOG).values(job=id_, at=self._clock(), text=text))

    def log(self, id_: str) -> tuple[tuple[float, str], ...]:
        """Return the last lines of the log of a job, each with when it was said."""
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(LOG.c.at, LOG.c.text).where(LOG.c.job == id_).order_by(LOG.c.id.desc()).limit(LOG_LINES)
            ).all()
        return tuple((row.at, row.text) for row in reversed(rows))

    def ended_before(self, moment: float) -> tuple[str, ...]:
        """Return the ids of jobs that ended before a moment."""
        with self._engine.connect() as connection:
            return tuple(connection.scalars(select(JOBS.c.id).where(JOBS.c.finished < moment)))

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs and all that is known of them; their files are removed before."""
        some = list(ids)
        with self._engine.begin() as connection:
            for table, column in ((LOG, LOG.c.job), (BLOCKS, BLOCKS.c.job), (JOBS, JOBS.c.id)):
                connection.execute(delete(table).where(column.in_(some)))

    def _end(self, id_: str, owner: str, values: Json) -> bool:
        now = self._clock()
        with self._engine.begin() as connection:
            is_ours = _write(connection, id_, owner, values | {"owner": None, "updated": now, "finished": now})
            if is_ours:
                connection.execute(delete(BLOCKS).where(BLOCKS.c.job == id_))
        return is_ours

    def _write(self, id_: str, owner: str, values: Json) -> bool:
        with self._engine.begin() as connection:
            return _write(connection, id_, owner, values)


def new_id() -> str:
    """Return the id of a new job: whoever knows it may see the job, so that nobody may guess it."""
    return secrets.token_hex(16)


def _add(connection: Connection, execution: Execution, values: Json) -> None:
    last = connection.scalar(select(func.max(JOBS.c.number))) or 0
    asked = {"number": last + 1, "process": execution.process, "execution": json.dumps(asdict(execution))}
    row = {**asked, "updated": values["created"], **values}
    connection.execute(insert(JOBS).values(row))


def _written(results: Mapping[str, Result]) -> str:
    return json.dumps({name: asdict(result) for name, result in results.items()})


def _write(connection: Connection, id_: str, owner: str, values: Json) -> bool:
    is_ours = JOBS.c.id == id_, JOBS.c.owner == owner, JOBS.c.status == "running"
    return connection.execute(update(JOBS).where(*is_ours).values(values)).rowcount == 1


def _job(row: Row[Any]) -> Job:
    fault = None if row.fault is None else JobFault(**json.loads(row.fault))
    results = {} if row.results is None else json.loads(row.results)
    return Job(
        id=row.id,
        execution=Execution(**json.loads(row.execution)),
        user=row.user,
        status=row.status,
        message=row.message,
        progress=row.progress,
        created=row.created,
        updated=row.updated,
        started=row.started,
        finished=row.finished if row.status in ENDED else None,
        attempts=row.attempts,
        fault=fault,
        results={name: Result(**written) for name, written in results.items()},
    )
