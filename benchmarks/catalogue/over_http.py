"""Searches over HTTP: how long one waits, and how many a server answers in a second."""

import json
import os
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.big_index_server import processor_s_of
from benchmarks.catalogue.queries import Body, post
from benchmarks.figures import median, percentile
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected, timed
from benchmarks.soak.watch import descendants

WARM = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """The answers of a server in a round."""

    per_s: float
    failed: int
    processor_ms: float
    """Processor time of all child processes, per answer."""


def waits(port: int, path: str, bodies: Sequence[Body]) -> dict[str, float]:
    """Return how long answers take over one connection, in milliseconds.

    Raises:
        RuntimeError: A search is not answered with 200.
    """
    asks = [post(path, body) for body in bodies]
    timed(port, asks[:WARM])
    found = timed(port, asks)
    if found.failed:
        raise RuntimeError(f"{found.failed} searches are not answered")
    taken = found.milliseconds
    return {"median_ms": round(median(taken), 1), "p95_ms": round(percentile(taken, 95), 1)}


def ids_of(port: int, path: str, body: Body) -> list[str]:
    """Return the ids of the items of a page, in their order.

    Raises:
        RuntimeError: The search is not answered with 200.
    """
    with connected(port) as connection:
        answer = connection.ask(post(path, body))
    if answer.status != 200:
        raise RuntimeError(f"a search is answered with {answer.status}: {answer.body[:500]!r}")
    return [each["id"] for each in json.loads(answer.body)["features"]]


def rate(port: int, asks: Sequence[Ask], *, clients: int, seconds: float) -> Rate:
    """Return how many requests a server answers to clients that each wait for one answer after the other."""
    ends = time.monotonic() + seconds
    counts = [[0, 0] for _ in range(clients)]

    def run(number: int) -> None:
        own = counts[number]
        with connected(port) as connection:
            at = number * len(asks) // clients
            while time.monotonic() < ends:
                own[connection.ask(asks[at % len(asks)]).status != 200] += 1
                at += 1

    before, began = processor_s(), time.monotonic()
    threads = [threading.Thread(target=run, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    lasted, used = time.monotonic() - began, processor_s() - before
    answered, failed = (sum(own[which] for own in counts) for which in (0, 1))
    return Rate(per_s=answered / lasted, failed=failed, processor_ms=used / max(1, answered) * 1000)


def processor_s() -> float:
    """Return the processor time so far of all processes that this one started, servers and databases."""
    total = 0.0
    for pid in descendants(os.getpid()):
        try:
            total += processor_s_of(pid)
        except OSError:  # it has ended
            continue
    return total
