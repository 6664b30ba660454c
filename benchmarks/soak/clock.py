"""A clock that stands still while this process is stopped."""

import asyncio
import time
from collections.abc import Callable

TICK_S = 0.25
STOPPED_S = 2.0
"""A tick that is this late means that the process was stopped, together with the processes that it watches."""


class ActiveClock:
    """Seconds of activity, and how often the process was stopped."""

    def __init__(self, seconds: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._last = seconds()
        self._active_s = 0.0
        self.stops = 0

    def now(self) -> float:
        """Return the seconds of activity, without stops."""
        now = self._seconds()
        passed = now - self._last
        if passed > STOPPED_S:
            self.stops += 1
            passed = TICK_S
        self._last = now
        self._active_s += passed
        return self._active_s

    async def keep(self) -> None:
        """Tick until cancelled."""
        while True:
            self.now()
            await asyncio.sleep(TICK_S)

    async def sleep_until(self, active_s: float) -> None:
        """Return when so many seconds of activity have passed."""
        while (left := active_s - self.now()) > 0:  # noqa: ASYNC110 -- while stopped nobody would set an event
            await asyncio.sleep(min(left, TICK_S))
