"""Arrays with a latitude and longitude per cell, read as rasters on a regular grid."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, partial

import numpy as np

from chronotile.core.errors import UnsupportedSource
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels
from chronotile.core.model.source import TargetGrid, VariableInfo
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.types import Float64Array, FloatArray, Int32Array, Int64Array
from chronotile.core.read_cost import BLOCK_S, ReadCost
from chronotile.readers.caches.byte_cache import ByteCache
from chronotile.readers.cf.cell_areas import AreaPart, average_areas, find_areas, is_averaging
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
from chronotile.readers.library_errors import Damaged, reading
from chronotile.readers.overview_summaries import Counting
from chronotile.readers.reader import PLAIN_BLOCK, Along, BlockShape, Reader
from chronotile.readers.wrapping_reader import DerivingReader, dispatch_derived

INDEX_BYTES, PLAN_BYTES = 16 << 20, 64 << 20
"""Sizes of the caches of indexes and of plans of a process."""
PLAN_OVERHEAD_BYTES = 500
LOOKUP_S, GATHER_S = 2e-6, 20e-9
"""Processor seconds to find the nearest cell of a pixel, and to take its value."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Swath:
    """The cells of a geolocation on their regular grid."""

    geolocation: Geolocation
    digest: str
    """Digest of all positions."""
    index: CellIndex
    levels: tuple[NativeGrid, ...]

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

        return find_areas(self.geolocation, self.index, grid, window=window, centres=centres)

    def _make_plan(self, level: int, window: Window, step: int) -> SwathPlan:
        rows = range(window.row_start, window.row_stop, step)
        columns = np.arange(window.column_start, window.column_stop, step) + 0.5
        cells, index, factors = self._cells_at(thinning_of(self.levels[level], self.index.sides) if level else (1, 1))
        strip = max(1, STRIP_CELLS // columns.size)
        numbers = np.concatenate(
            [
                find_nearest(
                    cells, index, _points_of(self.levels[level], np.array([rows[i : i + strip]]).T + 0.5, columns)
                )
                for i in range(0, len(rows), strip)
            ]
        )
        return SwathPlan(numbers.shape, tuple(_parts_of(numbers, cells.width, factors)))

    def find_cells(self, rows: Int64Array, columns: Int64Array) -> Int64Array:
        """Return (n,) numbers of the cells of scattered native pixels, counted row by row; -1 without a cell."""
        numbers = np.empty(rows.size, dtype=np.int64)
        groups = rows // GROUP_SIDE_PX * self.levels[0].width + columns // GROUP_SIDE_PX
        order = np.argsort(groups, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(groups[order])) + 1):
            points = _points_of(self.levels[0], rows[np.newaxis, group] + 0.5, columns[group] + 0.5)
            numbers[group] = find_nearest(self.geolocation, self.index, points)[0]
        return numbers

    def _cells_at(self, factors: tuple[int, int]) -> tuple[CellPositions, CellIndex, tuple[int, int]]:
        """Return every n-th row and m-th column of cells with their index, n and m: at most `factors`."""
        if factors == (1, 1):
            return self.geolocation, self.index, factors
        index, thinned = _indexes().get_or_make((self.digest, factors), partial(self._index_thinned, factors))
        return ThinnedPositions(self.geolocation, thinned), index, thinned

    def _index_thinned(self, factors: tuple[int, int]) -> tuple[CellIndex, tuple[int, int]]:
        """Return the index of thinned cells, and the factors, which are smaller if thinned cells lack neighbours."""
        n, m = factors
        while max(n, m) > 1:
            with suppress(UnsupportedSource):
                return index_cells(ThinnedPositions(self.geolocation, (n, m))), (n, m)
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


def _parts_of(numbers: Int64Array, width: int, factors: tuple[int, int]) -> Iterator[CellPart]:
    """Yield the windows of an array with the cells `numbers` (y, x), of rows that are near each other."""
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


class Swaths:
    """Swaths of the arrays of a file; each geolocation is read once.

    Args:
        fields: All arrays.
        target: The configured grid.
    """

    def __init__(self, fields: FieldSet, target: TargetGrid | None) -> None:
        self._fields, self._target = fields, target
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
                self._swaths[key] = open_swath(geolocation, self._target)
            except UnsupportedSource as error:
                self._swaths[key] = error
        swath = self._swaths[key]
        if isinstance(swath, UnsupportedSource):
            raise swath
        return swath


def open_swath(geolocation: Geolocation, target: TargetGrid | None) -> Swath:
    """Return the cells of a geolocation on a grid, which reads all positions.

    Raises:
        UnsupportedSource: The positions cannot be used.
    """
    geolocation, digest, positions = examine(geolocation)
    index, _factors = _indexes().get_or_make((digest, (1, 1)), lambda: (index_cells(positions), (1, 1)))
    levels = levels_over(regular_grid(positions, index, target))
    return Swath(geolocation=geolocation, digest=digest, index=index, levels=levels)


@dataclass(frozen=True, slots=True)
class SwathVariable:
    """An array on a regular grid."""

    name: str
    encoding: Encoding
    swath: Swath
    counting: Counting | None
    """How its numbers are averaged; `None` for bit flags."""


