"""The item index of an archive of many scenes: time to find the items of a tile, and to add new items.

`python -m benchmarks.item_index [FOLDER] [--items 1000000] [--postgresql URL]`: items similar to Sentinel-2 over
ten years, 30 % of them half swaths, and 200 more of one place and day. The items of the first two months are put into
an index in FOLDER if it is missing, or into a database; the database makes the later ones as copies. Then tiles and
points of random places and days are looked up, alone, with a process that adds 50 items per second, and with one that
adds 10,000 in one transaction.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import math
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from benchmarks.figures import median, percentile
from benchmarks.made_items import CLEAR, COLLECTION, DATES, FIRST, SOUTH, WEST, MadeIndex, places_of, scenes
from chronotile.catalog.items.index import ItemIndex
from chronotile.core.model.items import ItemSearch
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan

APPENDS_PER_S = 50
ADDED = 10_000
ASKED = 2_000
SLOW = ("all days", "times", "search")
"""Words in the names of look-ups that run a twentieth as often."""


def main() -> None:
    """Fill an index if it is empty, measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--items", type=int, default=1_000_000, help="how many, rounded to places of 1,440 dates")
    parser.add_argument("--postgresql", default=None, help="URL of an empty database, or of one with our items")
    parser.add_argument("--append", type=int, default=0, help="only add this number of items, at the rate of --per-s")
    parser.add_argument("--per-s", type=float, default=math.inf)
    given = parser.parse_args()
    places = places_of(given.items)
    made = MadeIndex(folder=given.folder / f"items-{places}", places=places, postgresql=given.postgresql)
    given.folder.mkdir(parents=True, exist_ok=True)
    if given.append:
        _append(made, given)
        return
    fill_s = made.fill()
    where = "PostgreSQL" if given.postgresql else "SQLite"
    print(f"| {made.count:,} items in {where} | median (5 % .. 95 %) | processor |\n| --- | --- | --- |")
    if fill_s is not None:
        _say("make them", f"{fill_s:.0f} s")
    _measure(made, given)


def _measure(made: MadeIndex, given: argparse.Namespace) -> None:
    started = time.perf_counter()
    index = made.open()
    index.covering(COLLECTION, BBox(4.0, 50.0, 4.0, 50.0), span=TimeSpan(FIRST, FIRST + np.timedelta64(10, "D")))
    _say("open, and find the first", f"{(time.perf_counter() - started) * 1000:.0f} ms")
    rounds = _rounds(index, made)
    _say("5 ms of computing: how busy the machine is", _times(_compute, ASKED // 20))
    for name, look_up in rounds.items():
        _say(name, _times(look_up, ASKED // 20 if any(word in name for word in SLOW) else ASKED))
    added = ["--append", str(60 * APPENDS_PER_S), "--per-s", str(APPENDS_PER_S)]
    with _beside(given, added):
        time.sleep(2)
        _say("5 ms of computing, at the same time", _times(_compute, ASKED // 20))
        for name in ("items of a tile on a day", "times of a tile's box"):
            _say(f"{name}, beside {APPENDS_PER_S} appends a second", _times(rounds[name], ASKED // 4))
    with _beside(given, ["--append", str(ADDED)]) as process:
        time.sleep(2)
        _say(
            f"items of a tile on a day, while {ADDED:,} are added",
            _times(rounds["items of a tile on a day"], ASKED // 2),
        )
        process.wait()
    _say("memory of this process", f"{_memory_mib():.0f} MiB")
    if given.postgresql is None:
        files = made.folder.iterdir()
        _say("size", f"{sum(file.stat().st_size for file in files) / 2**20:,.0f} MiB")


def _rounds(index: ItemIndex, made: MadeIndex) -> dict[str, Callable[[random.Random], object]]:
    instants = index.times(COLLECTION).starts

    def box(chance: random.Random, side: float) -> BBox:
        west, south = WEST + chance.uniform(0, made.columns), SOUTH + chance.uniform(0, made.rows)
        return BBox(west, south, west + side, south + side)

    def day(chance: random.Random) -> np.ndarray:
        return instants[chance.randrange(len(instants)) :][:1]

    deep = BBox(WEST + 0.3, SOUTH + 0.3, WEST + 0.4, SOUTH + 0.4)
    return {
        "items of a tile on a day": lambda chance: index.covering(COLLECTION, box(chance, 0.09), instants=day(chance)),
        "items of a tile of zoom 5": lambda chance: index.covering(
            COLLECTION, box(chance, 11.25), instants=day(chance)
        ),
        "items of a place of 200": lambda _chance: index.covering(COLLECTION, deep, instants=instants[:1]),
        "items of a point on all days": lambda chance: index.covering(COLLECTION, box(chance, 0.0)),
        "times of a tile's box": lambda chance: index.times(COLLECTION, box=box(chance, 0.09)),
        "assets of an item": lambda chance: index.assets([chance.randrange(1, made.places * DATES)]),
        "search: newest ten": lambda _chance: index.search(ItemSearch(collections=(COLLECTION,))),
        "search: a degree, a month, clouds < 20": lambda chance: index.search(
            ItemSearch(collections=(COLLECTION,), bbox=box(chance, 1.0), span=_month(chance), filter=CLEAR)
        ),
        "search: clouds < 20 of all": lambda _chance: index.search(ItemSearch(collections=(COLLECTION,), filter=CLEAR)),
        "state": lambda _chance: index.state(COLLECTION),
    }


def _compute(_chance: random.Random) -> None:
    began = time.thread_time()
    while time.thread_time() - began < 0.005:
        pass


def _month(chance: random.Random) -> TimeSpan:
    start = FIRST + np.timedelta64(chance.randrange(3600), "D")
    return TimeSpan(start, start + np.timedelta64(30, "D"))


def _times(look_up: Callable[[random.Random], object], count: int) -> str:
    chance, seconds, processor = random.Random(1), [], []
    for _ in range(count):
        started, began = time.perf_counter(), time.thread_time()
        look_up(chance)
        processor.append(time.thread_time() - began)
        seconds.append(time.perf_counter() - started)
    low, middle, high = (
        f"{value * 1000:.3f}" for value in (percentile(seconds, 5), median(seconds), percentile(seconds, 95))
    )
    return f"{middle} ms ({low} .. {high}) | {median(processor) * 1000:.3f} ms"


def _say(what: str, found: str) -> None:
    print(f"| {what} | {found} |", flush=True)


class _beside:  # noqa: N801 -- used as a function
    """Runs this module in another process, to add items."""

    def __init__(self, given: argparse.Namespace, options: list[str]) -> None:
        where = [str(given.folder), "--items", str(given.items)]
        if given.postgresql:
            where += ["--postgresql", given.postgresql]
        self._command = [sys.executable, "-m", "benchmarks.item_index", *where, *options]

    def __enter__(self) -> subprocess.Popen[bytes]:
        self._process = subprocess.Popen(self._command)
        return self._process

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait()


def _append(made: MadeIndex, given: argparse.Namespace) -> None:
    index = made.open()
    new = scenes(made.places, range(DATES, DATES + given.append), f"{time.time():.0f}-")
    items = (next(new) for _ in range(given.append))
    if math.isinf(given.per_s):
        started = time.perf_counter()
        index.put(COLLECTION, items)
        _say(f"add {given.append:,} items beside readers", f"{time.perf_counter() - started:.1f} s")
        return
    began = time.monotonic()
    for number, item in enumerate(items):
        time.sleep(max(0.0, began + number / given.per_s - time.monotonic()))
        index.put(COLLECTION, [item])


def _memory_mib() -> float:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
