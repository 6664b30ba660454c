"""Quotas of sources: a source that hangs takes only a part of the threads of a limiter."""

from collections.abc import Callable, Sequence

from chronotile.core.turns import FairSemaphore
from chronotile.http.waiting_line import WaitingLine

QUOTA_DIVISOR = 4
"""One source may take the number of threads of its limiter divided by this."""


class SourceQuota:
    """The threads of a limiter that one source may take, and the requests that wait for one of them."""

    def __init__(self, threads: int, usual_s: float, clock: Callable[[], float]) -> None:
        n_threads = max(1, threads // QUOTA_DIVISOR)
        self.threads = FairSemaphore(n_threads)
        self.line = WaitingLine(usual_s, clock, threads=n_threads)

    @property
    def is_used(self) -> bool:
        """Whether requests wait for the source or read it."""
        return len(self.line) > 0 or self.threads.is_taken


async def acquire_all(semaphores: Sequence[FairSemaphore]) -> None:
    """Acquire all semaphores, but hold none while waiting for another: one slow source must not block the others."""
    awaited = next(iter(semaphores), None)
    while awaited is not None:
        await awaited.acquire()
        remaining = [semaphore for semaphore in semaphores if semaphore is not awaited]
        locked = next((semaphore for semaphore in remaining if semaphore.must_wait()), None)
        if locked is None:
            for semaphore in remaining:
                await semaphore.acquire()  # free, so this does not wait
        else:
            awaited.release()
        awaited = locked
