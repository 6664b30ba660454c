"""`python -m benchmarks.big_index_server [FOLDER] [--items 1000000]`: a server over the index of a million scenes.

The index (700 places, ten years, one place with 200 items on a day) is made in FOLDER if it is missing, with one file
per place, which all items of the place use. Measured: the seconds from the start of `chronotile serve` to
`/health/ready` and to the first tile, and the memory of its worker without its caches after requests for tiles, series
and items of random places and days.
"""

import argparse
import json
import math
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine

from benchmarks.elsewhere.clients import ask
from benchmarks.figures import median, percentile
from benchmarks.load.exchange import Ask
from benchmarks.load.kept_alive import connected
from benchmarks.peers.server import free_port
from benchmarks.soak.archive import chronotile, quiet_environment
from benchmarks.soak.bounds import BEYOND_CACHES_MB, cache_sizes
from benchmarks.soak.watch import sample
from chronotile.catalog.items.opening import open_items
from chronotile.core.model.items import Asset, AssetBand, IndexSettings, Item
from chronotile.core.model.space.grid import NativeGrid
from tests.scenes_archive.million import TILE_M, Continent, Tile

COLLECTION, ARCHIVE, LAYER = "continent", "continent", "RED"
SETTINGS = IndexSettings(group="solar_day", order_by="eo:cloud_cover")
CONFIGURATION = f"""
service: {{{{id: {ARCHIVE}}}}}
collections:
  {COLLECTION}:
    source: {{{{kind: stac, href: '{{catalogue}}'}}}}
    time: {{{{group: solar_day}}}}
    mosaic: {{{{order_by: 'eo:cloud_cover'}}}}
    variables: {{{{B04: {{{{layer: {LAYER}, styles: [greys]}}}}}}}}
"""
EVERY_MIN = 61 * 60
"""Between two dates: 1,429 of them are ten years."""
SIDE_M = 100
"""Size of a cell in metres: large, so that the files are small."""
STARTS_WITHIN_S = 120.0
START_GOAL_S = 3.0
ZOOM = 10
BAND = AssetBand(dtype="uint16", scale=0.0001, offset=-0.1, nodata=0)


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the start of the process."""

    ready_s: float
    processor_s: float
    """Processor seconds of the server until it is ready."""
    tile_s: float


def main() -> None:
    """Measure, and end with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--items", type=int, default=1_000_000, help="rounded up to dates of 700 places")
    parser.add_argument("--starts", type=int, default=5)
    parser.add_argument("--requests", type=int, default=2_000)
    given = parser.parse_args()
    continent = Continent(dates=math.ceil(given.items / len(Continent().tiles)), every_min=EVERY_MIN)
    folder: Path = given.folder / f"continent-{len(continent)}"
    configuration = make(folder, continent)
    starts = []
    for _ in range(given.starts):
        with starting(configuration, continent) as (start, _port, _server):
            starts.append(start)
    with starting(configuration, continent) as (_start, port, server):
        found = worked(port, server, continent, given.requests)
    found = {
        "items": len(continent),
        "ready_s": [round(each.ready_s, 2) for each in starts],
        "ready_processor_s": [round(each.processor_s, 2) for each in starts],
        "first_tile_s": [round(each.tile_s, 2) for each in starts],
        **found,
        "goals": {
            f"ready within {START_GOAL_S:g} s": median([each.ready_s for each in starts]) <= START_GOAL_S,
            f"at most {BEYOND_CACHES_MB:g} MB without caches": found["beside_caches_mb"] <= BEYOND_CACHES_MB,
            "all answers 200": set(found["statuses"]) == {200},
        },
    }
    print(json.dumps(found, indent=1))
    sys.exit(0 if all(found["goals"].values()) else 1)


def make(folder: Path, continent: Continent) -> Path:
    """Return the configuration; make index and files if they are missing."""
    files = folder / "files"
    files.mkdir(parents=True, exist_ok=True)
    for number, tile in enumerate(continent.tiles):
        write_file(files / f"{tile.id}.tif", tile, number)
    mark = folder / "filled"
    if not mark.exists():
        began = time.monotonic()
        index = open_items(None, folder / "jobs", archive=ARCHIVE)
        index.configure(COLLECTION, SETTINGS)
        index.put(COLLECTION, items_of(continent, files))
        index.close()
        mark.touch()
        print(f"{len(continent):,} items put in {time.monotonic() - began:.0f} s", file=sys.stderr)
    configuration = folder / "chronotile.yaml"
    # This file does not exist: the server warns of it, and serves the content of the index.
    configuration.write_text(CONFIGURATION.format(catalogue=folder / "catalog.json"))
    return configuration


def write_file(path: Path, tile: Tile, seed: int) -> None:
    """Write noisy hills as a COG, if it is missing."""
    if path.exists():
        return
    grid = grid_of(tile)
    rows, columns = np.arange(grid.height) / 40, np.arange(grid.width) / 60
    noise = np.random.default_rng(seed).normal(0, 60, (grid.height, grid.width))
    hills = 3000 + 1000 * np.sin(rows)[:, np.newaxis] * np.cos(columns) + noise
    profile = {"count": 1, "dtype": "uint16", "nodata": 0, "width": grid.width, "height": grid.height}
    place = {"crs": tile.crs, "transform": grid.transform}
    unfinished = path.with_suffix(".part")
    with rasterio.open(
        unfinished, "w", driver="COG", COMPRESS="DEFLATE", PREDICTOR=2, BLOCKSIZE=256, **profile, **place
    ) as file:
        file.write(hills.astype("uint16"), 1)
    unfinished.replace(path)


