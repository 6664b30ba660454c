"""Tiles, start and memory of a server of a cube of 100 dates compared with one of 10,000.

`python -m benchmarks.dates [FOLDER] [--dates 10000] [--rounds 5]`: both cubes are made by `optimise` if absent. Both
servers get the same requests alternately, for tiles of the same number of dates, spread over all dates, in this process
and over HTTP. Each tile is requested once, so that no answer is cached.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import http.client
import random
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.optimise import FIRST_DAY, long_archive
from chronotile.app.process_setup import keep_freed_memory
from chronotile.archive.open import open_archive
from chronotile.core.model.request import MapRequest
from chronotile.core.model.time.parser import parse_time
from chronotile.pipeline.maps.render import overlay_maps
from chronotile.pipeline.revision import layer_revision
from chronotile.pipeline.services import Services, make_caches

SIDE, FEW, ASKED = 512, 100, 100
ZOOM = 14
TILES = [(column, row) for row in (5453, 5454) for column in (8329, 8330)]
"""Columns and rows of tiles that lie in the cubes."""

CONFIGURATION = """
collections:
  cube:
    source: {{kind: zarr, href: {href}}}
    variables: {{stack: {{layer: STACK, styles: [ndvi]}}}}
"""

Tile = Callable[[np.datetime64, tuple[int, int]], bytes]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--dates", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    keep_freed_memory()  # as the server does
    configurations = {count: _configuration(given.folder, count) for count in (FEW, given.dates)}
    services = {count: _services(path) for count, path in configurations.items()}
    _say("tile in-process, ms", _in_turn({count: _in_process(each) for count, each in services.items()}))
    _say("revision of the layer, ms", {count: _revision_ms(each) for count, each in services.items()})
    starts, tiles, memory = _served(configurations, given.rounds)
    _say("tile over HTTP, ms", tiles)
    _say("start to the first tile, ms", starts)
    _say("memory of the server (PSS), MiB", memory)


def _say(what: str, found: dict[int, list[float]]) -> None:
    few, many = (statistics.median(each) for each in found.values())
    ends = [f"{np.percentile(each, 5):.2f} .. {np.percentile(each, 95):.2f}" for each in found.values()]
    print(f"| {what} | {few:.2f} ({ends[0]}) | {many:.2f} ({ends[1]}) | {many / few:.2f} |")


def _configuration(folder: Path, count: int) -> Path:
    cube = folder / f"cube-{count}.zarr"
    if not (cube / "zarr.json").exists():
        long_archive(folder, count, SIDE)
    path = folder / f"dates-{count}.yaml"
    path.write_text(CONFIGURATION.format(href=cube.name))
    return path


def _services(configuration: Path) -> Services:
    opened = open_archive(configuration, environment={}, clock=lambda: np.datetime64("now", "ns")).services
    return replace(opened, caches=make_caches(payload_bytes=0, plan_bytes=64 << 20))


def _in_process(services: Services) -> Tile:
    quad = services.catalogue.tile_matrix_set("WebMercatorQuad")

    def tile(day: np.datetime64, place: tuple[int, int]) -> bytes:
        grid = quad.tile_grid(quad.matrices[ZOOM], column=place[0], row=place[1])
        request = MapRequest(layer="STACK", grid=grid, time=parse_time(str(day)))
        return overlay_maps([request], services).body

    return tile


def _in_turn(ways: dict[int, Tile]) -> dict[int, list[float]]:
    """Milliseconds of each tile of each cube, which take turns tile by tile, at dates in no order."""
    asked = [(number, place) for number in range(ASKED) for place in TILES]
    random.Random(1).shuffle(asked)
    for count, way in ways.items():
        for place in TILES:
            way(FIRST_DAY + count // 2, place)  # plans of warps, and code
    times: dict[int, list[float]] = {count: [] for count in ways}
    for number, place in asked:
        for count, way in ways.items():
            day = FIRST_DAY + number * count // ASKED
            started = time.perf_counter()
            way(day, place)
            times[count].append((time.perf_counter() - started) * 1000)
    return times


def _revision_ms(services: Services) -> list[float]:
    layer, times = services.catalogue.layer("STACK"), []
    for _ in range(5):
        services.layer_revisions.clear()
        started = time.perf_counter()
        layer_revision(layer, services)
        times.append((time.perf_counter() - started) * 1000)
    return times


def _served(
    configurations: dict[int, Path], rounds: int
) -> tuple[dict[int, list[float]], dict[int, list[float]], dict[int, list[float]]]:
    """Milliseconds to the first tile and of each tile, and MiB in the end; each round has two new servers."""
    starts: dict[int, list[float]] = {count: [] for count in configurations}
    tiles: dict[int, list[float]] = {count: [] for count in configurations}
    memory: dict[int, list[float]] = {count: [] for count in configurations}
    few, many = configurations
    for _ in range(rounds):
        with _server(configurations[few]) as first, _server(configurations[many]) as second:
            servers = {few: first, many: second}
            for count, (_process, _tile, started_ms) in servers.items():
                starts[count].append(started_ms)
            for count, times in _in_turn({count: server[1] for count, server in servers.items()}).items():
                tiles[count] += times
            for count, (process, _tile, _started_ms) in servers.items():
                memory[count].append(_pss_kib(process) / 1024)
    return starts, tiles, memory


@contextmanager
def _server(configuration: Path) -> Iterator[tuple[int, Tile, float]]:
    """A server of one worker: its process, its tiles and the milliseconds until its first."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = str(Path(sys.executable).with_name("chronotile"))
    command = [program, "serve", str(configuration), "--port", str(port), "--workers", "1"]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                _tile_over_http(port)(FIRST_DAY, TILES[0])
                break
            except OSError:
                time.sleep(0.005)
        # A separate connection from here on: the server closes an idle connection while the other server starts.
        yield process.pid, _tile_over_http(port), (time.perf_counter() - started) * 1000
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _tile_over_http(port: int) -> Tile:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def tile(day: np.datetime64, place: tuple[int, int]) -> bytes:
        path = f"/tiles/STACK/WebMercatorQuad/{ZOOM}/{place[0]}/{place[1]}.png?datetime={day}"
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != http.client.OK:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return body

    return tile


def _pss_kib(process: int) -> int:
    """Memory of a process and its children in KiB."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
    return next(int(line.split()[1]) for line in lines if line.startswith("Pss:")) + sum(
        _pss_kib(int(child)) for child in children
    )


if __name__ == "__main__":
    main()
