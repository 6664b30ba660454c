"""Coverages whose cells are not native ones: of another size, CRS or orientation."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.errors import InvalidParameter
from chronotile.model.collection import Resampling
from chronotile.model.coverage import RUN_BYTES, CoverageField, Numbers
from chronotile.model.crs import are_alike
from chronotile.model.grid import BBox, Grid, Window
from chronotile.model.raster import Pixels, with_mask
from chronotile.model.source import VariableInfo
from chronotile.pipeline.coverage.numbers import nothing, output_numbers
from chronotile.pipeline.coverage.read_runs import ReadRuns, read_cheaply, runs
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.reader import Reader
from chronotile.warp.plan import WarpPlan, cells_per_pixel, level_for, plan_warp, side_by_side

TILE_SIDE = 512
"""Cells along each side of what is warped at once, if it does not take too many native ones."""

LEAST_SIDE = 16

NUDGE = 1e-6
"""Of a cell."""

NATIVE_SIDE = 2048
"""Native cells along each side of what one such takes, about: fewer than a plan would leave some out for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class WarpedCells:
    """A grid whose cells are gathered from those of a source, tile by tile: the same whatever rows are read at once."""

    grid: Grid
    resampling: Resampling | None
    """`None` is that of each layer."""
    plans: ByteCache[WarpPlan | None]
    tile_height: int
    """Rows of a tile: fewer than columns where rows are so long that few are read at once."""
    tile_width: int

    def read_runs(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], row_bytes: int) -> ReadRuns:
        """Return in which runs a field is best read: whole tiles."""
        del reader, field  # any is read so
        height = self.grid.height
        rows = RUN_BYTES // row_bytes // self.tile_height * self.tile_height or self.tile_height
        times = max(1, RUN_BYTES // (min(rows, height) * row_bytes))
        return ReadRuns(row_runs=tuple(runs(height, rows)), time_runs=tuple(runs(len(indexes), times)))

    def read(self, reader: Reader, field: CoverageField, *, indexes: Sequence[int], rows: range) -> Numbers:
        """Return (time, y, x) numbers at some of the variable's times, as they are written.

        Raises:
            SourceUnavailable: The source is gone or damaged.
        """
        numbers = nothing((len(indexes), len(rows), self.grid.width), field.encoding)
        variable = field.layer.main_variable
        resampling = self.resampling or field.layer.resampling
        level = level_for(variable.levels, self.grid)
        first = rows.start // self.tile_height * self.tile_height
        for top in range(first, rows.stop, self.tile_height):
            for left in range(0, self.grid.width, self.tile_width):
                grid = self._tile(top, left)
                start, stop = max(rows.start, top), min(rows.stop, top + grid.height)
                target = numbers[:, start - rows.start : stop - rows.start, left : left + grid.width]
                if variable.is_mosaic:
                    for place, index in enumerate(indexes):
                        pixels = with_mask(
                            reader.compose(variable.name, index=index, grid=_nudged(grid), resampling=resampling)
                        )
                        output = output_numbers(pixels, variable.encoding, field.encoding)
                        target[place] = output[start - top : stop - top]
                    continue
                sampled = _nudged(grid) if resampling == "nearest" else grid
                plan = self._plan(sampled, variable, resampling, level)
                if plan is None:
                    continue
                for place, pixels in enumerate(_pixels(plan, reader, variable, indexes)):
                    raster = plan.warp(pixels, variable.encoding)
                    output = output_numbers(Pixels(raster.numbers, raster.present), variable.encoding, field.encoding)
                    target[place] = output[start - top : stop - top]
        return numbers

    def _tile(self, top: int, left: int) -> Grid:
        """The grid of a tile, by its first row and column."""
        whole = self.grid
        bottom, right = min(top + self.tile_height, whole.height), min(left + self.tile_width, whole.width)
        xs, ys = whole.x_of(np.array([left, right], dtype=float)), whole.y_of(np.array([bottom, top], dtype=float))
        box = BBox(float(xs[0]), float(ys[0]), float(xs[1]), float(ys[1]))
        return Grid(crs=whole.crs, bbox=box, width=right - left, height=bottom - top)

    def _plan(self, grid: Grid, variable: VariableInfo, resampling: Resampling, level: int) -> WarpPlan | None:
        return self.plans.get_or_make(
            (variable.levels, grid, resampling, level),
            lambda: plan_warp(variable.levels, grid, resampling=resampling, level=level),
        )


def warped_cells(
    grid: Grid, fields: Sequence[CoverageField], *, resampling: Resampling | None, plans: ByteCache[WarpPlan | None]
) -> WarpedCells:
    """Return how the cells of a grid are gathered from those of fields, which have one grid.

    Raises:
        InvalidParameter: Means of classes are requested.
    """
    variable = fields[0].layer.main_variable
    if are_alike(grid.crs, variable.grid.crs):
        grid = replace(grid, crs=variable.grid.crs)
    for each in fields:
        if resampling == "bilinear" and each.layer.main_variable.is_categorical:
            raise InvalidParameter(f"{each.name} has classes, which have no mean; use nearest", locator="interpolation")
    row_bytes = grid.width * max(np.dtype(each.encoding.dtype).itemsize for each in fields)
    level = variable.levels[level_for(variable.levels, grid)]
    width = max(LEAST_SIDE, int(min(TILE_SIDE, NATIVE_SIDE / cells_per_pixel(grid, level))))
    height = max(LEAST_SIDE, min(width, RUN_BYTES // row_bytes))
    return WarpedCells(grid=grid, resampling=resampling, plans=plans, tile_height=height, tile_width=width)


def _nudged(grid: Grid) -> Grid:
    """A grid a hair to the south-east: of centres that lie between two native cells all take the one on that side."""
    size_x, size_y = (each * NUDGE for each in grid.resolution)
    xmin, ymin, xmax, ymax = grid.bbox
    return replace(grid, bbox=BBox(xmin + size_x, ymin - size_y, xmax + size_x, ymax - size_y))


def _pixels(plan: WarpPlan, reader: Reader, variable: VariableInfo, indexes: Sequence[int]) -> Iterator[Pixels]:
    """(y, x) pixels that a plan needs, time after time: of native ones many times at once."""
    if plan.level or plan.step > 1:
        yield from (plan.read(reader, variable, index) for index in indexes)
        return
    cells = sum(window.height * window.width for window in plan.windows)
    most = max(1, RUN_BYTES // (cells * np.dtype(variable.encoding.dtype).itemsize))
    for run in runs(len(indexes), most):
        some = indexes[run.start : run.stop]
        block = side_by_side([_block(reader, variable, some, window) for window in plan.windows])
        for place in range(len(some)):
            yield Pixels(block.numbers[place], None if block.valid is None else block.valid[place])


def _block(reader: Reader, variable: VariableInfo, indexes: Sequence[int], window: Window) -> Pixels:
    pixels = read_cheaply(reader, variable.name, indexes=indexes, window=window)
    return pixels if pixels.codes is None else Pixels(pixels.numbers, pixels.codes.numbers == 0)
