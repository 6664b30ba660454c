"""The table of jobs: what was accepted is there until it is forgotten, whatever is killed."""

import logging
import secrets
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, delete, func, insert, or_, select, update

from chronotile.core.database import close_engine, newer_version
from chronotile.core.durable_files import make_private
from chronotile.core.errors import ConfigurationError, ServerBusy, UnknownPath
from chronotile.core.model.job import (
    ENDED,
    ID,
    Callback,
    Excerpt,
    Execution,
    Job,
    Result,
    Status,
    Subscriber,
    WebhookMessage,
)
from chronotile.core.model.types import Json
from chronotile.jobs.queue.database import database_time, hold, open_engine, read_transaction, write_transaction
from chronotile.jobs.queue.faults import no_job
from chronotile.jobs.queue.outbox import CallbackQueue, subscribe
from chronotile.jobs.queue.owned_jobs import BRIEF_COLUMNS, OwnedJobs
from chronotile.jobs.queue.schema import (
    CLIENTS,
    FINISHED_TASKS,
    JOBS,
    LOG,
    METADATA,
    SCHEMA,
    VERSION,
    WORKERS,
    brief_of,
    excerpt_of,
    execution_of,
    execution_without_inputs,
    job_of,
    results_text,
    row_of,
    storable,
)
from chronotile.jobs.queue.shares import JobShares

MAX_LISTED = 1000
LOG_LINES = 1000
"""Columns of a job that documents show."""

OPEN = JOBS.c.status.in_(["accepted", "running"])
DOCUMENT_COLUMNS = [*BRIEF_COLUMNS, JOBS.c.results]
"""What the document of one job gives: the names and media types of its results too, but not its inputs."""

ALL_CLIENTS_FACTOR = 10
"""The limit of open jobs of all clients, as a multiple of that of one client."""
FROM_HERE = " from your address"

_MAKING = 7_105_101
"""Whom PostgreSQL lets make the tables."""
_SUBMITTING = 7_105_102
"""Whom PostgreSQL lets count the open jobs of a user and add one."""


