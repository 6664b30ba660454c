"""Memory for the bodies of requests, limited for all clients of a process.

No request waits for this memory: a body that does not fit is refused immediately.
"""

from collections import Counter

from chronotile.core.errors import ServerBusy
from chronotile.core.model.geometry.json_text import MAX_PARSED_BYTES
from chronotile.core.turns import CLIENT
from chronotile.pipeline.caches.answer_memory import AnswerMemory, HeldBytes

SMALL_BYTES = 65_536
"""Bodies of at most this size are not counted; the server has read them when an endpoint starts."""
COPIES = 3
"""Bytes counted per byte of a body before it is read: usually enough for the parsed body."""
MAX_BYTES = 96 << 20
"""Limit of all bodies of a process before they are parsed: enough for one body of 32 MiB. Parsed bodies may take
`MAX_PARSED_BYTES` together: the memory for large answers and `FREE_BYTES`."""

BUSY = "other requests use all memory for bodies; try again in a few seconds"
FREE_BYTES = 16 << 20
"""Memory for bodies only, so that some uploads are read even if large answers take all other memory."""


class BodyMemory:
    """Counter of the bytes of bodies, from the arrival of each part until the request is answered.

    Belongs to one event loop.

    Args:
        memory: Memory for large answers; bodies reduce it.
    """

    def __init__(self, memory: AnswerMemory | None = None) -> None:
        self._held = HeldBytes(memory or AnswerMemory(), free_bytes=FREE_BYTES)
        self._reserved = Counter[str]()

    @property
    def taken_bytes(self) -> int:
        """Bytes of all bodies."""
        return self._held.total

    def open_account(self) -> "BodyAccount":
        """Return the account of one body, without any bytes."""
        return BodyAccount(self._held, self._reserved)


class BodyAccount:
    """Bytes that one body takes or has reserved; made by `BodyMemory.open_account`."""

    def __init__(self, all_bodies: HeldBytes, reserved: Counter[str]) -> None:
        self._held, self._taken = all_bodies, 0
        self._reserved, self._reserved_bytes = reserved, 0
        self._client = CLIENT.get()

    def reserve(self, size: int) -> None:
        """Reserve memory for a body of `size` bytes; it counts for its client only until the bytes arrive.

        Raises:
            ServerBusy: Other bodies take the memory.
        """
        self.require(size)
        self.free()
        reserved_bytes = min(COPIES * size, MAX_BYTES) if size > SMALL_BYTES else 0
        if reserved_bytes and self._reserved[self._client] + reserved_bytes > MAX_BYTES:
            raise ServerBusy(BUSY)
        self._set_reserved(reserved_bytes)

    def require(self, size: int) -> None:
        """Take the memory for `size` bytes that have arrived, except bytes that it has already taken.

        Raises:
            ServerBusy: Other bodies take the memory.
        """
        if size <= SMALL_BYTES:
            return
        self._grow(min(COPIES * size, MAX_BYTES), MAX_BYTES)

    def require_parsed(self, size: int) -> None:
        """Take `size` bytes for the parsed body, except bytes that it has already taken.

        A larger estimate counts as `MAX_PARSED_BYTES`: the limits of the body's content are checked later.

        Raises:
            ServerBusy: Other bodies take the memory.
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
        """Free everything above `size` bytes after the body was parsed."""
        more = max(0, self._taken - size)
        self._held.remove(more)
        self._taken -= more
        self._set_reserved(min(self._reserved_bytes, self._taken))

    def free(self) -> None:
        """Free all bytes: the body is no longer needed."""
        self._held.remove(self._taken)
        self._taken = 0
        self._set_reserved(0)

    def _set_reserved(self, size: int) -> None:
        self._reserved[self._client] += size - self._reserved_bytes
        if not self._reserved[self._client]:
            del self._reserved[self._client]
        self._reserved_bytes = size
