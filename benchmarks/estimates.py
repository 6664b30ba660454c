"""The estimated processor time of requests compared with the measured one, over files, cubes, formulas and scenes.

    python -m benchmarks.estimates FOLDER

Each request is sent twice to an application in this process: first with a limit that every request exceeds
(`service.limits.max_seconds`), whose refusal contains the estimate, then without a limit, to measure the processor time
of all threads. Sources are opened again for each request, so that no block is decoded yet. The goal: each estimate is
within a factor of 3 of the measured time.
"""

import argparse
import gc
import math
import os
import platform
import random
import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
import xarray
from affine import Affine
from starlette.testclient import TestClient

from benchmarks.bursts import EAST, NORTH, RESULTS, SOUTH, WEST, make_series
from chronotile.app.application import application
from chronotile.archive.open import open_archive
from chronotile.core.model.space.crs import CRS84
from chronotile.core.model.time.instants import system_clock
from chronotile.pipeline.services import Services
from tests.scenes_archive.forms import Source, catalogue
from tests.scenes_archive.plan import Plan, days_of
from tests.scenes_archive.serving import serving_scenes

Json = dict[str, Any]

MAX_FACTOR = 3.0
FILES, FILE_SIDE = 500, 512
NETCDF_FILES = 120
SCENES = Plan(days=days_of(4), columns=3, rows=2)
"""Scenes of 1,098² cells of 10 m in two UTM zones."""
LEFT, TOP, CELL = 4.0, 51.0, 0.001
"""West and north edge and cell size of the files, in degrees."""
CONFIGURATION = """
collections:
  cube: {{source: {{kind: zarr, href: {series}}}, variables: {{NDVI: {{layer: CUBE}}}}}}
  files:
    source: {{kind: cog, href: "files/{{variable}}_*.tif", time_pattern: '_(?P<time>\\d{{8}})'}}
    variables:
      RED: {{layer: RED}}
      NIR: {{layer: NIR}}
      SCL: {{layer: SCL}}
      NDVI: {{layer: FORMULA, formula: "(NIR - RED) / (NIR + RED)", range: [-1, 1], styles: [greys]}}
      CLEAR:
        {{layer: MASKED, formula: "NIR + 0", mask: {{variable: SCL, keep: [4, 5]}}, range: [0, 250], styles: [greys]}}
  daily:
    source: {{kind: netcdf, href: "netcdf/*.nc"}}
    variables: {{t2m: {{layer: DAILY, range: [0, 40], styles: [greys]}}}}
"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request."""

    name: str
    url: str
    body: Json | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """One row of the table."""

    asked: Asked
    estimated_s: float
    measured_s: float

    @property
    def factor(self) -> float:
        """How many times the larger is the smaller."""
        return max(self.estimated_s, self.measured_s) / min(self.estimated_s, self.measured_s)

    def row(self) -> str:
        """Return it as text."""
        ratio = self.estimated_s / self.measured_s
        return f"| {self.asked.name} | {self.estimated_s:.2g} | {self.measured_s:.2g} | {ratio:.2f} |"