class SwathReader(DerivingReader[SwathVariable]):
    """Reader of variables whose pixels have the values of the nearest cells of swaths, or means of areas.

    Pixels are means of areas inside `averaging_areas`, if their level is native and every row and column is read.

    Args:
        collection: Id, for messages.
        reader: Reads blocks of the arrays; its information already has the regular grids.
        swaths: The cells of some variables, by id.
    """

    def __init__(self, collection: str, reader: Reader, swaths: Mapping[str, Swath]) -> None:
        variables = {name: _swath_variable(reader.info.variables[name], swath) for name, swath in swaths.items()}
        super().__init__(reader, variables, reader.info)
        self._collection = collection
        self._states = {swath.digest: reader.revision(name, 0) for name, swath in swaths.items()}
        """Revision of a source when its positions were last compared, by their digest."""

    @property
    def swaths(self) -> Mapping[str, Swath]:
        """The cells of its variables, by id."""
        return {name: variable.swath for name, variable in self._derived.items()}

    @dispatch_derived
    def read_window(self, variable: SwathVariable, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of every `step`-th row and column of a window of a level."""
        if is_averaging() and (level, step) == (0, 1):
            pixels = self.read_block(variable.name, indexes=[index], window=window, along="space")
        else:
            pixels = self._read(variable, [index], "space", level=level, window=window, step=step)
        return Pixels(pixels.numbers[0], None if pixels.valid is None else pixels.valid[0])

    @dispatch_derived
    def fetch_ahead(self, variable: SwathVariable, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Do nothing: the cells of a window are unknown until positions are read."""

    @dispatch_derived
    def read_cell(self, variable: SwathVariable, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        pixels = self._read(variable, indexes, "time", level=0, window=Window.from_cell(row, column), step=1)
        return Pixels(pixels.numbers[:, 0, 0], None if pixels.valid is None else pixels.valid[:, 0, 0])

    @dispatch_derived
    def read_block(self, variable: SwathVariable, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid; bit flags are never averaged."""
        nearest = self._read(variable, indexes, along, level=0, window=window, step=1)
        if variable.counting is None or not is_averaging() or not variable.swath.has_areas:
            return nearest
        with reading(self._collection, variable.name):
            parts = variable.swath.areas(window)
        return average_areas(
            parts,
            nearest,
            lambda part, times: self._reader.read_block(
                variable.name, indexes=indexes[times], window=part, along=along
            ),
            variable.counting,
        )

    def _read(
        self, variable: SwathVariable, indexes: Sequence[int], along: Along, *, level: int, window: Window, step: int
    ) -> Pixels:
        with reading(self._collection, variable.name):
            self._require_same_positions(variable)
            plan = variable.swath.plan(level, window, step)
        return plan.read(
            lambda part: self._reader.read_block(variable.name, indexes=indexes, window=part, along=along),
            len(indexes),
            variable.encoding,
        )

    def _require_same_positions(self, variable: SwathVariable) -> None:
        """Check that a source that was written since has the positions that it had."""
        swath = variable.swath
        state = self._reader.revision(variable.name, 0)
        if state != self._states[swath.digest]:
            if examine(swath.geolocation)[1] != swath.digest:
                raise Damaged("latitudes and longitudes of its cells have changed")
            self._states[swath.digest] = state

    @dispatch_derived
    def read_cells(
        self, variable: SwathVariable, *, indexes: Sequence[int], rows: Int64Array, columns: Int64Array
    ) -> Pixels:
        """Return (time, cell) pixels of scattered native cells."""
        with reading(self._collection, variable.name):
            self._require_same_positions(variable)
            cells = variable.swath.find_cells(rows, columns)
        targets = np.flatnonzero(cells >= 0)
        y, x = np.divmod(cells[targets], variable.swath.geolocation.width)
        sources = np.arange(targets.size, dtype=np.int32)
        parts = (CellPart(Window(0, 1, 0, targets.size), sources, targets.astype(np.int32)),) if targets.size else ()
        pixels = SwathPlan((1, rows.size), parts).read(
            lambda _window: self._reader.read_cells(variable.name, indexes=indexes, rows=y, columns=x),
            len(indexes),
            variable.encoding,
        )
        return Pixels(pixels.numbers[:, 0], None if pixels.valid is None else pixels.valid[:, 0])

    @dispatch_derived
    def block_shape(self, variable: SwathVariable, along: Along) -> BlockShape:
        """Return the length of a chunk along time, and a usual size in space."""
        return PLAIN_BLOCK._replace(times=self._reader.block_shape(variable.name, along).times)

    @dispatch_derived
    def read_cost(
        self,
        variable: SwathVariable,
        *,
        indexes: Sequence[int],
        window: Window,
        along: Along,
    ) -> ReadCost:
        """Return the cost of the array, and of the search for the nearest cells, once for all times."""
        cost = self._reader.read_cost(variable.name, indexes=indexes, window=window, along=along)
        search_s = LOOKUP_S / max(1, len(indexes))
        return replace(cost, block_s=cost.block_s + BLOCK_S, value_s=cost.value_s + GATHER_S + search_s)


def _swath_variable(info: VariableInfo, swath: Swath) -> SwathVariable:
    counting = Counting(encoding=info.encoding, is_categorical=info.is_categorical)
    return SwathVariable(info.name, info.encoding, swath, None if info.bit_flags else counting)


def serve_swaths(collection: str, reader: Reader, swaths: Mapping[str, Swath]) -> Reader:
    """Return a reader of variables on regular grids; `reader` itself if it has no swaths."""
    return SwathReader(collection, reader, swaths) if swaths else reader
