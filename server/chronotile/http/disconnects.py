"""Clients that leave: two checks for work in threads whether its client is still connected.

`watch_connection` watches in a task while the work runs, and each check reads a flag: for work that checks between any
two steps (`WorkKind.watches`). `connection_check` costs nothing unless it is called, and each check
waits for the event loop: for maps and point series, which only check while they wait for the same answer of another
request. A request that waits for a thread is checked once, by `Limiter.run`.
"""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager

from starlette.requests import Request

from chronotile.core.cancellation import IsActive

MAX_MESSAGES = 100
"""Messages after the body that are searched for a disconnect."""
ANSWER_S = 5.0
"""How long a thread waits for the event loop to check a connection."""


def connection_check(request: Request) -> IsActive:
    """Return a function that a thread calls, rarely, to check whether the client is still connected.

    Each call runs on the event loop. If that takes longer than `ANSWER_S`, the client counts as connected.
    """
    loop = asyncio.get_running_loop()

    def is_active() -> bool:
        future = asyncio.run_coroutine_threadsafe(request.is_disconnected(), loop)
        try:
            return not future.result(ANSWER_S)
        except (TimeoutError, CancelledError):
            future.cancel()
            return True

    return is_active


@asynccontextmanager
async def watch_connection(request: Request) -> AsyncIterator[IsActive]:
    """Watch the connection, and give threads a fast check; the body of the request must have been read.

    After `MAX_MESSAGES` the client counts as connected, because some servers send other messages without end.
    """
    is_gone = threading.Event()

    async def watch() -> None:
        for _ in range(MAX_MESSAGES):
            if (await request.receive())["type"] == "http.disconnect":
                is_gone.set()
                return
            await asyncio.sleep(0)  # `receive` does not yield to other tasks if a message is ready

    watching = asyncio.create_task(watch())
    try:
        yield lambda: not is_gone.is_set()
    finally:
        watching.cancel()
