"""Which windows of a level are read for a requested grid, and how coordinates are counted among what was read."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from chronotile.model.collection import Resampling
from chronotile.model.grid import FloatArray, NativeGrid, Window
from chronotile.warp.level_cells import Reach, span_of
from chronotile.warp.resampling import Axis

MAX_WINDOW_PIXELS = 16_777_216
"""Of one picture; where it would take more, of a source without overviews, every n-th row and column is read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelWindows:
    """The windows of a level that are read, and their positions among its cells."""

    windows: tuple[Window, ...]
    """Side by side from west to east; several where they cross the seam of a level that is a whole circle."""
    step: int
    """Every `step`-th row and column is read."""
    row: int
    """The first, from which coordinates are counted."""
    column: int
    """The first, from which coordinates are counted; negative where the windows begin west of the seam."""
    height: int
    """Rows that are read."""
    width: int
    """Columns that are read, of all windows."""
    is_whole_circle: bool
    """Whether the windows are all columns of a circle; coordinates are then taken modulo the level's width."""
    is_certain: bool
    """Whether all coordinates lie in the windows."""

    def axes(self, rows: FloatArray, columns: FloatArray) -> tuple[Axis, Axis]:
        """Return rows and columns, already counted from the first, among those that are read."""
        return (
            Axis(_thinned(rows, self.step), self.height, self.is_certain),
            Axis(_thinned(columns, self.step), self.width, self.is_certain),
        )


def level_windows(
    rows: Reach, columns: Reach, level: NativeGrid, *, resampling: Resampling, is_circular: bool, has_gaps: bool
) -> LevelWindows:
    """Return what is read of a level.

    Args:
        rows: How far coordinates reach that lie inside the level.
        columns: The same across; of a level with a seam they may leave 0 ... width.
        level: Whose cells they count.
        resampling: Bilinear reads one more cell on each side.
        is_circular: Whether there is a seam where the level goes all round.
        has_gaps: Whether some coordinates lie outside the level.
    """
    margin = 0 if resampling == "nearest" else 1
    row_start, row_stop = span_of(rows, margin, level.height)
    column_start, column_stop = span_of(columns, margin, None if is_circular else level.width)
    is_whole_circle = is_circular and column_stop - column_start > level.width
    if is_whole_circle:
        column_start, column_stop = -margin, level.width + margin
    height, width = row_stop - row_start, column_stop - column_start
    step = max(1, math.ceil(math.sqrt(height * width / MAX_WINDOW_PIXELS)))
    return LevelWindows(
        windows=tuple(
            Window(row_start, row_stop, start, stop)
            for start, stop in _parts_of(column_start, column_stop, level.width, step=step)
        ),
        step=step,
        row=row_start,
        column=column_start,
        height=math.ceil(height / step),
        width=math.ceil(width / step),
        is_whole_circle=is_whole_circle,
        is_certain=not has_gaps and step == 1 and not is_circular,
    )


def _parts_of(start: int, stop: int, width: int, *, step: int) -> Iterator[tuple[int, int]]:
    """Cut `[start, stop)` of an endless row of copies into spans of the one copy, each from a `step`-th column on."""
    while start < stop:
        turn = start // width * width
        part_stop = min(stop, turn + width)
        yield start - turn, part_stop - turn
        start += math.ceil((part_stop - start) / step) * step


def _thinned(coordinates: FloatArray, step: int) -> FloatArray:
    """Coordinates among every `step`-th cell, such that the middle of a cell that is read is the middle of a cell."""
    return coordinates if step == 1 else (coordinates - 0.5) / step + 0.5
