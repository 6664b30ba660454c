"""Files of a gigabyte of numbers over HTTP: download rate, and growth of the server's memory.

`python -m benchmarks.coverages [FOLDER] [--dates 9] [--side 10980]`: the whole of a stack of COGs of noisy NDVI is
requested in each format, by OGC API and by WCS. Each request has a newly started server, warmed by a file of one tile.
"""

import argparse
import http.client
import os
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from benchmarks.load.kept_alive import HOST
from benchmarks.optimise import make_stack
from benchmarks.peers.server import Server, running
from benchmarks.soak.archive import chronotile
from benchmarks.soak.watch import descendants, memory_of

CONFIGURATION = """
collections:
  stack:
    source: {{kind: cog, href: "{folder}/stack_*.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables: {{NDVI: {{scale: 0.004, offset: -0.08}}}}
"""
COVERAGE = "/ogcapi/collections/stack/coverage"
WCS = "/wcs?SERVICE=WCS&VERSION=2.0.1&REQUEST=GetCoverage&COVERAGEID=stack"
PATHS = {
    **{name: f"{COVERAGE}?f={name}&datetime=1998-01-01/.." for name in ("GTiff", "NetCDF", "zarr")},
    "GTiff by WCS": f"{WCS}&FORMAT=image/tiff",
    "GTiff by WCS, in parts": f"{WCS}&FORMAT=image/tiff&MEDIATYPE=multipart/related",
}
WARMING = "bbox=500000,5694880,505120,5700000&bbox-crs=[EPSG:32631]&datetime=1998-01-01"
READ_BYTES = 1 << 20
CACHE_BYTES = 64 << 20
"""Small: blocks that are read fill the cache of decoded blocks, which all workers share and the settings limit."""
MIB = 1 << 20


class Download(NamedTuple):
    """One file."""

    bytes: int
    first_s: float
    """Until its first byte came."""
    seconds: float


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--dates", type=int, default=9)
    parser.add_argument("--side", type=int, default=10980)
    parser.add_argument("--rounds", type=int, default=1)
    given = parser.parse_args()
    stack = make_stack(given.folder / f"stack-{given.side}", given.dates, given.side)
    numbers = given.dates * given.side**2
    print(f"{given.dates} dates of {given.side}² uint8, {numbers / 1e6:.0f} MB of numbers\n")
    print("| format | file MB | first byte s | all s | MB of numbers/s | grown MiB |")
    print("| --- | --- | --- | --- | --- | --- |")
    for _ in range(given.rounds):
        for name in PATHS:
            download, grown = measured(stack, name)
            print(
                f"| {name} | {download.bytes / 1e6:.0f} | {download.first_s:.1f} | {download.seconds:.1f} "
                f"| {numbers / 1e6 / download.seconds:.0f} | {grown / MIB:.0f} |"
            )


def measured(stack: Path, name: str) -> tuple[Download, int]:
    """Return how a format of the whole stack came, and by how many bytes the server that made it grew at most."""
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "chronotile.yaml"
        config.write_text(CONFIGURATION.format(folder=stack))
        server = Server(
            commands=lambda port: [[*chronotile(), "serve", str(config), "--port", str(port)]],
            probe="/health",
            environment={"CHRONOTILE_WORKERS": "1", "CHRONOTILE_CACHE_BYTES": str(CACHE_BYTES)},
        )
        with running("chronotile", server, Path(scratch)) as port:
            download(port, f"{COVERAGE}?f={name.partition(' ')[0]}&{WARMING}")
            worker = max(descendants(os.getpid()), key=lambda each: memory_of(each, "VmRSS"))
            before = memory_of(worker, "VmRSS")
            Path(f"/proc/{worker}/clear_refs").write_text("5")  # the peak is counted from here on (proc(5))
            file = download(port, PATHS[name])
            return file, memory_of(worker, "VmHWM") - before


def download(port: int, path: str) -> Download:
    """Return time and size of a download that is not stored."""
    connection = http.client.HTTPConnection(HOST, port, timeout=600)
    started = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{answer.status}: {answer.read(300)!r}")
    size = len(answer.read(1))
    first_s = time.perf_counter() - started
    while part := answer.read(READ_BYTES):
        size += len(part)
    connection.close()
    return Download(bytes=size, first_s=first_s, seconds=time.perf_counter() - started)


if __name__ == "__main__":
    main()
