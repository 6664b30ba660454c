"""`python -m benchmarks.memory FOLDER`: whether a server survives in a control group, here of 1 GiB, under heavy load.

First 12 clients request maps of 4096² concurrently, then 8 run processes, then 16 do all kinds for five minutes.
No process may be killed, no connection may break, and every refusal must state when to repeat the request. The user
must have permission to make control groups.
"""

import argparse
import http.client
import itertools
import json
import random
import socket
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

import numpy as np
import pandas as pd
import pyproj
import rasterio
import xarray as xr
from affine import Affine
from rasterio.enums import Resampling

from benchmarks.load.cgroup import Group, group_of, lack_of_groups
from benchmarks.soak.archive import chronotile, quiet_environment
from chronotile.app.settings import Settings
from chronotile.core.machine import Machine

HOST = "127.0.0.1"
SIDE = 4096
DATES = ("20240501", "20240511", "20240521")
TYPES = {"a": "uint8", "b": "uint8", "c": "int16", "d": "int16", "e": "float32", "f": "uint8"}
"""Data types by collection: each has a separate source, as a source uses at most a quarter of the threads."""
WEST, NORTH, CELL_M = 600_000, 5_700_000, 10
TIMEOUT_S = 120.0
EMPTY_BYTES = 300_000
"""Maximum size of an empty map."""
MAP_CLIENTS = 12
RUNS = 8
"""Number of concurrent processes."""
MANY_CORES = 64
"""Pretended number of cores: large, so that only memory limits the number of workers."""
BOX = "495000,6640000,555000,6700000"
"""Box that the rasters fill, except at its edges."""
EXECUTION = "/ogcapi/processes/{}/execution"
TREND_BOX = {
    "bbox": [WEST, NORTH - 150 * CELL_M, WEST + 150 * CELL_M, NORTH],
    "crs": "http://www.opengis.net/def/crs/EPSG/0/32631",
}
DEPTH = 180
"""Dates of the layer that processes reduce."""
MAP = "/wms?service=WMS&version=1.3.0&request=GetMap&crs=EPSG:3857&styles="


@dataclass(slots=True)
class Outcome:
    """Answers to clients."""

    timeout_s: float
    answers: Counter[str] = field(default_factory=Counter)
    """Number of answers by kind and status."""
    faults: Counter[str] = field(default_factory=Counter)
    slowest_s: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


