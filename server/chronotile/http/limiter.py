"""Limiters: how many calls of one kind run at once in threads, in which order, and which requests are refused."""

import asyncio
import logging
import os
import sys
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, nullcontext
from contextvars import copy_context
from functools import partial
from time import monotonic
from typing import Any, TypeVar

from chronotile.core.errors import ServerBusy
from chronotile.core.turns import CLIENT, FairSemaphore
from chronotile.http.meter import OF_REQUEST
from chronotile.http.source_quotas import SourceQuota, acquire_all
from chronotile.http.waiting_line import Place, WaitingLine

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_WAITING = 1024
"""Requests that may wait at one limiter, however fast it works; half of them may be for one source."""

PATIENCE_S = 5.0
"""Requests that would wait longer are refused, where the kind of work is not a slow one."""

GIVE_UP_FACTOR = 2
"""A request that has waited this many times its limit is refused too; the last in line as soon as that is certain."""

CHECK_S = 0.05
"""Time between two checks whether the last in line must be refused."""

USUAL_S = 0.01
"""Between the starts of two calls, until it is measured."""

MAX_SOURCES = 1024
"""Sources whose pace a limiter remembers, beside those that are being read."""

STALLED_S = 0.05
"""Work that takes longer waits for a disk or a store, or is large: another may begin beside it."""

MAX_NICENESS = 19

LOG_S = 10.0
"""Least time between two log lines of a limiter that refuses requests."""

TOO_LONG = "the server is busy and this request would wait too long; try again in a few seconds"


