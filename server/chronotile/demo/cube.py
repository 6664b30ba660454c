"""The demo's Zarr cube: the map layout, with overviews."""

from collections.abc import Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from chronotile.core.machine import this_machine
from chronotile.core.model.space.grid import Grid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.types import AnyArray, Json, UInt8Array
from chronotile.demo import variables
from chronotile.demo.attributes import (
    TIME_ATTRIBUTES,
    axis_attributes,
    days_of,
    level_attributes,
    mapping_attributes,
    root_attributes,
    variable_attributes,
)
from chronotile.demo.overviews import overviews_of
from chronotile.demo.plan import DemoPlan, level_grid, pixel_centres
from chronotile.demo.scene import DemoScene
from chronotile.optimise.arrays import ArraySpec, as_json, group_document, root_document

CHUNK_PX: Final = 512
SHARD_DEKADS: Final = 36
"""Dekads per file: a year."""
DOCUMENT: Final = "zarr.json"

DekadNumbers = dict[str, list[UInt8Array]]
"""Levels (y, x) of each variable, the native one first."""


@dataclass(frozen=True, slots=True)
class CubeWriter:
    """An empty cube that takes dekads in order."""

    path: Path
    plan: DemoPlan

    def write_years(self, scene: DemoScene) -> Iterator[float]:
        """Write all dekads, a year at a time to limit memory; yield the finished fraction.

        Dekads are independent, and numpy computes without Python's global lock, so one thread per core is used.
        """
        starts = self.plan.time_domain.starts.astype("datetime64[D]")
        with ThreadPoolExecutor(this_machine().cores, thread_name_prefix="demo") as pool:
            for first in range(0, starts.size, SHARD_DEKADS):
                year = list[DekadNumbers]()
                for dekad in pool.map(lambda day: self._levels_of(scene, day), starts[first : first + SHARD_DEKADS]):
                    year.append(dekad)
                    yield (first + len(year)) / starts.size
                self._write(year, first // SHARD_DEKADS, pool)

    def _levels_of(self, scene: DemoScene, day: np.datetime64) -> DekadNumbers:
        return {
            name: [native, *overviews_of(native, self.plan.levels - 1)]
            for name, native in scene.dekad_numbers(day).items()
        }

    def _write(self, year: list[DekadNumbers], number: int, pool: Executor) -> None:
        """Write one file per variable and level."""

        def write(name: str, level: int) -> None:
            numbers = np.stack([dekad[name][level] for dekad in year])
            spec = _values_spec(name, level_grid(self.plan.grid, level), self.plan.dekads)
            (self.path / _path_of(level, name) / spec.key(number, 0, 0)).write_bytes(spec.encode(numbers))

        tasks = [(variable.id, level) for variable in variables.VARIABLES for level in range(self.plan.levels)]
        for _ in pool.map(write, *zip(*tasks, strict=True)):
            pass


def create_cube(path: Path, plan: DemoPlan) -> CubeWriter:
    """Create the groups, coordinates and empty arrays of the cube at `path`.

    The root has the native level, and a group has each coarser one. Each opens with a single read.
    """
    nodes = dict[str, Json]()
    for level in range(plan.levels):
        grid = level_grid(plan.grid, level)
        folder = path / _path_of(level)
        arrays = _create_coordinates(folder, grid, plan.time_domain)
        for variable in variables.VARIABLES:
            spec = _values_spec(variable.id, grid, plan.dekads)
            arrays[variable.id] = _put_document(folder / variable.id, spec.document(plan.dekads))
        if level:
            _put_document(folder, group_document(level_attributes(grid), arrays))
            nodes[_path_of(level)] = group_document(level_attributes(grid), {})
        nodes |= {_path_of(level, name): document for name, document in arrays.items()}
    _put_document(path, root_document(root_attributes(plan.grid, plan.levels), nodes))
    return CubeWriter(path, plan)


def _path_of(level: int, *names: str) -> str:
    # Path of a level, or of an array in it; the native level is the root.
    return "/".join((str(level), *names) if level else names)


def _create_coordinates(group: Path, grid: Grid, domain: TimeDomain) -> dict[str, Json]:
    """Write the coordinates of a level; return their documents."""
    x, y = pixel_centres(grid)
    bounds = np.stack([days_of(domain.starts), days_of(domain.ends)], axis=1)
    mapping = np.zeros((), dtype=np.int64)
    return {
        "time": _create_whole(group / "time", bounds[:, 0], ("time",), TIME_ATTRIBUTES),
        "time_bnds": _create_whole(group / "time_bnds", bounds, ("time", "bnds"), {}),
        "y": _create_whole(group / "y", y, ("y",), axis_attributes("y")),
        "x": _create_whole(group / "x", x, ("x",), axis_attributes("x")),
        "spatial_ref": _create_whole(group / "spatial_ref", mapping, (), mapping_attributes(grid)),
    }


def _create_whole(folder: Path, data: AnyArray, dims: tuple[str, ...], attributes: Json) -> Json:
    """Write an array of one chunk; return its document."""
    spec = ArraySpec(dims=dims, shape=data.shape, dtype=data.dtype.name, file=data.shape, fill=0, attributes=attributes)
    document = _put_document(folder, spec.document(len(data) if "time" in dims else 0))
    (folder / spec.key(*(0 for _ in data.shape))).write_bytes(spec.encode(data))
    return document


def _values_spec(name: str, grid: Grid, dekads: int) -> ArraySpec:
    """Return the array of a variable at a level: a chunk per dekad, a shard per year."""
    variable = _BY_ID[name]
    chunk = (min(CHUNK_PX, grid.height), min(CHUNK_PX, grid.width))
    shard = (-(-grid.height // chunk[0]) * chunk[0], -(-grid.width // chunk[1]) * chunk[1])
    return ArraySpec(
        dims=("time", "y", "x"),
        shape=(dekads, grid.height, grid.width),
        dtype="uint8",
        file=(min(SHARD_DEKADS, dekads), *shard),
        chunk=(1, *chunk),
        fill=variables.NODATA,
        attributes=variable_attributes(variable),
    )


def _put_document(folder: Path, document: Json) -> Json:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / DOCUMENT).write_bytes(as_json(document))
    return document


_BY_ID: Final[dict[str, variables.DemoVariable]] = {variable.id: variable for variable in variables.VARIABLES}
