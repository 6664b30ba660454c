"""odc-stac: arrays of STAC items on a grid, in a process with a separate environment, which reports its time."""

import io
import json
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np

from benchmarks.peers.ground import Ground
from benchmarks.soak.archive import quiet_environment
from chronotile.core.model.space.grid import Grid

ENVIRONMENT = "odc"
SETTINGS = {
    "GDAL_CACHEMAX": "200",
    "GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR",
}
"""The same settings as TiTiler."""
SETTINGS_TEXT = "load(geobox=…, groupby='solar_day'), no threads, items parsed by pystac beforehand"
PROGRAM = """
import io, json, sys, time
import numpy, pystac
from odc.geo.geobox import GeoBox
from odc.stac import load

items = [pystac.Item.from_dict(each) for each in json.loads(sys.stdin.readline())]
for line in sys.stdin:
    request = json.loads(line)
    bands, box = request["bands"], GeoBox.from_bbox(request["bbox"], request["crs"], shape=request["shape"])
    wall, processor = time.perf_counter(), time.process_time()
    found = load(items, bands=bands, geobox=box, groupby="solar_day", resampling="nearest")
    arrays = [found[band].values[0] for band in bands]
    if request["is_ndvi"]:
        red, nir = (numpy.where(each == 0, numpy.nan, each * 0.0001) for each in arrays)
        arrays = [(nir - red) / (nir + red)]
    taken = [time.process_time() - processor, time.perf_counter() - wall]
    body = io.BytesIO()
    numpy.save(body, arrays[0])
    sys.stdout.buffer.write((json.dumps({"taken": taken, "size": body.tell()}) + "\\n").encode() + body.getvalue())
    sys.stdout.buffer.flush()
"""
"""Reads the items, then requests, a line each; writes a line and the bytes of an array for each request."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """An answer."""

    array: np.ndarray
    """(y, x): digital numbers, or NDVI."""
    processor_ms: float
    wall_ms: float


class Loader:
    """A running process."""

    def __init__(self, requests: IO[bytes], answers: IO[bytes]) -> None:
        self._requests = requests
        self._answers = answers

    def load(self, grid: Grid, bands: Sequence[str], *, is_ndvi: bool = False) -> Loaded:
        """Return the first band, or NDVI of two, on a grid."""
        self.send(
            {
                "bands": bands,
                "bbox": tuple(grid.bbox),
                "crs": grid.crs.name,
                "shape": (grid.height, grid.width),
                "is_ndvi": is_ndvi,
            }
        )
        head = json.loads(self._answers.readline())
        array = np.load(io.BytesIO(self._answers.read(head["size"])))
        processor_s, wall_s = head["taken"]
        return Loaded(array, processor_s * 1000, wall_s * 1000)

    def send(self, document: object) -> None:
        """Write a line."""
        self._requests.write(json.dumps(document).encode() + b"\n")
        self._requests.flush()


def software(ground: Ground) -> str | None:
    """Return its name and version, or None if it is not installed."""
    return ground.version(ENVIRONMENT, "odc-stac") if ground.program(ENVIRONMENT, "python") else None


@contextmanager
def loading(ground: Ground, items: Sequence[Mapping[str, object]]) -> Iterator[Loader]:
    """Give a process that has parsed STAC items; `software` has shown that it can be started."""
    python = ground.program(ENVIRONMENT, "python")
    assert python is not None
    environment = {**quiet_environment(), **SETTINGS}
    with subprocess.Popen(
        [python, "-c", PROGRAM], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        loader = Loader(process.stdin, process.stdout)
        loader.send(items)
        yield loader
        process.stdin.close()
