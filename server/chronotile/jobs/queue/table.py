"""The table of jobs: an accepted job stays in it until it is deleted, even if processes are killed."""

import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Row, Select, and_, delete, func, insert, or_, select, update

from chronotile.core.database import close_engine, database_time, hold, newer_version
from chronotile.core.errors import ConfigurationError, ServerBusy
from chronotile.core.model.job import JOB_ID, Excerpt, Execution, Job, Result, Status, Subscriber
from chronotile.core.model.types import Json
from chronotile.jobs.queue.database import read_transaction, write_transaction
from chronotile.jobs.queue.faults import no_job
from chronotile.jobs.queue.job_leases import BRIEF_COLUMNS, OwnedJobs
from chronotile.jobs.queue.outbox import subscribe
from chronotile.jobs.queue.rows import (
    brief_of,
    excerpt_of,
    execution_of,
    execution_without_inputs,
    job_of,
    results_text,
    row_of,
    storable,
)
from chronotile.jobs.queue.running_workers import Heartbeat
from chronotile.jobs.queue.schema import CLIENTS, FINISHED_TASKS, JOBS, LOG, METADATA, SCHEMA, VERSION, WORKERS

MAX_LISTED = 1000
LOG_LINES = 1000

OPEN = JOBS.c.status.in_(["accepted", "running"])
DOCUMENT_COLUMNS = [*BRIEF_COLUMNS, JOBS.c.results]
"""Columns of a job in its document: names and media types of results, but not the inputs."""

ALL_CLIENTS_FACTOR = 10
"""Limit of open jobs of all clients of a user, as a multiple of the limit per client."""
FROM_HERE = " from your address"

_MAKING = 7_105_101
"""Advisory lock of PostgreSQL: only its holder creates the tables."""
_SUBMITTING = 7_105_102
"""Advisory lock of PostgreSQL: only its holder counts the open jobs of a user and adds one."""


