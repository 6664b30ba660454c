"""Notifies subscribers, of jobs or of new items, apart from the work itself, which waits for none of them."""

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar

from chronotile.core.errors import ChronotileError
from chronotile.core.model.job import WebhookMessage
from chronotile.core.web.fetch import post
from chronotile.jobs.queue.faults import fault_of, is_foreseen
from chronotile.jobs.queue.outbox import host_of

# How those who do jobs tell the time, wait, and start threads: values, so that tests pass a simulated clock.


def threads(count: int, name: str) -> Executor:
    """Return an executor of so many threads."""
    return ThreadPoolExecutor(count, thread_name_prefix=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Runtime:
    """The clock, the waiting and the threads of this process."""

    clock: Callable[[], float] = time.monotonic
    """Seconds that never go back."""
    wait: Callable[[Event, float], bool] = Event.wait
    """Wait for an event, or so many seconds; return whether the event has happened."""
    threads: Callable[[int, str], Executor] = threads
    """Make an executor, with a number of threads and a name for them."""


SYSTEM = Runtime()


log = logging.getLogger(__name__)

AT_ONCE = 4
"""Subscribers that are notified in parallel."""
PER_HOST = 2
"""Of these, so that a host that hangs does not hold up the others."""
IDLE_S = 1.0
LOST_S = 5.0
"""How long to wait before a table that is not there is tried again."""
LEASE_S = 60.0
"""Longer than any message takes."""
WAITS_S = (5.0, 30.0, 180.0, 1080.0)
"""How long to wait after each try in vain; after one more it is given up."""


@contextmanager
def log_failures(log: logging.Logger, hindered: str) -> Iterator[None]:
    """Log that what is done inside failed, and go on: the next time it may not."""
    try:
        yield
    except ChronotileError as error:
        log.warning("%s: %s", hindered, error)
    except Exception:  # else it would end the thread, and with it all that the thread does
        log.exception("%s", hindered)


class Due(Protocol):
    """What a subscriber is to be sent."""

    @property
    def url(self) -> str:
        """To whom."""

    @property
    def tries(self) -> int:
        """How often it was tried, this time included."""


AnyDue = TypeVar("AnyDue", bound=Due)


class Outbox(Protocol[AnyDue]):
    """What there is to send; any number of processes may take from it at once."""

    def take(self, *, lease_s: float, without: Collection[str]) -> AnyDue | None:
        """Take what is due, if anything is, for so many seconds; nothing for the hosts in `without`."""

    def message(self, due: AnyDue) -> WebhookMessage | None:
        """Return the message of now; `None`: there is nothing to say any more."""

    def set_sent(self, due: AnyDue) -> None:
        """Note that it was sent, or that there was nothing to say."""

    def retry_later(self, due: AnyDue, *, wait_s: float, reason: str) -> None:
        """Let any notifier try again after a while."""

    def give_up(self, due: AnyDue, reason: str) -> None:
        """Never send it."""


class Post(Protocol):
    """How documents are sent."""

    def __call__(self, url: str, body: bytes, /, *, headers: Mapping[str, str]) -> None:
        """Send a document to a URL, and wait until it was taken.

        Raises:
            SourceUnavailable: It was not.
        """


class Notifier(Generic[AnyDue]):
    """Sends the messages that are due, some at once, from when it is entered until it is left.

    Args:
        outbox: What there is to send.
        send: How it is sent.
        runtime: How to wait and to start threads.
        at_once: Messages that are sent in parallel.
        per_host: Of these, to one host.
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
        """How many messages are being sent."""
        self._is_stopped = threading.Event()
        self._pool = runtime.threads(at_once, "notifier")

    def __enter__(self) -> Self:
        """Begin to tell."""
        for _ in range(self._at_once):
            self._pool.submit(self._run)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Send no more; messages on their way have some seconds to end."""
        self._is_stopped.set()
        self._pool.shutdown()

    def send_next(self) -> bool:
        """Send the message that has been due for longest; return whether one was due.

        Raises:
            SourceUnavailable: The table cannot be reached.
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
        except Exception as error:  # each counts as a try, or it would be tried again at once and for ever
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
