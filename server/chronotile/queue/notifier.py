"""Notifies subscribers how their jobs go on, apart from the doing of jobs, which waits for none of them."""

import logging
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Protocol, Self

from chronotile.errors import ChronotileError, UnknownPath
from chronotile.model.job import Callback, Job, Message
from chronotile.queue.faults import fault_of, is_foreseen
from chronotile.queue.outbox import Callbacks, host_of
from chronotile.queue.runtime import SYSTEM, Runtime
from chronotile.queue.table import JobTable
from chronotile.web.fetch import post

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Subscribers that are notified in parallel."""
OF_A_HOST = 2
"""Of these, so that a host that hangs does not hold up the others."""
IDLE_S = 1.0
LOST_S = 5.0
"""How long to wait before a table that is not there is tried again."""
LEASE_S = 60.0
"""Longer than any message takes."""
WAITS_S = (5.0, 30.0, 180.0, 1080.0)
"""How long to wait after each try in vain; after one more it is given up."""
WORDS = {"running": "that it runs", "successful": "that it is done", "failed": "that it failed"}


class Post(Protocol):
    """How documents are sent."""

    def __call__(self, url: str, body: bytes, /, *, headers: Mapping[str, str]) -> None:
        """Send a document to a URL, and wait until it was taken.

        Raises:
            SourceUnavailable: It was not.
        """


class Notifier:
    """Sends the messages that are due, some at once, from when it is entered until it is left.

    Args:
        table: That of the jobs.
        callbacks: What there is to tell.
        write: Makes the message on a job as it is now.
        send: How it is sent.
        runtime: How to wait and to start threads.
    """

    def __init__(
        self,
        table: JobTable,
        callbacks: Callbacks,
        *,
        write: Callable[[Job, Callback], Message],
        send: Post = post,
        runtime: Runtime = SYSTEM,
    ) -> None:
        self._table = table
        self._callbacks = callbacks
        self._write = write
        self._send = send
        self._wait = runtime.wait
        self._lock = threading.Lock()
        self._hosts = Counter[str]()
        """How many messages are being sent."""
        self._is_stopped = threading.Event()
        self._pool = runtime.threads(AT_ONCE, "notifier")

    def __enter__(self) -> Self:
        """Begin to tell."""
        for _ in range(AT_ONCE):
            self._pool.submit(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send no more; messages on their way have some seconds to end."""
        self._is_stopped.set()
        self._pool.shutdown()

    def tell_next(self) -> bool:
        """Send the message that has been due for longest; return whether one was due.

        Raises:
            SourceUnavailable: The table cannot be reached.
            StorageFull: The disk of the table is full.
        """
        callback = self._take()
        if callback is None:
            return False
        try:
            self._tell(callback)
        finally:
            self._let_go(callback)
        return True

    def _take(self) -> Callback | None:
        with self._lock:
            full = [host for host, count in self._hosts.items() if count >= OF_A_HOST]
            callback = self._callbacks.take(lease_s=LEASE_S, without=full)
            if callback is not None:
                self._hosts[host_of(callback.url)] += 1
            return callback

    def _let_go(self, callback: Callback) -> None:
        with self._lock:
            self._hosts -= Counter([host_of(callback.url)])

    def _tell(self, callback: Callback) -> None:
        try:
            job = self._table.job(callback.job)
        except UnknownPath:  # it was forgotten, and the callback with it
            return
        try:
            self._post(job, callback)
        except Exception as error:  # each counts as a try, or it would be tried again at once and for ever
            if not is_foreseen(error):
                log.exception("the subscriber of job %s was not notified", callback.job)
            self._failed(callback, fault_of(error).detail)
        else:
            self._callbacks.set_sent(callback)

    def _post(self, job: Job, callback: Callback) -> None:
        if job.status != callback.status:  # it went on meanwhile, which has a message of its own
            return
        message = self._write(job, callback)
        self._send(callback.url, message.body, headers=message.headers)

    def _failed(self, callback: Callback, reason: str) -> None:
        said = f"its subscriber was not notified {WORDS[callback.status]}: {reason}"
        log.info("job %s: %s", callback.job, said)
        if callback.tries <= len(WAITS_S):
            self._callbacks.again(callback, wait_s=WAITS_S[callback.tries - 1])
        else:
            self._callbacks.leave(callback)
            self._table.say(callback.job, f"{said}; it was tried {callback.tries} times")

    def _run(self) -> None:
        wait_s = 0.0
        while not self._wait(self._is_stopped, wait_s):
            try:
                wait_s = 0.0 if self.tell_next() else IDLE_S
            except ChronotileError as error:
                log.warning("subscribers cannot be notified: %s", error)
                wait_s = LOST_S
            except Exception:  # else it would end the thread that notifies
                log.exception("subscribers cannot be notified")
                wait_s = LOST_S
