"""What subscribers of jobs are to be sent, as the notifier takes it."""

import logging
from collections.abc import Callable, Collection

from chronotile.errors import UnknownPath
from chronotile.model.job import Callback, Job, Message
from chronotile.queue.outbox import Callbacks
from chronotile.queue.table import JobTable

WORDS = {"running": "that it runs", "successful": "that it is done", "failed": "that it failed"}

log = logging.getLogger(__name__)


class JobOutbox:
    """Messages to the subscribers of jobs. It is an `Outbox`.

    Args:
        table: That of the jobs.
        callbacks: What there is to tell.
        write: Makes the message on a job as it is now.
    """

    def __init__(self, table: JobTable, callbacks: Callbacks, *, write: Callable[[Job, Callback], Message]) -> None:
        self._table = table
        self._callbacks = callbacks
        self._write = write

    def take(self, *, lease_s: float, without: Collection[str]) -> Callback | None:
        """Take what has been due for longest, if anything is."""
        return self._callbacks.take(lease_s=lease_s, without=without)

    def message(self, due: Callback) -> Message | None:
        """Return the message on a job; `None` if it has gone on, which has a message of its own, or was forgotten."""
        try:
            job = self._table.job(due.job)
        except UnknownPath:
            return None
        return self._write(job, due) if job.status == due.status else None

    def set_sent(self, due: Callback) -> None:
        """Drop a message that was sent; one on progress stays for when there is more, after some time."""
        self._callbacks.set_sent(due)

    def again(self, due: Callback, *, wait_s: float, reason: str) -> None:
        """Let any notifier try again after a while."""
        log.info("job %s: %s", due.job, _said(due, reason))
        self._callbacks.again(due, wait_s=wait_s)

    def give_up(self, due: Callback, reason: str) -> None:
        """Never tell it again; the log of the job has why."""
        said = _said(due, reason)
        log.info("job %s: %s", due.job, said)
        self._callbacks.leave(due)
        self._table.say(due.job, f"{said}; it was tried {due.tries} times")


def _said(due: Callback, reason: str) -> str:
    return f"its subscriber was not notified {WORDS[due.status]}: {reason}"
