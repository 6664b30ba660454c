"""A server under load whose scenes are slow, fail, hang, are cut, and are replaced never shows a wrong pixel.

`python -m tests.scenes_archive.under_faults --seconds 600` runs for ten minutes and prints a report.
"""

import argparse
import io
import os
import random
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyproj

from tests.agreement.mosaics.shown import MERCATOR, NEAR, tiles_of
from tests.agreement.scenes_served import Tile
from tests.faulty_source import Fault, FaultySource
from tests.running import PATIENCE_S, PROGRAM, serving, workers_of
from tests.scenes_archive.files import TIME_PATTERN, UNCUT, archive, path_of, write_asset
from tests.scenes_archive.forms import own_http
from tests.scenes_archive.plan import Plan, Scene, days_of
from tests.scenes_archive.serving import STYLES

MADE = Plan(
    days=days_of(12, every=10),
    columns=3,
    rows=2,
    tile_px=488,
    step_px=440,
    ground_m=2_000,
    block_px=128,
    assets=("CELL",),
)
"""More than the caches of the server hold."""
ZOOMS = (13, 14)
CONFIGURATION = """
service: {{id: faults}}
collections:
  cut:
    source: {{kind: stac, href: '{href}'}}
    time: {{group: solar_day}}
    variables: {{CELL: {{layer: CELL, styles: [cells]}}}}
  whole:
    source: {{kind: cog, href: '{whole}', time_pattern: '{pattern}'}}
    variables: {{CELL: {{layer: WHOLE, styles: [cells]}}}}
"""
SMALL_CACHES = {
    "CHRONOTILE_CACHE_BYTES": str(24 << 20),
    "CHRONOTILE_PAYLOAD_BYTES": "0",
    "CHRONOTILE_DISK_CACHE_BYTES": "0",
}
FAULTS = (
    *(Fault.UNAVAILABLE, Fault.SERVER_ERROR, Fault.FORBIDDEN, Fault.MISSING, Fault.CUT, Fault.CUT_CHUNKED),
    *(Fault.CUT_AT_ONCE, Fault.SHORT, Fault.OTHER_RANGE, Fault.HANG, Fault.HANG_IN_BODY, Fault.HOLD),
)
CLIENTS = 4
WARM = 20
"""Right pictures before memory is measured: by then libraries and caches are loaded."""
CLIENT_TIMEOUT_S = 150
STEP = 10
"""Added to the numbers of a file each time it is replaced."""


class Reprocessed(Scene):
    """A scene whose cells have other numbers, so much more as its rank."""

    def numbers(self, asset: str) -> np.ndarray:
        """(y, x) of all cells."""
        numbers = super().numbers(asset)
        return np.where(numbers > 0, numbers + STEP * self.rank, 0).astype(numbers.dtype)


