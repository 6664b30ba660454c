"""Native pixels onto a requested grid: the best level, only the needed windows, nearest or bilinear.

A plan is made in four steps: the part of the grid that may have data (`place_of`), the level whose cells are closest in
size to the pixels (`level_choice.py`), the source coordinates of all pixel centres (`locate` in `approximation.py`),
and the windows and cells at these coordinates (`level_windows.py`). It is the same for all times of a variable, so for
a picture only the windows are read and their cells taken.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np

from chronotile.core.model.collection import Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, Raster
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.crs import Crs
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import BoolArray, Int32Array
from chronotile.core.warp.approximation import ALL, NearCells, NodeLattice, PixelLocations, locate
from chronotile.core.warp.level_choice import level_for
from chronotile.core.warp.level_windows import (
    WHOLE,
    Bilinear,
    CellIndexes,
    CellRange,
    Nearest,
    Slices,
    bilinear,
    coordinates_on,
    is_inside,
    level_windows,
    mask_inside,
    nearest,
    reach_of,
    shift_columns,
)

OVERHEAD_BYTES = 1024
"""Size of a plan without its arrays, and of the result that there is no plan."""

BOX_MARGIN = 0.1
"""Fraction by which a source's box in another CRS is widened, because it comes from a lattice of points."""

CLOSE_MARGIN = 0.01
"""The same for skipping pixels that the source cannot reach; sides bend much less between points."""

MAX_JUMP = 0.25
"""Maximum distance of neighbours in the lattice, as a fraction of the box; more is a seam or a pole, and no box."""


@dataclass(frozen=True, slots=True)
class TargetPart:
    """Rectangle of the requested grid that may contain data, and its position."""

    row: int
    column: int
    grid: Grid

    @property
    def at(self) -> tuple[slice, slice]:
        """Rows and columns of the part in the requested grid."""
        return np.s_[self.row : self.row + self.grid.height, self.column : self.column + self.grid.width]


