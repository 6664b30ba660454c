"""Limit of the memory of all large answers that are being made."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.errors import ServerBusy, require_at_most
from chronotile.core.turns import CLIENT, Turns

log = logging.getLogger(__name__)

SMALL_BYTES = 10 << 20
"""Smaller answers, such as tiles (9 MB if bilinear), are not counted: a worker always has memory for them."""

MOST_WAITING = 4
"""Maximum number of answers that wait in their threads: half of the drawing threads, so that tiles have the rest."""

PATIENCE_S = 30.0
"""Maximum wait."""

LOOK_S = 1.0
"""Time between two checks whether the client of a waiting answer is still connected."""

LOG_S = 10.0
"""Minimum time between two log lines about refusals."""

LIMIT = "memory of one response in bytes"
TOO_MANY = "too many large responses are waiting for memory; try again in a few seconds"


class AnswerMemory:
    """A budget of bytes for large answers, given to clients alternately. Thread-safe.

    Waiting answers keep the thread that a limiter gave them, and a part of the quota of their source.

    Args:
        max_bytes: Limit of all large answers together; `None` for no limit.
        patience_s: Maximum wait.
        clock: Returns monotonic seconds.
        on_end: Called after a large answer, before its bytes are free: returns memory to the system.
    """

    def __init__(
        self,
        max_bytes: int | None = None,
        *,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = monotonic,
        on_end: Callable[[], object] = lambda: None,
    ) -> None:
        self.max_bytes = max_bytes
        self._on_end = on_end
        self._patience_s = patience_s
        self._clock = clock
        self._logged_s = -LOG_S
        self._taken_bytes = 0
        self._refused = 0
        self._waiting = Turns[object]()
        self._changed = threading.Condition()

    @property
    def taken_bytes(self) -> int:
        """Bytes of answers that are being made, of bodies of requests, and of unsent answers."""
        with self._changed:
            return self._taken_bytes

    @property
    def waiting(self) -> int:
        """Number of answers that wait for memory."""
        with self._changed:
            return len(self._waiting)

    @property
    def refused(self) -> int:
        """Number of answers refused since the start, as too many were waiting or the wait was too long."""
        with self._changed:
            return self._refused

    @contextmanager
    def taking(
        self, size: int, *, alternative: str, locator: str | None = None, is_active: IsActive = always_active
    ) -> Iterator[None]:
        """Take a number of bytes for the block, waiting until they are free. Do not nest calls.

        Args:
            size: Number of bytes.
            alternative: Advice for a smaller request, if `size` is above the limit.
            locator: The parameter at fault in this case.
            is_active: Whether the client still waits; called every `LOOK_S` while waiting for memory.

        Raises:
            LimitExceeded: `size` is above the limit.
            ServerBusy: Too many answers are waiting, or this one has waited too long.
            ClientGone: The client closed the connection.
        """
        if self.max_bytes is None or size <= SMALL_BYTES:
            yield
            return
        require_at_most(LIMIT, size, self.max_bytes, alternative=alternative, locator=locator)
        self._take(size, self.max_bytes, is_active)
        try:
            yield
        finally:
            try:
                self._on_end()
            finally:
                self.give_back(size)

    def may_take(self, size: int) -> bool:
        """Return whether a number of bytes is within the limit."""
        return self.max_bytes is None or size <= self.max_bytes

    def takes_now(self, size: int) -> bool:
        """Take a number of bytes if they are free, without waiting; return whether they were taken."""
        with self._changed:
            is_free = self.max_bytes is None or size <= 0 or self._taken_bytes + size <= self.max_bytes
            self._taken_bytes += size if is_free else 0
            return is_free

    def hold(self, size: int) -> None:
        """Take a number of bytes that are in use already, even beyond the limit; later answers wait for them."""
        if size:
            with self._changed:
                self._taken_bytes += size

    def give_back(self, size: int) -> None:
        """Free bytes that `takes_now` or `hold` took."""
        if size:
            with self._changed:
                self._taken_bytes -= size
                self._changed.notify_all()

    def _take(self, size: int, max_bytes: int, is_active: IsActive) -> None:
        ticket, client, end_s = object(), CLIENT.get(), self._clock() + self._patience_s
        with self._changed:
            if len(self._waiting) >= MOST_WAITING and not self._refuse_longest(client):
                raise self._refusal(TOO_MANY)
            self._waiting.add(client, ticket)
        try:
            while not self._has_taken(size, max_bytes, ticket, min(LOOK_S, end_s - self._clock())):
                if ticket not in self._waiting.entries_of(client):
                    raise self._refusal(TOO_MANY)
                if self._clock() >= end_s:
                    raise self._refusal("other large responses use all memory; try again in a few seconds")
                require_active(is_active)  # without the lock, as it may wait for the event loop
        finally:
            with self._changed:
                self._waiting.remove(client, ticket, is_served=True)
                self._changed.notify_all()

    def _refuse_longest(self, client: str) -> bool:
        longest, tickets = self._waiting.crowd(client)
        return bool(tickets) and self._waiting.remove(longest, tickets[-1])

    def _has_taken(self, size: int, max_bytes: int, ticket: object, wait_s: float) -> bool:
        """Take the bytes, if they become free within a time and no other answer is first in line."""
        with self._changed:
            is_free = self._changed.wait_for(
                lambda: self._waiting.first is ticket and self._taken_bytes + size <= max_bytes, max(0.0, wait_s)
            )
            self._taken_bytes += size if is_free else 0
            return is_free

    def _refusal(self, message: str) -> ServerBusy:
        with self._changed:
            self._refused += 1
            refused, waiting, now_s = self._refused, len(self._waiting), self._clock()
            is_logged = now_s - self._logged_s >= LOG_S
            if is_logged:
                self._logged_s = now_s
        if is_logged:
            log.warning("large responses: %d waiting for memory, others rejected (%d so far)", waiting, refused)
        return ServerBusy(message)


# Bytes that a worker holds for clients in addition to answers that it makes: bodies of requests, and unsent answers.


class HeldBytes:
    """Bytes of one answer; bytes above `free_bytes` count against the memory of large answers.

    Belongs to one event loop.

    Args:
        memory: The memory of large answers.
        free_bytes: Bytes that do not count, because every answer may use them.
    """

    def __init__(self, memory: AnswerMemory, *, free_bytes: int) -> None:
        self.total = 0
        self._memory = memory
        self._free = free_bytes

    def adds_now(self, size: int) -> bool:
        """Add bytes if their memory is free; return whether it is."""
        if not self._memory.takes_now(self._taken_bytes(self.total + size) - self._taken_bytes(self.total)):
            return False
        self.total += size
        return True

    def add(self, size: int) -> None:
        """Add bytes that are in use already, even if no memory is free; later large answers wait for them."""
        self._memory.hold(self._taken_bytes(self.total + size) - self._taken_bytes(self.total))
        self.total += size

    def remove(self, size: int) -> None:
        """Remove bytes that were added."""
        self._memory.give_back(self._taken_bytes(self.total) - self._taken_bytes(self.total - size))
        self.total -= size

    def _taken_bytes(self, total: int) -> int:
        # The part of a total that is taken from the memory of large answers.
        return max(0, total - self._free)
