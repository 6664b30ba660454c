"""What formulas and masks share: a reader around another one, and variables of one source side by side."""

import math
from collections.abc import Hashable, Iterable, Sequence
from copy import copy
from dataclasses import dataclass
from functools import reduce

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Resampling, SourceInfo, VariableInfo
from chronotile.core.model.grid import Grid, NativeGrid, Window
from chronotile.core.model.raster import BoolArray, Pixels
from chronotile.core.model.request import Point
from chronotile.core.model.time.instants import NO_TIME, TimeDomain, common_times
from chronotile.core.read_cost import ReadCost
from chronotile.readers.reader import Along, BlockShape, Cell, IntArray, Reader, TellItem


class Wrapped(Reader):
    """Reads what another reader does; a subclass overrides what it changes.

    Args:
        reader: Of the same source.
        info: What the source holds, if not what the reader says.
    """

    def __init__(self, reader: Reader, info: SourceInfo | None = None) -> None:
        self._reader = reader
        self._own_info = info

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""
        return self._reader.info if self._own_info is None else self._own_info

    def revision(self, variable: str, index: int) -> str:
        """Return the reader's state."""
        return self._reader.revision(variable, index)

    def counter(self) -> str:
        """Return the reader's."""
        return self._reader.counter()

    def is_counted(self, variable: str, indexes: Sequence[int], window: Window | None = None) -> bool:
        """Return what the reader says of it."""
        return self._reader.is_counted(variable, indexes, window)

    def state_key(self, variable: str, index: int) -> Hashable:
        """Return that of the reader."""
        return self._reader.state_key(variable, index)

    def file_of(self, variable: str, index: int) -> str | None:
        """Return that of the reader."""
        return self._reader.file_of(variable, index)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        return self._reader.read_window(variable, index=index, level=level, window=window, step=step)

    def fetch_ahead(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> None:
        """Send the reader's requests of a window that is read soon."""
        self._reader.fetch_ahead(variable, index=index, level=level, window=window, step=step)

    def read_cell(self, variable: str, *, indexes: Sequence[int], row: int, column: int) -> Pixels:
        """Return (time,) pixels of one native cell."""
        return self._reader.read_cell(variable, indexes=indexes, row=row, column=column)

    def block_shape(self, variable: str, along: Along) -> BlockShape:
        """Return the shape of the reader's blocks."""
        return self._reader.block_shape(variable, along)

    def read_cost(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> ReadCost:
        """Return the reader's cost."""
        return self._reader.read_cost(variable, indexes=indexes, window=window, along=along)

    def read_block(self, variable: str, *, indexes: Sequence[int], window: Window, along: Along) -> Pixels:
        """Return (time, y, x) pixels of a window of the native grid."""
        return self._reader.read_block(variable, indexes=indexes, window=window, along=along)

    def reads_cells(self, variable: str) -> bool:
        """Return whether the reader reads scattered cells at once."""
        return self._reader.reads_cells(variable)

    def read_cells(self, variable: str, *, indexes: Sequence[int], rows: IntArray, columns: IntArray) -> Pixels:
        """Return (time, cell) pixels of native cells."""
        return self._reader.read_cells(variable, indexes=indexes, rows=rows, columns=columns)

    def telling(self, tell: TellItem) -> Reader:
        """Return a reader around that of the same source which reports left-out items to `tell`."""
        reader = self._reader.telling(tell)
        if reader is self._reader:
            return self
        changed = copy(self)
        changed._reader = reader  # noqa: SLF001 -- of this class
        return changed

    def compose(self, variable: str, *, index: int, grid: Grid, resampling: Resampling = "nearest") -> Pixels:
        """Return the reader's (y, x) pixels of a grid."""
        return self._reader.compose(variable, index=index, grid=grid, resampling=resampling)

    def picture_sources(self, variable: str, index: int, grid: Grid) -> str:
        """Return what the reader composes a picture of."""
        return self._reader.picture_sources(variable, index, grid)

    def prepare(self, variable: str, index: int) -> None:
        """Let the reader prepare."""
        self._reader.prepare(variable, index)

    def read_place(self, variable: str, *, indexes: Sequence[int], place: Point) -> Pixels:
        """Return the reader's (time,) pixels at a place."""
        return self._reader.read_place(variable, indexes=indexes, place=place)

    def native_cell(self, variable: str, index: int, place: Point) -> Cell | None:
        """Return the reader's cell at a place."""
        return self._reader.native_cell(variable, index, place)

    def close(self) -> None:
        """Let go of open files."""
        self._reader.close()


IndexArray = NDArray[np.intp]

TOLERANCE_CELLS = 0.01
"""By which corners of equal grids may differ, as stored coordinates are rounded."""


@dataclass(frozen=True, slots=True)
class Positions:
    """Where the times of a derived variable stand among those of one it is made of."""

    indexes: IndexArray | None
    """`None` of a variable without time, which is the same at all of them."""

    def at(self, index: int) -> int:
        """Return the index of the other variable's time."""
        return 0 if self.indexes is None else int(self.indexes[index])


def shared_times(variables: Iterable[VariableInfo]) -> TimeDomain:
    """Return the times that all have; those without time are there at any.

    Raises:
        InvalidParameter: They have times, but none in common.
    """
    timed = [variable for variable in variables if len(variable.times)]
    times = reduce(common_times, (variable.times for variable in timed)) if timed else NO_TIME
    if timed and not len(times):
        names = " and ".join(variable.name for variable in timed)
        raise InvalidParameter(f"{names} have no time in common", locator="expression")
    return times


def positions_in(variable: VariableInfo, times: TimeDomain) -> Positions:
    """Return where `times`, all of which a variable has, stand among its own."""
    return Positions(np.searchsorted(variable.times.starts, times.starts) if len(variable.times) else None)


def are_same_cells(first: NativeGrid, second: NativeGrid) -> bool:
    """Whether two grids have the same cells."""
    if first == second:
        return True
    is_same_size = (first.width, first.height) == (second.width, second.height)
    return first.crs == second.crs and is_same_size and _meet(_between(first, second), first)


def _meet(between: Affine, grid: NativeGrid) -> bool:
    corners = ((0, 0), (grid.width, 0), (0, grid.height))
    return all(math.dist(between @ corner, corner) < TOLERANCE_CELLS for corner in corners)


def _between(target: NativeGrid, source: NativeGrid) -> Affine:
    # From columns and rows of one grid to those of the other.
    between: Affine = ~source.transform @ target.transform
    return between


def cells_across(grid: NativeGrid, coarser: NativeGrid) -> int | None:
    """Return how many cells of `grid` lie side by side in one of `coarser`, or `None` if they do not fill it exactly.

    The two begin at the same corner and end in the same cell; 1 for the same cells.
    """
    if grid.crs != coarser.crs:
        return None
    between = _between(grid, coarser)
    count = round(1 / between.a) if between.a > 0 else 0
    sizes = (-(-grid.width // count), -(-grid.height // count)) if count else (0, 0)
    if sizes != (coarser.width, coarser.height):
        return None
    return count if _meet(Affine.scale(count) @ between, grid) else None


@dataclass(frozen=True, slots=True)
class Overlay:
    """Cells of another grid of the same CRS and orientation, under cells of a window."""

    window: Window
    """What to read of the other grid."""
    step: int
    _rows: IndexArray
    _columns: IndexArray

    def take(self, pixels: BoolArray) -> BoolArray:
        """Return (…, y, x) of the requested window, out of what was read."""
        return pixels.take(self._rows, axis=-2).take(self._columns, axis=-1)


def overlay(window: Window, step: int, *, grid: NativeGrid, other: NativeGrid) -> Overlay:
    """Return where the middles of every `step`-th row and column of a window of `grid` lie in `other`."""
    between = _between(grid, other)
    rows = _cells(range(window.row_start, window.row_stop, step), between.e, between.f, other.height)
    columns = _cells(range(window.column_start, window.column_stop, step), between.a, between.c, other.width)
    thinned = max(1, int(step * min(between.a, between.e)))
    return Overlay(
        Window(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1),
        thinned,
        (rows - rows[0]) // thinned,
        (columns - columns[0]) // thinned,
    )


def _cells(cells: range, scale: float, offset: float, size: int) -> IndexArray:
    middles = (np.arange(cells.start, cells.stop, cells.step) + 0.5) * scale + offset
    return np.asarray(np.clip(np.floor(middles), 0, size - 1), dtype=np.intp)