class WindowSource(Protocol):
    """A reader of a source; this package does not import readers."""

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level; only every `step`-th row and column."""


class WindowSet(Protocol):
    """Windows that a plan reads."""

    @property
    def level(self) -> int:
        """Level of the source."""

    @property
    def windows(self) -> tuple[Window, ...]:
        """From west to east."""

    @property
    def step(self) -> int:
        """Every `step`-th row and column is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowPlan:
    """Native pixels of one level that a grid needs, the same for every time of a variable."""

    windows: tuple[Window, ...]
    """From west to east; several if the grid crosses the seam of the source."""
    level: int = 0
    step: int = 1
    """Every `step`-th row and column is read."""

    def read(self, reader: WindowSource, variable: VariableInfo, index: int) -> Pixels:
        """Return the pixels at one time of a variable.

        Raises:
            SourceUnavailable: The source is missing or damaged.
        """
        parts = [
            reader.read_window(variable.name, index=index, level=self.level, window=window, step=self.step)
            for window in self.windows
        ]
        return parts[0] if len(parts) == 1 else side_by_side(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnwarpedPlan(WindowPlan):
    """Native pixels without a warp."""

    def warp(self, pixels: Pixels, encoding: Encoding) -> Raster:
        """Return the pixels unchanged."""
        return Raster(pixels.numbers, encoding, pixels.valid)


@dataclass(frozen=True, slots=True, kw_only=True)
class WarpPlan(WindowPlan):
    """Plan that brings one level of a variable onto a grid, the same for every time of the variable."""

    grid: Grid
    place: TargetPart
    inside: BoolArray | None
    """(y, x) of the place: whether the source has a cell; `None`: everywhere."""
    gather: Nearest | Bilinear

    def warp(self, pixels: Pixels, encoding: Encoding) -> Raster:
        """Return the pixels from `read` on the grid."""
        return self._fill_grid(self.warp_place(pixels, encoding))

    def warp_place(self, pixels: Pixels, encoding: Encoding, only: Slices = WHOLE) -> Raster:
        """Return the pixels from `read` on the place; absent pixels become nodata if the encoding has a nodata number.

        Args:
            pixels: Pixels from `read`.
            encoding: Their encoding.
            only: Rows and columns of the place to return.
        """
        gathered = self.gather.take(pixels, encoding, only)
        numbers, present = gathered.numbers, _both(gathered.valid, None if self.inside is None else self.inside[only])
        if present is None:
            return Raster(numbers, encoding)
        empty = number_for_absent(encoding, numbers.dtype)
        np.copyto(numbers, numbers.dtype.type(0 if empty is None else empty), where=~present)
        return Raster(numbers, encoding, present if empty is None else None)

    @property
    def nbytes(self) -> int:
        """Approximate size of the plan in bytes."""
        return OVERHEAD_BYTES + self.gather.nbytes + (0 if self.inside is None else self.inside.size)

    def _fill_grid(self, part: Raster) -> Raster:
        """Return the pixels of the place on the whole grid."""
        shape = self.grid.height, self.grid.width
        if part.numbers.shape == shape:
            return part
        empty = number_for_absent(part.encoding, part.numbers.dtype)
        whole = np.full(shape, 0 if empty is None else empty, dtype=part.numbers.dtype)
        rows, columns = self.place.at
        at = slice(rows.start, rows.start + len(part.numbers)), columns  # some strips have no row of the place
        whole[at] = part.numbers
        if empty is not None:
            return Raster(whole, part.encoding)
        filled = np.zeros(shape, dtype=bool)
        filled[at] = True if part.present is None else part.present
        return Raster(whole, part.encoding, filled)


def plan_warp(
    levels: tuple[NativeGrid, ...], grid: Grid, *, resampling: Resampling = "nearest", level: int | None = None
) -> WarpPlan | None:
    """Return the plan for a source on `grid`; `None` if they share no pixel.

    Args:
        levels: Levels of the source.
        grid: The requested grid.
        resampling: Nearest or bilinear.
        level: Level to read; `None`: `level_for` this grid, which may differ for a part of a larger grid.
    """
    place = place_of(grid, levels[0])
    if place is None:
        return None
    level = level_for(levels, place.grid) if level is None else level
    chosen = levels[level]
    located = locate(place.grid, chosen.crs, chosen.resolution)
    if resampling == "nearest" and isinstance(located, NodeLattice) and chosen.wrap_columns is None:
        near = _plan_nearby(located, grid, place, level=level, chosen=chosen)
        part = near or _plan_of_part(located, grid, place, level=level, chosen=chosen)
        if part is None or part.step == 1:
            return part
    columns, rows = coordinates_on(located, place.grid, chosen)(ALL)
    columns, is_circular = shift_columns(columns, chosen, resampling)
    reached = CellRange(rows.min(), rows.max()), CellRange(columns.min(), columns.max())
    inside = (
        None
        if is_inside(*reached, chosen, is_circular=is_circular)
        else mask_inside(rows, columns, chosen, is_circular)
    )
    if inside is not None:
        if not inside.any():
            return None
        reached = reach_of(rows, inside), reach_of(columns, inside)
    windows = level_windows(
        *reached, chosen, resampling=resampling, is_circular=is_circular, has_gaps=inside is not None
    )
    # The coordinates are used only here, so they are changed in place: a new array costs more than the sum.
    if windows.is_whole_circle:
        columns %= chosen.width
    rows -= windows.row
    columns -= windows.column
    down, across = windows.axes(rows, columns)
    return WarpPlan(
        grid=grid,
        place=place,
        level=level,
        windows=windows.windows,
        step=windows.step,
        inside=inside,
        gather=nearest(down, across) if resampling == "nearest" else bilinear(down, across),
    )


def _plan_nearby(
    located: PixelLocations, grid: Grid, place: TargetPart, *, level: int, chosen: NativeGrid
) -> WarpPlan | None:
    """Return the plan for a grid inside a level with few cells, in half the time; `None` for other grids."""
    near = find_nearby_cells(located, place.grid, chosen)
    if near is None:
        return None
    columns, rows = (part.astype(np.int32) for part in near.pixels.at(ALL))
    top, west = int(rows.min()), int(columns.min())
    window = nearby_window(near, (top, int(rows.max())), (west, int(columns.max())), chosen)
    if window is None:
        return None
    rows -= top
    columns -= west
    return WarpPlan(
        grid=grid,
        place=place,
        level=level,
        windows=(window,),
        step=1,
        inside=None,
        gather=Nearest(CellIndexes(rows, columns, window.width)),
    )


def _plan_of_part(
    located: NodeLattice, grid: Grid, place: TargetPart, *, level: int, chosen: NativeGrid
) -> WarpPlan | None:
    """Return the plan for the rectangle of a place with cells of a level; `None` if it has none.

    The plan cannot be used if only every n-th cell is read.
    """
    box = None if _leaves_the_world(grid) else _box_of(chosen, grid.crs, CLOSE_MARGIN)
    at = np.s_[0 : place.grid.height, 0 : place.grid.width] if box is None else _pixels_of(place.grid, box)
    if at is None:
        return None
    with np.errstate(invalid="ignore"):  # too large numbers become integers outside the level
        columns, rows = (
            np.floor(part, out=part).astype(np.int32)
            for part in located.coordinates_on_pixels(place.grid, chosen).at(*at)
        )
    # Viewed as unsigned, negative numbers are larger than any cell.
    inside = (rows.view(np.uint32) < chosen.height) & (columns.view(np.uint32) < chosen.width)
    bounds = _bounds_of(inside)
    if bounds is None:
        return None
    rows, columns, outside = np.ascontiguousarray(rows[bounds]), np.ascontiguousarray(columns[bounds]), ~inside[bounds]
    has_gaps = bool(outside.any())
    down, across = (_reach_without(part, outside) for part in (rows, columns))
    windows = level_windows(down, across, chosen, resampling="nearest", is_circular=False, has_gaps=has_gaps)
    rows -= windows.row
    columns -= windows.column
    for cells in (rows, columns):
        np.copyto(cells, 0, where=outside)
    return WarpPlan(
        grid=grid,
        place=_part_of(place, _shift_slices(bounds, at)),
        level=level,
        windows=windows.windows,
        step=windows.step,
        inside=inside[bounds] if has_gaps else None,
        gather=Nearest(CellIndexes(rows, columns, windows.width)),
    )


def _bounds_of(inside: BoolArray) -> Slices | None:
    """Return the rows and columns from the first to the last pixel inside; `None` if no pixel is inside."""
    rows, columns = (np.flatnonzero(inside.any(axis=axis)) for axis in (1, 0))
    if not rows.size:
        return None
    return np.s_[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]


def _shift_slices(inner: Slices, outer: Slices) -> Slices:
    """Return `inner`, which is relative to the start of `outer`, relative to the same origin as `outer`."""
    rows, columns = (
        slice(whole.start + part.start, whole.start + part.stop) for whole, part in zip(outer, inner, strict=True)
    )
    return rows, columns


def _reach_without(cells: Int32Array, outside: BoolArray) -> CellRange:
    # Range of the cells that are not outside. Cells outside become -1, the largest unsigned number.
    np.copyto(cells, -1, where=outside)
    return CellRange(int(cells.view(np.uint32).min()), int(cells.max()))


def _part_of(place: TargetPart, at: Slices) -> TargetPart:
    """Return some rows and columns of a place."""
    rows, columns = at
    grid = place.grid
    xs = grid.x_of(np.array([columns.start, columns.stop], dtype=float)).tolist()
    ys = grid.y_of(np.array([rows.stop, rows.start], dtype=float)).tolist()
    part = BBox(xs[0], ys[0], xs[1], ys[1])
    part_grid = Grid(crs=grid.crs, bbox=part, width=columns.stop - columns.start, height=rows.stop - rows.start)
    return TargetPart(place.row + rows.start, place.column + columns.start, part_grid)


def find_nearby_cells(located: PixelLocations, grid: Grid, level: NativeGrid) -> NearCells | None:
    """Return cells counted from a nearby cell, of a level that does not wrap; `None` if they are far apart."""
    if not isinstance(located, NodeLattice) or level.wrap_columns is not None:
        return None
    return located.find_nearby_pixels(grid, level)


def nearby_window(near: NearCells, rows: tuple[int, int], columns: tuple[int, int], level: NativeGrid) -> Window | None:
    """Return the window from the first to the last row and column; `None` if it is not inside the level."""
    if min(rows[0], columns[0]) < 1:  # truncation may not have been the floor
        return None
    top, west = near.row + rows[0], near.column + columns[0]
    bottom, east = near.row + rows[1] + 1, near.column + columns[1] + 1
    if min(top, west) < 0 or bottom > level.height or east > level.width:
        return None
    return Window(top, bottom, west, east)


def place_of(grid: Grid, native: NativeGrid) -> TargetPart | None:
    """Return the part of `grid` that may have data, all if the source's box is unknown or large; `None` if outside."""
    whole = TargetPart(0, 0, grid)
    box = _box_of(native, grid.crs)
    if box is None or _leaves_the_world(grid):
        return whole
    if not box.intersects(grid.bbox):
        return None
    at = _pixels_of(grid, box)
    if at is None or (at[0].stop - at[0].start) * (at[1].stop - at[1].start) * 2 >= grid.width * grid.height:
        return whole
    return _part_of(whole, at)


def _pixels_of(grid: Grid, box: BBox) -> Slices | None:
    """Return the rows and columns of a grid that a box of its CRS touches; `None` if it touches none."""
    size_x, size_y = grid.resolution
    west = math.floor(max(0, (box.xmin - grid.bbox.xmin) / size_x))
    east = math.ceil(min(grid.width, (box.xmax - grid.bbox.xmin) / size_x))
    top = max(0, math.floor((grid.bbox.ymax - box.ymax) / size_y))
    bottom = min(grid.height, math.ceil((grid.bbox.ymax - box.ymin) / size_y))
    return np.s_[top:bottom, west:east] if west < east and top < bottom else None


def _leaves_the_world(grid: Grid) -> bool:
    # Whether a box crosses the antimeridian, beyond which the world repeats in degrees and cylindrical projections.
    circle = grid.crs.longitude_circle
    if circle is None:
        return False
    rounding = 1e-9 * circle.width
    return grid.bbox.xmin < circle.west - rounding or grid.bbox.xmax > circle.east + rounding


@lru_cache(maxsize=4096)
def _box_of(native: NativeGrid, crs: Crs, margin: float = BOX_MARGIN) -> BBox | None:
    """Return a box in `crs` that surely contains the source; `None` if a seam or a pole is in it."""
    x, y = native.lattice_in(crs)
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return None
    box = BBox(float(x.min()), float(y.min()), float(x.max()), float(y.max()))
    sides = np.array([box.xmax - box.xmin, box.ymax - box.ymin])
    jumps = [max(float(np.abs(np.diff(part, axis=axis)).max()) for axis in (0, 1)) for part in (x, y)]
    if not (sides > 0).all() or (np.array(jumps) > MAX_JUMP * sides).any():
        return None
    margin_x, margin_y = sides * margin
    if crs.longitude_circle is not None and (native.crs.is_geographic or native.wrap_columns is not None):
        margin_x = math.inf  # longitudes count modulo 360
    return BBox(box.xmin - margin_x, box.ymin - margin_y, box.xmax + margin_x, box.ymax + margin_y)


def side_by_side(parts: list[Pixels]) -> Pixels:
    """Return (…, y, x) pixels of adjacent windows of one source, in order from west to east."""
    valids = [part.valid for part in parts if part.valid is not None]
    return Pixels(
        np.concatenate([part.numbers for part in parts], axis=-1),
        np.concatenate(valids, axis=-1) if len(valids) == len(parts) else None,
    )


def _both(first: BoolArray | None, second: BoolArray | None) -> BoolArray | None:
    if first is None or second is None:
        return first if second is None else second
    return first & second


def number_for_absent(encoding: Encoding, dtype: np.dtype[Any]) -> float | None:
    """Return the nodata number if the dtype has it, NaN for floats without nodata, else `None`."""
    if dtype.kind == "f":
        return math.nan if encoding.nodata is None else encoding.nodata
    if encoding.nodata is None or not float(encoding.nodata).is_integer():
        return None
    limits = np.iinfo(dtype)
    return encoding.nodata if limits.min <= encoding.nodata <= limits.max else None
