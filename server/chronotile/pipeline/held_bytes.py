"""Bytes that a worker holds for clients beside the answers it makes: bodies of requests, answers not yet fetched."""

from chronotile.pipeline.caches.answer_memory import AnswerMemory


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
        """Of a total, what is taken from the memory of large answers."""
        return max(0, total - self._free)