@dataclass
class Report:
    """Results of a trial."""

    statuses: Counter[str] = field(default_factory=Counter)
    """By layer and status."""
    wrong: list[str] = field(default_factory=list)
    """The first wrong answers."""
    wrong_count: int = 0
    named: int = 0
    """Answers that named items that were left out."""
    faults: Counter[str] = field(default_factory=Counter)
    waits_s: list[float] = field(default_factory=list)
    """Waiting times of the other source, which has no faults."""
    memory_mb: list[float] = field(default_factory=list)
    """Memory of all workers, about every two seconds."""
    recovered: bool = False
    """Whether all tiles were answered with 200 at the end, when no fault was left."""

    @property
    def growth_mb(self) -> float:
        """Difference of the medians of memory in the last and the second quarter."""
        count = len(self.memory_mb)
        second, last = self.memory_mb[count // 4 : count // 2], self.memory_mb[3 * count // 4 :]
        return float(np.median(last) - np.median(second))

    def lines(self) -> list[str]:
        """Return the lines to print."""
        waits, tenths = np.sort(self.waits_s) * 1_000, np.array_split(self.memory_mb, 10)
        p50, p95 = (float(np.quantile(waits, each)) for each in (0.5, 0.95))
        return [
            f"answers: {dict(sorted(self.statuses.items()))}",
            f"wrong: {self.wrong_count} {self.wrong}",
            f"answers with items left out and named: {self.named}",
            f"faults: {dict(self.faults)}",
            f"the other source: median {p50:.0f} ms, p95 {p95:.0f} ms",
            f"memory of the workers, by tenths of the time: {' '.join(f'{part.mean():.0f}' for part in tenths)} MB",
            f"recovered: {self.recovered}",
        ]


class Trial:
    """Clients and faults of one run."""

    def __init__(self, url: str, files: FaultySource, seed: int) -> None:
        self.url = url
        self.files = files
        self.report = Report()
        self.is_over = threading.Event()
        self.ranks: dict[str, set[int]] = {}
        """Possible ranks of replaced scenes, by id."""
        self._lock = threading.Lock()
        self._random = random.Random(seed)
        self._tiles = [tile for zoom in ZOOMS for tile in tiles_of(MADE, zoom)]

    def break_things(self) -> None:
        """Switch faults on and off, and replace files, until the end of the trial."""
        scenes = list(MADE.all_scenes())
        while not self.is_over.is_set():
            scene = self._random.choice(scenes)
            fault = self._random.choice([*FAULTS, "slow", "replaced"])
            self.report.faults[getattr(fault, "name", fault)] += 1
            if fault == "replaced":
                self._replace(scene)
            elif fault == "slow":
                self.files.delay_s = 0.2
            else:
                path = self._random.choice([None, path_of(scene, "CELL")])
                # A fault that hangs for all requests would hide all other faults.
                self.files.switch(fault, path, times=4 if "HANG" in fault.name else None)
            self.is_over.wait(self._random.uniform(0.2, 1.5))
            self.files.delay_s = 0.0
            self.files.release()
            self.files.heal()
            self.is_over.wait(self._random.uniform(0, 0.5))

    def draw(self, seed: int) -> None:
        """Request tiles of both sources until the end of the trial, and check them."""
        choices = random.Random(seed)
        while not self.is_over.is_set():
            tile, date = choices.choice(self._tiles), choices.randrange(len(MADE.days))
            self.check("CELL", tile, date)
            if choices.random() < 0.3:
                self.check("WHOLE", tile, date)

    def check(self, layer: str, tile: Tile, date: int) -> int:
        """Request a tile and compare it with the formula; return its status."""
        address = f"{self.url}/tiles/{layer}/WebMercatorQuad/{tile.z}/{tile.x}/{tile.y}.npy?datetime={MADE.days[date]}"
        begin = time.monotonic()
        try:
            with urllib.request.urlopen(address, timeout=CLIENT_TIMEOUT_S) as answer:
                status, body, warning = answer.status, answer.read(), answer.headers.get("Warning", "")
        except urllib.error.HTTPError as error:
            status, body, warning = error.code, error.read(), ""
        waited_s = time.monotonic() - begin
        mistake = None
        if status == 200 and layer == "CELL":
            mistake = self.mistake(tile, date, np.load(io.BytesIO(body)), warning)
        with self._lock:
            self.report.statuses[f"{layer} {status}"] += 1
            self.report.named += bool(warning)
            if layer == "WHOLE":
                self.report.waits_s.append(waited_s)
            if mistake:
                self.report.wrong_count += 1
                self.report.wrong = [*self.report.wrong, f"{address}: {mistake}; warning {warning!r}"][:5]
        return status

    def mistake(self, tile: Tile, date: int, values: np.ndarray, warning: str) -> str | None:
        """Return the error of a tile in words, or `None`."""
        lacking = frozenset(scene.id for scene in MADE.scenes(date) if scene.id in warning)
        piece, numbers = expected(tile, date, lacking)
        is_clear = clear_of_edges(tile)
        if differing := np.count_nonzero((np.isnan(values) != (piece < 0)) & is_clear):
            return f"{differing} pixels are there or lacking"
        for position in np.unique(piece[piece >= 0]).tolist():
            of_piece = (piece == position) & is_clear
            added = np.unique(values[of_piece] - numbers[of_piece])
            scene = [each for each in MADE.scenes(date) if each.id not in lacking][position]
            allowed = {STEP * rank for rank in self.ranks.get(scene.id, {0})}
            if not set(added.tolist()) <= allowed:
                return f"{scene.id} has other numbers: by {added[:5].tolist()}, allowed {sorted(allowed)}"
            if len(added) > 1:
                return f"{scene.id} is of two processings: {added.tolist()}"
        return None

    def _replace(self, scene: Scene) -> None:
        rank = self._random.randrange(1, 5)
        newer = Reprocessed(scene.frame, scene.date, scene.day, scene.strip, scene.plan, rank)
        with self._lock:
            self.ranks.setdefault(scene.id, {0}).add(rank)
        write_asset(self.files.folder / path_of(scene, "CELL"), newer, "CELL")

    def recovers(self) -> bool:
        """Return whether tiles are answered again; sources that failed are tried again after a while."""
        end = time.monotonic() + CLIENT_TIMEOUT_S
        for tile in self._tiles:
            while self.check("CELL", tile, 0) != 200:
                if time.monotonic() > end:
                    return False
                self.is_over.wait(0.5)
        return True


@lru_cache(maxsize=2_000)
def expected(tile: Tile, date: int, lacking: frozenset[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return (y, x) positions of pieces, -1 without one, and their numbers, without the lacking scenes."""
    x, y = tile.centres()
    scenes = tuple(scene for scene in MADE.scenes(date) if scene.id not in lacking)
    chosen = MADE.mosaic("CELL", x, y, date=date, crs=MERCATOR, scenes=scenes)
    return chosen.piece.astype("int16"), chosen.numbers.astype("int32")


@lru_cache(maxsize=200)
def clear_of_edges(tile: Tile) -> np.ndarray:
    """(y, x): pixels whose centre is not within centimetres of an edge of a cell of a zone, which may show either."""
    x, y = tile.centres()
    is_clear = np.ones(x.shape, dtype=bool)
    for zone in (31, 32):
        to_zone = pyproj.Transformer.from_crs(MERCATOR, f"EPSG:{32600 + zone}", always_xy=True)
        for metres in to_zone.transform(x, y):
            is_clear &= np.abs((metres + 5) % 10 - 5) > NEAR
    return is_clear


def memory_mb(pids: list[int]) -> float:
    """Return the private memory of processes, as a sum."""
    total = 0
    for pid in pids:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    return total / 1024


@contextmanager
def served_with_faults(folder: Path) -> Iterator[tuple[str, FaultySource, object]]:
    """Run a server with two worker processes, and the server of its files."""
    with ExitStack() as stack:
        files, source = stack.enter_context(own_http(folder / "files", MADE))
        whole = archive(MADE, uncut=(31,)) / UNCUT / "31" / "*_{variable}.tif"
        (folder / "styles").mkdir()
        (folder / "styles" / "cells.yaml").write_text(STYLES["cells"])
        configuration = folder / "chronotile.yaml"
        configuration.write_text(CONFIGURATION.format(href=source.href, whole=whole, pattern=TIME_PATTERN))
        own = {"CHRONOTILE_JOBS_DIR": str(folder / "jobs"), "XDG_CACHE_HOME": str(folder / "cache")}
        subprocess.run([PROGRAM, "index", configuration], check=True, env=os.environ | own, capture_output=True)
        log = stack.enter_context((folder / "log").open("w"))
        process, url, _lines = stack.enter_context(
            serving("serve", configuration, "--workers", "2", log=log, **own, **SMALL_CACHES)
        )
        yield url, files, process


def run(
    seconds: float, folder: Path, *, seed: int = 1, is_enough: Callable[[Report], bool] = lambda _report: True
) -> Report:
    """Switch faults under load for some seconds, or longer until the report is enough; return the report."""
    with served_with_faults(folder) as (url, files, process):
        trial = Trial(url, files, seed)
        clients = [threading.Thread(target=trial.draw, args=(seed * 100 + n,)) for n in range(CLIENTS)]
        breaking = threading.Thread(target=trial.break_things)
        for each in (*clients, breaking):
            each.start()
        end = time.monotonic() + seconds
        while (now := time.monotonic()) < end or (now < end + PATIENCE_S and not is_enough(trial.report)):
            if trial.report.statuses["CELL 200"] > WARM:
                trial.report.memory_mb.append(memory_mb(workers_of(process)))
            trial.is_over.wait(min(2.0, seconds / 20))
        trial.is_over.set()
        files.release()
        for each in (*clients, breaking):
            each.join()
        files.heal()
        trial.is_over = threading.Event()
        trial.report.recovered = trial.recovers()
        return trial.report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="chronotile-faults-") as place:
        print("\n".join(run(given.seconds, Path(place), seed=given.seed).lines()))  # noqa: T201 -- a program
