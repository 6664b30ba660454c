"""Coroutines of zarr-python and of its stores, waited for within the time limit of a read."""

import asyncio
import threading
from collections.abc import Coroutine
from concurrent.futures import TimeoutError as FutureTimeout
from functools import cache
from time import monotonic
from typing import Any, TypeVar

from chronotile.readers.foreign import Damaged, one_line
from chronotile.readers.remote.requests import READ_S, GivenUp, read_deadline

Answer = TypeVar("Answer")


@cache
def _loop() -> asyncio.AbstractEventLoop:
    """Where the work is done, in a thread that does not keep the process from ending."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="zarr", daemon=True).start()
    return loop


def result_of(work: Coroutine[Any, Any, Answer]) -> Answer:
    """Return what a coroutine gives, within the time limit of this thread's read, else `READ_S` seconds.

    Raises:
        Damaged: What is stored cannot be decoded.
        GivenUp: It takes too long.
        Exception: Others are the store's own.
    """
    deadline = read_deadline()
    waiting = asyncio.run_coroutine_threadsafe(work, _loop())
    try:
        return waiting.result(READ_S if deadline is None else max(0.0, deadline - monotonic()))
    except FutureTimeout:
        waiting.cancel()
        raise GivenUp(f"reading it takes longer than {READ_S:g} s") from None
    except (ValueError, RuntimeError, KeyError) as error:  # of codecs
        raise Damaged(f"it cannot be decoded: {one_line(error)}") from None