class JobTable(OwnedJobs):
    """Jobs of one archive, in a database that other archives may share. Several processes may use it concurrently.

    Jobs of other archives are invisible. `job_leases.py` has the table of states.

    Args:
        engine: Engine from `open_engine`.
        archive: Id of the archive.
        clock: Seconds since 1970, UTC, of the database.

    Raises:
        ConfigurationError: The tables have the version of another chronotile.
        SourceUnavailable: The database is unreachable, damaged or locked for too long; also in each method.
        StorageFull: The disk is full; also in each method that writes.
    """

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        super().__init__(engine, archive=archive, clock=clock)
        self.heartbeat = Heartbeat(engine, archive=archive, clock=clock)
        """Running workers of the archive."""
        _make_tables(engine)

    def close(self) -> None:
        """Close the database."""
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
            execution: Process to run, with its inputs.
            user: Name of the owner; `None` for anonymous clients.
            max_open: Limit of unfinished jobs of this client, or of this user if the client is `None`. All clients of a
                user together have `ALL_CLIENTS_FACTOR` times that limit.
            subscriber: Addresses to notify of its progress.
            revision: Current revision of the data that it reads; `None` if it reads no layer.
            client: IP address that sent the request.

        Raises:
            ServerBusy: The limit of unfinished jobs is reached.
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

    def add_finished(
        self,
        id_: str,
        execution: Execution,
        results: Mapping[str, Result],
        *,
        user: str | None,
        revision: str | None = None,
    ) -> Job:
        """Add a job that was executed synchronously, so that its results can be requested later.

        Args:
            id_: Id from `new_id`; its files are already in its folder.
            execution: Process that ran, with its inputs.
            results: Results by output name.
            user: Name of the owner; `None` for anonymous clients.
            revision: Revision of the data that was read; `None` if no layer was read.
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
            UnknownPath: No job has that id.
        """
        if JOB_ID.fullmatch(id_):  # other text may contain characters that the database refuses
            with read_transaction(self._engine) as connection:
                row = connection.execute(
                    select(*DOCUMENT_COLUMNS).where(self._is_of_archive, JOBS.c.id == id_)
                ).one_or_none()
            if row is not None:
                return job_of(row)
        raise no_job(id_)

    def execution(self, id_: str) -> Execution:
        """Return the request of a job, which may have tens of megabytes.

        Raises:
            UnknownPath: No job has that id.
        """
        return execution_of(self._row_of(id_, JOBS.c.process, JOBS.c.wanted, JOBS.c.inputs))

    def execution_without_inputs(self, id_: str) -> Execution:
        """Return the execution without its inputs, which take seconds to parse for some jobs.

        Raises:
            UnknownPath: No job has that id.
        """
        return execution_without_inputs(self._row_of(id_, JOBS.c.process, JOBS.c.wanted))

    def inputs(self, id_: str, *, most: int) -> Excerpt:
        """Return the inputs of a job as JSON for display; only the displayed part is fetched.

        Args:
            id_: Id of the job.
            most: Maximum number of characters.

        Raises:
            UnknownPath: The job was deleted.
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
        """Return jobs, the newest first, and the number of all matching jobs.

        Jobs come without their results: results of a thousand jobs may have gigabytes.

        Args:
            users: Owners; all if empty. `None` stands for anonymous clients.
            processes: Ids of processes; all if empty.
            statuses: All if empty.
            created: First and last second since 1970, the last exclusive; `None` if open.
            seconds: Shortest and longest run time in seconds; `None` if open. A running job has run until now.
            limit: Maximum number of jobs.
            offset: Number of jobs to skip.
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
        """Cancel a job that has not ended; its worker notices it at the next write to the table.

        Raises:
            UnknownPath: No job has that id.
        """
        if JOB_ID.fullmatch(id_):
            values = {"status": "dismissed", "message": "was dismissed", "owner": None}
            with write_transaction(self._engine) as connection:
                self._end(connection, values, self._is_of_archive, JOBS.c.id == id_, OPEN)
        return self.job(id_)

    def log(self, id_: str) -> tuple[tuple[float, str], ...]:
        """Return the last lines of the log of a job, with their times in seconds since 1970."""
        with read_transaction(self._engine) as connection:
            rows = connection.execute(
                select(LOG.c.at, LOG.c.text).where(LOG.c.job == id_).order_by(LOG.c.id.desc()).limit(LOG_LINES)
            ).all()
        return tuple((row.at, row.text) for row in reversed(rows))

    def list_ended_before(self, moment: float) -> tuple[str, ...]:
        """Return the ids of jobs that ended before a moment in seconds since 1970."""
        with read_transaction(self._engine) as connection:
            return tuple(connection.scalars(select(JOBS.c.id).where(self._is_of_archive, JOBS.c.finished < moment)))

    def find_ids(self, ids: Iterable[str]) -> frozenset[str]:
        """Return the ids that belong to jobs of any archive, because archives may share a folder."""
        with read_transaction(self._engine) as connection:
            return frozenset(connection.scalars(select(JOBS.c.id).where(JOBS.c.id.in_(list(ids)))))

    def forget(self, ids: Iterable[str]) -> None:
        """Delete jobs from all tables. The caller has removed their files."""
        with write_transaction(self._engine) as connection:
            connection.execute(delete(JOBS).where(JOBS.c.id.in_(list(ids))))

    def _row_of(self, id_: str, *columns: ColumnElement[Any]) -> Row[*tuple[Any, ...]]:
        with read_transaction(self._engine) as connection:
            row = connection.execute(select(*columns).where(self._is_of_archive, JOBS.c.id == id_)).one_or_none()
        if row is None:
            raise no_job(id_)
        return row


def queue_again(connection: Connection) -> None:
    """Let all open jobs start again without finished tasks: the database is a copy that no worker has seen."""
    values = {"status": "accepted", "message": "queued again after a restore", "owner": None, "leased_until": None}
    connection.execute(update(JOBS).where(OPEN).values(**values, blocks=None, not_before=None))
    connection.execute(delete(FINISHED_TASKS))
    connection.execute(delete(WORKERS))


def new_id() -> str:
    """Return a random id that cannot be guessed: the id is enough to read the job of an anonymous client."""
    return secrets.token_hex(16)


def _require_room(connection: Connection, count: Select[int], most: int, whose: str = "") -> None:
    waiting = connection.scalar(count) or 0
    if waiting >= most:
        raise ServerBusy(f"{waiting} jobs{whose} have not ended yet, and no more may be requested at once; try later")


def _add(connection: Connection, row: Json, now: float) -> Job:
    values = {**row, "created": now, "updated": now}
    return job_of(connection.execute(insert(JOBS).values(values).returning(*DOCUMENT_COLUMNS)).one())


def _is_of(users: Sequence[str | None]) -> ColumnElement[bool]:
    return or_(*(JOBS.c.user.is_(None) if user is None else JOBS.c.user == user for user in users))


def _make_tables(engine: Engine) -> None:
    """Create missing tables; processes that start at the same time wait for each other."""
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
