"""Waiting in turns: clients that wait for the same thing are served alternately, each in its own order."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextvars import ContextVar
from itertools import zip_longest
from types import TracebackType
from typing import Generic, TypeVar

import anyio
import anyio.to_thread

CLIENT = ContextVar[str]("chronotile_client", default="")
"""Name of the user or, without one, the network of the client for which the current work is done."""

Entry = TypeVar("Entry", bound=Hashable)


class Turns(Generic[Entry]):
    """Queue in which clients take turns (round robin); entries of one client stay in order.

    A client without waiting entries joins behind all others.
    """

    def __init__(self) -> None:
        self._queues = OrderedDict[str, dict[Entry, None]]()
        """By client, in the order of their next turns."""

    def __len__(self) -> int:
        """Return the number of entries."""
        return sum(map(len, self._queues.values()))

    def __iter__(self) -> Iterator[Entry]:
        """Yield all entries in the order of their turns."""
        for entries in zip_longest(*self._queues.values()):
            yield from (entry for entry in entries if entry is not None)

    @property
    def first(self) -> Entry | None:
        """The entry with the next turn; `None` if the queue is empty."""
        return next(iter(self), None)

    def crowd(self, client: str) -> tuple[str, tuple[Entry, ...]]:
        """Return the client with the most entries, the last of several, and its entries.

        No entries are returned if `client` has nearly as many. An entry of the crowd may be refused for a new one of
        `client`.
        """
        longest = max(reversed(self._queues), key=self.count_of, default="")
        return longest, self.entries_of(longest) if self.count_of(longest) > self.count_of(client) + 1 else ()

    def count_of(self, client: str) -> int:
        """Return the number of entries of a client."""
        return len(self._queues.get(client, ()))

    def entries_of(self, client: str) -> tuple[Entry, ...]:
        """Return the entries of a client in their order."""
        return tuple(self._queues.get(client, ()))

    def add(self, client: str, entry: Entry) -> None:
        """Add an entry after the other entries of its client."""
        self._queues.setdefault(client, {})[entry] = None

    def remove(self, client: str, entry: Entry, *, is_served: bool = False) -> bool:
        """Remove an entry; return whether there was one. After a turn, its client is behind all others."""
        queue = self._queues.get(client)
        if queue is None or entry not in queue:
            return False
        del queue[entry]
        if not queue:
            del self._queues[client]
        elif is_served:
            self._queues.move_to_end(client)
        return True

    def pop(self) -> Entry | None:
        """Remove and return the entry with the next turn; `None` if the queue is empty."""
        for client, queue in self._queues.items():
            entry = next(iter(queue))
            self.remove(client, entry, is_served=True)
            return entry
        return None


class FairSemaphore:
    """Semaphore of one event loop. It serves the waiting clients in turns; `CLIENT` names the client of a task."""

    def __init__(self, value: int) -> None:
        self._value = self._most = value
        self._waiting = Turns[asyncio.Future[None]]()

    @property
    def is_taken(self) -> bool:
        """Whether a task has acquired it."""
        return self._value < self._most

    def must_wait(self) -> bool:
        """Return whether a task would have to wait."""
        return self._value == 0

    def is_full(self, most: int) -> bool:
        """Return whether `most` tasks wait, or half as many of the current client."""
        return len(self._waiting) >= most or self._waiting.count_of(CLIENT.get()) >= max(1, most // 2)

    async def acquire(self) -> None:
        """Wait for a turn, and acquire it."""
        if self._value:
            self._value -= 1
            return
        client, turn = CLIENT.get(), asyncio.get_running_loop().create_future()
        self._waiting.add(client, turn)
        try:
            await turn
        except asyncio.CancelledError:
            if not self._waiting.remove(client, turn) and not turn.cancelled():
                self.release()  # the turn was given to this task when it was cancelled
            raise

    def release(self) -> None:
        """Pass it to the next task, or free it."""
        while (turn := self._waiting.pop()) is not None:
            if not turn.done():
                turn.set_result(None)
                return
        self._value += 1

    async def __aenter__(self) -> None:
        """Acquire one."""
        await self.acquire()

    async def __aexit__(
        self, type_: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Release it."""
        self.release()


Result = TypeVar("Result")


class FairThreads:
    """Runs sync work in at most `count` threads of one event loop; waiting clients (`CLIENT`) take turns."""

    def __init__(self, count: int) -> None:
        self._turns = FairSemaphore(count)
        self._threads = anyio.CapacityLimiter(count)

    async def run(self, work: Callable[[], Result]) -> Result:
        """Return the result of work."""
        async with self._turns:
            return await anyio.to_thread.run_sync(work, limiter=self._threads)
