"""Messages to the subscribers of jobs, in the form that the notifier takes."""

import logging
from collections.abc import Callable, Collection

from chronotile.core.errors import UnknownPath
from chronotile.core.model.job import Callback, Job, WebhookMessage
from chronotile.jobs.queue.outbox import CallbackQueue
from chronotile.jobs.queue.table import JobTable

log = logging.getLogger(__name__)
WORDS = {"running": "that it runs", "successful": "that it is done", "failed": "that it failed"}


class JobOutbox:
    """Messages to the subscribers of jobs; implements `Outbox`.

    Args:
        table: Table of the jobs.
        callbacks: Queue of messages.
        write: Makes the message from the current job.
    """

    def __init__(
        self, table: JobTable, callbacks: CallbackQueue, *, write: Callable[[Job, Callback], WebhookMessage]
    ) -> None:
        self._table = table
        self._callbacks = callbacks
        self._write = write

    def take(self, *, lease_s: float, without: Collection[str]) -> Callback | None:
        """Take the message that has been due for longest; `None` if no message is due."""
        return self._callbacks.take(lease_s=lease_s, without=without)

    def message(self, due: Callback) -> WebhookMessage | None:
        """Return the message; `None` if the job was deleted, or has a later status with a separate message."""
        try:
            job = self._table.job(due.job)
        except UnknownPath:
            return None
        return self._write(job, due) if job.status == due.status else None

    def set_sent(self, due: Callback) -> None:
        """Drop a sent message; a progress message stays for the next progress."""
        self._callbacks.set_sent(due)

    def retry_later(self, due: Callback, *, wait_s: float, reason: str) -> None:
        """Let any notifier try again after a while."""
        log.info("job %s: %s", due.job, _failure_text(due, reason))
        self._callbacks.retry_later(due, wait_s=wait_s)

    def give_up(self, due: Callback, reason: str) -> None:
        """Drop the message and write the reason to the log of the job."""
        text = _failure_text(due, reason)
        log.info("job %s: %s", due.job, text)
        self._callbacks.drop(due)
        self._table.add_log_line(due.job, f"{text}; it was tried {due.tries} times")


def _failure_text(due: Callback, reason: str) -> str:
    return f"its subscriber was not notified {WORDS[due.status]}: {reason}"