class Limiter:
    """Runs work in threads, `threads` at once; requests that would wait too long are refused.

    Waiting requests take turns by client (`CLIENT`). If too many wait, the last one of the client with the most is
    refused.

    A request waits for its share of each source that it reads, then for a thread and a turn. The wait is
    estimated from the number of waiting requests and their recent pace (docs/design/workers.md). The last in line are
    refused as soon as the work turns out to be too slow for all that were admitted.

    Threads that compute take the interpreter's lock from one another, and all of them from the event loop: eight calls
    at once end later than two at a time. So of what is quick only `quick_slots` run at once.

    Belongs to the event loop in which it is made.

    Args:
        name: For messages and metrics.
        threads: How many calls run at once.
        quick_slots: How many run at once that have not run for `STALLED_S` yet; as many as there are threads if `None`.
        patience_s: Requests that would wait longer are refused.
        usual_s: The assumed time between the starts of two calls, until it is measured. A call may take longer.
        niceness: By how much its threads give way to all others where both want a core, on Linux.
        clock: Seconds of a clock that never goes back.
    """

    def __init__(  # noqa: PLR0913 -- each by its name
        self,
        name: str,
        threads: int,
        *,
        quick_slots: int | None = None,
        patience_s: float = PATIENCE_S,
        usual_s: float = USUAL_S,
        niceness: int = 0,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.name = name
        self.threads = threads
        self.max_waiting = MAX_WAITING
        self.running = 0
        """Threads at work."""
        self.waiting = 0
        """Requests that wait for a source or a thread."""
        self.refused = 0
        """Requests that were refused since the start."""
        self._patience_s = patience_s
        self._usual_s = usual_s
        self._clock = clock
        self._logged_s = -LOG_S
        # Semaphores that are free and a pool cost a request 0.1 ms less than anyio's limiters, which give way to other
        # tasks at each step.
        self._free = FairSemaphore(threads)
        self._turns = FairSemaphore(quick_slots or threads)
        self._line = WaitingLine(usual_s, clock, threads=threads)
        """Requests that have a share of all their sources and wait for a thread and a turn."""
        self._sources: dict[str, SourceQuota] = {}
        self._admitted = weakref.WeakSet[Any]()
        """Tasks of admitted requests; some come again with the next part of their work."""
        self._looking: asyncio.TimerHandle | None = None
        """The next check of waiting requests; `None` while none waits."""
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix=name, initializer=_lower_priority, initargs=(niceness,)
        )

    async def run(
        self,
        work: Callable[[], Result],
        *,
        sources: Collection[str] = (),
        is_active: Callable[[], Awaitable[bool]] | None = None,
        usual_s: float = 0.0,
    ) -> Result | None:
        """Run plain sync work in a thread.

        Args:
            work: What to run.
            sources: Ids of the collections it reads; it counts as a thread of each.
            is_active: Whether the client still waits; called after a wait.
            usual_s: The assumed time of the work, if longer than that of the limiter.

        Returns:
            What the work gives; `None`, without running it, if no client wants it any more.

        Raises:
            ServerBusy: It would wait too long, or has.
        """
        named = [self._source(source) for source in sources]
        must_wait = self._must_wait(named)
        is_new = must_wait and self._admit(named)
        self._admitted.add(asyncio.current_task())
        with ExitStack() as taken, ExitStack() as turn:
            await self._wait(named, taken, turn, is_new=is_new, usual_s=usual_s)
            turn.callback(asyncio.get_running_loop().call_later(STALLED_S, turn.close).cancel)
            if must_wait and is_active is not None and not await is_active():
                return None
            self.running += 1
            meter = OF_REQUEST.get()
            if meter is not None:
                work = partial(meter.measure, work)
            try:
                return await asyncio.wrap_future(self._pool.submit(copy_context().run, work))
            finally:
                self.running -= 1

    def refuses(self, sources: Collection[str]) -> bool:
        """Whether a new request for these sources is refused; if so, it is counted as refused."""
        named = [self._source(source) for source in sources]
        is_new = asyncio.current_task() not in self._admitted
        is_refused = is_new and self._must_wait(named) and self._is_too_long(named)
        if is_refused:
            self._refusal()
        return is_refused

    def _source(self, name: str) -> SourceQuota:
        if name not in self._sources:
            if len(self._sources) >= MAX_SOURCES:
                self._sources = {name: each for name, each in self._sources.items() if each.is_used}
            self._sources[name] = SourceQuota(self.threads, self._usual_s, self._clock)
        return self._sources[name]

    def _admit(self, sources: Sequence[SourceQuota]) -> bool:
        """Refuse a request that would wait too long, unless it was let in before and comes with more work.

        Returns:
            Whether it is let in for the first time.
        """
        if asyncio.current_task() in self._admitted:
            return False
        if self._is_too_long(sources):
            raise self._refusal()
        for line in self._full_lines(sources):
            line.refuse(line.refusable_for(CLIENT.get()))
        return True

    def _must_wait(self, sources: Iterable[SourceQuota]) -> bool:
        return self._free.locked() or self._turns.locked() or any(each.share.locked() for each in sources)

    def _is_too_long(self, sources: Sequence[SourceQuota]) -> bool:
        """Whether a newcomer would wait too long, or with too many requests of which none makes room for it."""
        client = CLIENT.get()
        of_sources = max((each.line.expected_s(client) for each in sources), default=0.0)
        if self._line.expected_s(client) + of_sources > self._patience_s:
            return True
        return any(each.refusable_for(client) is None for each in self._full_lines(sources))

    def _full_lines(self, sources: Sequence[SourceQuota]) -> list[WaitingLine]:
        full = [each.line for each in sources if len(each.line) >= self.max_waiting // 2]
        if not full and self.waiting >= self.max_waiting:
            full = [max((self._line, *(each.line for each in self._sources.values())), key=len)]
        return full

    def _refusal(self) -> ServerBusy:
        self.refused += 1
        now_s = self._clock()
        if now_s - self._logged_s >= LOG_S:
            self._logged_s = now_s
            log.warning("%s: %d requests waiting, others rejected (%d so far)", self.name, self.waiting, self.refused)
        return ServerBusy(TOO_LONG)

    async def _wait(
        self, sources: Sequence[SourceQuota], taken: ExitStack, turn: ExitStack, *, is_new: bool, usual_s: float
    ) -> None:
        """Wait for a share of each source, a thread, and a turn; a new one may be refused where it waits first.

        Args:
            sources: What the request reads.
            taken: Gives back the shares and the thread.
            turn: Gives back the turn.
            is_new: Whether the request may be refused.
            usual_s: The assumed time of its work.

        Raises:
            ServerBusy: It took too long, or would have.
        """
        shares, lines = [each.share for each in sources], [each.line for each in sources]
        is_full = any(each.locked() for each in shares)
        async with self._waiting(lines, is_new=is_new, usual_s=usual_s) if is_full else nullcontext():
            await acquire_all(shares)
            for share in shares:
                taken.callback(share.release)
        is_new = is_new and not is_full
        is_full = self._free.locked() or self._turns.locked()
        async with self._waiting([self._line], is_new=is_new, usual_s=usual_s) if is_full else nullcontext():
            await self._free.acquire()
            taken.callback(self._free.release)
            await self._turns.acquire()
            turn.callback(self._turns.release)

    @asynccontextmanager
    async def _waiting(self, lines: Sequence[WaitingLine], *, is_new: bool, usual_s: float) -> AsyncIterator[None]:
        """Wait in lines until the semaphores that are acquired inside are free, or until it takes too long."""
        wait = asyncio.timeout(GIVE_UP_FACTOR * self._patience_s)
        refuse = partial(_end_wait, wait) if is_new else None
        places = [(line, line.join(refuse, usual_s=usual_s, client=CLIENT.get())) for line in lines]
        self.waiting += 1
        self._look_soon()
        leave: Callable[[WaitingLine, Place], None] = WaitingLine.cancel
        try:
            async with wait:
                yield
            leave = partial(WaitingLine.leave, is_served=True)
        except TimeoutError as error:
            leave = partial(WaitingLine.leave, is_served=False)
            raise self._refusal() from error
        finally:
            self.waiting -= 1
            for line, place in places:
                leave(line, place)

    def _look_soon(self) -> None:
        if self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(CHECK_S, self._look)

    def _look(self) -> None:
        """Refuse the last requests in line if they would reach their time limit anyway."""
        self._looking = None
        for line in (self._line, *(each.line for each in self._sources.values() if each.is_used)):
            line.refuse_last(GIVE_UP_FACTOR * self._patience_s)
        if self.waiting:
            self._look_soon()


def _end_wait(wait: asyncio.Timeout) -> None:
    # Let a wait be over at once.
    if not wait.expired():
        wait.reschedule(asyncio.get_running_loop().time())


def _lower_priority(niceness: int) -> None:
    if niceness and sys.platform == "linux":  # where a thread has a niceness of its own
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + niceness, MAX_NICENESS))
