"""Native pixels onto a large grid, in strips: all coordinates would take ten times the memory of the pixels.

A first pass over all strips finds the windows to read. The cells of each strip are found again when it is warped.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from chronotile.core.model.collection import Resampling
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, Raster
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import BoolArray, FloatArray
from chronotile.core.warp.approximation import PixelLocations, locate
from chronotile.core.warp.level_choice import level_for
from chronotile.core.warp.level_windows import (
    Bilinear,
    CellIndexes,
    CellRange,
    Nearest,
    Winding,
    bilinear,
    coordinates_on,
    is_inside,
    level_windows,
    mask_inside,
    must_wind,
    nearest,
    reach_of,
    winding_about,
)
from chronotile.core.warp.plan import (
    TargetPart,
    WarpPlan,
    WindowPlan,
    WindowSet,
    find_nearby_cells,
    nearby_window,
    place_of,
)

WHOLE_PIXELS = 1 << 18
"""Grids up to this size, such as a tile of 512² pixels, are warped in one step with a cached plan."""
STRIP_PIXELS = 1 << 17
"""Pixels per strip of a larger grid: about 10 MB of memory, mostly in the processor's cache."""

OPERANDS_BYTES = 12
"""Bytes per cell for the operands of a formula: about three variables of up to 32 bits."""

IndexRange = tuple[int, int]
"""First and last index."""

Finder = Callable[[slice], tuple[FloatArray, FloatArray]]
"""Returns columns and rows of a level at the pixel centres of some rows of a grid."""


class Gathering(NamedTuple):
    """Mask of the cells of some rows of a place (`None`: all exist), and the cells."""

    inside: BoolArray | None
    gather: Nearest | Bilinear


@dataclass(frozen=True, slots=True, kw_only=True)
class StripPlan(WindowPlan):
    """Plan that brings one level of a variable onto a large grid; cells are found for some rows at a time.

    All rows use the same windows, so that the pixels are the same as with one plan for the whole grid.
    """

    grid: Grid
    place: TargetPart
    gathering: Callable[[slice], Gathering]
    """Returns the cells of some rows of the place."""

    def warp(self, pixels: Pixels, encoding: Encoding) -> Raster:
        """Return the pixels from `read` on the grid."""
        shape = (self.grid.height, self.grid.width)
        numbers, present = np.empty(shape, dtype=pixels.numbers.dtype), None
        for rows in strips_of(self.grid):
            part = self.plan_rows(rows).warp(pixels, encoding)
            numbers[rows] = part.numbers
            if part.present is not None:
                present = np.empty(shape, dtype=bool) if present is None else present
                present[rows] = part.present
        return Raster(numbers, encoding, present)

    def plan_rows(self, rows: slice) -> WarpPlan:
        """Return the plan for some rows of the grid and the pixels from `read`."""
        place = self.place
        place_rows = _rows_in(place, rows)
        inside, gather = self.gathering(place_rows)
        if inside is None and place.grid.height * place.grid.width < self.grid.height * self.grid.width:
            # If pixels of the grid may be absent, strips inside the place have a mask too.
            inside = np.ones((place_rows.stop - place_rows.start, place.grid.width), dtype=bool)
        return WarpPlan(
            grid=rows_of(self.grid, rows),
            place=TargetPart(max(0, place.row - rows.start), place.column, rows_of(place.grid, place_rows)),
            level=self.level,
            windows=self.windows,
            step=self.step,
            inside=inside,
            gather=gather,
        )


def window_bytes(plan: WindowSet, variable: VariableInfo) -> int:
    """Return the bytes of a plan's native pixels at one time, with a mask and the operands of a formula."""
    return cells_of(plan) * (
        np.dtype(variable.encoding.dtype).itemsize + 1 + (OPERANDS_BYTES if variable.is_derived else 0)
    )


