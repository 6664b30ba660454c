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

from chronotile.core.errors import ClientGone, ServerBusy
from chronotile.core.turns import CLIENT, FairSemaphore
from chronotile.http.meter import OF_REQUEST
from chronotile.http.source_quotas import SourceQuota, acquire_all
from chronotile.http.waiting_line import WaitingLine, WaitingRequest

log = logging.getLogger(__name__)

Result = TypeVar("Result")

MAX_WAITING = 1024
"""Limit of waiting requests per limiter; half of them may be for one source."""
PATIENCE_S = 5.0
"""Longest expected wait; limiters of slow work have a longer one."""
GIVE_UP_FACTOR = 2
"""A request is refused after `patience_s` times this; the last request in line as soon as that is certain."""
CHECK_S = 0.05
"""Time between two checks whether the last requests in line must be refused."""
USUAL_S = 0.01
"""Assumed time between the starts of two calls, until it is measured."""
MAX_SOURCES = 1024
"""Unused sources above this number are dropped with their measured pace."""
STALLED_S = 0.05
"""A call that takes longer waits for a disk or a store, or is large; it gives its slot to the next call."""
MAX_NICENESS = 19
LOG_S = 10.0
"""Minimum time between two log lines about refusals."""
TOO_LONG = "the server is busy and this request would wait too long; try again in a few seconds"


