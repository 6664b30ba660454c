"""What a request takes: processor seconds of threads, and who counts it once it is answered."""

import os
from collections.abc import Callable
from contextvars import ContextVar
from threading import Lock
from time import thread_time
from typing import Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

COUNTER = "chronotile.counter"
"""Where a request has what counts it; absent: nothing does."""
METER = "chronotile.meter"
"""Where a request that is counted and not answered from memory has its meter."""

Result = TypeVar("Result")


class Counter(Protocol):
    """Counts requests."""

    def add(self, scope: Scope, route: str, layer: str | None, *, status: int, size: int) -> None:
        """Count one that is answered, with the layer that it names, if that is known, and the bytes that were sent."""


class Meter:
    """Processor seconds that threads take for one request."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = Lock()

    def measure(self, work: Callable[[], Result], clock: Callable[[], float] = thread_time) -> Result:
        """Run work in the thread of now; `clock` gives processor seconds."""
        begun = clock()
        try:
            return work()
        finally:
            with self._lock:
                self.seconds += clock() - begun


def processes_time() -> float:
    """Return the processor seconds of processes that this one started and that have ended."""
    return sum(os.times()[2:4])


OF_REQUEST = ContextVar[Meter | None]("chronotile_meter", default=None)
"""That of the request for which work is run in threads."""


class Metering:
    """Gives requests that are counted a meter."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if COUNTER not in scope:
            await self._app(scope, receive, send)
            return
        meter = scope[METER] = Meter()
        token = OF_REQUEST.set(meter)
        try:
            await self._app(scope, receive, send)
        finally:
            OF_REQUEST.reset(token)
