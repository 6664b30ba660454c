"""How much work of one kind runs at once, and how much may wait for it."""

from collections import Counter
from collections.abc import Awaitable, Callable
from math import inf
from typing import TypeVar

import anyio.to_thread
from anyio import CapacityLimiter

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
        self._limiter = CapacityLimiter(threads)
        self._sources: dict[str, CapacityLimiter] = {}
        self._waiting: Counter[str | None] = Counter()
        # A task borrows once from each, so the threads themselves need one of their own.
        self._without_source = CapacityLimiter(inf)
        self._unlimited = CapacityLimiter(inf)

    @property
    def waiting(self) -> int:
        """Requests that wait for a thread."""
        return self._waiting.total()

    @property
    def running(self) -> int:
        """Threads at work."""
        return self._limiter.borrowed_tokens

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
        has_waited = self._limiter.available_tokens < 1 or self._of_source(source).available_tokens < 1
        is_waiting = True
        try:
            async with self._of_source(source), self._limiter:
                self._waiting[source] -= 1
                is_waiting = False
                if has_waited and is_wanted is not None and not await is_wanted():
                    return None
                return await anyio.to_thread.run_sync(work, limiter=self._unlimited)
        finally:
            if is_waiting:
                self._waiting[source] -= 1

    def _of_source(self, source: str | None) -> CapacityLimiter:
        if source is None:
            return self._without_source
        return self._sources.setdefault(source, CapacityLimiter(max(1, self.threads // SOURCE_SHARE)))

    def _check_queue(self, source: str | None) -> None:
        is_full = self.waiting >= self.max_waiting
        is_source_full = source is not None and self._waiting[source] >= self.max_waiting // 2
        if is_full or is_source_full:
            raise ServerBusy(f"too many requests wait for {self.name} already; try again in a few seconds")
