"""How much memory answers may take together while they are made."""

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
"""Answers of at most this size, such as tiles (9 MB if bilinear), are not counted: a worker has memory for them."""

MOST_WAITING = 4
"""Answers that wait in their threads for memory: half of those that draw pictures, so that tiles have the rest."""

PATIENCE_S = 30.0
"""For how long one waits."""

LOOK_S = 1.0
"""Time between two looks at whether the client of one that waits is still there."""

LOG_S = 10.0
"""Refusals are logged no more often than this."""

LIMIT = "memory of one response in bytes"
TOO_MANY = "too many large responses are waiting for memory; try again in a few seconds"


class AnswerMemory:
    """A budget of bytes for large answers, in which clients take turns; may be used by several threads.

    Held by the threads that limiters have let in: what waits here holds its thread, and its source's share of them.

    Args:
        max_bytes: Of all large answers that are made at once; `None` for as much as they like.
        patience_s: For how long one waits.
        clock: Seconds of a clock that never goes back.
        on_end: Called when a large answer is made, before another may take its bytes: gives them back to the system.
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
        self._taken = 0
        self._refused = 0
        self._waiting = Turns[object]()
        self._changed = threading.Condition()

    @property
    def taken_bytes(self) -> int:
        """Bytes taken by answers that are being made, by bodies of requests and by unsent answers."""
        with self._changed:
            return self._taken

    @property
    def waiting(self) -> int:
        """Answers that wait."""
        with self._changed:
            return len(self._waiting)

    @property
    def refused(self) -> int:
        """Answers refused since the start: too many were waiting, or they had waited too long."""
        with self._changed:
            return self._refused

    @contextmanager
    def taking(
        self, size: int, *, alternative: str, locator: str | None = None, is_active: IsActive = always_active
    ) -> Iterator[None]:
        """Take so many bytes while inside, once there are as many; not to be called within itself.

        Args:
            size: In bytes.
            alternative: What to request instead where it is more than there ever is.
            locator: The parameter at fault then.
            is_active: Whether the client still waits; called every `LOOK_S` while it waits for memory.

        Raises:
            LimitExceeded: There never are so many.
            ServerBusy: Too many wait already, or this one has waited for too long.
            ClientGone: The client left.
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
        """Return whether there ever are so many bytes."""
        return self.max_bytes is None or size <= self.max_bytes

    def takes_now(self, size: int) -> bool:
        """Take so many bytes if there are as many now, without waiting; return whether there are."""
        with self._changed:
            is_there = self.max_bytes is None or size <= 0 or self._taken + size <= self.max_bytes
            self._taken += size if is_there else 0
            return is_there

    def hold(self, size: int) -> None:
        """Take so many bytes, which are in use already, though there may be fewer: the next answers wait for them."""
        if size:
            with self._changed:
                self._taken += size

    def give_back(self, size: int) -> None:
        """Give back what was taken by `takes_now` or `hold`."""
        if size:
            with self._changed:
                self._taken -= size
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
                require_active(is_active)  # without the lock: it may ask the event loop
        finally:
            with self._changed:
                self._waiting.remove(client, ticket, is_served=True)
                self._changed.notify_all()

    def _refuse_longest(self, client: str) -> bool:
        longest, tickets = self._waiting.crowd(client)
        return bool(tickets) and self._waiting.remove(longest, tickets[-1])

    def _has_taken(self, size: int, max_bytes: int, ticket: object, wait_s: float) -> bool:
        """Take the bytes, if there are as many within so much time and nobody else is first in line."""
        with self._changed:
            is_there = self._changed.wait_for(
                lambda: self._waiting.first is ticket and self._taken + size <= max_bytes, max(0.0, wait_s)
            )
            self._taken += size if is_there else 0
            return is_there

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


# Bytes that a worker holds for clients beside the answers it makes: bodies of requests, answers not yet fetched.


class HeldBytes:
    """A sum of bytes, of which what exceeds `free_bytes` is taken from the memory of large answers.

    Belongs to one event loop.

    Args:
        memory: From which it is taken.
        free_bytes: Not taken from there: part of what a worker takes in any case.
    """

    def __init__(self, memory: AnswerMemory, *, free_bytes: int) -> None:
        self.total = 0
        self._memory = memory
        self._free = free_bytes

    def adds_now(self, size: int) -> bool:
        """Add bytes if there is memory for them now; return whether there is."""
        if not self._memory.takes_now(self._taken(self.total + size) - self._taken(self.total)):
            return False
        self.total += size
        return True

    def add(self, size: int) -> None:
        """Add bytes that are held already, though the memory may be taken: new large answers wait then."""
        self._memory.hold(self._taken(self.total + size) - self._taken(self.total))
        self.total += size

    def remove(self, size: int) -> None:
        """Remove bytes that were added."""
        self._memory.give_back(self._taken(self.total) - self._taken(self.total - size))
        self.total -= size

    def _taken(self, total: int) -> int:
        # Of a total, what is taken from the memory of large answers.
        return max(0, total - self._free)
