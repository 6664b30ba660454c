"""How much work of one kind runs at once, and how much may wait for it."""

import asyncio
import os
import sys
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from chronotile.errors import ServerBusy

Result = TypeVar("Result")

SOURCE_SHARE = 4
"""One source holds at most this part of the threads, so that a store that hangs does not stop the others."""

WAITING_PER_THREAD = 16
"""Requests that may wait for each thread; half of all that wait may be for one source."""

STALLED_S = 0.05
"""Work that takes longer waits for a disk or a store, or is large: another may begin beside it."""

MOST_NICE = 19


class Gate:
    """Lets work into threads, `threads` at once; what would wait too long is refused.

    Threads that compute take the interpreter's lock from one another, and all of them from the event loop: eight pieces
    at once end later than two at a time. So of what is quick only `brisk` pieces run at once (docs/design/workers.md).

    Belongs to the event loop in which it is made.

    Args:
        name: For messages and metrics.
        threads: How many pieces of work run at once.
        brisk: How many run at once that have not run for `STALLED_S` yet; as many as there are threads if `None`.
        waiting_per_thread: Requests that may wait for each of them.
        niceness: By how much its threads give way to all others where both want a core, on Linux.
    """

    def __init__(
        self,
        name: str,
        threads: int,
        *,
        brisk: int | None = None,
        waiting_per_thread: int = WAITING_PER_THREAD,
        niceness: int = 0,
    ) -> None:
        self.name = name
        self.threads = threads
        self.max_waiting = threads * waiting_per_thread
        self.running = 0
        """Threads at work."""
        # Semaphores that are free and a pool cost a request 0.1 ms less than anyio's limiters, which give way to other
        # tasks at each step.
        self._free = asyncio.Semaphore(threads)
        self._turns = asyncio.Semaphore(brisk or threads)
        self._sources: dict[str, asyncio.Semaphore] = {}
        self.waiting = 0
        """Requests that wait for a thread."""
        self._waiting: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name, initializer=_give_way, initargs=(niceness,))

    async def run(
        self,
        work: Callable[[], Result],
        *,
        sources: Collection[str] = (),
        is_wanted: Callable[[], Awaitable[bool]] | None = None,
    ) -> Result | None:
        """Run plain sync work in a thread.

        Args:
            work: What to run.
            sources: Ids of the collections it reads; it counts as a thread of each.
            is_wanted: Asked after a wait whether anybody is still there for the answer.

        Returns:
            What the work gives; `None`, without running it, if nobody wants it any more.

        Raises:
            ServerBusy: Too much is waiting already.
        """
        self._check_queue(sources)
        shares = [self._share_of(source) for source in sources]
        has_waited = self._free.locked() or self._turns.locked() or any(share.locked() for share in shares)
        await self._begin(sources, shares)
        turn = Turn(self._turns)
        try:
            if has_waited and is_wanted is not None and not await is_wanted():
                return None
            return await self._run(work)
        finally:
            turn.end()
            self._free.release()
            _give_back(shares)

    async def _run(self, work: Callable[[], Result]) -> Result:
        self.running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.running -= 1

    async def _begin(self, sources: Collection[str], shares: Sequence[asyncio.Semaphore]) -> None:
        """Wait for a share of each source, a thread, and a turn."""
        self._count_waiting(sources, 1)
        taken = list[asyncio.Semaphore]()
        try:
            await _take(shares)
            taken.extend(shares)
            for each in (self._free, self._turns):
                await each.acquire()
                taken.append(each)
        except asyncio.CancelledError:
            _give_back(taken)
            raise
        finally:
            self._count_waiting(sources, -1)

    def _count_waiting(self, sources: Collection[str], change: int) -> None:
        self.waiting += change
        for source in sources:
            self._waiting[source] += change

    def _share_of(self, source: str) -> asyncio.Semaphore:
        if source not in self._sources:
            self._sources[source] = asyncio.Semaphore(max(1, self.threads // SOURCE_SHARE))
        return self._sources[source]

    def _check_queue(self, sources: Collection[str]) -> None:
        is_full = self.waiting >= self.max_waiting
        is_source_full = any(self._waiting[source] >= self.max_waiting // 2 for source in sources)
        if is_full or is_source_full:
            raise ServerBusy(f"too many requests wait for {self.name} already; try again in a few seconds")


class Turn:
    """Holds one of the semaphore, which was acquired, until it ends or `STALLED_S` have passed."""

    def __init__(self, turns: asyncio.Semaphore) -> None:
        self._turns = turns
        self._is_over = False
        self._end = asyncio.get_running_loop().call_later(STALLED_S, self.end)

    def end(self) -> None:
        """Let the next begin; what has ended already stays so."""
        if not self._is_over:
            self._is_over = True
            self._end.cancel()
            self._turns.release()


def _give_way(niceness: int) -> None:
    if niceness and sys.platform == "linux":  # where a thread has a niceness of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + niceness, MOST_NICE))


async def _take(shares: Sequence[asyncio.Semaphore]) -> None:
    """Take one of each, none while another is waited for: a source that hangs would hold up all it is asked with."""
    awaited = next(iter(shares), None)
    while awaited is not None:
        await awaited.acquire()
        others = [share for share in shares if share is not awaited]
        taken = next((share for share in others if share.locked()), None)
        if taken is None:
            for share in others:
                await share.acquire()  # at once, as it is free
        else:
            awaited.release()
        awaited = taken


def _give_back(shares: Iterable[asyncio.Semaphore]) -> None:
    for share in shares:
        share.release()