class JobTable(OwnedJobs):
    """Jobs of one archive in a database, which may hold those of others; any number of processes may use it at once.

    Jobs of other archives are as if there were none.

    Args:
        engine: Of `open_engine`.
        archive: Its id.
        clock: Seconds since 1970, UTC, as the database has them.

    Raises:
        ConfigurationError: The tables are of another version of chronotile.
        SourceUnavailable: The database is away, damaged, or locked by others for too long; so may each method.
        StorageFull: There is no room left; so may each method that writes.
    """

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        super().__init__(engine, archive=archive, clock=clock)
        self.heartbeat = Heartbeat(engine, archive=archive, clock=clock)
        """Which workers of the archive there are."""
        _make_tables(engine)

    def close(self) -> None:
        """Let go of the database."""
        close_engine(self._engine)

    def submit(
        self,
        execution: Execution,
        *,
        user: str | None,
        max_open: int,
        subscriber: Subscriber | None = None,
        revision: str | None = None,
        client: str | None = None,
    ) -> Job:
        """Accept a job.

        Args:
            execution: The process to run, with its inputs.
            user: Whose it is.
            max_open: Jobs that have not ended, at most: of this client, or of this user if the client is not known.
                All clients of a user together may have `ALL_CLIENTS_FACTOR` times as many.
            subscriber: Addresses to notify of its progress, if any.
            revision: The current revision of the data that it reads.
            client: The address that the request comes from.

        Raises:
            ServerBusy: There are that many jobs already that have not ended.
        """
        values = {"status": "accepted", "message": "queued", "progress": 0, "attempts": 0, "fruitless": 0}
        row = row_of(execution, {"id": new_id(), "archive": self.archive, "revision": revision, "user": user, **values})
        with write_transaction(self._engine) as connection:
            hold(connection, _SUBMITTING)
            is_theirs = self._is_of_archive, _is_of([user])
            count = select(func.count()).select_from(JOBS).where(OPEN, *is_theirs)
            if client is not None:
                _require_room(connection, count.join(CLIENTS).where(CLIENTS.c.client == client), max_open, FROM_HERE)
            _require_room(connection, count, max_open if client is None else ALL_CLIENTS_FACTOR * max_open)
            job = _add(connection, row, self._clock(connection))
            if client is not None:
                connection.execute(insert(CLIENTS).values(job=job.id, client=client))
            if subscriber is not None:
                subscribe(connection, job.id, subscriber)
            return job

    def keep(
        self,
        id_: str,
        execution: Execution,
        results: Mapping[str, Result],
        *,
        user: str | None,
        revision: str | None = None,
    ) -> Job:
        """Add a job that was done while its client waited, so that its results can be requested.

        Args:
            id_: Of `new_id`; its files lie in its folder already.
            execution: The process to run, with its inputs.
            results: What came of it.
            user: Whose it is.
            revision: Of what it has read.
        """
        values = {"status": "successful", "message": "is done", "progress": 100, "attempts": 1, "fruitless": 0}
        values_of_job = {"id": id_, "archive": self.archive, "revision": revision, "user": user, **values}
        row = row_of(execution, {**values_of_job, "results": results_text(results)})
        with write_transaction(self._engine) as connection:
            now = self._clock(connection)
            return _add(connection, {**row, "started": now, "finished": now}, now)

    def job(self, id_: str) -> Job:
        """Return a job.

        Raises:
            UnknownPath: There is not one of that id.
        """
        if ID.fullmatch(id_):  # what is none may be text that a database does not take
            with read_transaction(self._engine) as connection:
                row = connection.execute(
                    select(*DOCUMENT_COLUMNS).where(self._is_of_archive, JOBS.c.id == id_)
                ).one_or_none()
            if row is not None:
                return job_of(row)
        raise no_job(id_)

    def execution(self, id_: str) -> Execution:
        """Return the request: tens of megabytes, for some.

        Raises:
            UnknownPath: There is no job of that id; it is one of the table's.
        """
        return execution_of(self._row_of(id_, JOBS.c.process, JOBS.c.wanted, JOBS.c.inputs))

    def execution_without_inputs(self, id_: str) -> Execution:
        """Return the execution without its inputs, which take seconds to parse for some jobs.

        Raises:
            UnknownPath: There is no job of that id; it is one of the table's.
        """
        return execution_without_inputs(self._row_of(id_, JOBS.c.process, JOBS.c.wanted))

    def inputs(self, id_: str, *, most: int) -> Excerpt:
        """Return the inputs of a job as JSON for people to read; of long ones no more is read than is shown.

        Args:
            id_: Of a job of the table.
            most: So many characters at most.

        Raises:
            UnknownPath: It was forgotten.
        """
        written = JOBS.c.inputs
        beginning, count = self._row_of(id_, func.substr(written, 1, most), func.length(written))
        return excerpt_of(beginning, count, most=most)

    def jobs(  # noqa: PLR0913 -- all that selects, each by its name
        self,
        *,
        users: Sequence[str | None] = (),
        processes: Sequence[str] = (),
        statuses: Sequence[Status] = (),
        created: tuple[float | None, float | None] = (None, None),
        seconds: tuple[float | None, float | None] = (None, None),
        limit: int = MAX_LISTED,
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
            limit: Maximum number of jobs.
            offset: So many are left out before.
        """
        lasted = func.coalesce(JOBS.c.finished, self.now()) - JOBS.c.started
        bounds = [
            *([JOBS.c.created >= created[0]] if created[0] is not None else []),
            *([JOBS.c.created < created[1]] if created[1] is not None else []),
            *([lasted >= seconds[0]] if seconds[0] is not None else []),
            *([lasted <= seconds[1]] if seconds[1] is not None else []),
        ]
        is_listed = and_(
            self._is_of_archive,
            *bounds,
            *([_is_of(users)] if users else []),
            *([JOBS.c.process.in_(map(storable, processes))] if processes else []),
            *([JOBS.c.status.in_(statuses)] if statuses else []),
        )
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(*BRIEF_COLUMNS).where(is_listed).order_by(JOBS.c.number.desc()).limit(limit).offset(offset)
            ).all()
            count = connection.scalar(select(func.count()).select_from(JOBS).where(is_listed)) or 0
        return tuple(map(brief_of, rows)), count

    def dismiss(self, id_: str) -> Job:
        """Cancel a job that has not ended; its worker learns of it at its next write to the table.

        Raises:
            UnknownPath: There is not one of that id.
        """
        if ID.fullmatch(id_):
            values = {"status": "dismissed", "message": "was dismissed", "owner": None}
            with write_transaction(self._engine) as connection:
                self._end(connection, values, self._is_of_archive, JOBS.c.id == id_, OPEN)
        return self.job(id_)

    def log(self, id_: str) -> tuple[tuple[float, str], ...]:
        """Return the last lines of the log of a job, each with its time."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(LOG.c.at, LOG.c.text).where(LOG.c.job == id_).order_by(LOG.c.id.desc()).limit(LOG_LINES)
            ).all()
        return tuple((row.at, row.text) for row in reversed(rows))

    def list_ended_before(self, moment: float) -> tuple[str, ...]:
        """Return the ids of jobs that ended before a moment."""
        with read_transaction(self._engine) as connection:
            return tuple(connection.scalars(select(JOBS.c.id).where(self._is_of_archive, JOBS.c.finished < moment)))

    def find_ids(self, ids: Iterable[str]) -> frozenset[str]:
        """Return those of some ids that are of jobs, of any archive: they may share a folder too."""
        with read_transaction(self._engine) as connection:
            return frozenset(connection.scalars(select(JOBS.c.id).where(JOBS.c.id.in_(list(ids)))))

    def forget(self, ids: Iterable[str]) -> None:
        """Remove jobs and all that is known of them; their files are removed before."""
        with write_transaction(self._engine) as connection:
            connection.execute(delete(JOBS).where(JOBS.c.id.in_(list(ids))))

    def _row_of(self, id_: str, *columns: ColumnElement[Any]) -> Row[*tuple[Any, ...]]:
        with read_transaction(self._engine) as connection:
            row = connection.execute(select(*columns).where(self._is_of_archive, JOBS.c.id == id_)).one_or_none()
        if row is None:
            raise no_job(id_)
        return row


