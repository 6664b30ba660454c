"""What formulas and masks share: a reader around another one, and variables of one source side by side."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce, wraps
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast

import numpy as np
from affine import Affine

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.source import SourceInfo, VariableInfo
from chronotile.core.model.space.grid import NativeGrid, Window
from chronotile.core.model.time.domain import NO_TIME, TimeDomain, common_times
from chronotile.core.model.types import BoolArray, IndexArray
from chronotile.readers.reader import Reader

Method = TypeVar("Method", bound=Callable[..., object])


def _forward(method: Method) -> Method:
    """Return a method of `Wrapped` that calls the same method of its reader."""

    @wraps(method, updated=())  # it is not abstract
    def call(self: "Wrapped", *values: object, **options: object) -> object:
        return getattr(self._reader, method.__name__)(*values, **options)

    return cast("Method", call)


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

    revision = _forward(Reader.revision)
    revision_key = _forward(Reader.revision_key)
    file_of = _forward(Reader.file_of)
    read_window = _forward(Reader.read_window)
    fetch_ahead = _forward(Reader.fetch_ahead)
    read_cell = _forward(Reader.read_cell)
    block_shape = _forward(Reader.block_shape)
    read_cost = _forward(Reader.read_cost)
    read_block = _forward(Reader.read_block)
    has_fast_cells = _forward(Reader.has_fast_cells)
    read_cells = _forward(Reader.read_cells)
    close = _forward(Reader.close)


Derivation = TypeVar("Derivation")
Options = ParamSpec("Options")
Result = TypeVar("Result")


class Deriving(Wrapped, Generic[Derivation]):
    """Reads what another reader does, and variables that are derived from those of that reader.

    Methods with the decorator `for_derived` take the derivation instead of the name of the variable. They are called
    for derived variables; for others the method of the reader is.

    Args:
        reader: Of the same source.
        derived: Derivations by the id of the variable.
        info: What the source holds.
    """

    def __init__(self, reader: Reader, derived: Mapping[str, Derivation], info: SourceInfo) -> None:
        super().__init__(reader, info)
        self._derived = dict(derived)


def for_derived(
    method: Callable[Concatenate[Any, Derivation, Options], Result],
) -> Callable[Concatenate[Any, str, Options], Result]:
    """Return a method of `Deriving` that takes the name of any variable."""

    @wraps(method)
    def call(self: Deriving[Derivation], variable: str, *values: Options.args, **options: Options.kwargs) -> Result:
        derivation = self._derived.get(variable)
        if derivation is None:
            return cast("Result", getattr(self._reader, method.__name__)(variable, *values, **options))
        return method(self, derivation, *values, **options)

    return cast("Callable[Concatenate[Any, str, Options], Result]", call)


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

    def at_all(self, indexes: Sequence[int]) -> list[int]:
        """Return the indexes of the other variable's times."""
        return list(map(self.at, indexes))


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
