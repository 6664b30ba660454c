"""Sizes of tasks, so that a run of any size stays within its memory limit."""

import re
from dataclasses import dataclass

import numpy as np

from chronotile.core.errors import InvalidParameter, UnsupportedSource
from chronotile.core.machine import Machine
from chronotile.core.model.space.grid import NativeGrid
from chronotile.optimise.options import MEMORY_BYTES
from chronotile.optimise.plan import CHUNK_PX, FILE_PX, SERIES_FILE_PX, ServingCubePlan

BASE_BYTES = 560 << 20
"""Memory of the process itself, with the libraries and their caches."""

BYTES_PER_COUNT = 18
"""Memory per native cell while overviews are computed: sums, counts and buffers."""

COPIES = 3.0
"""Copies of the numbers in memory: as read, converted, and compressed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Sizes that fit the memory limit of a run."""

    threads: int
    """Tasks in parallel."""
    dates: int
    """Dates per task of the map layout, if the sources are read ahead."""
    columns: int
    """Adjacent files per task of the series layout that reads the sources."""


_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_bytes(text: str) -> int:
    """Return the bytes of a text such as `2GiB` or `512MB`.

    Raises:
        InvalidParameter: The text is not a size.
    """
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)?\s*", text.upper())
    if match is None:
        raise InvalidParameter(
            f"{text[:40]!r} is not a size; accepted are sizes such as 512MiB and 2GiB", locator="memory"
        )
    return int(float(match[1]) * _UNITS[match[2] or ""])


def default_memory(machine: Machine) -> tuple[int, tuple[str, ...]]:
    """Return the default memory limit of a run in bytes, and messages if it is below the usual one."""
    if machine.memory_bytes >= MEMORY_BYTES:
        return MEMORY_BYTES, ()
    half = machine.memory_bytes // 2
    return half, (f"holding at most {half >> 20}MiB, half of this machine's memory; --memory changes it",)


def region_for(grid: NativeGrid, itemsize: int, memory: int, threads: int) -> int:
    """Return the side of the largest square region that fits the memory of a task; also the largest side of a file."""
    side, share = CHUNK_PX, (memory - BASE_BYTES) / threads
    while side < min(FILE_PX, max(grid.width, grid.height)) and _map_bytes(grid, itemsize, 2 * side) <= share:
        side *= 2
    return side


def budget_of(plan: ServingCubePlan, memory: int, threads: int) -> Budget:
    """Return the sizes of tasks of a cube.

    Raises:
        UnsupportedSource: Not even one task fits.
    """
    itemsize = max(np.dtype(variable.encoding.dtype).itemsize for variable in plan.variables.values())
    available = memory - BASE_BYTES
    region = plan.shape.region_px
    a_map = _map_bytes(plan.grid, itemsize, region) if plan.shape.has_map else 0.0
    a_file = plan.shape.block * SERIES_FILE_PX**2 * itemsize * COPIES if plan.shape.has_series else 0.0
    least = max(a_map, a_file)
    if least > available:
        need = (BASE_BYTES + int(least) >> 20) + 1
        raise UnsupportedSource(f"--memory is too small for this grid; it needs at least {need}MiB")
    threads = max(1, min(threads, int(available / least)))
    share = available / threads
    a_date = _cells(plan.grid, region) * itemsize * COPIES + _coarse_bytes(plan.grid, region)
    return Budget(
        threads=threads,
        dates=max(1, min(plan.shape.block, 1 + int((share - a_map) / a_date))),
        columns=max(1, int(share / a_file)) if a_file else 1,
    )


def _map_bytes(grid: NativeGrid, itemsize: int, region: int) -> float:
    # A map task with one date: a region, and the coarse levels of all regions
    return _cells(grid, region) * (itemsize * COPIES + BYTES_PER_COUNT) + _coarse_bytes(grid, region)


def _cells(grid: NativeGrid, region: int) -> int:
    return min(region, grid.width) * min(region, grid.height)


def _coarse_bytes(grid: NativeGrid, region: int) -> float:
    # One date of the finest level whose files span regions: in parts, and as a whole
    return 2 * grid.width * grid.height / (2 * region / CHUNK_PX) ** 2 * BYTES_PER_COUNT