def queue_again(connection: Connection) -> None:
    """Let all open jobs begin again, without their finished tasks: in a copy, of which no worker knows."""
    values = {"status": "accepted", "message": "queued again after a restore", "owner": None, "leased_until": None}
    connection.execute(update(JOBS).where(OPEN).values(**values, blocks=None, not_before=None))
    connection.execute(delete(FINISHED_TASKS))
    connection.execute(delete(WORKERS))


def new_id() -> str:
    """Return the id of a new job, which cannot be guessed: knowing the id gives access to the job."""
    return secrets.token_hex(16)


def _require_room(connection: Connection, count: Select[int], most: int, whose: str = "") -> None:
    """Refuse a job if `most` are open already."""
    waiting = connection.scalar(count) or 0
    if waiting >= most:
        raise ServerBusy(f"{waiting} jobs{whose} have not ended yet, and no more may be requested at once; try later")


def _add(connection: Connection, row: Json, now: float) -> Job:
    values = {**row, "created": now, "updated": now}
    return job_of(connection.execute(insert(JOBS).values(values).returning(*DOCUMENT_COLUMNS)).one())


def _is_of(users: Sequence[str | None]) -> ColumnElement[bool]:
    return or_(*(JOBS.c.user.is_(None) if user is None else JOBS.c.user == user for user in users))


def _make_tables(engine: Engine) -> None:
    """Make the tables unless they are there; others who start at the same time wait."""
    with write_transaction(engine) as connection:
        hold(connection, _MAKING)
        SCHEMA.create(connection, checkfirst=True)
        version = connection.scalar(select(SCHEMA.c.version))
        if version is not None and version > VERSION:
            raise newer_version("the job table", version, VERSION)
        if version is not None and version < VERSION:
            older = f"the job table has version {version}, of an older chronotile, and this one knows version {VERSION}"
            raise ConfigurationError([f"{older}: give it another CHRONOTILE_DATABASE_URL or CHRONOTILE_JOBS_DIR"])
        METADATA.create_all(connection)
        if version is None:
            connection.execute(insert(SCHEMA).values(version=VERSION))