class Limiter:
    """Runs calls of one kind in threads, and refuses requests that would wait too long.

    Order: waiting requests take turns by client (`CLIENT`); requests of one client stay in order. If too many requests
    wait, the last request of the client with the most requests is refused.

    A request waits first for a thread in the quota of each source that it reads, then for a thread and a slot. The
    expected wait follows from the number of waiting requests and their measured pace
    (docs/design/waiting-requests.md). The last requests in line are refused as soon as the work turns out to be too
    slow for all admitted requests.

    Threads that compute compete for the interpreter's lock with each other and with the event loop: eight concurrent
    calls end later than two at a time. So only `quick_slots` quick calls run concurrently.

    Belongs to the event loop in which it is made.

    Args:
        name: Name in messages and metrics.
        threads: The maximum number of concurrent calls.
        quick_slots: The maximum number of concurrent calls younger than `STALLED_S`; `None` means `threads`.
        patience_s: Requests with a longer expected wait are refused.
        usual_s: Assumed time between the starts of two calls, until it is measured. A call may take longer.
        niceness: Added to the niceness of the threads (Linux), so that others get the processor first.
        clock: Monotonic seconds.
    """

    def __init__(  # noqa: PLR0913 -- keywords
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
        """Calls in threads."""
        self.waiting = 0
        """Requests that wait for a source, a thread or a slot."""
        self.refused = 0
        """Requests refused since the start."""
        self._patience_s = patience_s
        self._usual_s = usual_s
        self._clock = clock
        self._logged_s = -LOG_S
        # Semaphores and a pool cost a request 0.1 ms less than the limiters of anyio, which often yield to other tasks.
        self._threads = FairSemaphore(threads)
        self._slots = FairSemaphore(quick_slots or threads)
        self._line = WaitingLine(usual_s, clock, threads=threads)
        """Requests that wait for a thread and a slot; the quotas of their sources already count them."""
        self._quotas: dict[str, SourceQuota] = {}
        self._admitted = weakref.WeakSet[Any]()
        """Tasks of admitted requests; a request may run several calls."""
        self._next_check: asyncio.TimerHandle | None = None
        """The next check of waiting requests; `None` if no request waits."""
        self._pool = ThreadPoolExecutor(
            threads, thread_name_prefix=name, initializer=_lower_priority, initargs=(niceness,)
        )

    async def run(
        self,
        work: Callable[[], Result],
        *,
        sources: Collection[str] = (),
        is_connected: Callable[[], Awaitable[bool]] | None = None,
        usual_s: float = 0.0,
    ) -> Result:
        """Run a plain function in a thread, and return its result.

        Args:
            work: The function.
            sources: Ids of the collections or hosts that it reads; it counts in the quota of each.
            is_connected: Called after a wait: whether the client is still connected.
            usual_s: Assumed time of the call, if longer than `usual_s` of the limiter.

        Raises:
            ClientGone: The client left during the wait; `work` was not called.
            ServerBusy: The expected wait is too long, or the request has waited too long.
        """
        quotas = [self._quota(source) for source in sources]
        must_wait = self._must_wait(quotas)
        is_new = must_wait and self._admit(quotas)
        self._admitted.add(asyncio.current_task())
        with ExitStack() as threads, ExitStack() as slot:
            await self._wait(quotas, threads, slot, is_new=is_new, usual_s=usual_s)
            slot.callback(asyncio.get_running_loop().call_later(STALLED_S, slot.close).cancel)
            if must_wait and is_connected is not None and not await is_connected():
                raise ClientGone("the client disconnected")
            self.running += 1
            meter = OF_REQUEST.get()
            if meter is not None:
                work = partial(meter.measure, work)
            try:
                return await asyncio.wrap_future(self._pool.submit(copy_context().run, work))
            finally:
                self.running -= 1

    def refuses(self, sources: Collection[str]) -> bool:
        """Return whether a new request for these sources is refused, and count it if so."""
        quotas = [self._quota(source) for source in sources]
        is_new = asyncio.current_task() not in self._admitted
        is_refused = is_new and self._must_wait(quotas) and self._is_too_long(quotas)
        if is_refused:
            self._count_refusal()
        return is_refused

    def _quota(self, name: str) -> SourceQuota:
        if name not in self._quotas:
            if len(self._quotas) >= MAX_SOURCES:
                self._quotas = {source: quota for source, quota in self._quotas.items() if quota.is_used}
            self._quotas[name] = SourceQuota(self.threads, self._usual_s, self._clock)
        return self._quotas[name]

    def _admit(self, quotas: Sequence[SourceQuota]) -> bool:
        """Return whether the request is new; requests that were admitted before are never refused here.

        Raises:
            ServerBusy: The expected wait of a new request is too long.
        """
        if asyncio.current_task() in self._admitted:
            return False
        if self._is_too_long(quotas):
            raise self._count_refusal()
        for line in self._full_lines(quotas):
            line.refuse(line.refusable_for(CLIENT.get()))
        return True

    def _must_wait(self, quotas: Iterable[SourceQuota]) -> bool:
        if self._threads.must_wait() or self._slots.must_wait():
            return True
        return any(quota.threads.must_wait() for quota in quotas)

    def _is_too_long(self, quotas: Sequence[SourceQuota]) -> bool:
        """Return whether a new request would wait too long, or a line is full and has no request to refuse instead."""
        client = CLIENT.get()
        sources_s = max((quota.line.expected_s(client) for quota in quotas), default=0.0)
        if self._line.expected_s(client) + sources_s > self._patience_s:
            return True
        return any(line.refusable_for(client) is None for line in self._full_lines(quotas))

    def _full_lines(self, quotas: Sequence[SourceQuota]) -> list[WaitingLine]:
        full_lines = [quota.line for quota in quotas if len(quota.line) >= self.max_waiting // 2]
        if not full_lines and self.waiting >= self.max_waiting:
            full_lines = [max((self._line, *(quota.line for quota in self._quotas.values())), key=len)]
        return full_lines

    def _count_refusal(self) -> ServerBusy:
        self.refused += 1
        now_s = self._clock()
        if now_s - self._logged_s >= LOG_S:
            self._logged_s = now_s
            log.warning("%s: %d requests waiting, others rejected (%d so far)", self.name, self.waiting, self.refused)
        return ServerBusy(TOO_LONG)

    async def _wait(
        self, quotas: Sequence[SourceQuota], threads: ExitStack, slot: ExitStack, *, is_new: bool, usual_s: float
    ) -> None:
        """Wait for a thread in each quota, then for a thread of the limiter and a slot.

        Args:
            quotas: Quotas of the sources that the request reads.
            threads: Releases the threads of the quotas and of the limiter when it is closed.
            slot: Releases the slot when it is closed.
            is_new: Whether the request may be refused during its first wait.
            usual_s: Assumed time of the call.

        Raises:
            ServerBusy: The request has waited too long, or would.
        """
        semaphores, lines = [quota.threads for quota in quotas], [quota.line for quota in quotas]
        is_full = any(semaphore.must_wait() for semaphore in semaphores)
        async with self._waiting(lines, is_new=is_new, usual_s=usual_s) if is_full else nullcontext():
            await acquire_all(semaphores)
            for semaphore in semaphores:
                threads.callback(semaphore.release)
        is_new = is_new and not is_full
        is_full = self._threads.must_wait() or self._slots.must_wait()
        async with self._waiting([self._line], is_new=is_new, usual_s=usual_s) if is_full else nullcontext():
            await self._threads.acquire()
            threads.callback(self._threads.release)
            await self._slots.acquire()
            slot.callback(self._slots.release)

    @asynccontextmanager
    async def _waiting(self, lines: Sequence[WaitingLine], *, is_new: bool, usual_s: float) -> AsyncIterator[None]:
        """Join lines while the block waits for semaphores, and end the wait when it takes too long."""
        wait = asyncio.timeout(GIVE_UP_FACTOR * self._patience_s)
        refuse = partial(_end_wait, wait) if is_new else None
        entries = [(line, line.join(refuse, usual_s=usual_s, client=CLIENT.get())) for line in lines]
        self.waiting += 1
        self._schedule_check()
        leave: Callable[[WaitingLine, WaitingRequest], None] = WaitingLine.cancel
        try:
            async with wait:
                yield
            leave = partial(WaitingLine.leave, is_served=True)
        except TimeoutError as error:
            leave = partial(WaitingLine.leave, is_served=False)
            raise self._count_refusal() from error
        finally:
            self.waiting -= 1
            for line, entry in entries:
                leave(line, entry)

    def _schedule_check(self) -> None:
        if self._next_check is None:
            self._next_check = asyncio.get_running_loop().call_later(CHECK_S, self._check)

    def _check(self) -> None:
        """Refuse the last requests in line if they will reach their time limit anyway."""
        self._next_check = None
        for line in (self._line, *(quota.line for quota in self._quotas.values() if quota.is_used)):
            line.refuse_last(GIVE_UP_FACTOR * self._patience_s)
        if self.waiting:
            self._schedule_check()


def _end_wait(wait: asyncio.Timeout) -> None:
    # The waiting task then gets TimeoutError.
    if not wait.expired():
        wait.reschedule(asyncio.get_running_loop().time())


def _lower_priority(niceness: int) -> None:
    if niceness and sys.platform == "linux":  # only there each thread has a niceness
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, min(os.getpriority(os.PRIO_PROCESS, thread) + niceness, MAX_NICENESS))
