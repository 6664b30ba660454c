"""Valid fraction of a layer at one time, estimated from few of its cells."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np

from chronotile.core.errors import SourceUnavailable, TooManyPieces
from chronotile.core.model.collection import Layer
from chronotile.core.model.raster import valid_pixels
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox
from chronotile.core.model.space.crs import Crs, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import BoolArray, FloatArray, Instant, InstantArray
from chronotile.pipeline.revision import pixel_revision, time_index
from chronotile.pipeline.services import Services
from chronotile.readers.reader import Reader

DIGITS = 4
"""Decimal digits of cached fractions."""
MAX_LEVEL_CELLS = 1 << 16
"""The finest level up to this size is counted. A coarse cell is valid if one native cell in it is."""
COUNTED_CELLS = 1 << 18
"""Approximate number of cells that are counted in a window that is read whole."""
READ_CELLS = 1 << 22
"""Maximum size of a window that is read whole. Larger ones, as in rasters without overviews, are sampled."""
SAMPLES, SAMPLE_PX, BLOCK_PX = 8, 64, 512
"""Number and size of the samples along each side, and the usual size of a block. Samples start at corners of blocks."""
EDGE = 33
"""Number of points along each side of an area that are projected to find its window."""


@dataclass(frozen=True, slots=True)
class LayerArea:
    """A box in a CRS, x first; longitudes may exceed 180 degrees."""

    box: BBox
    crs: Crs


@dataclass(frozen=True, slots=True)
class _WindowSample:
    """Cells of one window, of which every `step`-th row and column is counted."""

    window: Window
    step: int
    is_inside: BoolArray | None
    """(y, x) mask of the counted cells; `None` if all are inside the area."""


@dataclass(frozen=True, slots=True)
class SharePlan:
    """Cells of a variable that are counted, the same at all times."""

    variable: VariableInfo
    level: int
    parts: tuple[_WindowSample, ...]

    def read(self, reader: Reader, instant: Instant) -> BoolArray:
        """Return a (n,) mask of valid cells.

        Raises:
            SourceUnavailable: The cells cannot be read.
        """
        index = time_index(self.variable.times.instants, instant)
        return np.concatenate([self._valid(reader, index, part) for part in self.parts])

    def _valid(self, reader: Reader, index: int, part: _WindowSample) -> BoolArray:
        pixels = reader.read_window(
            self.variable.name, index=index, level=self.level, window=part.window, step=part.step
        )
        valid = valid_pixels(pixels, self.variable.encoding)
        return valid.ravel() if part.is_inside is None else valid[part.is_inside]


def share_plans(layer: Layer, area: LayerArea | None = None) -> tuple[SharePlan, ...]:
    """Return the cells that are counted for each variable of a layer: few, from a stored level.

    Args:
        layer: The layer.
        area: Only cells inside it are counted; `None` means all.

    Returns:
        One plan per variable; empty if the area contains no cell of a variable.
    """
    plans = tuple(_plan(variable, area) for variable in layer.variables)
    return plans if all(plan.parts for plan in plans) else ()


def valid_share(reader: Reader, plans: Sequence[SharePlan], instant: Instant) -> float:
    """Return the fraction of cells, 0 to 1, that are valid in all variables of a layer at one of its times.

    Raises:
        SourceUnavailable: The cells cannot be read.
    """
    valids = [plan.read(reader, instant) for plan in plans]
    if len({valid.shape for valid in valids}) > 1:
        return min(float(valid.mean()) for valid in valids)
    return float(reduce(np.logical_and, valids).mean())


@dataclass(frozen=True, slots=True)
class FilledTime:
    """A time and its valid fraction; -1 if none could be read, or the first readable one would open too many items."""

    instant: Instant
    share: float
    unreadable: tuple[tuple[Instant, SourceUnavailable], ...]
    """Newer times that could not be read."""


def newest_filled(reader: Reader, plans: Sequence[SharePlan], instants: InstantArray, *, least: float) -> FilledTime:
    """Return the newest time whose valid fraction is at least `least`; without one, the time with the largest.

    The search ends early if a time of a mosaic would open too many items.

    Args:
        reader: The reader of the source.
        plans: The plans of the layer.
        instants: (time,) candidates, at least one, newest first.
        least: The required fraction.
    """
    best, best_share = instants[0], -1.0
    unreadable: list[tuple[Instant, SourceUnavailable]] = []
    for instant in instants:
        try:
            share = valid_share(reader, plans, instant)
        except TooManyPieces:
            break  # a mosaic without overviews yet: use the fullest time so far, or the newest
        except SourceUnavailable as error:
            unreadable.append((instant, error))
            continue
        if share > best_share:
            best, best_share = instant, share
        if share >= least:
            break
    return FilledTime(best, best_share, tuple(unreadable))


def _plan(variable: VariableInfo, area: LayerArea | None) -> SharePlan:
    stored = variable.stored_levels
    for level, grid in sorted(stored.items()):
        window = Window(0, grid.height, 0, grid.width) if area is None else _window(grid, area)
        if window is None:
            break
        if window.height * window.width <= MAX_LEVEL_CELLS or level == max(stored):
            return SharePlan(variable, level, tuple(_parts(window, grid, area)))
    return SharePlan(variable, min(stored), ())


def _parts(window: Window, grid: NativeGrid, area: LayerArea | None) -> Iterator[_WindowSample]:
    """Yield the window, or samples of a large one; parts without a cell inside the area are skipped."""
    cells = window.height * window.width
    step = math.ceil(math.sqrt(cells / COUNTED_CELLS)) if cells <= READ_CELLS else 1
    for part in [window] if cells <= READ_CELLS else _samples(window):
        if area is None:
            yield _WindowSample(part, step, None)
        else:
            is_inside = _is_inside(part, step, grid, area)
            if is_inside.any():
                yield _WindowSample(part, step, is_inside)


def _samples(window: Window) -> Iterator[Window]:
    """Yield windows spread over a large one. Each is inside one block of most files, so that few blocks are decoded."""
    for row in _corners(window.row_start, window.row_stop):
        for column in _corners(window.column_start, window.column_stop):
            row_stop, column_stop = min(row + SAMPLE_PX, window.row_stop), min(column + SAMPLE_PX, window.column_stop)
            yield Window(row, row_stop, column, column_stop)


def _corners(start: int, stop: int) -> list[int]:
    """Return the starts of samples along a side: evenly spread, moved to the next corner of a block if it fits."""
    starts = np.linspace(start, max(start, stop - SAMPLE_PX), SAMPLES).astype(int)
    corners = -(-starts // BLOCK_PX) * BLOCK_PX
    return list(dict.fromkeys(np.where(corners + SAMPLE_PX <= stop, corners, starts).tolist()))


def _window(grid: NativeGrid, area: LayerArea) -> Window | None:
    """Return the smallest window that contains all cells inside an area; `None` if it contains no cell."""
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


def _span(positions: FloatArray, length: int) -> tuple[int, int]:
    return max(0, math.floor(positions.min())), min(length, math.ceil(positions.max()))


def _turned_span(columns: FloatArray, grid: NativeGrid) -> tuple[int, int]:
    """Return the first and last column, modulo 360 degrees; all columns if the area is at both ends of the grid."""
    period = grid.wrap_columns
    if period is None or (columns.min() >= 0 and columns.max() <= grid.width):
        return _span(columns, grid.width)
    west = columns - math.floor(columns.min() / period) * period
    return (0, grid.width) if west.max() > period else _span(west, grid.width)


def _is_inside(window: Window, step: int, grid: NativeGrid, area: LayerArea) -> BoolArray:
    """Return a (y, x) mask of the counted cells whose centres are inside the area."""
    columns = np.arange(window.column_start, window.column_stop, step) + 0.5
    rows = np.arange(window.row_start, window.row_stop, step) + 0.5
    x, y = grid.points_at(*np.meshgrid(columns, rows))
    if area.crs != grid.crs:
        x, y = transformer(grid.crs, area.crs).transform(x, y)
    box = area.box
    # Centres without coordinates in the CRS of the area are infinite, and so outside it.
    with np.errstate(invalid="ignore"):
        east = (x - box.xmin) % WHOLE_CIRCLE if area.crs.is_geographic else x - box.xmin
        inside = (east >= 0) & (east <= box.xmax - box.xmin) & (y >= box.ymin) & (y <= box.ymax)
    return np.asarray(inside)


def share_key(layer: Layer, instant: Instant, services: Services) -> str:
    """Return the key of a cached fraction: the instant and the revision of its pixels."""
    return f"{instant.astype('int64')}-{pixel_revision(layer, (instant,), services)}"
