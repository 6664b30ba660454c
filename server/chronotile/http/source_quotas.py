"""Quotas of sources: one source that hangs takes only a part of the threads of a limiter."""

from collections.abc import Callable, Sequence

from chronotile.core.turns import FairSemaphore
from chronotile.http.waiting_line import WaitingLine

SOURCE_QUOTA_DIVISOR = 4
"""One source holds at most this part of the threads, so that a store that hangs does not stop the others."""


class SourceQuota:
    """A source that requests at a limiter read: its share of the threads, and the requests that wait for it."""

    def __init__(self, threads: int, usual_s: float, clock: Callable[[], float]) -> None:
        share = max(1, threads // SOURCE_QUOTA_DIVISOR)
        self.share = FairSemaphore(share)
        self.line = WaitingLine(usual_s, clock, threads=share)

    @property
    def is_used(self) -> bool:
        """Whether requests wait for it or read it."""
        return len(self.line) > 0 or self.share.is_taken


async def acquire_all(shares: Sequence[FairSemaphore]) -> None:
    """Take one of each, none while another is waited for: one that hangs would hold up all its requests."""
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
