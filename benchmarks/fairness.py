"""Answers to one client while 200 connections of another address send the same kind of request without a pause.

    python -m benchmarks.fairness FOLDER

Two workers serve NDVI of the demo archive, 180 dates, as `chronotile optimise` writes it (made in FOLDER if it is
missing). The crowd is at 127.0.0.1, in a separate process, and the user at 127.0.0.2, over one kept connection. Idle
times and times with the crowd alternate, so that other work on the machine changes both. The goal: with the crowd,
the user's p95 is at most 5 times its idle value for tiles, points and documents.
"""

import argparse
import json
import math
import multiprocessing
import os
import platform
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http.client import HTTPConnection
from multiprocessing.synchronize import Event
from pathlib import Path

from benchmarks.bursts import EAST, LAYER, NORTH, RESULTS, SOUTH, WEST, WORKERS, points, serving
from benchmarks.load.storm import storm

CROWD = 200
USER = "127.0.0.2"
ROUNDS = 3
REQUESTS = 150
"""Requests of the user, in each part of a round."""
MAX_SECONDS = 20.0
"""Maximum duration of a part of a round."""
SETTLED_S = 2.0
"""Seconds until the crowd has its connections."""
MAX_RATIO = 5.0


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of the table."""

    name: str
    idle_ms: Sequence[float]
    beside_ms: Sequence[float]
    refused: int
    """Answers to the user that were not 200."""

    @property
    def ratio(self) -> float:
        """Ratio of the two p95."""
        return p95(self.beside_ms) / p95(self.idle_ms)

    def row(self) -> str:
        """Return it as text."""
        return (
            f"| {self.name} | {median(self.idle_ms):.1f} | {p95(self.idle_ms):.1f} | {median(self.beside_ms):.1f} | "
            f"{p95(self.beside_ms):.1f} | {self.ratio:.1f} | {self.refused} |"
        )


def median(milliseconds: Sequence[float]) -> float:
    """Return the middle of some times."""
    return sorted(milliseconds)[len(milliseconds) // 2]


def p95(milliseconds: Sequence[float]) -> float:
    """Return the 95th percentile."""
    return sorted(milliseconds)[len(milliseconds) * 95 // 100]


def tiles(chance: random.Random, days: Sequence[str]) -> list[str]:
    """Return requests for tiles inside the demo archive, at all dates."""
    return [f"/tiles/{LAYER}/WebMercatorQuad/{_tile(chance)}.png?datetime={chance.choice(days)}" for _ in range(600)]


def _tile(chance: random.Random) -> str:
    """Zoom, column and row of a tile."""
    zoom = chance.choice((10, 11, 12, 13))
    longitude, latitude = chance.uniform(WEST, EAST), math.radians(chance.uniform(SOUTH, NORTH))
    column = int((longitude + 180) / 360 * 2**zoom)
    row = int((1 - math.asinh(math.tan(latitude)) / math.pi) / 2 * 2**zoom)
    return f"{zoom}/{column}/{row}"


def documents(chance: random.Random) -> list[str]:
    """Return requests for documents, which differ in a parameter that changes the answer."""
    return [f"/layers/{LAYER}/times?limit={chance.randint(1, 180)}" for _ in range(300)]


def days_of(port: int) -> list[str]:
    """Return the dates of the layer."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", f"/layers/{LAYER}/times?limit=1000")
    return [str(each)[:10] for each in json.loads(connection.getresponse().read())["times"]]


def _crowd(port: int, paths: Sequence[str], ends: Event) -> None:
    with storm(port, paths, clients=CROWD, heed_refusals=True):
        ends.wait(MAX_SECONDS + 10)


@contextmanager
def crowd(port: int, paths: Sequence[str]) -> Iterator[None]:
    """Let the crowd request paths in another process until the block ends."""
    context = multiprocessing.get_context("spawn")
    ends = context.Event()
    process = context.Process(target=_crowd, args=(port, paths, ends))
    process.start()
    try:
        time.sleep(SETTLED_S)
        yield
    finally:
        ends.set()
        process.join()


def asked(port: int, paths: Sequence[str], statuses: Counter[int]) -> list[float]:
    """Return the milliseconds of the user's requests, one after the other."""
    connection, found, end = HTTPConnection("127.0.0.1", port, source_address=(USER, 0)), [], time.monotonic()
    for path in paths:
        start = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        found.append((time.perf_counter() - start) * 1000)
        statuses[answer.status] += 1
        if time.monotonic() - end > MAX_SECONDS:
            break
    connection.close()
    return found


def compared(port: int, name: str, of_user: Sequence[str], of_crowd: Sequence[str]) -> Compared:
    """Return the latencies of the user without and with the crowd."""
    idle, beside, statuses = list[float](), list[float](), Counter[int]()
    asked(port, of_user[:20], Counter())
    for number in range(ROUNDS):
        some = of_user[number * REQUESTS : (number + 1) * REQUESTS]
        idle += asked(port, some, statuses)
        with crowd(port, of_crowd):
            beside += asked(port, some, statuses)
    return Compared(name, idle, beside, statuses.total() - statuses[200])


def main() -> None:
    """Measure, write the table, and end with 1 if the goal is not met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the demo archive, made if missing")
    folder = parser.parse_args().folder
    chance = random.Random(1)
    with serving(folder, {"CHRONOTILE_PAYLOAD_BYTES": "0"}) as port:
        days = days_of(port)
        kinds: dict[str, Callable[[random.Random], list[str]]] = {
            "tiles": partial(tiles, days=days),
            "points": points,
            "documents": documents,
        }
        found = [compared(port, name, make(chance), make(chance)) for name, make in kinds.items()]
    text = _table(found)
    (RESULTS / "fairness.md").write_text(text, encoding="utf-8")
    print(text)
    sys.exit(0 if all(each.ratio <= MAX_RATIO and not each.refused for each in found) else 1)


def _table(found: Sequence[Compared]) -> str:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    head = ("requests", "idle p50 ms", "idle p95 ms", "beside p50 ms", "beside p95 ms", "ratio of p95", "not 200")
    lines = (
        "# Fairness",
        "",
        f"`benchmarks.fairness`, {datetime.now(UTC):%Y-%m-%d}; {machine}; load average {os.getloadavg()[0]:.0f}.",
        f"{WORKERS} workers; one user beside {CROWD} connections of another address, {ROUNDS} rounds of {REQUESTS}",
        f"requests; the ratio is to be at most {MAX_RATIO:.0f}.",
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(each.row() for each in found),
        "",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
