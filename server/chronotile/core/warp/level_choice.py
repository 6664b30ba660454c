"""Choice of the level of a source whose cells are closest in size to the requested pixels."""

import math
import sys
from functools import lru_cache

from chronotile.core.model.space.boxes import WHOLE_CIRCLE
from chronotile.core.model.space.crs import Crs, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid

MIN_CELLS = sys.float_info.min
"""Minimum number of cells per pixel side; with cells of 1e200 m the quotient would be 0."""


def level_for(levels: tuple[NativeGrid, ...], grid: Grid) -> int:
    """Return the level whose cells are closest in size to the pixels in the middle of a grid."""
    return choose_level(levels, cells_per_pixel(grid, levels[0]))


def choose_level(levels: tuple[NativeGrid, ...], cells_per_pixel: float) -> int:
    """Return the level whose cells are closest in size to the requested pixels, by ratio."""
    sizes = _resolutions(levels)
    ratios = [cells_per_pixel * sizes[0] / size for size in sizes]
    return min(range(len(levels)), key=lambda index: abs(math.log(ratios[index])))


@lru_cache(maxsize=4096)
def _resolutions(levels: tuple[NativeGrid, ...]) -> tuple[float, ...]:
    return tuple(level.resolution for level in levels)


def cells_per_pixel(grid: Grid, native: NativeGrid) -> float:
    """Return the native cells per side of a requested pixel, in the middle of the grid or near it."""
    side = _side_of_pixel(grid, native.crs)
    return 1.0 if side is None else max(side / native.resolution, MIN_CELLS)


@lru_cache(maxsize=4096)
def _side_of_pixel(grid: Grid, crs: Crs) -> float | None:
    """Return the side of a requested pixel in another CRS; `None` if it is unknown."""
    for across, down in ((0.5, 0.5), (0.25, 0.25), (0.75, 0.75), (0.25, 0.75), (0.75, 0.25)):
        columns = (grid.width * across + offset for offset in (-0.5, 0.5, -0.5))
        rows = (grid.height * down + offset for offset in (-0.5, -0.5, 0.5))
        x, y = tuple(map(grid.x_of, columns)), tuple(map(grid.y_of, rows))
        if grid.crs != crs:
            x, y = transformer(grid.crs, crs).transform(x, y)
        if not all(map(math.isfinite, (*x, *y))):
            continue
        right, below = [x[1] - x[0], y[1] - y[0]], [x[2] - x[0], y[2] - y[0]]
        if crs.is_geographic:
            half = WHOLE_CIRCLE / 2
            right[0], below[0] = (right[0] + half) % WHOLE_CIRCLE - half, (below[0] + half) % WHOLE_CIRCLE - half
        area = abs(right[0] * below[1] - right[1] * below[0])
        if area > 0:
            return math.sqrt(area)
    return None