def write_files(folder: Path) -> None:
    """Write a GeoTIFF of three variables and a NetCDF file per day."""
    rng = np.random.default_rng(1)
    profile = {"driver": "GTiff", "tiled": True, "blockxsize": 256, "blockysize": 256, "compress": "deflate"}
    profile |= {"count": 1, "dtype": "uint8", "crs": "EPSG:4326", "width": FILE_SIDE, "height": FILE_SIDE}
    transform = Affine(CELL, 0, LEFT, 0, -CELL, TOP)
    for name in ("files", "netcdf"):
        (folder / name).mkdir(exist_ok=True)
    days = np.datetime64("2020-01-01") + np.arange(FILES)
    shape = (FILE_SIDE, FILE_SIDE)
    for name, most in (("RED", 120), ("NIR", 250), ("SCL", 8)):
        for day in days:
            numbers = (rng.integers(1, most, (FILE_SIDE // 4, FILE_SIDE // 4), dtype="uint8")).repeat(4, 0).repeat(4, 1)
            path = folder / "files" / f"{name}_{str(day).replace('-', '')}.tif"
            with rasterio.open(path, "w", transform=transform, **profile) as file:
                file.write(numbers, 1)
    x = LEFT + (np.arange(FILE_SIDE) + 0.5) * CELL
    y = TOP - (np.arange(FILE_SIDE) + 0.5) * CELL
    for day in days[:NETCDF_FILES]:
        values = rng.normal(20, 3, (1, *shape)).astype("float32")
        coordinates = {"time": [day.astype("datetime64[ns]")], "lat": y, "lon": x}
        array = xarray.DataArray(values, coordinates, ("time", "lat", "lon"), name="t2m")
        encoding = {"t2m": {"zlib": True, "chunksizes": (1, 128, 128)}}
        array.to_dataset().to_netcdf(folder / "netcdf" / f"t2m_{day}.nc", engine="h5netcdf", encoding=encoding)


def of_points(chance: random.Random, count: int, layer: str, box: tuple[float, float, float, float]) -> Json:
    """Return the body of a request for points in a box."""
    west, south, east, north = box
    points = [[chance.uniform(west, east), chance.uniform(south, north)] for _ in range(count)]
    return {"layers": [layer], "points": points}


def requests(chance: random.Random) -> Iterator[Asked]:
    """Yield requests over the cube, files, formulas and masks."""
    of_cube = (WEST, SOUTH, EAST, NORTH)
    of_files = (LEFT + 0.01, TOP - 0.5, LEFT + 0.5, TOP - 0.01)
    points = "/timeseries/points"
    coverage = "/ogcapi/collections/{}/coverage?f={}"
    area = "/timeseries/{}/area?bbox={}"
    for count, query in (
        (500, ""),
        (5000, "?smooth=whittaker"),
        (3000, "?smooth=savgol"),
        (3000, "?anomaly=percentile"),
    ):
        yield Asked(f"cube: {count} points {query[1:]}", f"{points}{query}", of_points(chance, count, "CUBE", of_cube))
    yield Asked("cube: area of 40 km", area.format("CUBE", "4.1,50.8,4.6,51.1"))
    yield Asked("cube: coverage as GeoTIFF", coverage.format("CUBE", "GTiff&bbox=4.1,50.8,4.5,51.0"))
    yield Asked("cube: coverage as CoverageJSON", coverage.format("CUBE", "json&bbox=4.1,50.8,4.13,50.83"))
    yield Asked(
        "cube: coarser coverage", "/ogcapi/collections/CUBE/coverage?f=NetCDF&scale-factor=3&bbox=4.1,50.8,4.6,51.1"
    )
    yield Asked("cube: time-lapse", "/animations/CUBE.gif?bbox=4.1,50.8,4.6,51.1&width=400&height=300")
    for layer in ("RED", "FORMULA", "MASKED", "DAILY"):
        yield Asked(f"{layer}: point", f"/timeseries/{layer}/point?lon=4.2&lat=50.8")
        yield Asked(f"{layer}: area", area.format(layer, "4.05,50.6,4.4,50.9"))
    yield Asked("RED: 200 points", points, of_points(chance, 200, "RED", of_files))
    yield Asked("RED: coverage as NetCDF", coverage.format("RED", "NetCDF&datetime=2020-01-01/2020-03-31"))
    yield Asked(
        "FORMULA: mean map",
        "/wms?SERVICE=WMS&VERSION=1.3.0&REQUEST=GetMap&LAYERS=FORMULA&STYLES=&CRS=CRS:84&BBOX=4.0,50.5,4.5,51.0&WIDTH=256"
        "&HEIGHT=256&FORMAT=image/png&TIME=2020-01-01/2021-03-31&REDUCER=mean",
    )
    yield Asked("MASKED: time-lapse", "/animations/MASKED.gif?bbox=4.0,50.5,4.5,51&width=256&height=256&step=5")


def of_scenes(services: Services) -> Iterator[Asked]:
    """Yield requests over scenes."""
    west, south, east, north = services.catalogue.layer("B04").main_variable.grid.bbox_in(CRS84)
    x, y = (west + east) / 2, (south + north) / 2
    yield Asked(
        "scenes: 40 points of NDVI",
        "/timeseries/points",
        of_points(random.Random(2), 40, "NDVI", (x - 0.1, y - 0.05, x, y)),
    )
    yield Asked("scenes: area", f"/timeseries/B04/area?bbox={x - 0.06},{y - 0.03},{x},{y}")
    yield Asked("scenes: area, masked", f"/timeseries/CLEAR/area?bbox={x - 0.06},{y - 0.03},{x},{y}")
    yield Asked("scenes: time-lapse", f"/animations/NDVI.gif?bbox={x - 0.1},{y - 0.05},{x},{y}&width=512&height=384")


def with_limit(services: Services, seconds: float) -> Services:
    """Return services with another limit, whose other limits refuse nothing."""
    most = dict.fromkeys(("max_series_values", "max_area_values", "max_animation_pixels", "max_cube_values"), 1 << 40)
    limits = services.catalogue.limits.model_copy(update={"max_seconds": seconds, **most})
    return replace(services, catalogue=replace(services.catalogue, limits=limits))


def ask(services: Services, asked: Asked) -> tuple[int, str, float]:
    """Return the status, the text of an error and the processor time of a request."""
    with TestClient(application(services)) as client:
        client.get("/layers")
        gc.collect()
        start = time.process_time()
        answer = client.get(asked.url) if asked.body is None else client.post(asked.url, json=asked.body)
        seconds = time.process_time() - start
        is_error = answer.status_code != 200 or b"ServiceException" in answer.content[:400]
        return answer.status_code, answer.text if is_error else "", seconds


def estimate(services: Services, asked: Asked) -> float:
    """Return the estimate that a refusal states."""
    status, text, _seconds = ask(with_limit(services, 1e-9), asked)
    found = re.search(r"max_seconds: at most \S+, (\S+) seconds", text)
    if found is None:
        raise SystemExit(f"{asked.name}: {status} {text[:400]}")
    return float(found[1])


@contextmanager
def opened(configuration: Path) -> Iterator[Services]:
    """Open an archive, whose application closes it."""
    yield open_archive(configuration, environment=os.environ, clock=system_clock).services


def warm_up(configuration: Path) -> None:
    """Load the libraries that requests load when they first need them."""
    for library in ("scipy.linalg", "scipy.signal", "h5netcdf", "PIL.Image"):
        import_module(library)
    with opened(configuration) as services:
        for url in (
            "/timeseries/CUBE/area?bbox=4.1,50.8,4.11,50.81",
            "/ogcapi/collections/CUBE/coverage?f=NetCDF&scale-factor=3&bbox=4.1,50.8,4.11,50.81",
            "/animations/CUBE.gif?bbox=4.1,50.8,4.2,50.9&width=40&height=30&step=60",
            "/timeseries/CUBE/point?lon=4.1&lat=50.8&smooth=whittaker",
        ):
            ask(with_limit(services, math.inf), Asked("", url))


def compared(open_services: Callable[[], AbstractContextManager[Services]], asked: Asked) -> Compared:
    """Return the estimated and the measured time."""
    with open_services() as services:
        estimated = estimate(services, asked)
    with open_services() as services:
        status, text, seconds = ask(with_limit(services, math.inf), asked)
    if text:
        raise SystemExit(f"{asked.name}: {status} {text[:400]}")
    found = Compared(asked, estimated, seconds)
    print(found.row(), flush=True)
    return found


def main() -> None:
    """Measure, write the table, and end with 1 if an estimate is too far off."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the data, made if missing")
    parser.add_argument("--only", default="", help="requests whose name has this text")
    given = parser.parse_args()
    folder: Path = given.folder.absolute()
    series = make_series(folder)
    if not (folder / "netcdf").exists():
        write_files(folder)
    configuration = folder / "estimates.yaml"
    configuration.write_text(CONFIGURATION.format(series=series))
    warm_up(configuration)
    found = [
        compared(partial(opened, configuration), asked)
        for asked in requests(random.Random(1))
        if given.only in asked.name
    ]
    scenes = partial(served_scenes, folder, Source("stac", str(catalogue(SCENES))))
    with scenes() as services:
        asked_of_scenes = list(of_scenes(services))
    found += [compared(scenes, asked) for asked in asked_of_scenes if given.only in asked.name]
    text = _table(found)
    if not given.only:
        (RESULTS / "estimates.md").write_text(text, encoding="utf-8")
    print(text)
    sys.exit(0 if all(each.factor <= MAX_FACTOR for each in found) else 1)


@contextmanager
def served_scenes(folder: Path, source: Source) -> Iterator[Services]:
    """Open the scenes, whose index is filled again."""
    with tempfile.TemporaryDirectory(dir=folder) as own, serving_scenes(Path(own), SCENES, source) as served:
        yield served.services


def _table(found: Sequence[Compared]) -> str:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = (
        "# Estimates of processor time",
        "",
        f"`benchmarks.estimates`, {datetime.now(UTC):%Y-%m-%d}; {machine}; load average {os.getloadavg()[0]:.0f}.",
        f"Seconds of a processor; the ratio is to lie between 1/{MAX_FACTOR:.0f} and {MAX_FACTOR:.0f}. "
        f"Largest factor: {max(each.factor for each in found):.1f}.",
        "",
        "| request | estimated | measured | ratio |",
        "| --- | --- | --- | --- |",
        *(each.row() for each in found),
        "",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
