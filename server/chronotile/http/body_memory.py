"""Bounds of what a process holds for clients: bodies of requests, answers not yet fetched, downloads."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic

from chronotile.core.errors import ServerBusy, TooManyDownloads
from chronotile.core.model.geometry.json_text import MAX_PARSED_BYTES
from chronotile.core.turns import CLIENT
from chronotile.pipeline.caches.answer_memory import AnswerMemory, HeldBytes

SMALL_BYTES = 65_536
"""Bodies of at most this size are not counted: the server reads as much before a handler reads the body."""
COPIES = 3
"""Bytes counted per byte of a body before it is read: usually what it takes once it is parsed."""
MAX_BYTES = 96 << 20
"""Limit for all bodies of a process before they are read: what is counted for one of 32 MiB. Once parsed, all of them
may take `MAX_PARSED_BYTES`: the memory of large answers and `FREE_BYTES`."""
BUSY = "other requests use all memory for bodies; try again in a few seconds"
FREE_BYTES = 16 << 20
"""The part reserved for bodies, so that some uploads are read even if large answers take all other memory."""


class BodyMemory:
    """A budget of bytes for bodies, from the arrival of each part until their requests are answered.

    Belongs to one event loop: no request waits here; a body that does not fit is refused at once.

    Args:
        memory: Of large answers, which wait while bodies take a part of it.
    """

    def __init__(self, memory: AnswerMemory | None = None) -> None:
        self._held = HeldBytes(memory or AnswerMemory(), free_bytes=FREE_BYTES)
        self._reserved = Counter[str]()

    @property
    def taken_bytes(self) -> int:
        """By bodies of now."""
        return self._held.total

    def room(self) -> "BodyRoom":
        """Return the share of one body, which is empty at first."""
        return BodyRoom(self._held, self._reserved)


class BodyRoom:
    """What one body takes of the budget; made by `BodyMemory.room`."""

    def __init__(self, held: HeldBytes, reserved: Counter[str]) -> None:
        self._held, self._taken = held, 0
        self._reserved, self._promised = reserved, 0
        self._client = CLIENT.get()

    def reserve(self, size: int) -> None:
        """Reserve memory for a body of `size` bytes among those of its client; others see only bytes that have arrived.

        Raises:
            ServerBusy: There is not as much now.
        """
        self.require(size)
        self.free()
        promised = min(COPIES * size, MAX_BYTES) if size > SMALL_BYTES else 0
        if promised and self._reserved[self._client] + promised > MAX_BYTES:
            raise ServerBusy(BUSY)
        self._promise(promised)

    def require(self, size: int) -> None:
        """Take the memory that a body of `size` bytes needs, unless it is taken already.

        Raises:
            ServerBusy: There is not as much now.
        """
        if size <= SMALL_BYTES:
            return
        self._grow(min(COPIES * size, MAX_BYTES), MAX_BYTES)

    def require_parsed(self, size: int) -> None:
        """Take the `size` bytes that a body needs once it is parsed, unless they are taken already.

        What is counted as more than there is takes all: limits of what a body may hold are checked afterwards.

        Raises:
            ServerBusy: There is not as much now.
        """
        self._grow(min(size, MAX_PARSED_BYTES), MAX_PARSED_BYTES)

    def _grow(self, size: int, max_bytes: int) -> None:
        more = size - self._taken
        if more <= 0:
            return
        if self._held.total + more > max_bytes or not self._held.adds_now(more):
            raise ServerBusy(BUSY)
        self._taken += more

    def shrink(self, size: int) -> None:
        """Give back what is more than `size` bytes: the body is parsed, and no more than that is held."""
        more = max(0, self._taken - size)
        self._held.remove(more)
        self._taken -= more
        self._promise(min(self._promised, self._taken))

    def free(self) -> None:
        """Give all of it back: the body is no longer needed."""
        self._held.remove(self._taken)
        self._taken = 0
        self._promise(0)

    def _promise(self, size: int) -> None:
        self._reserved[self._client] += size - self._promised
        if not self._reserved[self._client]:
            del self._reserved[self._client]
        self._promised = size


MOST = 64
"""Of a process; each holds a part of its file of at most a MiB, and as much that is not sent yet."""
MOST_OF_CLIENT = 8
"""Programs that download by several connections use 4 to 16."""


class DownloadSlots:
    """Counts downloads; belongs to one event loop.

    Args:
        most: At once.
        most_of_client: Of one address.
    """

    def __init__(self, most: int = MOST, most_of_client: int = MOST_OF_CLIENT) -> None:
        self._most, self._most_of_client = most, most_of_client
        self._running = Counter[str]()

    @property
    def taken(self) -> int:
        """How many run now."""
        return self._running.total()

    @contextmanager
    def one(self, client: str) -> Iterator[None]:
        """Count one more for a client until the block ends.

        Raises:
            TooManyDownloads: It has as many as it may, or all together have.
        """
        if self._running[client] >= self._most_of_client:
            raise TooManyDownloads(
                f"{self._most_of_client} downloads of this address are running, which is the most; try again when one "
                "has ended"
            )
        if self.taken >= self._most:
            raise TooManyDownloads(f"{self._most} downloads are running, which is the most; try again in a few seconds")
        self._running[client] += 1
        try:
            yield
        finally:
            self._running[client] -= 1
            if not self._running[client]:
                del self._running[client]


STATE = "chronotile.unsent"
"""Key of the lifespan state by which the application shares it with the server."""
FREE_UNSENT_BYTES = 8 << 20
"""Of these, what is not taken from the memory of large answers."""
SETTLED_S = 2.0
"""Time after which a connection's rate is measured; a younger one is closed only if all others are as young."""


@dataclass(frozen=True, slots=True)
class _Waiting:
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
        self._waiting: dict[asyncio.Transport, _Waiting] = {}
        self._clock = clock

    @property
    def taken_bytes(self) -> int:
        """By what waits now."""
        return self._held.total

    def add(self, transport: asyncio.Transport) -> None:
        """Count what waits in a transport from now on, and close the slowest connections if it is too much."""
        self.remove(transport)
        waiting = _Waiting(transport.get_write_buffer_size(), self._clock())
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
