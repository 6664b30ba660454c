"""Load of each worker, in memory that the supervisor and the workers share; messages between them."""

import asyncio
import mmap

COUNT_BYTES = 8
COUNTS = 2
"""Numbers per worker: connections that it has taken since its start, and requests that it is answering."""


def loads_bytes(workers: int) -> int:
    """Return the size of the shared memory for a number of workers."""
    return workers * COUNTS * COUNT_BYTES


class Loads:
    """Counters of all workers. A worker writes its counters, and the supervisor reads them, in whole words.

    Args:
        descriptor: Descriptor of `loads_bytes(workers)` of memory, filled with zeros at first.
        workers: The number of workers.
    """

    def __init__(self, descriptor: int, workers: int) -> None:
        self._counts = memoryview(mmap.mmap(descriptor, loads_bytes(workers))).cast("q")
        self._handed = [0] * workers

    def reset(self, worker: int) -> None:
        """Reset the counters of a new worker."""
        self._counts[COUNTS * worker] = self._counts[COUNTS * worker + 1] = self._handed[worker] = 0

    def hand(self, worker: int) -> None:
        """Count a connection that is handed to a worker."""
        self._handed[worker] += 1

    def take_back(self, worker: int, count: int) -> None:
        """Uncount connections that a worker did not take."""
        self._handed[worker] -= count

    def load_of(self, worker: int) -> int:
        """Return the load of a worker: requests that it is answering, plus connections that it has not taken yet."""
        n_taken, n_answering = self._counts[COUNTS * worker], self._counts[COUNTS * worker + 1]
        return self._handed[worker] - n_taken + n_answering

    def take(self, worker: int) -> None:
        """Count a connection that a worker takes."""
        self._counts[COUNTS * worker] += 1

    def answer(self, worker: int, requests: int) -> None:
        """Set the number of requests that a worker is answering."""
        self._counts[COUNTS * worker + 1] = requests


class CountedTasks(set["asyncio.Task[None]"]):
    """Set of the running requests of a worker; each change is written to `Loads`."""

    def __init__(self, loads: Loads, worker: int) -> None:
        super().__init__()
        self._loads = loads
        self._worker = worker

    def add(self, element: "asyncio.Task[None]", /) -> None:
        """Add a started request."""
        super().add(element)
        self._loads.answer(self._worker, len(self))

    def discard(self, element: object, /) -> None:
        """Remove an ended request."""
        super().discard(element)
        self._loads.answer(self._worker, len(self))


READY = b"r"
"""Message of a worker that is ready."""
ENDING = b"e"
"""Message of a worker that accepts no more connections."""
CONNECTION = b"c"
"""Message of the supervisor, with a connection."""
BEAT = b"b"
"""Message of a worker every `BEAT_S`, while its event loop runs."""

BEAT_S = 1.0
