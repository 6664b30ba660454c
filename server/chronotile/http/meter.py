"""Processor seconds of requests, and the counter of requests for quotas and usage."""

import os
from collections.abc import Callable
from contextvars import ContextVar
from threading import Lock
from time import thread_time
from typing import Protocol, TypeVar

from starlette.types import ASGIApp, Receive, Scope, Send

COUNTER = "chronotile.counter"
"""ASGI scope key of the `Counter`; missing for requests that are not counted."""
METER = "chronotile.meter"
"""ASGI scope key of the `Meter` of a counted request; missing for replayed answers."""

Result = TypeVar("Result")


class Counter(Protocol):
    """Counter of answered requests."""

    def add(self, scope: Scope, route: str, layer: str | None, *, status: int, size: int) -> None:
        """Count an answered request; `layer` is `None` if unknown, `size` is the number of sent bytes."""


class Meter:
    """Sum of the processor seconds of threads for one request."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._lock = Lock()

    def measure(self, work: Callable[[], Result], clock: Callable[[], float] = thread_time) -> Result:
        """Return the result of `work`, and add its processor seconds, which `clock` returns for the current thread."""
        start = clock()
        try:
            return work()
        finally:
            with self._lock:
                self.seconds += clock() - start


def processes_time() -> float:
    """Return the processor seconds of child processes that have ended."""
    return sum(os.times()[2:4])


OF_REQUEST = ContextVar[Meter | None]("chronotile_meter", default=None)
"""The meter of the current request, for `Limiter.run`."""


class Metering:
    """Middleware that gives counted requests a meter."""

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
