"""Files whose rows run the other way than those of most, or whose longitudes begin elsewhere: the same cells."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from chronotile.model.grid import WHOLE_CIRCLE, NativeGrid, Window
from chronotile.model.raster import Pixels

NEAR_PX = 1e-4
"""By which corners may differ, in cells: what writers lose of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Where cells of a grid are in that of a file."""

    height: int
    width: int
    is_flipped: bool = False
    """Whether the first row is the last of the file."""
    shift: int = 0
    """Columns from the first of the file to that of the grid; behind the last comes the first."""

    def cell(self, row: int, column: int) -> tuple[int, int]:
        """Return row and column in the file of a cell of the grid."""
        return self.height - 1 - row if self.is_flipped else row, (column + self.shift) % self.width

    def read(self, read: Callable[[Window], Pixels], window: Window, *, step: int = 1) -> Pixels:
        """Return (…, y, x) pixels of a window of the grid, of every `step`-th row and column, in the grid's order.

        Args:
            read: Returns those of a window of the file, of every `step`-th row and column.
            window: Of the grid.
            step: Rows and columns from one to the next.
        """
        if not (self.is_flipped or self.shift):
            return read(window)
        rows = np.arange(window.row_start, window.row_stop, step)
        rows = self.height - 1 - rows[::-1] if self.is_flipped else rows
        columns = (np.arange(window.column_start, window.column_stop, step) + self.shift) % self.width
        runs = np.split(columns, np.flatnonzero(np.diff(columns) < 0) + 1)
        parts = [read(Window(int(rows[0]), int(rows[-1]) + 1, int(run[0]), int(run[-1]) + 1)) for run in runs]
        order = slice(None, None, -1 if self.is_flipped else 1)
        numbers = np.concatenate([part.numbers for part in parts], axis=-1)[..., order, :]
        if all(part.valid is None for part in parts):
            return Pixels(numbers)
        valid = [np.ones(part.numbers.shape, dtype=bool) if part.valid is None else part.valid for part in parts]
        return Pixels(numbers, np.concatenate(valid, axis=-1)[..., order, :])


def _goes_round(grid: NativeGrid) -> bool:
    """Whether behind the last column comes the first, with no cell twice."""
    return grid.wrap_columns is not None and abs(grid.wrap_columns - grid.width) <= NEAR_PX * grid.width


def turn_of(own: NativeGrid, grid: NativeGrid) -> Turn | None:
    """Return where the cells of a grid are in a file's own, to a ten-thousandth of one; `None` if that has others."""
    near = grid.resolution * NEAR_PX
    (a, b, c, d, e, f), (own_a, own_b, own_c, own_d, own_e, own_f) = grid.transform[:6], own.transform[:6]
    is_flipped = e * own_e < 0 and b == 0 and d == 0
    if is_flipped:
        own_e, own_f = -own_e, own_f + own_e * own.height
    is_alike = (own.width, own.height, own.crs) == (grid.width, grid.height, grid.crs)
    pairs = zip((a, b, d, e, f), (own_a, own_b, own_d, own_e, own_f), strict=True)
    if not is_alike or any(abs(one - other) > near for one, other in pairs):
        return None
    turns = round((c - own_c) / WHOLE_CIRCLE) if grid.wrap_columns is not None else 0
    distance = c - own_c - turns * WHOLE_CIRCLE
    if abs(distance) <= near:
        return Turn(height=grid.height, width=grid.width, is_flipped=is_flipped)
    columns = round(distance / a) if _goes_round(grid) else 0
    if not columns or abs(distance - columns * a) > near:
        return None
    return Turn(height=grid.height, width=grid.width, is_flipped=is_flipped, shift=columns % grid.width)
