"""How much is held at once, so that a run of any size stays within the memory it may have."""

import re
from dataclasses import dataclass

import numpy as np

from chronotile.core.errors import InvalidParameter, UnsupportedSource
from chronotile.core.machine import Machine
from chronotile.core.model.space.grid import NativeGrid
from chronotile.optimise.options import MEMORY_BYTES
from chronotile.optimise.plan import CHUNK_PX, FILE_PX, SERIES_FILE_PX, ServingCubePlan

BASE_BYTES = 560 << 20
"""The process itself, with the libraries and their caches."""

BYTES_PER_COUNT = 18
"""Of a cell of level 0 while its overviews are counted: sums, counts and what is on its way."""

COPIES = 3.0
"""Of the numbers themselves: as read, as the cube has them, as they are packed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How a run is cut to the memory it may have."""

    threads: int
    """Tasks done at once."""
    dates: int
    """Dates of a task of the map layout, where the sources are read ahead."""
    columns: int
    """Files side by side of a task of the series layout that reads the sources."""


_UNITS = {"": 1, "KIB": 1 << 10, "MIB": 1 << 20, "GIB": 1 << 30, "KB": 10**3, "MB": 10**6, "GB": 10**9}


def parse_bytes(text: str) -> int:
    """Return how many bytes a text such as `2GiB` or `512MB` names.

    Raises:
        InvalidParameter: It names none.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMG]I?B)?\s*", text.upper())
    if found is None:
        raise InvalidParameter(
            f"{text[:40]!r} is not a size; accepted are sizes such as 512MiB and 2GiB", locator="memory"
        )
    return int(float(found[1]) * _UNITS[found[2] or ""])


def default_memory(machine: Machine) -> tuple[int, tuple[str, ...]]:
    """Return the default memory limit of a run in bytes, and messages if it is below the usual one."""
    if machine.memory_bytes >= MEMORY_BYTES:
        return MEMORY_BYTES, ()
    half = machine.memory_bytes // 2
    return half, (f"holding at most {half >> 20}MiB, half of this machine's memory; --memory changes it",)


def region_for(grid: NativeGrid, itemsize: int, memory: int, threads: int) -> int:
    """Return the side of the largest region that as many tasks can hold at once; of files it is the largest side."""
    side, share = CHUNK_PX, (memory - BASE_BYTES) / threads
    while side < min(FILE_PX, max(grid.width, grid.height)) and _map_bytes(grid, itemsize, 2 * side) <= share:
        side *= 2
    return side


def budget_of(plan: ServingCubePlan, memory: int, threads: int) -> Budget:
    """Return how work on a cube is cut.

    Raises:
        UnsupportedSource: Not even one task fits.
    """
    itemsize = max(np.dtype(each.encoding.dtype).itemsize for each in plan.variables.values())
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
    # Of a task of the map layout with one date: a region, and the coarse levels over all regions.
    return _cells(grid, region) * (itemsize * COPIES + BYTES_PER_COUNT) + _coarse_bytes(grid, region)


def _cells(grid: NativeGrid, region: int) -> int:
    return min(region, grid.width) * min(region, grid.height)


def _coarse_bytes(grid: NativeGrid, region: int) -> float:
    # Of one date's cells of the first level that reaches over all regions: in parts, and as a whole.
    return 2 * grid.width * grid.height / (2 * region / CHUNK_PX) ** 2 * BYTES_PER_COUNT
