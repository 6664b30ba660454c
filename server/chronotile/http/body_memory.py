"""Memory for the bodies of requests, limited for all clients of a process."""

from collections import Counter

from chronotile.core.errors import ServerBusy
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
