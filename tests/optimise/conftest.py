"""Cubes made of small scenes."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from chronotile.core.model.space.grid import Window
from chronotile.optimise.options import Options
from chronotile.optimise.run import optimise
from chronotile.optimise.verify import verify_cube
from chronotile.readers.kinds import open_source
from tests.scenes import Scene, make_spec, write_cogs, write_tif

SCENE = Scene(width=70, height=50, days=tuple(f"2020-01-{day:02}" for day in range(1, 8)))
OPTIONS = Options(layout="both", block=4, threads=1)
COORDINATES = {"time", "time_bnds", "y", "x", "spatial_ref"}
"""Arrays of a cube of periods in addition to its variables."""


@pytest.fixture(scope="session")
def scene():
    """Seven dates: a full block of four, and three of the next."""
    return SCENE


@pytest.fixture
def tifs(tmp_path, scene):
    """Return one file per date, in order."""
    folder = tmp_path / "tifs"
    folder.mkdir()
    write_cogs(folder, scene)
    return sorted(folder.glob("*.tif"))


@pytest.fixture
def target(tmp_path):
    """Return the path of the cube."""
    return tmp_path / "cube.zarr"


@pytest.fixture
def write(target):
    """Return `write(sources, **options)`, which runs optimise and returns its report."""

    def run(sources, **options):
        disk = options.pop("disk", None)
        return optimise(texts_of(sources), target, replace(OPTIONS, **options), disk=disk)

    return run


@pytest.fixture
def verify(target):
    """Return `verify(sources, **options)`, which compares the cube with its sources and returns the summary."""
    return lambda sources, **options: verify_cube(texts_of(sources), target, replace(OPTIONS, **options))


def texts_of(sources) -> list[str]:
    """Return one or several paths as texts."""
    return [str(path) for path in (sources if isinstance(sources, list) else [sources])]


@pytest.fixture
def rewrite_date():
    """Return `rewrite_date(path, scene, t)`, which replaces a date's file by other numbers and returns them."""

    def run(path: Path, scene: Scene, t: int) -> np.ndarray:
        numbers = replace(scene, shift=scene.shift + 100).numbers(t)
        write_tif(path, numbers, scene, overviews=(2,))
        return numbers

    return run


def numbers_of(target: Path) -> np.ndarray:
    """Return all numbers (time, y, x) as maps; cells along time must have the same."""
    reader = open_source(make_spec("zarr", target))
    info = reader.info.variables["NDVI"]
    height, width, count = info.grid.height, info.grid.width, len(info.times)
    window = Window(0, height, 0, width)
    maps = np.stack([reader.read_window("NDVI", index=t, level=0, window=window).numbers for t in range(count)])
    for row, column in ((0, 0), (height - 1, width - 1), (17, 33)):
        cells = reader.read_cell("NDVI", indexes=range(count), row=row, column=column).numbers
        np.testing.assert_array_equal(cells, maps[:, row, column])
    return maps
