"""How much work of one kind runs at once, and how much may wait for it."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TypeVar

from chronotile.errors import ServerBusy

Result = TypeVar("Result")

SOURCE_SHARE = 4
"""One source holds at most this part of the threads, so that a store that hangs does not stop the others."""

WAITING_PER_THREAD = 16
"""Requests that may wait for each thread; half of all that wait may be for one source."""


class Gate:
    """Lets work into threads, `threads` at once; what would wait too long is refused.

    Belongs to the event loop in which it is made.
    """

    def __init__(self, name: str, threads: int) -> None:
        self.name = name
        self.threads = threads
        self.max_waiting = threads * WAITING_PER_THREAD
        self.running = 0
        """Threads at work."""
        # Semaphores that are free and a pool cost a request 0.1 ms less than anyio's limiters, which give way to other
        # tasks at each step.
        self._free = asyncio.Semaphore(threads)
        self._sources: dict[str, asyncio.Semaphore] = {}
        self._waiting: Counter[str | None] = Counter()
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread."""
        return self._waiting.total()

    async def run(
        self,
        work: Callable[[], Result],
        *,
        source: str | None = None,
        is_wanted: Callable[[], Awaitable[bool]] | None = None,
    ) -> Result | None:
        """Run plain sync work in a thread.

        Args:
            work: What to run.
            source: Id of the collection it reads, if it reads one.
            is_wanted: Asked after a wait whether anybody is still there for the answer.

        Returns:
            What the work gives; `None`, without running it, if nobody wants it any more.

        Raises:
            ServerBusy: Too much is waiting already.
        """
        self._check_queue(source)
        self._waiting[source] += 1
        of_source = self._of_source(source)
        has_waited = self._free.locked() or (isinstance(of_source, asyncio.Semaphore) and of_source.locked())
        is_waiting = True
        try:
            async with of_source, self._free:
                self._waiting[source] -= 1
                is_waiting = False
                if has_waited and is_wanted is not None and not await is_wanted():
                    return None
                return await self._run(work)
        finally:
            if is_waiting:
                self._waiting[source] -= 1

    async def _run(self, work: Callable[[], Result]) -> Result:
        self.running += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work)
        finally:
            self.running -= 1

    def _of_source(self, source: str | None) -> AbstractAsyncContextManager[None]:
        if source is None:
            return nullcontext()
        if source not in self._sources:
            self._sources[source] = asyncio.Semaphore(max(1, self.threads // SOURCE_SHARE))
        return self._sources[source]

    def _check_queue(self, source: str | None) -> None:
        is_full = self.waiting >= self.max_waiting
        is_source_full = source is not None and self._waiting[source] >= self.max_waiting // 2
        if is_full or is_source_full:
            raise ServerBusy(f"too many requests wait for {self.name} already; try again in a few seconds")