def cells_of(plan: WindowSet) -> int:
    """Return the number of cells that a plan reads at one time."""
    return sum(-(-window.height // plan.step) * -(-window.width // plan.step) for window in plan.windows)


def strips_of(grid: Grid) -> tuple[slice, ...]:
    """Return the rows of each strip; a grid of at most `WHOLE_PIXELS` is one strip."""
    if grid.width * grid.height <= WHOLE_PIXELS:
        return (slice(0, grid.height),)
    # Strips have about the same size, and never a single row, whose products BLAS adds in a different order.
    count = max(1, grid.height // max(2, STRIP_PIXELS // grid.width))
    return tuple(slice(grid.height * n // count, grid.height * (n + 1) // count) for n in range(count))


def rows_of(grid: Grid, rows: slice) -> Grid:
    """Return the grid of some rows; of one row if there are no rows, because grids cannot be empty."""
    bottom = max(rows.stop, rows.start + 1)
    ymax, ymin = grid.y_of(np.array([rows.start, bottom], dtype=float)).tolist()
    box = BBox(grid.bbox.xmin, ymin, grid.bbox.xmax, ymax)
    return Grid(crs=grid.crs, bbox=box, width=grid.width, height=bottom - rows.start)


def plan_strips(levels: tuple[NativeGrid, ...], grid: Grid, *, resampling: Resampling = "nearest") -> StripPlan | None:
    """Return the plan for a source on a large grid, `None` if they share no pixel; like `plan_warp`."""
    place = place_of(grid, levels[0])
    if place is None:
        return None
    level = level_for(levels, place.grid)
    chosen = levels[level]
    located = locate(place.grid, chosen.crs, chosen.resolution)
    strips = tuple(strip for rows in strips_of(grid) if (strip := _rows_in(place, rows)).start < strip.stop)
    windows = _find_nearby(located, place, chosen, strips) if resampling == "nearest" else None
    windows = windows or _cells(located, place, chosen, resampling, strips=strips)
    if windows is None:
        return None
    return StripPlan(grid=grid, place=place, level=level, **windows._asdict())


def _rows_in(place: TargetPart, rows: slice) -> slice:
    # Rows of a place inside some rows of its grid.
    top, bottom = (min(max(row - place.row, 0), place.grid.height) for row in (rows.start, rows.stop))
    return slice(top, bottom)


Strips = Sequence[slice]
"""Strips of a place that are warped together. Products of other strips may differ in their last bits, and so in their
cells."""


class _StripWindows(NamedTuple):
    windows: tuple[Window, ...]
    step: int
    gathering: Callable[[slice], Gathering]


def _find_nearby(located: PixelLocations, place: TargetPart, level: NativeGrid, strips: Strips) -> _StripWindows | None:
    """Return the plan for a level that has a nearby cell for every pixel; `None` for other levels."""
    near = find_nearby_cells(located, place.grid, level)
    if near is None:
        return None
    columns, rows = zip(*(map(_first_and_last, near.pixels.at(some)) for some in strips), strict=True)
    reached_rows, reached_columns = _union(rows), _union(columns)
    window = nearby_window(near, reached_rows, reached_columns, level)
    if window is None:
        return None

    def gathering(some: slice) -> Gathering:
        columns, rows = (part.astype(np.int32) for part in near.pixels.at(some))
        rows -= reached_rows[0]
        columns -= reached_columns[0]
        return Gathering(None, Nearest(CellIndexes(rows, columns, window.width)))

    return _StripWindows((window,), 1, gathering)


def _first_and_last(coordinates: FloatArray) -> IndexRange:
    return int(coordinates.min()), int(coordinates.max())


def _union(ranges: Sequence[IndexRange]) -> IndexRange:
    return min(first for first, _ in ranges), max(last for _, last in ranges)


def _cells(
    located: PixelLocations, place: TargetPart, level: NativeGrid, resampling: Resampling, *, strips: Strips
) -> _StripWindows | None:
    """Return the plan for any level; `None` if it has no cell in the place."""
    at = coordinates_on(located, place.grid, level)
    winding, reached = _winding_and_reached(at, place.grid, level, resampling, strips=strips)
    if reached is None:
        return None
    has_gaps = reached.has_gaps
    windows = level_windows(
        reached.rows, reached.columns, level, resampling=resampling, is_circular=winding.is_circular, has_gaps=has_gaps
    )
    gather = nearest if resampling == "nearest" else bilinear

    def gathering(some: slice) -> Gathering:
        columns, rows = at(some)
        columns = winding.turn(columns)
        inside = mask_inside(rows, columns, level, winding.is_circular) if has_gaps else None
        if windows.is_whole_circle:
            columns = columns % level.width
        return Gathering(inside, gather(*windows.axes(rows - windows.row, columns - windows.column)))

    return _StripWindows(windows.windows, windows.step, gathering)


class _Reached(NamedTuple):
    """Ranges of rows and columns inside the level, and whether some pixels are outside."""

    rows: CellRange
    columns: CellRange
    has_gaps: bool


def _winding_and_reached(
    at: Finder, grid: Grid, level: NativeGrid, resampling: Resampling, *, strips: Strips
) -> tuple[Winding, _Reached | None]:
    """Return the shift of columns, and the ranges after it (`None`: no cell), in one pass over transformed pixels.

    Whether columns are shifted at all is certain only after the last strip, so both cases are followed.
    """
    may_wind, has_to = level.wrap_columns is not None, False
    winding = winding_about(level, _middle(at, grid)) if may_wind else Winding()
    unshifted, shifted = list[_Reached | None](), list[_Reached | None]()
    for some in strips:
        columns, rows = at(some)
        has_to = has_to or must_wind(level, _range_of(columns), resampling)
        if not has_to:
            unshifted.append(_find_reach(columns, rows, level, is_circular=False))
        if may_wind:
            shifted.append(_find_reach(winding.turn(columns), rows, level, is_circular=winding.is_circular))
    return (winding, _all_reached(shifted)) if has_to else (Winding(), _all_reached(unshifted))


def _middle(at: Finder, grid: Grid) -> float:
    # Column of the level at the middle pixel of the grid
    columns, _ = at(slice(grid.height // 2, grid.height // 2 + 1))
    return float(columns[0, columns.shape[1] // 2])


def _find_reach(columns: FloatArray, rows: FloatArray, level: NativeGrid, *, is_circular: bool) -> _Reached | None:
    """Return the ranges of some rows of a grid; `None` if the level has no cell there."""
    reach = _range_of(rows), _range_of(columns)
    if is_inside(*reach, level, is_circular=is_circular):
        return _Reached(*reach, has_gaps=False)
    inside = mask_inside(rows, columns, level, is_circular)
    return _Reached(reach_of(rows, inside), reach_of(columns, inside), has_gaps=True) if inside.any() else None


def _all_reached(parts: Sequence[_Reached | None]) -> _Reached | None:
    extents = [part for part in parts if part is not None]
    if not extents:
        return None
    return _Reached(
        _outermost(part.rows for part in extents),
        _outermost(part.columns for part in extents),
        has_gaps=len(extents) < len(parts) or any(part.has_gaps for part in extents),
    )


def _range_of(coordinates: FloatArray) -> CellRange:
    return CellRange(float(coordinates.min()), float(coordinates.max()))


def _outermost(reaches: Iterable[CellRange]) -> CellRange:
    least, most = zip(*reaches, strict=True)
    return CellRange(min(least), max(most))
