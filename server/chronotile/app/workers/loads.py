"""How much each worker has to do, in memory that the supervisor and the workers share."""

import asyncio
import mmap

COUNT_BYTES = 8
COUNTS = 2
"""Of each worker: the connections it has taken since it started, and the requests it answers now."""


def loads_bytes(workers: int) -> int:
    """Return the size of the memory for so many workers."""
    return workers * COUNTS * COUNT_BYTES


class Loads:
    """The counts of all workers. Each writes its own and only the supervisor reads, whole words at a time.

    Args:
        descriptor: Of memory of `loads_bytes(workers)`, zeros at first.
        workers: How many there are.
    """

    def __init__(self, descriptor: int, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(descriptor, loads_bytes(workers))).cast("q")
        self._handed = [0] * workers

    def begin(self, worker: int) -> None:
        """Forget what a worker that is gone had."""
        self._counts[COUNTS * worker] = self._counts[COUNTS * worker + 1] = self._handed[worker] = 0

    def hand(self, worker: int) -> None:
        """Count a connection that was handed to a worker."""
        self._handed[worker] += 1

    def take_back(self, worker: int, count: int) -> None:
        """Count connections that a worker had not taken, and that others get."""
        self._handed[worker] -= count

    def of(self, worker: int) -> int:
        """Return how much a worker has to do: requests that it answers, and connections that it has not taken yet."""
        taken, answering = self._counts[COUNTS * worker], self._counts[COUNTS * worker + 1]
        return self._handed[worker] - taken + answering

    def take(self, worker: int) -> None:
        """Count a connection that a worker has taken."""
        self._counts[COUNTS * worker] += 1

    def answer(self, worker: int, requests: int) -> None:
        """Return the number of requests that a worker answers now."""
        self._counts[COUNTS * worker + 1] = requests


class CountedTasks(set["asyncio.Task[None]"]):
    """The requests that a worker answers, which reports each change."""

    def __init__(self, loads: Loads, worker: int) -> None:
        super().__init__()
        self._loads = loads
        self._worker = worker

    def add(self, element: "asyncio.Task[None]", /) -> None:
        """Begin a request."""
        super().add(element)
        self._loads.answer(self._worker, len(self))

    def discard(self, element: object, /) -> None:
        """End a request."""
        super().discard(element)
        self._loads.answer(self._worker, len(self))


READY = b"r"
"""By a worker, once it answers."""
ENDING = b"e"
"""By a worker, once it takes no more."""
CONNECTION = b"c"
"""By the supervisor, with a connection."""
BEAT = b"b"
"""By a worker, every `BEAT_S` while its event loop runs."""

BEAT_S = 1.0
