"""The demo's Zarr cube: the map layout, with overviews."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from chronotile.demo.conventions import (
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
from chronotile.demo.scene import Scene
from chronotile.demo.variables import NODATA, VARIABLES, NumberArray, Variable
from chronotile.model.grid import Grid
from chronotile.model.time.instants import TimeDomain
from chronotile.optimise.geozarr import Attributes

if TYPE_CHECKING:
    import zarr

CHUNK_PX: Final = 512
SHARD_DEKADS: Final = 36
"""A year a file."""

YearNumbers = dict[str, list[NumberArray]]
"""For each variable its levels, each (time, y, x)."""


@dataclass(frozen=True, slots=True)
class CubeWriter:
    """An empty cube that takes dekads in order."""

    path: Path
    plan: DemoPlan
    root: "zarr.Group"

    def write_years(self, scene: Scene) -> Iterator[float]:
        """Write all dekads, some at a time to bound memory; give the share that is done."""
        starts = self.plan.time_domain.starts
        for first in range(0, starts.size, SHARD_DEKADS):
            days = starts[first : first + SHARD_DEKADS].astype("datetime64[D]")
            numbers: YearNumbers = {
                variable.id: [_no_numbers(level_grid(self.plan.grid, level), days.size) for level in self._levels]
                for variable in VARIABLES
            }
            for index, day in enumerate(days):
                self._fill(numbers, index, scene.dekad_numbers(day))
                yield (first + index + 1) / starts.size
            self._write(numbers, first)
        _consolidate(self.path, self.plan.levels)

    @property
    def _levels(self) -> range:
        return range(self.plan.levels)

    def _fill(self, numbers: YearNumbers, index: int, dekad: dict[str, NumberArray]) -> None:
        for name, native in dekad.items():
            numbers[name][0][index] = native
            for level, overview in enumerate(overviews_of(native, self.plan.levels - 1), start=1):
                numbers[name][level][index] = overview

    def _write(self, numbers: YearNumbers, first: int) -> None:
        for name, levels in numbers.items():
            for level, block in enumerate(levels):
                array = self.root[f"{level}/{name}"]
                array[first : first + block.shape[0]] = block  # type: ignore[index]  # a Group has no data


def _no_numbers(grid: Grid, count: int) -> NumberArray:
    return np.full((count, grid.height, grid.width), NODATA, dtype=np.uint8)


def create_cube(path: Path, plan: DemoPlan) -> CubeWriter:
    """Create the groups, coordinates and empty arrays of the cube at `path`."""
    import zarr

    root = zarr.create_group(path, zarr_format=3, attributes=root_attributes(plan.grid, plan.levels))
    for level in range(plan.levels):
        grid = level_grid(plan.grid, level)
        group = root.create_group(str(level), attributes=level_attributes(grid))
        _create_coordinates(group, grid, plan.time_domain)
        for variable in VARIABLES:
            _create_empty(group, variable, grid, plan.dekads)
    return CubeWriter(path, plan, root)


def _create_coordinates(group: "zarr.Group", grid: Grid, domain: TimeDomain) -> None:
    x, y = pixel_centres(grid)
    bounds = np.stack([days_of(domain.starts), days_of(domain.ends)], axis=1)
    _create_whole(group, "time", bounds[:, 0].copy(), dimensions=("time",), attributes=TIME_ATTRIBUTES)
    _create_whole(group, "time_bnds", bounds, dimensions=("time", "bnds"), attributes={})
    _create_whole(group, "y", y, dimensions=("y",), attributes=axis_attributes("y"))
    _create_whole(group, "x", x, dimensions=("x",), attributes=axis_attributes("x"))
    origin = np.zeros((), dtype=np.int64)
    _create_whole(group, "spatial_ref", origin, dimensions=(), attributes=mapping_attributes(grid))


def _create_whole(
    group: "zarr.Group",
    name: str,
    data: NDArray[Any],
    *,
    dimensions: tuple[str, ...],
    attributes: Attributes,
) -> None:
    """Create an array of one chunk."""
    group.create_array(name, data=data, chunks=data.shape, dimension_names=dimensions, attributes=attributes)


def _create_empty(group: "zarr.Group", variable: Variable, grid: Grid, dekads: int) -> None:
    """Create the array of a variable: a chunk a dekad, a shard a year."""
    from zarr.codecs import ZstdCodec

    chunk = (min(CHUNK_PX, grid.height), min(CHUNK_PX, grid.width))
    shard = (-(-grid.height // chunk[0]) * chunk[0], -(-grid.width // chunk[1]) * chunk[1])
    group.create_array(
        variable.id,
        shape=(dekads, grid.height, grid.width),
        dtype="uint8",
        chunks=(1, *chunk),
        shards=(min(SHARD_DEKADS, dekads), *shard),
        compressors=[ZstdCodec(level=3)],
        fill_value=NODATA,
        dimension_names=("time", "y", "x"),
        attributes=variable_attributes(variable),
    )


def _consolidate(path: Path, levels: int) -> None:
    """Gather all metadata in the root, and a level's in its group, so that each opens with one read."""
    import zarr

    with warnings.catch_warnings():
        # Zarr 3 has not adopted consolidated metadata yet; xarray and GDAL read it.
        warnings.filterwarnings("ignore", message="Consolidated metadata", category=UserWarning)
        for level in range(levels):
            zarr.consolidate_metadata(path, path=str(level))
        zarr.consolidate_metadata(path)
