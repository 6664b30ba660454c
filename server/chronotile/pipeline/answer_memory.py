"""How much memory answers may take together while they are made."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from chronotile.errors import LimitExceeded, ServerBusy

SMALL_BYTES = 8 << 20
"""What takes no more, as tiles do, is not counted: as many as threads make at once are part of what a worker takes."""

MOST_WAITING = 4
"""Answers that wait in their threads for memory: half of those that draw pictures, so that tiles have the rest."""

PATIENCE_S = 30.0
"""For how long one waits."""

LIMIT = "memory of one answer, in bytes,"


class AnswerMemory:
    """A budget of bytes that admits large answers in the order in which they come; may be used by several threads.

    Held by the threads that gates have let in: what waits here holds its thread, and its source's share of them.

    Args:
        max_bytes: Of all large answers that are made at once; `None` for as much as they like.
        patience_s: For how long one waits.
    """

    def __init__(self, max_bytes: int | None = None, *, patience_s: float = PATIENCE_S) -> None:
        self.max_bytes = max_bytes
        self._patience_s = patience_s
        self._taken = 0
        self._waiting = deque[object]()
        self._changed = threading.Condition()

    @property
    def taken_bytes(self) -> int:
        """By what is made now."""
        with self._changed:
            return self._taken

    @property
    def waiting(self) -> int:
        """Answers that wait."""
        with self._changed:
            return len(self._waiting)

    @contextmanager
    def taking(self, size: int, *, alternative: str) -> Iterator[None]:
        """Take so many bytes for the block, once there are as many; not to be called within itself.

        Raises:
            LimitExceeded: There never are; `alternative` says what to ask for instead.
            ServerBusy: Too many wait already, or this one has waited for too long.
        """
        if self.max_bytes is None or size <= SMALL_BYTES:
            yield
            return
        if size > self.max_bytes:
            raise LimitExceeded(LIMIT, allowed=self.max_bytes, asked=size, alternative=alternative)
        self._take(size, self.max_bytes)
        try:
            yield
        finally:
            with self._changed:
                self._taken -= size
                self._changed.notify_all()

    def _take(self, size: int, max_bytes: int) -> None:
        ticket = object()
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                raise ServerBusy("too many large answers wait for memory already; try again in a few seconds")
            self._waiting.append(ticket)
            try:
                is_there = self._changed.wait_for(
                    lambda: self._waiting[0] is ticket and self._taken + size <= max_bytes, self._patience_s
                )
                if not is_there:
                    raise ServerBusy("other large answers take all memory; try again in a few seconds")
                self._taken += size
            finally:
                self._waiting.remove(ticket)
                self._changed.notify_all()
