"""Requests at a fixed rate, each timed from when it was meant to be sent.

A closed loop waits for a slow answer before it asks again, and so leaves out the requests that would have suffered
(coordinated omission). Here the moment of each is set beforehand, and lateness of sending counts as latency.
"""

import asyncio
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import uvloop

from benchmarks.load.exchange import Ask, BrokenAnswer, exchange

HOST = "127.0.0.1"
TIMEOUT_S = 30.0


@dataclass(slots=True)
class OpenLoop:
    """What came of it."""

    rate: float
    """Requests a second that were meant to be sent."""
    milliseconds: list[float] = field(default_factory=list)
    """From the intended moment to the end of the answer."""
    late_ms: list[float] = field(default_factory=list)
    """How much later than intended the generator sent each: its own part."""
    failed: int = 0


def open_loop(port: int, asks: Sequence[Ask], *, rate: float, seconds: float) -> OpenLoop:
    """Ask at a fixed rate, each request over a connection of its own, and return how long the answers took."""
    return uvloop.run(_run(port, asks, OpenLoop(rate), seconds))


async def _run(port: int, asks: Sequence[Ask], result: OpenLoop, seconds: float) -> OpenLoop:
    started = time.perf_counter() + 0.1
    running: set[asyncio.Task[None]] = set()
    for number, ask in zip(range(int(result.rate * seconds)), itertools.cycle(asks), strict=False):
        intended = started + number / result.rate
        wait_s = intended - time.perf_counter()
        if wait_s > 0:
            await asyncio.sleep(wait_s)
        task = asyncio.create_task(_one(port, ask, intended, result))
        running.add(task)
        task.add_done_callback(running.discard)
    await asyncio.gather(*running)
    return result


async def _one(port: int, ask: Ask, intended: float, result: OpenLoop) -> None:
    result.late_ms.append((time.perf_counter() - intended) * 1000)
    try:
        answer = await exchange(ask, HOST, port, timeout_s=TIMEOUT_S)
    except (OSError, TimeoutError, BrokenAnswer):
        result.failed += 1
        return
    if answer.status == 200:
        result.milliseconds.append((time.perf_counter() - intended) * 1000)
    else:
        result.failed += 1
