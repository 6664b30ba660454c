"""Arrays with a latitude and longitude per cell, read as rasters on a regular grid."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache, partial
from typing import NamedTuple

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import Float64Array, FloatArray, Int32Array, Int64Array
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.cf.cell_areas import AreaPart, find_areas
from chronotile.readers.cf.fields import Field, FieldSet
from chronotile.readers.cf.geolocation import Geolocation, examine, find_geolocation
from chronotile.readers.cf.nearest_cells import (
    STRIP_CELLS,
    CellIndex,
    CellPositions,
    ThinnedPositions,
    find_nearest,
    index_cells,
    unit_vectors,
)
from chronotile.readers.cf.regular_grid import DEGREES, levels_over, pixel_side, regular_grid, thinning_of
from chronotile.readers.configured_encoding import fits

INDEX_BYTES, PLAN_BYTES = 16 << 20, 64 << 20
"""Sizes of the caches of indexes and of plans of a process."""
PLAN_OVERHEAD_BYTES = 500
COARSER = 1.1
"""Minimum factor between the sides of a cell of a coarser grid and of a cell."""
GROUP_SIDE_PX = 256
"""Side of the squares whose scattered pixels are searched together."""
MAX_SKIPPED_ROWS = 64
"""Rows without a pixel that are read together with their neighbours."""


@dataclass(frozen=True, slots=True)
class CellPart:
    """Cells of one window of an array, and the pixels that have their values."""

    window: Window
    sources: Int32Array
    """(n,) positions in the window, counted row by row."""
    targets: Int32Array
    """(n,) positions among the pixels, counted row by row."""


@dataclass(frozen=True, slots=True)
class SwathPlan:
    """Cells of an array whose values the pixels of a window of a regular grid have."""

    shape: tuple[int, int]
    parts: tuple[CellPart, ...]

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return sum((part.sources.nbytes + part.targets.nbytes for part in self.parts), PLAN_OVERHEAD_BYTES)

    def read(self, read_block: Callable[[Window], Pixels], count: int, encoding: Encoding) -> Pixels:
        """Return (time, y, x) pixels; pixels without a cell are nodata, or masked if no number means nodata.

        Args:
            read_block: Returns (time, y, x) pixels of a window of the array.
            count: Number of times.
            encoding: Meaning of the numbers.
        """
        size = self.shape[0] * self.shape[1]
        numbers = np.full((count, size), fill := _fill_of(encoding), dtype=encoding.dtype)
        is_covered = np.zeros(size, dtype=bool)
        for part in self.parts:
            numbers[:, part.targets] = read_block(part.window).numbers.reshape(count, -1)[:, part.sources]
            is_covered[part.targets] = True
        shape = count, *self.shape
        is_masked = bool(encoding.valid(np.array([fill], dtype=encoding.dtype))[0])
        mask = np.broadcast_to(is_covered.reshape(self.shape), shape) if is_masked else None
        return Pixels(numbers.reshape(shape), mask)


def _fill_of(encoding: Encoding) -> float:
    """Return a number without a value; 0 if each number of the type may be a value."""
    dtype = np.dtype(encoding.dtype)
    if dtype.kind == "f":
        return np.nan
    return encoding.nodata if encoding.nodata is not None and fits(encoding.nodata, dtype) else 0


class NearestCells(NamedTuple):
    """Cells that are nearest to the pixels of a grid."""

    numbers: Int64Array
    """(y, x) numbers of thinned cells, counted row by row; -1 without a cell."""
    factors: tuple[int, int]
    """n and m: every n-th row and m-th column of cells is used."""
    width: int
    """Number of columns of thinned cells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swath:
    """The cells of a geolocation on their regular grid."""

    geolocation: Geolocation
    cells: CellPositions
    """The positions; in memory while the file is indexed."""
    digest: str
    """Digest of all positions."""
    index: CellIndex
    levels: tuple[NativeGrid, ...]
    stored: Mapping[NativeGrid, Callable[[], NearestCells | None]] = field(default_factory=dict)
    """Functions by level: each decodes the nearest cell of the swath for each pixel of the level, as stored in the item
    index. It returns `None` if the stored numbers are damaged."""

    def plan(self, level: int, window: Window, step: int) -> SwathPlan:
        """Return the cells for every `step`-th row and column of a window of a level; from the cache if possible."""
        key = self.digest, self.levels[level], window, step
        return _plans().get_or_make(key, partial(self._make_plan, level, window, step))

    @property
    def has_areas(self) -> bool:
        """Whether cells of the grid are larger than the cells, so that a grid cell may be a mean of several."""
        return pixel_side(self.levels[0]) > COARSER * self.index.side

    def areas(self, window: Window) -> tuple[AreaPart, ...]:
        """Return the cells whose sub-cells fall in the pixels of a native window; from the cache if possible."""
        key = self.digest, self.levels[0], window
        return _areas().get_or_make(key, partial(self._find_areas, window))

    def _find_areas(self, window: Window) -> tuple[AreaPart, ...]:
        grid, columns = self.levels[0], np.arange(window.column_start, window.column_stop) + 0.5

        def centres(rows: range) -> Float64Array:
            return _points_of(grid, np.array([rows]).T + 0.5, columns)

        return find_areas(self.cells, self.index, grid, window=window, centres=centres)

    def _make_plan(self, level: int, window: Window, step: int) -> SwathPlan:
        rows = range(window.row_start, window.row_stop, step)
        columns = range(window.column_start, window.column_stop, step)
        stored = self.stored.get(self.levels[level])
        nearest = None if stored is None else stored()
        if nearest is None:
            nearest = self.find_nearest(level, rows, columns)
        else:
            nearest = nearest._replace(numbers=nearest.numbers[np.ix_(rows, columns)])
        return SwathPlan(nearest.numbers.shape, tuple(_parts_of(nearest)))

    def find_nearest(self, level: int, rows: range, columns: range) -> NearestCells:
        """Return the nearest cells of pixels of a level."""
        cells, index, factors = self._cells_at(thinning_of(self.levels[level], self.index.sides) if level else (1, 1))
        strip, centres = max(1, STRIP_CELLS // len(columns)), np.array(columns) + 0.5
        numbers = np.concatenate(
            [
                find_nearest(
                    cells, index, _points_of(self.levels[level], np.array([rows[i : i + strip]]).T + 0.5, centres)
                )
                for i in range(0, len(rows), strip)
            ]
        )
        return NearestCells(numbers, factors, cells.width)

    def find_cells(self, rows: Int64Array, columns: Int64Array) -> Int64Array:
        """Return (n,) numbers of the cells of scattered native pixels, counted row by row; -1 without a cell."""
        numbers = np.empty(rows.size, dtype=np.int64)
        groups = rows // GROUP_SIDE_PX * self.levels[0].width + columns // GROUP_SIDE_PX
        order = np.argsort(groups, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
            points = _points_of(self.levels[0], rows[np.newaxis, group] + 0.5, columns[group] + 0.5)
            numbers[group] = find_nearest(self.cells, self.index, points)[0]
        return numbers

    def _cells_at(self, factors: tuple[int, int]) -> tuple[CellPositions, CellIndex, tuple[int, int]]:
        """Return every n-th row and m-th column of cells with their index, n and m: at most `factors`."""
        if factors == (1, 1):
            return self.cells, self.index, factors
        index, thinned = _indexes().get_or_make((self.digest, factors), partial(self._index_thinned, factors))
        return ThinnedPositions(self.cells, thinned), index, thinned

    def _index_thinned(self, factors: tuple[int, int]) -> tuple[CellIndex, tuple[int, int]]:
        """Return the index of thinned cells, and the factors, which are smaller if thinned cells lack neighbours."""
        n, m = factors
        while max(n, m) > 1:
            with suppress(UnsupportedSource):
                return index_cells(ThinnedPositions(self.cells, (n, m))), (n, m)
            n, m = max(1, n // 2), max(1, m // 2)
        return self.index, (1, 1)


def _points_of(grid: NativeGrid, rows: FloatArray, columns: FloatArray) -> Float64Array:
    """Return (y, x, 3) unit vectors of fractional rows and columns of a north-up grid, which are broadcast."""
    x, y = grid.points_at(columns, rows)
    if grid.crs.name not in {DEGREES, CRS84.name}:
        x, y = np.broadcast_arrays(x, y)
        x, y = transformer(grid.crs, CRS84).transform(x, y)
    points = unit_vectors(x, y)
    points[~np.isfinite(points).all(axis=-1)] = np.nan
    return points


def _parts_of(nearest: NearestCells) -> Iterator[CellPart]:
    """Yield the windows of an array with cells, of rows that are near each other."""
    numbers, factors, width = nearest
    targets = np.flatnonzero(numbers >= 0)
    rows, columns = map(np.multiply, np.divmod(numbers.ravel()[targets], width), factors)
    used = np.unique(rows)
    for run in np.split(used, np.flatnonzero(np.diff(used) > MAX_SKIPPED_ROWS * factors[0]) + 1) if used.size else ():
        inside = (rows >= run[0]) & (rows <= run[-1])
        y, x = rows[inside], columns[inside]
        window = Window(int(run[0]), int(run[-1]) + 1, int(x.min()), int(x.max()) + 1)
        sources = (y - window.row_start) * window.width + x - window.column_start
        yield CellPart(window, sources.astype(np.int32), targets[inside].astype(np.int32))


@cache
def _plans() -> ByteCache[SwathPlan]:
    return ByteCache(PLAN_BYTES, lambda plan: plan.nbytes)


@cache
def _areas() -> ByteCache[tuple[AreaPart, ...]]:
    return ByteCache(PLAN_BYTES, lambda parts: sum((part.nbytes for part in parts), PLAN_OVERHEAD_BYTES))


@cache
def _indexes() -> ByteCache[tuple[CellIndex, tuple[int, int]]]:
    return ByteCache(INDEX_BYTES, lambda entry: entry[0].nbytes)


OpenSwath = Callable[[Geolocation, TargetGrid | None], Swath]


class Swaths:
    """Swaths of the arrays of a file; each geolocation is read once.

    Args:
        fields: All arrays.
        target: The configured grid.
        open_: Opens the swath of a geolocation.
    """

    def __init__(self, fields: FieldSet, target: TargetGrid | None, open_: OpenSwath) -> None:
        self._fields, self._target, self._open = fields, target, open_
        self._swaths = dict[tuple[str, str], Swath | UnsupportedSource]()

    def swath_of(self, array: Field) -> Swath | None:
        """Return the cells of an array; `None` if it has no latitudes and longitudes.

        Raises:
            UnsupportedSource: The positions cannot be used.
        """
        geolocation = find_geolocation(array, self._fields)
        if geolocation is None:
            return None
        key = geolocation.latitude.name, geolocation.longitude.name
        if key not in self._swaths:
            try:
                self._swaths[key] = self._open(geolocation, self._target)
            except UnsupportedSource as error:
                self._swaths[key] = error
        swath = self._swaths[key]
        if isinstance(swath, UnsupportedSource):
            raise swath
        return swath


def open_swath(geolocation: Geolocation, target: TargetGrid | None, *, keeps_positions: bool = False) -> Swath:
    """Return the cells of a geolocation on a grid, which reads all positions.

    Args:
        geolocation: The positions.
        target: The configured grid.
        keeps_positions: Whether positions stay in memory if they are few.

    Raises:
        UnsupportedSource: The positions cannot be used.
    """
    geolocation, digest, positions = examine(geolocation)
    index, _factors = _indexes().get_or_make((digest, (1, 1)), lambda: (index_cells(positions), (1, 1)))
    levels = levels_over(regular_grid(positions, index, target))
    cells = positions if keeps_positions else geolocation
    return Swath(geolocation=geolocation, cells=cells, digest=digest, index=index, levels=levels)
