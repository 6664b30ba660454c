"""Native pixels onto a large grid, some rows at a time: coordinates of all would take ten times what pixels do."""

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
    must_wind,
    nearest,
    reach_of,
    where_inside,
    winding_about,
)
from chronotile.core.warp.plan import (
    TargetPart,
    WarpPlan,
    WindowPlan,
    WindowSet,
    find_nearby_cells,
    level_for,
    nearby_window,
    place_of,
)

WHOLE_PIXELS = 1 << 18
"""A grid of no more is warped at once, and its plan is cached: that of a tile of 512² pixels."""
STRIP_PIXELS = 1 << 17
"""Of a larger grid, warped at a time: about 10 MB of memory, most of which stays in the processor's cache."""

OPERANDS_BYTES = 12
"""Of each cell of what a formula is made of: about three variables of up to 32 bits."""

IndexRange = tuple[int, int]
"""First and last."""

Finder = Callable[[slice], tuple[FloatArray, FloatArray]]
"""Gives columns and rows of a level at the pixel centres of some rows of a grid."""


class Gathering(NamedTuple):
    """Where some rows of a place have cells (`None`: everywhere), and which they take."""

    inside: BoolArray | None
    gather: Nearest | Bilinear


@dataclass(frozen=True, slots=True, kw_only=True)
class StripPlan(WindowPlan):
    """How to bring one level of a variable onto a large grid: its cells are found for some rows at a time.

    All rows take theirs from the same windows, so that pixels are those that one plan of the whole grid would give.
    """

    grid: Grid
    place: TargetPart
    gathering: Callable[[slice], Gathering]
    """Of some rows of the place."""

    def warp(self, pixels: Pixels, encoding: Encoding) -> Raster:
        """Return what was read, on the grid."""
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
        """Return the plan of some rows of the grid, whose pixels are those of `read`."""
        place = self.place
        own = _rows_in(place, rows)
        inside, gather = self.gathering(own)
        if inside is None and place.grid.height * place.grid.width < self.grid.height * self.grid.width:
            # Rows that the place fills are as those that it does not: some of a grid's pixels may be absent.
            inside = np.ones((own.stop - own.start, place.grid.width), dtype=bool)
        return WarpPlan(
            grid=rows_of(self.grid, rows),
            place=TargetPart(max(0, place.row - rows.start), place.column, rows_of(place.grid, own)),
            level=self.level,
            windows=self.windows,
            step=self.step,
            inside=inside,
            gather=gather,
        )


def window_bytes(plan: WindowSet, variable: VariableInfo) -> int:
    """Return how many bytes the native pixels of a plan take at one time, with a mask and the operands of a formula."""
    return cells_of(plan) * (
        np.dtype(variable.encoding.dtype).itemsize + 1 + (OPERANDS_BYTES if variable.is_derived else 0)
    )


