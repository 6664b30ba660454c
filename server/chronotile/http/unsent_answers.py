"""Limits of answers that clients have not fetched yet."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from chronotile.http.body_memory import MAX_BYTES
from chronotile.pipeline.caches.answer_memory import AnswerMemory, HeldBytes

UNSENT_KEY = "chronotile.unsent"
"""Key of the lifespan state by which the application shares it with the server."""

FREE_UNSENT_BYTES = 8 << 20
"""Of these, what is not taken from the memory of large answers."""

SETTLED_S = 2.0
"""Time after which a connection's rate is measured; a younger one is closed only if all others are as young."""


@dataclass(frozen=True, slots=True)
class _UnsentAnswer:
    size: int
    since_s: float


class UnsentAnswers:
    """Counts answers that wait in transports: each in full until all of it is sent, as no memory is freed before.

    Belongs to one event loop.

    Args:
        memory: Of large answers; the next ones wait for what is not fetched.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(self, memory: AnswerMemory, *, clock: Callable[[], float] = monotonic) -> None:
        self._held = HeldBytes(memory, free_bytes=FREE_UNSENT_BYTES)
        self._waiting: dict[asyncio.Transport, _UnsentAnswer] = {}
        self._clock = clock

    @property
    def taken_bytes(self) -> int:
        """By what waits now."""
        return self._held.total

    def add(self, transport: asyncio.Transport) -> None:
        """Count what waits in a transport from now on, and close the slowest connections if it is too much."""
        self.remove(transport)
        waiting = _UnsentAnswer(transport.get_write_buffer_size(), self._clock())
        self._waiting[transport] = waiting
        self._held.add(waiting.size)
        while self._held.total > MAX_BYTES and len(self._waiting) > 1:
            slowest = min(self._waiting, key=self._speed)
            self.remove(slowest)
            slowest.abort()

    def remove(self, transport: asyncio.Transport) -> None:
        """Count it no longer: what waited is sent, or dropped."""
        waiting = self._waiting.pop(transport, None)
        if waiting is not None:
            self._held.remove(waiting.size)

    def _speed(self, transport: asyncio.Transport) -> tuple[bool, float, float]:
        """How fast a client fetches its answer, for comparison; the older of two that fetch nothing is slower."""
        waiting = self._waiting[transport]
        age_s = self._clock() - waiting.since_s
        fetched = waiting.size - transport.get_write_buffer_size()
        return age_s < SETTLED_S, fetched / max(age_s, 0.001), -age_s