@dataclass(frozen=True, slots=True, kw_only=True)
class JobStore:
    """Jobs of one archive."""

    engine: Engine
    table: JobTable
    folder: Path
    """With a folder for the files of each job, by its id."""
    shares: JobShares

    def close(self) -> None:
        """Let go of the database."""
        self.table.close()


def open_store(url: str | None, folder: Path, *, archive: str) -> JobStore:
    """Return the jobs of an archive; tables are made if they are missing.

    Args:
        url: As `open_engine` takes it.
        folder: Of the jobs.
        archive: Its id.

    Raises:
        ConfigurationError: As `open_engine`, or the tables are of another version of chronotile.
        SourceUnavailable: The database is out of reach or damaged.
        StorageFull: There is no room.
    """
    engine = open_engine(url, folder)
    make_private(folder)
    return JobStore(engine=engine, table=JobTable(engine, archive=archive), folder=folder, shares=JobShares(engine))


WORDS = {"running": "that it runs", "successful": "that it is done", "failed": "that it failed"}

log = logging.getLogger(__name__)


class JobOutbox:
    """Messages to the subscribers of jobs. It is an `Outbox`.

    Args:
        table: That of the jobs.
        callbacks: What there is to tell.
        write: Makes the message on a job as it is now.
    """

    def __init__(
        self, table: JobTable, callbacks: CallbackQueue, *, write: Callable[[Job, Callback], WebhookMessage]
    ) -> None:
        self._table = table
        self._callbacks = callbacks
        self._write = write

    def take(self, *, lease_s: float, without: Collection[str]) -> Callback | None:
        """Take what has been due for longest, if anything is."""
        return self._callbacks.take(lease_s=lease_s, without=without)

    def message(self, due: Callback) -> WebhookMessage | None:
        """Return the message on a job; `None` if it has gone on, which has a message of its own, or was forgotten."""
        try:
            job = self._table.job(due.job)
        except UnknownPath:
            return None
        return self._write(job, due) if job.status == due.status else None

    def set_sent(self, due: Callback) -> None:
        """Drop a message that was sent; one on progress stays for when there is more, after some time."""
        self._callbacks.set_sent(due)

    def retry_later(self, due: Callback, *, wait_s: float, reason: str) -> None:
        """Let any notifier try again after a while."""
        log.info("job %s: %s", due.job, _failure_text(due, reason))
        self._callbacks.retry_later(due, wait_s=wait_s)

    def give_up(self, due: Callback, reason: str) -> None:
        """Never tell it again; the log of the job has why."""
        said = _failure_text(due, reason)
        log.info("job %s: %s", due.job, said)
        self._callbacks.drop(due)
        self._table.add_log_line(due.job, f"{said}; it was tried {due.tries} times")


def _failure_text(due: Callback, reason: str) -> str:
    return f"its subscriber was not notified {WORDS[due.status]}: {reason}"


# Which workers there are: where there is none, jobs wait for what will not come by itself.

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

    def report_end(self, worker: str) -> None:
        """Say that a worker ends."""
        with write_transaction(self._engine) as connection:
            connection.execute(delete(WORKERS).where(WORKERS.c.id == worker))

    def has_workers(self) -> bool:
        """Return whether there is a worker of the archive."""
        with read_transaction(self._engine) as connection:
            is_here = WORKERS.c.archive == self._archive, WORKERS.c.seen >= self._clock(connection) - GONE_S
            return connection.scalar(select(WORKERS.c.id).where(*is_here).limit(1)) is not None

    def mark_unattended(self, jobs: Iterable[Job]) -> tuple[Job, ...]:
        """Return jobs whose messages name the archive where they have not ended and no worker of it is there."""
        listed = tuple(jobs)
        if all(job.status in ENDED for job in listed) or self.has_workers():
            return listed
        nobody = no_worker_message(self._archive)
        return tuple(job if job.status in ENDED else replace(job, message=f"{job.message}; {nobody}") for job in listed)


def no_worker_message(archive: str) -> str:
    """Return the message for jobs of an archive of which no worker is running."""
    return f"no worker of the archive {archive} is running"