def main() -> None:
    """Measure, and end with 1 if anything was killed, broken or refused without a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for memory.json and the server's log")
    parser.add_argument("--memory-mib", type=int, default=1024)
    parser.add_argument("--minutes", type=float, default=5)
    given = parser.parse_args()
    if lack := lack_of_groups():
        sys.exit(lack)
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="memory-") as place:
        write_archive(Path(place), SIDE)
        with group_of(given.memory_mib << 20) as group, (given.folder / "memory-server.log").open("w") as log:
            found = measure(group, Path(place), log, minutes=given.minutes)
    (given.folder / "memory.json").write_text(json.dumps(found, indent=1))
    print(json.dumps(found, indent=1))
    sys.exit(1 if found["kills"] or found["faults"] or found["ended"] else 0)


def write_archive(folder: Path, side: int) -> None:
    """Write GeoTIFFs of some dates for each collection, and a configuration that serves them."""
    chance = np.random.default_rng(1)
    smooth = np.kron(chance.integers(10, 240, (side // 16, side // 16)), np.ones((16, 16)))
    collections = {}
    for name, dtype in TYPES.items():
        for date in DATES:
            _write_raster(folder / f"{name}_{date}.tif", (smooth + chance.integers(0, 8, smooth.shape)).astype(dtype))
        collections[f"set-{name}"] = {
            "source": {"kind": "cog", "href": f"{name}_*.tif", "time_pattern": r"_(?P<time>\d{8})"},
            "variables": {"V": {"layer": name, "range": [0, 250]}, "W": {"layer": f"{name}2", "band": 1}},
            "composites": {"RGB": {"layer": f"{name}-rgb", "variables": ["V", "W", "V"], "range": [0, 250]}},
        }
    collections["set-deep"] = _deep(folder, chance)
    configuration = {"service": {"crs": ["EPSG:3857", "EPSG:32631"]}, "collections": collections}
    (folder / "chronotile.yaml").write_text(json.dumps(configuration))


def _deep(folder: Path, chance: np.random.Generator) -> dict[str, object]:
    """Many dates in few pixels, and their section of the configuration."""
    times = pd.date_range("2020-01-01", periods=DEPTH, freq="10D")
    axes = {"time": times, "y": NORTH - CELL_M * (np.arange(600) + 0.5), "x": WEST + CELL_M * (np.arange(600) + 0.5)}
    numbers = chance.integers(0, 2000, (DEPTH, 600, 600), dtype=np.int16)
    chunks = {"S": {"chunks": (36, 300, 300)}}
    array = xr.DataArray(numbers, dims=list(axes), attrs={"grid_mapping": "crs"})
    dataset = xr.Dataset({"S": array, "crs": ((), 0, pyproj.CRS(32631).to_cf())}, coords=axes)
    dataset.to_zarr(folder / "deep.zarr", encoding=chunks, zarr_format=2)
    return {"source": {"kind": "zarr", "href": "deep.zarr"}, "variables": {"S": {"layer": "deep", "range": [0, 2000]}}}


def _write_raster(path: Path, numbers: np.ndarray) -> None:
    height, width = numbers.shape
    profile = {"driver": "GTiff", "count": 1, "dtype": numbers.dtype, "crs": "EPSG:32631", "compress": "deflate"}
    transform = Affine(CELL_M * SIDE / width, 0, WEST, 0, -CELL_M * SIDE / height, NORTH)
    blocks = {"tiled": True, "blockxsize": 512, "blockysize": 512}
    with rasterio.open(path, "w", width=width, height=height, transform=transform, **profile, **blocks) as file:
        file.write(numbers, 1)
        file.build_overviews([2, 4, 8], Resampling.nearest)


def measure(
    group: Group, folder: Path, log: IO[str], *, minutes: float, side: int = SIDE, timeout_s: float = TIMEOUT_S
) -> dict[str, object]:
    """Return the answers of a server in a group under load, and its state afterwards.

    Args:
        group: The group of the server.
        folder: Folder of `write_archive`.
        log: File for its log.
        minutes: Duration of mixed load, after the maps.
        side: Side of the large maps, in pixels.
        timeout_s: Maximum duration of a start, and of an answer.
    """
    port = _free_port()
    limit = int((group.folder / _limit_name(group)).read_text())
    workers = Settings().workers_on(Machine(cores=MANY_CORES, memory_bytes=limit))
    command = [*chronotile(), "serve", str(folder / "chronotile.yaml"), "--port", str(port), "--workers", str(workers)]
    server = group.start(command, environment=quiet_environment() | {"CHRONOTILE_LOG_LEVEL": "info"}, log=log)
    outcome, started = Outcome(timeout_s), time.monotonic()
    try:
        _wait_until_ready(port, timeout_s)
        _together(port, outcome, [_maps(name, side) for name in itertools.islice(itertools.cycle(TYPES), MAP_CLIENTS)])
        maps = {"answers": dict(outcome.answers), "peak_mib": group.peak_bytes >> 20, "kills": group.kills}
        _together(port, outcome, [_executions(number) for number in range(RUNS)])
        processes = {"answers": dict(outcome.answers), "peak_mib": group.peak_bytes >> 20, "kills": group.kills}
        until = time.monotonic() + minutes * 60
        _together(port, outcome, [_mixed(number, until) for number in range(16)] if minutes else [])
        ended = server.poll()
    finally:
        server.terminate()
        server.wait(timeout_s)
    return {
        "limit_mib": limit >> 20,
        "workers": workers,
        "maps": maps,
        "processes": processes,
        "answers": dict(sorted(outcome.answers.items())),
        "faults": dict(outcome.faults),
        "slowest_s": round(outcome.slowest_s, 1),
        "peak_mib": group.peak_bytes >> 20,
        "kills": group.kills,
        "ended": ended,
        "seconds": round(time.monotonic() - started),
    }


def _limit_name(group: Group) -> str:
    return "memory.limit_in_bytes" if group.is_v1 else "memory.max"


class Post(NamedTuple):
    """A request with a body."""

    path: str
    body: object


Asks = Callable[[], "str | Post | None"]
"""Returns the next path, or the body of a POST, or `None` at the end."""


def _executions(number: int) -> Asks:
    """Return one request that holds the values of many dates; it runs alone while its client waits."""
    runs = iter([_execution(number)])
    return lambda: next(runs, None)


def _execution(number: int) -> Post:
    name, inputs = (
        ("composite", {"layer": "deep", "datetime": "2020/2024", "reducer": "median"}),
        ("composite", {"layer": "deep", "datetime": "2020/2024", "reducer": "mean"}),
        ("trend", {"layer": "deep", "datetime": "2020/2024", "bbox": TREND_BOX}),
        ("histogram", {"layer": "deep", "datetime": "2020/2024"}),
        ("export", {"layer": ["deep"], "datetime": "2020/2024", "format": "NetCDF"}),
    )[number % 5]
    return Post(EXECUTION.format(name), {"inputs": inputs})


def _maps(name: str, side: int) -> Asks:
    paths = iter([_map(name, side, "image/png")])
    return lambda: next(paths, None)


def _map(layers: str, side: int, media_type: str, box: str = BOX) -> str:
    return f"{MAP}&layers={layers}&bbox={box}&width={side}&height={side}&format={quote(media_type)}&transparent=true"


def _mixed(number: int, until: float) -> Asks:
    """Half of the clients request large maps, the rest all other kinds."""
    chance = random.Random(number)

    def large() -> str:
        media_type = chance.choice(["image/png", "image/png", "image/jpeg", "image/geotiff", "image/webp"])
        layers = chance.choice([*TYPES, *(f"{each}-rgb" for each in TYPES), "a,b-rgb"])
        side = 2048 if media_type == "image/webp" else SIDE
        shift = chance.randrange(-9000, 9000)
        box = f"{495_000 + shift},{6_640_000 + shift},{555_000 + shift},{6_700_000 + shift}"
        return (
            _map(layers, side, media_type, box) + f"&time={chance.choice(['2024-05-01', '2024-05-11', '2024-05-21'])}"
        )

    def other() -> str | Post:
        name = chance.choice([*TYPES])
        zoom, column, row = 12, 2099 + chance.randrange(5), 1364 + chance.randrange(5)
        others: list[str | Post] = [
            f"/tiles/{name}/WebMercatorQuad/{zoom}/{column}/{row}.png?datetime=2024-05-01",
            f"/tiles/{name}-rgb/WebMercatorQuad/{zoom}/{column}/{row}.webp",
            f"/cubes/{name}/WebMercatorQuad/{zoom}/{column}/{row}.ctc?datetime=2024-05-01/2024-05-21",
            f"/timeseries/{name}/point?lon=4.7&lat=51.25",
            f"/ogcapi/collections/{name}/coverage?f=netcdf",
            f"/ogcapi/collections/{name}/coverage?f=GeoTIFF&datetime=2024-05-01",
            f"/ogcapi/collections/{name}/coverage?f=zarr",
            f"/animations/{name}.gif?bbox=4.5,51.1,4.9,51.4&width=600",
            f"/animations/{name}.webp?bbox=4.5,51.1,4.9,51.4&width=1200",
            "/timeseries/deep/point?lon=4.46&lat=51.41&trend=theil_sen&phenology=threshold",
            Post("/timeseries/deep/areas", _area(4.445, 51.39, 4.52, 51.44)),
            Post(f"/timeseries/{name}/areas", _area(4.45, 51.08, 5.0, 51.43)),
            "/wms?service=WMS&request=GetCapabilities",
            _execution(chance.randrange(5)),
        ]
        return chance.choice(others)

    make: Callable[[], str | Post] = large if number % 2 else other
    return lambda: make() if time.monotonic() < until else None


def _area(west: float, south: float, east: float, north: float) -> object:
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {}, "geometry": geometry}]}


def _together(port: int, outcome: Outcome, clients: Sequence[Asks]) -> None:
    threads = [threading.Thread(target=_ask_all, args=[port, outcome, asks]) for asks in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _ask_all(port: int, outcome: Outcome, asks: Asks) -> None:
    while (asked := asks()) is not None:
        started = time.monotonic()
        path, body = asked if isinstance(asked, Post) else (asked, None)
        kind = (
            "map"
            if path.startswith(MAP)
            else path.split("?")[0].split("/")[3 if body and path.endswith("/execution") else 1]
        )
        try:
            status, has_retry_after, fault = _asked(port, path, outcome.timeout_s, body)
        except (OSError, http.client.HTTPException) as error:
            fault, status, has_retry_after = f"broken: {type(error).__name__}", 0, False
        if status == 503 and not has_retry_after:
            fault = "refused without Retry-After"
        elif status >= 500 and status != 503:
            fault = f"status {status}"
        with outcome.lock:
            outcome.slowest_s = max(outcome.slowest_s, time.monotonic() - started)
            outcome.answers[f"{kind} {status}"] += 1
            if fault:
                outcome.faults[f"{kind}: {fault}"] += 1
        if status == 503:
            time.sleep(1)


def _asked(port: int, path: str, timeout_s: float, body: object = None) -> tuple[int, bool, str]:
    connection = http.client.HTTPConnection(HOST, port, timeout=timeout_s)
    try:
        if body is None:
            connection.request("GET", path)
        else:
            connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        start = answer.read(1 << 16)
        size = len(start) + sum(iter(lambda: len(answer.read(1 << 20)), 0))
        fault = ""
        if answer.status == 200 and path.startswith(MAP):
            fault = "an exception" if b"ServiceException" in start else "an empty map" if size < EMPTY_BYTES else ""
        return answer.status, answer.getheader("Retry-After") is not None, fault
    finally:
        connection.close()


def _wait_until_ready(port: int, timeout_s: float) -> None:
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        try:
            if _asked(port, "/health/ready", timeout_s)[0] == 200:
                return
        except (OSError, http.client.HTTPException):
            time.sleep(0.2)
    raise SystemExit("the server did not start; see memory-server.log")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    main()
