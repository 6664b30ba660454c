"""Clients that leave: checks whether the client of a request is still connected."""

import asyncio
import threading
from collections.abc import AsyncIterator
from concurrent.futures import CancelledError
from contextlib import asynccontextmanager

from starlette.requests import Request

from chronotile.core.cancellation import IsActive

MAX_MESSAGES = 100
"""After the body, among which a server's word that the client disconnected is looked for."""

ANSWER_S = 5.0
"""How long work in a thread waits for the event loop's answer whether its client is still connected."""


def disconnect_check(request: Request) -> IsActive:
    """Return a function by which work in a thread checks, rarely, whether its client is still connected.

    Nothing watches in between, as `watch_disconnect` does: each call queries the event loop. Without a result within
    `ANSWER_S`, the client counts as connected.
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
async def watch_disconnect(request: Request) -> AsyncIterator[IsActive]:
    """Give a check, for work in a thread, that the client is still connected; its body must have been read.

    With a server that never runs out of messages and never waits, the client counts as connected after `MAX_MESSAGES`.
    """
    is_gone = threading.Event()

    async def watch() -> None:
        for _ in range(MAX_MESSAGES):
            if (await request.receive())["type"] == "http.disconnect":
                is_gone.set()
                return
            await asyncio.sleep(0)  # a message that is there already gives nobody else a turn

    watching = asyncio.create_task(watch())
    try:
        yield lambda: not is_gone.is_set()
    finally:
        watching.cancel()
