"""How much of a layer has values at a time, by a look at few of its cells."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import SourceUnavailable, TooManyPieces
from chronotile.model.collection import Layer
from chronotile.model.crs import Crs, transformer
from chronotile.model.grid import WHOLE_CIRCLE, BBox, NativeGrid, Window
from chronotile.model.raster import BoolArray, valid_pixels
from chronotile.model.source import VariableInfo
from chronotile.model.time.instants import Instant, InstantArray
from chronotile.pipeline.revision import time_index
from chronotile.readers.reader import Reader

LEAST_CELLS = 4096
"""Of an area: the coarsest level that has so many of them is fine enough."""
COUNTED_CELLS = 1 << 18
"""Of a window that is read whole; of a larger one only some rows and columns are counted."""
READ_CELLS = 1 << 22
"""Of a stored level that is read whole, about; of a larger one, as of rasters without overviews, `SAMPLES` are."""
SAMPLES, SAMPLE_PX, BLOCK_PX = 8, 64, 512
"""So many windows along each side, so large, each at the corner of a block as most files have them."""
EDGE = 33
"""Points along each side of an area by which it is found among the cells."""


@dataclass(frozen=True, slots=True)
class LayerArea:
    """A part of the earth: a box in a CRS, x before y; longitudes may go on beyond 180."""

    box: BBox
    crs: Crs


@dataclass(frozen=True, slots=True)
class _Part:
    """Cells of one window that are counted."""

    window: Window
    step: int
    is_inside: BoolArray | None
    """(y, x) of what is read; `None` where all are."""


@dataclass(frozen=True, slots=True)
class SharePlan:
    """Which cells of a variable are counted, the same at all times."""

    variable: VariableInfo
    level: int
    parts: tuple[_Part, ...]

    def read(self, reader: Reader, instant: Instant) -> BoolArray:
        """Return (n,) whether each of the cells has a value.

        Raises:
            SourceUnavailable: They cannot be read.
        """
        index = time_index(self.variable.times.instants, instant)
        return np.concatenate([self._valid(reader, index, part) for part in self.parts])

    def _valid(self, reader: Reader, index: int, part: _Part) -> BoolArray:
        pixels = reader.read_window(
            self.variable.name, index=index, level=self.level, window=part.window, step=part.step
        )
        valid = valid_pixels(pixels, self.variable.encoding)
        return valid.ravel() if part.is_inside is None else valid[part.is_inside]


def share_plans(layer: Layer, area: LayerArea | None = None) -> tuple[SharePlan, ...]:
    """Return which cells of each of a layer's variables are counted: few, from the coarsest stored level that will do.

    Args:
        layer: Whose cells.
        area: Of those inside it; `None` of all.

    Returns:
        A plan for each variable; none where the area holds no cell of one of them.
    """
    plans = tuple(_plan(variable, area) for variable in layer.variables)
    return plans if all(plan.parts for plan in plans) else ()


def valid_share(reader: Reader, plans: Sequence[SharePlan], instant: Instant) -> float:
    """Return the share of cells that have values at one of a layer's times, 0 to 1: of all its variables together.

    Raises:
        SourceUnavailable: They cannot be read.
    """
    valids = [plan.read(reader, instant) for plan in plans]
    if len({valid.shape for valid in valids}) > 1:
        return min(float(valid.mean()) for valid in valids)
    return float(reduce(np.logical_and, valids).mean())


@dataclass(frozen=True, slots=True)
class Filled:
    """A time and the share of cells that have values at it; -1 where none could be read."""

    instant: Instant
    share: float
    unreadable: tuple[tuple[Instant, SourceUnavailable], ...]
    """Times that were looked at before it and could not be read."""


def newest_filled(reader: Reader, plans: Sequence[SharePlan], instants: InstantArray, *, least: float) -> Filled:
    """Return the newest of some times at which `least` of the cells have values; the fullest if there is none.

    No more times of a mosaic are looked at once one would open too many items.

    Args:
        reader: Of the source.
        plans: Of the layer.
        instants: (time,), at least one, the newest first; each is read until one has enough.
        least: Share of cells.
    """
    best, best_share = instants[0], -1.0
    unreadable: list[tuple[Instant, SourceUnavailable]] = []
    for instant in instants:
        try:
            share = valid_share(reader, plans, instant)
        except TooManyPieces:
            break  # a mosaic without overviews yet: the newest time, or the fullest so far
        except SourceUnavailable as error:
            unreadable.append((instant, error))
            continue
        if share > best_share:
            best, best_share = instant, share
        if share >= least:
            break
    return Filled(best, best_share, tuple(unreadable))


def _plan(variable: VariableInfo, area: LayerArea | None) -> SharePlan:
    stored = variable.stored_levels
    if area is None:
        level = max(stored)
        grid = stored[level]
        return SharePlan(variable, level, tuple(_parts(Window(0, grid.height, 0, grid.width), grid, None)))
    for level in sorted(stored, reverse=True):
        window = _window(stored[level], area)
        if window is not None and (window.height * window.width >= LEAST_CELLS or level == min(stored)):
            return SharePlan(variable, level, tuple(_parts(window, stored[level], area)))
    return SharePlan(variable, min(stored), ())


def _parts(window: Window, grid: NativeGrid, area: LayerArea | None) -> Iterator[_Part]:
    """The window, or of a large one samples of it; those without a cell inside the area are left out."""
    cells = window.height * window.width
    step = math.ceil(math.sqrt(cells / COUNTED_CELLS)) if cells <= READ_CELLS else 1
    for each in [window] if cells <= READ_CELLS else _samples(window):
        if area is None:
            yield _Part(each, step, None)
        else:
            is_inside = _is_inside(each, step, grid, area)
            if is_inside.any():
                yield _Part(each, step, is_inside)


def _samples(window: Window) -> Iterator[Window]:
    """Windows spread over a large one, each within one block of most files, so that little is decoded for it."""
    for row in _corners(window.row_start, window.row_stop):
        for column in _corners(window.column_start, window.column_stop):
            row_stop, column_stop = min(row + SAMPLE_PX, window.row_stop), min(column + SAMPLE_PX, window.column_stop)
            yield Window(row, row_stop, column, column_stop)


def _corners(start: int, stop: int) -> list[int]:
    """Where samples begin along a side: the corner of a block that follows each of some places, or the place itself."""
    places = np.linspace(start, max(start, stop - SAMPLE_PX), SAMPLES).astype(int)
    corners = -(-places // BLOCK_PX) * BLOCK_PX
    return list(dict.fromkeys(np.where(corners + SAMPLE_PX <= stop, corners, places).tolist()))


def _window(grid: NativeGrid, area: LayerArea) -> Window | None:
    """The least window that holds all cells inside an area; `None` where it holds none."""
    x, y = np.meshgrid(np.linspace(area.box.xmin, area.box.xmax, EDGE), np.linspace(area.box.ymin, area.box.ymax, EDGE))
    if area.crs != grid.crs:
        x, y = transformer(area.crs, grid.crs).transform(x, y)
    columns, rows = grid.pixels_at(x, y)
    usable = np.isfinite(columns) & np.isfinite(rows)
    if not usable.any():
        return None
    first_row, last_row = _span(rows[usable], grid.height)
    first_column, last_column = _turned_span(columns[usable], grid)
    if first_row >= last_row or first_column >= last_column:
        return None
    return Window(first_row, last_row, first_column, last_column)


def _span(places: NDArray[np.floating], length: int) -> tuple[int, int]:
    return max(0, math.floor(places.min())), min(length, math.ceil(places.max()))


def _turned_span(columns: NDArray[np.floating], grid: NativeGrid) -> tuple[int, int]:
    """Columns of a grid in degrees count modulo the whole circle; of what lies on both its ends, all are taken."""
    period = grid.wrap_columns
    if period is None or (columns.min() >= 0 and columns.max() <= grid.width):
        return _span(columns, grid.width)
    west = columns - math.floor(columns.min() / period) * period
    return (0, grid.width) if west.max() > period else _span(west, grid.width)


def _is_inside(window: Window, step: int, grid: NativeGrid, area: LayerArea) -> BoolArray:
    """(y, x): which of the cells that are read have their centres inside the area."""
    columns = np.arange(window.column_start, window.column_stop, step) + 0.5
    rows = np.arange(window.row_start, window.row_stop, step) + 0.5
    x, y = grid.points_at(*np.meshgrid(columns, rows))
    if area.crs != grid.crs:
        x, y = transformer(grid.crs, area.crs).transform(x, y)
    box = area.box
    # What has no coordinates there is infinite, and inside nothing.
    with np.errstate(invalid="ignore"):
        east = (x - box.xmin) % WHOLE_CIRCLE if area.crs.is_geographic else x - box.xmin
        inside = (east >= 0) & (east <= box.xmax - box.xmin) & (y >= box.ymin) & (y <= box.ymax)
    return np.asarray(inside)
