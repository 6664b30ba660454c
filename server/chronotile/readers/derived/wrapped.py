"""What formulas and masks share: a reader around another one, and variables of one source side by side."""

import math
from collections.abc import Callable, Iterable, Mapping
from copy import copy
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import SourceInfo, VariableInfo
from chronotile.core.model.grid import NativeGrid, Window
from chronotile.core.model.raster import BoolArray, Pixels
from chronotile.core.model.time.instants import NO_TIME, TimeDomain, common_times
from chronotile.readers.reader import Reader, TellItem


class Wrapped(Reader):
    """Reads what another reader does; a subclass overrides what it changes.

    Args:
        reader: Of the same source.
        info: What the source holds, if not what the reader says.
    """

    def __init__(self, reader: Reader, info: SourceInfo | None = None) -> None:
        self._reader, self._own_info = reader, info
        self._made: Mapping[str, Any] = {}
        """Variables that a subclass makes of others, and of what, for `of_made`."""

    @property
    def info(self) -> SourceInfo:
        """What the source holds."""
        return self._reader.info if self._own_info is None else self._own_info

    def revision(self, variable: str, index: int) -> str:
        """Return the reader's state."""
        return self._reader.revision(variable, index)

    def read_window(self, variable: str, *, index: int, level: int, window: Window, step: int = 1) -> Pixels:
        """Return (y, x) pixels of a window of a level, of every `step`-th row and column."""
        return self._reader.read_window(variable, index=index, level=level, window=window, step=step)

    def telling(self, tell: TellItem) -> Reader:
        """Return a reader around that of the same source which reports left-out items to `tell`."""
        reader = self._reader.telling(tell)
        if reader is self._reader:
            return self
        changed = copy(self)
        changed._reader = reader  # noqa: SLF001 -- of this class
        return changed

    def close(self) -> None:
        """Let go of open files."""
        self._reader.close()


def _passed_on(name: str) -> Callable[..., Any]:
    def passed_on(self: Wrapped, *args: object, **named: object) -> object:
        return getattr(self._reader, name)(*args, **named)

    return passed_on


for _name in (
    *("counter", "is_counted", "state_key", "file_of", "fetch_ahead", "read_cell", "block_shape", "read_block"),
    *("reads_cells", "read_cells", "compose", "picture_sources", "prepare", "read_place", "native_cell"),
):
    setattr(Wrapped, _name, _passed_on(_name))


def of_made(read: Callable[..., Any]) -> Any:  # noqa: ANN401 -- of the signature that it has in `Reader`
    """Return a method of all variables, by name, out of one of those that are made, by what they are made of.

    The wrapped reader answers for the others.
    """

    @wraps(read)
    def of_any(self: Wrapped, variable: str, *args: object, **named: object) -> object:
        made = self._made.get(variable)
        if made is None:
            return getattr(self._reader, read.__name__)(variable, *args, **named)
        return read(self, made, *args, **named)

    return of_any


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

    def of(self, indexes: Iterable[int]) -> list[int]:
        """Return the positions of several times."""
        return [self.at(index) for index in indexes]


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
