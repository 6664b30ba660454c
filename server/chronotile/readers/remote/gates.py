"""Servers that hang: each holds few threads, and none once it has not answered several times.

The time-outs of requests bound how long one waits; a gate bounds how many wait for the same server, also for servers
that no source names but items do.
"""

import random
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

SILENT_S = 2.0
"""A server from which nothing came for so long, while requests wait for it, gets at most `MOST_WAITING` of them."""
MOST_WAITING = 8
LATE = 3
"""So many requests without an answer in time, and no answer between them, close the gate."""
FIRST_CLOSED_S, LONGEST_CLOSED_S = 1.0, 8.0
"""How long it stays closed; then one request is tried. Each that gets no answer doubles it."""
JITTER = 0.5
"""The share by which it is shortened at random, so that workers do not try at the same moment."""
MOST_SERVERS = 1024


class TooLate(Exception):
    """A server has not answered in time."""


class Undecided(Exception):
    """A request was not sent, or was given up: whether the server answers is not known."""


class GateClosed(OSError):
    """A request is not sent, as its server does not answer; the message gives this reason without naming the server."""


class Gate:
    """Lets requests to one server through; threads share it.

    Args:
        clock: Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._heard_s = clock()
        """When something came last, or when the first request of those that wait was sent."""
        self._late = 0
        """Requests without an answer in time since the last answer."""
        self._closed_until_s = 0.0
        self._is_trying = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let a request through.

        `TooLate` in the block means that there was no answer, `Undecided` that nothing is known, all else that there
        was an answer.

        Raises:
            GateClosed: It is not let through.
        """
        self._enter()
        is_late: bool | None = False
        try:
            yield
        except TooLate:
            is_late = True
            raise
        except Undecided:
            is_late = None
            raise
        finally:
            self._leave(is_late=is_late)

    def require_open(self) -> None:
        """Check that the server is not known to hang, before a request that does not pass here.

        Raises:
            GateClosed: It is, and it is not time to try it again.
        """
        with self._lock:
            self._require_answers()

    def _require_answers(self) -> None:
        if self._late >= LATE and (self._is_trying or self._clock() < self._closed_until_s):
            raise GateClosed("its server did not respond to the last requests; try again later")

    def hear(self) -> None:
        """Note that something of an answer came."""
        self._heard_s = self._clock()

    def _enter(self) -> None:
        with self._lock:
            now_s = self._clock()
            is_closed = self._late >= LATE
            self._require_answers()
            if self._waiting >= MOST_WAITING and now_s - self._heard_s >= SILENT_S:
                raise GateClosed("its server does not respond now, and other requests wait for it; try again later")
            if not self._waiting:
                self._heard_s = now_s
            self._waiting += 1
            self._is_trying = is_closed

    def _leave(self, *, is_late: bool | None) -> None:
        with self._lock:
            self._waiting -= 1
            self._is_trying = False
            if is_late is None:
                return
            if not is_late:
                self._late = 0
                self._heard_s = self._clock()
                return
            self._late += 1
            if self._late >= LATE:
                closed_s = min(FIRST_CLOSED_S * 2.0 ** min(self._late - LATE, 10), LONGEST_CLOSED_S)
                self._closed_until_s = self._clock() + closed_s * (1 - JITTER * random.random())


class Gates:
    """The gates of all servers, the latest used of them."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._gates: OrderedDict[str, Gate] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, server: str) -> Gate:
        """Return the gate of a server or bucket."""
        with self._lock:
            gate = self._gates.get(server)
            if gate is None:
                gate = self._gates[server] = Gate(self._clock)
                while len(self._gates) > MOST_SERVERS:
                    self._gates.popitem(last=False)
            else:
                self._gates.move_to_end(server)
            return gate


gates = Gates()
"""Of this process."""
