"""The archive that grows while it is served: a stack of COGs and the serving cube made of it.

The digital number of every cell at every date follows a formula, so that each answer can be checked.
"""

import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.io import MemoryFile
from rasterio.shutil import copy as copy_raster

SIDE = 1024
NODATA = 255
SCALE, OFFSET, DECIMALS = 0.004, -0.08, 3
WEST, NORTH, RESOLUTION_M = 500_000.0, 5_700_000.0, 10.0
FIRST_DAY = np.datetime64("2015-01-01")
BLOCK = 64
"""Side of a cloud, in cells."""

CONFIGURATION = """
service: {title: Soak}
collections:
  cube:
    source: {kind: zarr, href: cube.zarr}
    variables: {NDVI: {name: ndvi, layer: NDVI, scale: 0.004, offset: -0.08, styles: [ndvi, greys]}}
  stack:
    source: {kind: cog, href: "stack/ndvi_*.tif", time_pattern: '_(?P<time>\\d{8})'}
    variables:
      NDVI: {layer: STACK, scale: 0.004, offset: -0.08, styles: [ndvi]}
      TWICE: {layer: TWICE, formula: "NDVI * 2", range: [0, 2], styles: [greys]}
"""


@dataclass(frozen=True)
class Archive:
    """A folder with `soak.yaml`, `stack/` and `cube.zarr`."""

    folder: Path

    @property
    def configuration(self) -> Path:
        """The served archive."""
        return self.folder / "soak.yaml"

    @property
    def stack(self) -> Path:
        """COGs, one per date."""
        return self.folder / "stack"

    @property
    def cube(self) -> Path:
        """The serving cube."""
        return self.folder / "cube.zarr"

    @cached_property
    def base(self) -> np.ndarray:
        """Noise between 0 and 199, (y, x) uint8."""
        return np.random.default_rng(11).integers(0, 200, (SIDE, SIDE), dtype=np.uint8)

    def numbers(self, date: int) -> np.ndarray:
        """Return the digital numbers of a date, (y, x) uint8."""
        rows, columns = np.ogrid[:SIDE, :SIDE]
        clouds = (rows // BLOCK * 5 + columns // BLOCK * 3 + date) % 7 == 0
        return np.where(clouds, NODATA, (self.base.astype(np.uint16) + 3 * date) % 250).astype(np.uint8)

    def values_at(self, row: int, column: int, dates: Sequence[int]) -> list[float | None]:
        """Return the values of a cell at some dates, as exact decimals, `None` under a cloud."""
        found: list[float | None] = []
        for date in dates:
            cloudy = (row // BLOCK * 5 + column // BLOCK * 3 + date) % 7 == 0
            number = (int(self.base[row, column]) + 3 * date) % 250
            found.append(None if cloudy else round(number * SCALE + OFFSET, DECIMALS))
        return found

    def make(self, dates: int) -> None:
        """Write so many dates into a new folder, and the configuration."""
        self.stack.mkdir(parents=True)
        self.configuration.write_text(CONFIGURATION)
        for date in range(dates):
            self.write_date(date)

    def write_date(self, date: int) -> Path:
        """Add a complete COG to the stack in one step."""
        target = self.stack / f"ndvi_{day(date).replace('-', '')}.tif"
        unfinished = self.folder / "unfinished.tif"
        profile = {
            "driver": "GTiff", "width": SIDE, "height": SIDE, "count": 1, "dtype": "uint8", "nodata": NODATA,
            "crs": "EPSG:32631", "transform": Affine(RESOLUTION_M, 0, WEST, 0, -RESOLUTION_M, NORTH),
        }  # fmt: skip
        with MemoryFile() as memory:
            with memory.open(**profile) as file:
                file.write(self.numbers(date), 1)
            with rasterio.Env(GDAL_NUM_THREADS=1):
                copy_raster(memory.name, unfinished, driver="COG", compress="deflate", blocksize=256)
        unfinished.replace(target)
        return target

    def optimising(self, *sources: Path) -> list[str]:
        """Return the command that writes some sources into the existing cube."""
        return [*chronotile(), "optimise", "update", *map(str, sources), str(self.cube)]

    def optimise(self, *sources: Path) -> None:
        """Write the cube."""
        command = [*chronotile(), "optimise", "new", *map(str, sources), str(self.cube), "--layout", "both"]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=quiet_environment())


def chronotile() -> list[str]:
    """Return the command line of the chronotile next to this Python."""
    return [sys.executable, "-c", "from chronotile.cli.main import app; app()"]


def quiet_environment() -> dict[str, str]:
    """Return the environment with one thread for each library that would take all cores."""
    return os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "GDAL_NUM_THREADS": "1"}


def day(date: int) -> str:
    """Return the day of a date by its number."""
    return str(FIRST_DAY + np.timedelta64(date, "D"))


def date_of(instant: str) -> int:
    """Return which date an RFC 3339 instant is."""
    return int((np.datetime64(instant[:10]) - FIRST_DAY).astype(int))
