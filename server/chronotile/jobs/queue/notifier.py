"""Sends messages to subscribers of jobs or items, in separate threads: the work itself does not wait for them."""

import logging
import threading
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from chronotile.core.errors import ChronotileError
from chronotile.core.model.job import WebhookMessage
from chronotile.core.web.fetch import post
from chronotile.jobs.queue.faults import fault_of, is_foreseen
from chronotile.jobs.queue.outbox import host_of
from chronotile.jobs.queue.runtime import SYSTEM, Runtime

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Messages sent in parallel."""
PER_HOST = 2
"""Messages sent in parallel to one host, so that a host that hangs does not delay the others."""
IDLE_S = 1.0
LOST_S = 5.0
"""Wait before an unreachable table is tried again."""
LEASE_S = 60.0
"""Time for which a message is taken; longer than sending can last."""
WAITS_S = (5.0, 30.0, 180.0, 1080.0)
"""Wait after each failed try; the next failure is final."""


@contextmanager
def log_failures(log: logging.Logger, hindered: str) -> Iterator[None]:
    """Log an error of the body as `hindered` and continue after it."""
    try:
        yield
    except ChronotileError as error:
        log.warning("%s: %s", hindered, error)
    except Exception:  # an uncaught error would end the thread with all later work
        log.exception("%s", hindered)


class Due(Protocol):
    """A message that is due."""

    @property
    def url(self) -> str:
        """URL of the subscriber."""

    @property
    def tries(self) -> int:
        """Number of tries, this one included."""


AnyDue = TypeVar("AnyDue", bound=Due)


class Outbox(Protocol[AnyDue]):
    """Queue of messages; several processes may take messages concurrently."""

    def take(self, *, lease_s: float, without: Collection[str]) -> AnyDue | None:
        """Take a due message for `lease_s` seconds; `None` if no message is due. Hosts in `without` are skipped."""

    def message(self, due: AnyDue) -> WebhookMessage | None:
        """Return the current message; `None` if it is obsolete."""

    def set_sent(self, due: AnyDue) -> None:
        """Record that the message was sent or is obsolete."""

    def retry_later(self, due: AnyDue, *, wait_s: float, reason: str) -> None:
        """Let any notifier try again after `wait_s` seconds."""

    def give_up(self, due: AnyDue, reason: str) -> None:
        """Drop the message."""


class Post(Protocol):
    """Function that sends a document."""

    def __call__(self, url: str, body: bytes, /, *, headers: Mapping[str, str]) -> None:
        """Send a document to a URL and wait until it is accepted.

        Raises:
            SourceUnavailable: It was not accepted.
        """


class Notifier(Generic[AnyDue]):
    """Sends due messages, several in parallel, while it is used as a context manager.

    Args:
        outbox: Queue of messages.
        send: Sends a message.
        runtime: Waiting and threads.
        at_once: Messages sent in parallel.
        per_host: Messages sent in parallel to one host.
    """

    def __init__(
        self,
        outbox: Outbox[AnyDue],
        *,
        send: Post = post,
        runtime: Runtime = SYSTEM,
        at_once: int = AT_ONCE,
        per_host: int = PER_HOST,
    ) -> None:
        self._outbox = outbox
        self._send = send
        self._wait = runtime.wait
        self._at_once, self._per_host = at_once, per_host
        self._lock = threading.Lock()
        self._hosts = Counter[str]()
        """Number of messages being sent, by host."""
        self._is_stopped = threading.Event()
        self._pool = runtime.threads(at_once, "notifier")

    def __enter__(self) -> Self:
        """Start the threads."""
        for _ in range(self._at_once):
            self._pool.submit(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the threads, and wait until messages that are being sent have ended."""
        self._is_stopped.set()
        self._pool.shutdown()

    def send_next(self) -> bool:
        """Send the message that has been due for longest; return whether one was due.

        Raises:
            SourceUnavailable: The table is unreachable.
            StorageFull: The disk of the table is full.
        """
        due = self._take()
        if due is None:
            return False
        try:
            self._notify(due)
        finally:
            with self._lock:
                self._hosts -= Counter([host_of(due.url)])
        return True

    def _take(self) -> AnyDue | None:
        with self._lock:
            full = [host for host, count in self._hosts.items() if count >= self._per_host]
            due = self._outbox.take(lease_s=LEASE_S, without=full)
            if due is not None:
                self._hosts[host_of(due.url)] += 1
            return due

    def _notify(self, due: AnyDue) -> None:
        try:
            message = self._outbox.message(due)
            if message is not None:
                self._send(due.url, message.body, headers=message.headers)
        except Exception as error:  # every error counts as a try, so that the next try waits
            if not is_foreseen(error):
                log.exception("a subscriber at %s was not notified", host_of(due.url))
            self._note_failure(due, fault_of(error).detail)
        else:
            self._outbox.set_sent(due)

    def _note_failure(self, due: AnyDue, reason: str) -> None:
        if due.tries <= len(WAITS_S):
            self._outbox.retry_later(due, wait_s=WAITS_S[due.tries - 1], reason=reason)
        else:
            self._outbox.give_up(due, reason)

    def _run(self) -> None:
        wait_s = 0.0
        while not self._wait(self._is_stopped, wait_s):
            wait_s = LOST_S
            with log_failures(log, "subscribers cannot be notified"):
                wait_s = 0.0 if self.send_next() else IDLE_S