def grid_of(tile: Tile) -> NativeGrid:
    """Return the grid of the file of a place."""
    side = TILE_M // SIDE_M
    return NativeGrid(
        crs=tile.grids["B04"].crs,
        transform=Affine(SIDE_M, 0, tile.x, 0, -SIDE_M, tile.y),
        width=side,
        height=side,
    )


def items_of(continent: Continent, files: Path) -> Iterator[Item]:
    """Yield all items, with the file of their place."""
    grids = {tile.id: grid_of(tile) for tile in continent.tiles}
    for item in continent.items():
        place = str(item.properties["grid:code"]).removeprefix("MGRS-")
        asset = Asset(name="B04", href=str(files / f"{place}.tif"), grid=grids[place], bands=(BAND,))
        yield replace(item, assets=(asset,))


@contextmanager
def starting(configuration: Path, continent: Continent) -> "Iterator[tuple[Start, int, subprocess.Popen[bytes]]]":
    """Give how long a server of one worker took to start, its port and process."""
    port = free_port()
    environment = quiet_environment() | {
        "CHRONOTILE_JOBS_DIR": str(configuration.parent / "jobs"),
        "CHRONOTILE_DISK_CACHE_BYTES": "0",
        "XDG_CACHE_HOME": str(configuration.parent / "cache"),
    }
    command = [*chronotile(), "serve", str(configuration), "--port", str(port), "--workers", "1"]
    first = tile_path(continent, random.Random(0))
    with (configuration.parent / "log").open("ab") as log:
        began = time.monotonic()
        with subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server:
            try:
                ready_s = _until_200(port, "/health/ready", began)
                processor_s = processor_s_of(server.pid)
                yield Start(ready_s, processor_s, _until_200(port, first, began)), port, server
            finally:
                server.terminate()


def processor_s_of(pid: int) -> float:
    """Return the processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _until_200(port: int, path: str, began: float) -> float:
    while ask(port, path).status != 200:
        if time.monotonic() - began > STARTS_WITHIN_S:
            raise TimeoutError(f"{path} is not answered with 200 within {STARTS_WITHIN_S:g} s")
        time.sleep(0.02)
    return time.monotonic() - began


def worked(port: int, server: "subprocess.Popen[bytes]", continent: Continent, count: int) -> dict[str, Any]:
    """Return statuses, waits and memory of a worker, after requests for tiles, series and items."""
    chance = random.Random(1)
    statuses: dict[int, int] = {}
    waits: dict[str, list[float]] = {}
    with connected(port) as connection:
        for number in range(count):
            kind, path = request(continent, chance, number)
            began = time.perf_counter()
            answer = connection.ask(Ask(path=path))
            waits.setdefault(kind, []).append((time.perf_counter() - began) * 1000)
            statuses[answer.status] = statuses.get(answer.status, 0) + 1
        caches = cache_sizes(connection.ask(Ask(path="/metrics")).body.decode())
    worker = sample(server.pid)  # one worker is the server itself
    assert worker is not None
    return {
        "statuses": statuses,
        "median_ms": {kind: round(median(each), 1) for kind, each in waits.items()},
        "p95_ms": {kind: round(percentile(each, 95), 1) for kind, each in waits.items()},
        "worker_mb": round(worker.pss_mb),
        "caches_mb": round(caches.held),
        "beside_caches_mb": round(worker.pss_mb - caches.held),
    }


def request(continent: Continent, chance: random.Random, number: int) -> tuple[str, str]:
    """Return a kind of request and its path; eight of ten are tiles."""
    if number % 10 == 0:
        longitude, latitude = place(continent, chance)
        return (
            "series",
            f"/timeseries/{LAYER}/point?lon={longitude}&lat={latitude}&datetime=2024-06-01/2024-09-01",
        )
    if number % 10 == 5:
        west, south = place(continent, chance)
        box = f"{west},{south},{west + 0.5},{south + 0.5}"
        return "items", f"/ogcapi/collections/{LAYER}/items?bbox={box}&limit=10"
    return "tile", tile_path(continent, chance)


def place(continent: Continent, chance: random.Random) -> tuple[float, float]:
    """Return longitude and latitude of the middle of a place."""
    box = chance.choice(continent.tiles).boxes[0]
    return (box.xmin + box.xmax) / 2, (box.ymin + box.ymax) / 2


def tile_path(continent: Continent, chance: random.Random) -> str:
    """Return the path of a tile of a random place at a random date."""
    longitude, latitude = place(continent, chance)
    day = np.datetime64(continent.first[:16], "m") + continent.every_min * chance.randrange(continent.dates)
    column = int((longitude + 180) / 360 * 2**ZOOM)
    row = int((1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2 * 2**ZOOM)
    return f"/tiles/{LAYER}/WebMercatorQuad/{ZOOM}/{column}/{row}.png?datetime={str(day)[:10]}"


if __name__ == "__main__":
    main()
