"""Queue of messages to subscribers of jobs: it is in the job database, so messages survive the sending process."""

from collections.abc import Callable, Collection
from urllib.parse import urlsplit

from sqlalchemy import ColumnElement, Connection, Engine, case, delete, insert, select, update

from chronotile.core.database import database_time
from chronotile.core.model.job import ENDED, Callback, Status, Subscriber
from chronotile.jobs.queue.database import read_transaction, write_transaction
from chronotile.jobs.queue.schema import CALLBACKS, JOBS

EVERY_S = 10.0
"""Minimum interval between two progress messages."""


def subscribe(connection: Connection, id_: str, subscriber: Subscriber) -> None:
    """Store the subscriber of a job."""
    shared = {"job": id_, "base": subscriber.base, "not_before": 0.0, "tries": 0}
    rows = [{**shared, "status": status, "url": url, "host": host_of(url)} for status, url in subscriber.urls.items()]
    connection.execute(insert(CALLBACKS), rows)


def host_of(url: str) -> str:
    """Return the host of a URL."""
    return urlsplit(url).netloc


def call_back(connection: Connection, id_: str, status: Status, now: float) -> None:
    """Queue the message that a job reached a status; at the end of a job all other messages are dropped."""
    is_of_job = CALLBACKS.c.job == id_
    if status in ENDED:
        connection.execute(delete(CALLBACKS).where(is_of_job, CALLBACKS.c.status != status))
    due = case((CALLBACKS.c.not_before > now, CALLBACKS.c.not_before), else_=now)
    is_it = is_of_job, CALLBACKS.c.status == status, CALLBACKS.c.due.is_(None)
    connection.execute(update(CALLBACKS).where(*is_it).values(due=due))


class CallbackQueue:
    """Messages to subscribers; several processes may take messages concurrently.

    A process takes a message for a limited time. If the process neither sends nor returns it by then, for example
    because it was killed, another process takes it: each message is sent at least once.

    Args:
        engine: Engine of the job table, whose tables exist.
        archive: Id of the archive of the jobs, as in `JobTable`: only its workers find the results.
        clock: Seconds since 1970, as in `JobTable`.

    Raises:
        SourceUnavailable: The database is unreachable, damaged or locked for too long; also in each method.
        StorageFull: The disk is full; also in each method.
    """

    def __init__(self, engine: Engine, *, archive: str, clock: Callable[[Connection], float] = database_time) -> None:
        self._engine = engine
        self._clock = clock
        self._is_of_archive = select(JOBS.c.id).where(JOBS.c.id == CALLBACKS.c.job, JOBS.c.archive == archive).exists()

    def take(self, *, lease_s: float, without: Collection[str] = ()) -> Callback | None:
        """Take the message that has been due for longest; `None` if no message is due.

        Args:
            lease_s: Time for which other processes do not take it.
            without: Hosts whose messages are not taken.
        """
        with read_transaction(self._engine) as connection:  # an idle notifier must not block writers
            now = self._clock(connection)
            is_due = CALLBACKS.c.due <= now, CALLBACKS.c.host.not_in(without), self._is_of_archive
            if connection.scalar(select(CALLBACKS.c.due).where(*is_due).limit(1)) is None:
                return None
        with write_transaction(self._engine) as connection:
            oldest = select(CALLBACKS).where(*is_due).order_by(CALLBACKS.c.due).limit(1)
            row = connection.execute(oldest.with_for_update(skip_locked=True)).one_or_none()
            if row is None:
                return None
            callback = Callback(
                job=row.job,
                status=row.status,
                url=row.url,
                base=row.base,
                tries=row.tries + 1,
                updated=connection.scalars(select(JOBS.c.updated).where(JOBS.c.id == row.job)).one(),
            )
            values = {"due": now + lease_s, "tries": callback.tries}
            connection.execute(update(CALLBACKS).where(*_is(callback)).values(values))
        return callback

    def set_sent(self, callback: Callback) -> None:
        """Drop a sent message; a progress message stays for the next progress, `EVERY_S` later at the earliest."""
        if callback.status in ENDED:
            self.drop(callback)
            return
        with write_transaction(self._engine) as connection:
            later = self._clock(connection) + EVERY_S
            # The row lock orders this and a concurrent progress report, so that one sees the effect of the other.
            of_job = select(JOBS.c.status, JOBS.c.updated).where(JOBS.c.id == callback.job)
            job = connection.execute(of_job.with_for_update(key_share=True)).one_or_none()
            has_more = job is not None and job.status == callback.status and job.updated != callback.updated
            values = {"due": later if has_more else None, "not_before": later, "tries": 0}
            connection.execute(update(CALLBACKS).where(*_is(callback)).values(values))

    def retry_later(self, callback: Callback, *, wait_s: float) -> None:
        """Let any notifier try again after a while."""
        with write_transaction(self._engine) as connection:
            due = self._clock(connection) + wait_s
            connection.execute(update(CALLBACKS).where(*_is(callback)).values(due=due))

    def drop(self, callback: Callback) -> None:
        """Remove a message without sending it."""
        with write_transaction(self._engine) as connection:
            connection.execute(delete(CALLBACKS).where(*_is(callback)))


def _is(callback: Callback) -> tuple[ColumnElement[bool], ...]:
    return CALLBACKS.c.job == callback.job, CALLBACKS.c.status == callback.status