def cells_of(plan: WindowSet) -> int:
    """Return how many cells a plan reads at one time."""
    return sum(-(-each.height // plan.step) * -(-each.width // plan.step) for each in plan.windows)


def strips_of(grid: Grid) -> tuple[slice, ...]:
    """Return the rows that are warped at a time: all of a grid of no more than `WHOLE_PIXELS`."""
    if grid.width * grid.height <= WHOLE_PIXELS:
        return (slice(0, grid.height),)
    # Of about as many pixels each: never a single one, whose products BLAS sums up in another order.
    count = max(1, grid.height // max(2, STRIP_PIXELS // grid.width))
    return tuple(slice(grid.height * n // count, grid.height * (n + 1) // count) for n in range(count))


def rows_of(grid: Grid, rows: slice) -> Grid:
    """Return the grid of some rows of another; of one of its rows where there are none, as a grid has some."""
    bottom = max(rows.stop, rows.start + 1)
    ymax, ymin = grid.y_of(np.array([rows.start, bottom], dtype=float)).tolist()
    box = BBox(grid.bbox.xmin, ymin, grid.bbox.xmax, ymax)
    return Grid(crs=grid.crs, bbox=box, width=grid.width, height=bottom - rows.start)


def plan_strips(levels: tuple[NativeGrid, ...], grid: Grid, *, resampling: Resampling = "nearest") -> StripPlan | None:
    """Return how to bring a source onto a large grid, or `None` where they share no pixel; as `plan_warp`."""
    place = place_of(grid, levels[0])
    if place is None:
        return None
    level = level_for(levels, place.grid)
    chosen = levels[level]
    located = locate(place.grid, chosen.crs, chosen.resolution)
    strips = tuple(own for rows in strips_of(grid) if (own := _rows_in(place, rows)).start < own.stop)
    found = _find_nearby(located, place, chosen, strips) if resampling == "nearest" else None
    found = found or _cells(located, place, chosen, resampling, strips=strips)
    if found is None:
        return None
    return StripPlan(grid=grid, place=place, level=level, **found._asdict())


def _rows_in(place: TargetPart, rows: slice) -> slice:
    # Which rows of a place some rows of its grid have.
    top, bottom = (min(max(row - place.row, 0), place.grid.height) for row in (rows.start, rows.stop))
    return slice(top, bottom)


Strips = Sequence[slice]
"""Rows of a place, as they are warped: products of other rows may differ in their last bits, and so in their cells."""


class _StripWindows(NamedTuple):
    windows: tuple[Window, ...]
    step: int
    gathering: Callable[[slice], Gathering]


def _find_nearby(located: PixelLocations, place: TargetPart, level: NativeGrid, strips: Strips) -> _StripWindows | None:
    """The plan for a level that has a nearby cell for every pixel; `None` for others."""
    near = find_nearby_cells(located, place.grid, level)
    if near is None:
        return None
    columns, rows = zip(*(map(_first_and_last, near.pixels.at(some)) for some in strips), strict=True)
    reached_rows, reached_columns = _union(rows), _union(columns)
    window = nearby_window(near, reached_rows, reached_columns, level)
    if window is None:
        return None

    def gathering(some: slice) -> Gathering:
        columns, rows = (each.astype(np.int32) for each in near.pixels.at(some))
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
    """The plan for any level; `None` if it has no cell in the place."""
    at = coordinates_on(located, place.grid, level)
    winding, reached = _winding_and_reached(at, place.grid, level, resampling, strips=strips)
    if reached is None:
        return None
    has_gaps = reached.has_gaps
    found = level_windows(
        reached.rows, reached.columns, level, resampling=resampling, is_circular=winding.is_circular, has_gaps=has_gaps
    )
    gather = nearest if resampling == "nearest" else bilinear

    def gathering(some: slice) -> Gathering:
        columns, rows = at(some)
        columns = winding.turn(columns)
        inside = where_inside(rows, columns, level, winding.is_circular) if has_gaps else None
        if found.is_whole_circle:
            columns = columns % level.width
        return Gathering(inside, gather(*found.axes(rows - found.row, columns - found.column)))

    return _StripWindows(found.windows, found.step, gathering)


class _Reached(NamedTuple):
    """How far rows and columns reach that the level has, and whether it lacks any."""

    rows: CellRange
    columns: CellRange
    has_gaps: bool


def _winding_and_reached(
    at: Finder, grid: Grid, level: NativeGrid, resampling: Resampling, *, strips: Strips
) -> tuple[Winding, _Reached | None]:
    """How columns are turned and what is reached then (`None`: nothing), in one pass, as each pixel may be transformed.

    Whether columns are turned at all shows only in the last strip, so until then both ways are followed.
    """
    may_wind, has_to = level.wrap_columns is not None, False
    winding = winding_about(level, _middle(at, grid)) if may_wind else Winding()
    as_they_are, turned = list[_Reached | None](), list[_Reached | None]()
    for some in strips:
        columns, rows = at(some)
        has_to = has_to or must_wind(level, _range_of(columns), resampling)
        if not has_to:
            as_they_are.append(_find_reach(columns, rows, level, is_circular=False))
        if may_wind:
            turned.append(_find_reach(winding.turn(columns), rows, level, is_circular=winding.is_circular))
    return (winding, _all_reached(turned)) if has_to else (Winding(), _all_reached(as_they_are))


def _middle(at: Finder, grid: Grid) -> float:
    # The column in the middle of a grid.
    columns, _ = at(slice(grid.height // 2, grid.height // 2 + 1))
    return float(columns[0, columns.shape[1] // 2])


def _find_reach(columns: FloatArray, rows: FloatArray, level: NativeGrid, *, is_circular: bool) -> _Reached | None:
    """What some rows of a grid reach; `None` where the level has none of it."""
    reach = _range_of(rows), _range_of(columns)
    if is_inside(*reach, level, is_circular=is_circular):
        return _Reached(*reach, has_gaps=False)
    inside = where_inside(rows, columns, level, is_circular)
    return _Reached(reach_of(rows, inside), reach_of(columns, inside), has_gaps=True) if inside.any() else None


def _all_reached(parts: Sequence[_Reached | None]) -> _Reached | None:
    found = [part for part in parts if part is not None]
    if not found:
        return None
    return _Reached(
        _outermost(part.rows for part in found),
        _outermost(part.columns for part in found),
        has_gaps=len(found) < len(parts) or any(part.has_gaps for part in found),
    )


def _range_of(coordinates: FloatArray) -> CellRange:
    return CellRange(float(coordinates.min()), float(coordinates.max()))


def _outermost(reaches: Iterable[CellRange]) -> CellRange:
    least, most = zip(*reaches, strict=True)
    return CellRange(min(least), max(most))
