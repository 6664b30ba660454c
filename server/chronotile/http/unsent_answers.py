"""Limits of answers that clients have not fetched yet.

The server writes an answer to the transport of its connection. If the client is slow, the answer waits there and takes
memory until all of it is sent.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic

from chronotile.http.body_memory import MAX_BYTES
from chronotile.pipeline.caches.answer_memory import AnswerMemory, HeldBytes

UNSENT_KEY = "chronotile.unsent"
"""Key of `UnsentAnswers` in the lifespan state, which the application shares with the server."""
FREE_UNSENT_BYTES = 8 << 20
"""Unsent bytes up to this number do not reduce the memory for large answers."""
SETTLED_S = 2.0
"""Younger connections have no reliable rate; they are closed only if all connections are as young."""


@dataclass(frozen=True, slots=True)
class _UnsentAnswer:
    size: int
    since_s: float


class UnsentAnswers:
    """Counter of the bytes that wait in transports; if they are too many, the slowest connections are closed.

    An answer counts in full until all of it is sent, because its memory is not freed earlier. Belongs to one event
    loop.

    Args:
        memory: Memory for large answers; unsent bytes reduce it.
        clock: Monotonic seconds.
    """

    def __init__(self, memory: AnswerMemory, *, clock: Callable[[], float] = monotonic) -> None:
        self._held = HeldBytes(memory, free_bytes=FREE_UNSENT_BYTES)
        self._answers: dict[asyncio.Transport, _UnsentAnswer] = {}
        self._clock = clock

    @property
    def taken_bytes(self) -> int:
        """Bytes of all unsent answers."""
        return self._held.total

    def add(self, transport: asyncio.Transport) -> None:
        """Count the bytes that wait in a transport, and close the slowest connections while the limit is exceeded."""
        self.remove(transport)
        answer = _UnsentAnswer(transport.get_write_buffer_size(), self._clock())
        self._answers[transport] = answer
        self._held.add(answer.size)
        while self._held.total > MAX_BYTES and len(self._answers) > 1:
            slowest = min(self._answers, key=self._speed)
            self.remove(slowest)
            slowest.abort()

    def remove(self, transport: asyncio.Transport) -> None:
        """Stop counting a transport whose bytes are sent or dropped."""
        answer = self._answers.pop(transport, None)
        if answer is not None:
            self._held.remove(answer.size)

    def _speed(self, transport: asyncio.Transport) -> tuple[bool, float, float]:
        # A sort key. Of two clients that fetch nothing, the one with the older answer counts as slower.
        answer = self._answers[transport]
        age_s = self._clock() - answer.since_s
        fetched_bytes = answer.size - transport.get_write_buffer_size()
        return age_s < SETTLED_S, fetched_bytes / max(age_s, 0.001), -age_s
