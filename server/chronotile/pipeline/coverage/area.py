"""Which cells of a coverage lie in an area."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from chronotile.errors import InvalidParameter, OutsideData
from chronotile.model.geometry.area import Area
from chronotile.model.grid import NativeGrid, Window
from chronotile.model.raster import BoolArray
from chronotile.model.request import Point
from chronotile.pipeline.coverage.cells import columns_in_turn, outside
from chronotile.zones.outlines import outlines_of
from chronotile.zones.spans import Spans, centre_spans

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Inside:
    """Runs of cells along the rows of a coverage, in order of row."""

    rows: IntArray
    """(run,)."""
    starts: IntArray
    """(run,): the first column."""
    stops: IntArray
    """(run,): the column after the last."""

    def on(self, rows: range, width: int) -> BoolArray:
        """Return (y, x): which cells of consecutive rows lie inside."""
        first, last = np.searchsorted(self.rows, (rows.start, rows.stop)).tolist()
        changes = np.zeros((len(rows), width + 1), dtype=np.int8)
        own = self.rows[first:last] - rows.start
        np.add.at(changes, (own, self.starts[first:last]), 1)
        np.add.at(changes, (own, self.stops[first:last]), -1)
        inside: BoolArray = np.cumsum(changes[:, :-1], axis=1, dtype=np.int8).view(np.bool_)
        return inside


def cells_inside(area: Area, grid: NativeGrid, *, locator: str) -> Spans:
    """Return the cells of a grid whose centres lie in an area, as series of areas have them.

    Raises:
        OutsideData: There is none.
        InvalidParameter: The area cannot be expressed in the CRS of the grid, or its outlines are too long.
    """
    try:
        outlines = outlines_of((area,), grid)
        spans = centre_spans(outlines, grid)
    except InvalidParameter as error:
        raise InvalidParameter(error.message, locator=locator) from error
    if outlines.is_outside[0]:
        x, y = area.polygons[0][0].mean(axis=0)
        raise outside(grid, Point(x=float(x), y=float(y), crs=area.crs), locator=locator)
    if not spans.cells:
        raise OutsideData(f"no cell's centre lies in {locator}; name a larger area, or a bbox", locator=locator)
    return spans


def shrunk(window: Window, spans: Spans, grid: NativeGrid, *, locator: str) -> Window:
    """Return the part of a window of a grid that reaches no further than spans do.

    Raises:
        OutsideData: It has none of them.
    """
    if grid.is_circular and window.width == grid.width:
        start, width = _part_of_circle(spans, grid.width)
        window = window._replace(column_start=start, column_stop=start + width)
    rows, starts, stops = _in_window(spans, window, grid)
    if not rows.size:
        raise OutsideData(f"{locator} contains no cell centre in the rest of the request", locator=locator)
    return Window(int(rows.min()), int(rows.max()) + 1, int(starts.min()), int(stops.max()))


def inside_of(window: Window, spans: Spans, grid: NativeGrid) -> Inside:
    """Return which cells of a window, counted north-up from its corner, are those of spans."""
    rows, starts, stops = _in_window(spans, window, grid)
    rows = window.row_stop - 1 - rows if grid.transform.e > 0 else rows - window.row_start
    if grid.transform.a < 0:
        starts, stops = window.column_stop - stops, window.column_stop - starts
    else:
        starts, stops = starts - window.column_start, stops - window.column_start
    order = np.argsort(rows, kind="stable")
    return Inside(rows[order], starts[order], stops[order])


def _in_window(spans: Spans, window: Window, grid: NativeGrid) -> tuple[IntArray, IntArray, IntArray]:
    """Rows, first and past the last columns of the parts of spans in a window, which may begin in another turn."""
    turn = columns_in_turn(grid)
    parts = []
    for shift in (0,) if turn is None else (-turn, 0, turn):
        starts = np.clip(spans.starts + shift, window.column_start, window.column_stop)
        stops = np.clip(spans.stops + shift, window.column_start, window.column_stop)
        is_inside = (starts < stops) & (spans.rows >= window.row_start) & (spans.rows < window.row_stop)
        parts.append((spans.rows[is_inside], starts[is_inside], stops[is_inside]))
    rows, starts, stops = (np.concatenate(each) for each in zip(*parts, strict=True))
    return rows, starts, stops


def _part_of_circle(spans: Spans, width: int) -> tuple[int, int]:
    """First column and number of columns of the shortest part of a circle that has all spans."""
    changes = np.zeros(width + 1, dtype=np.int64)
    np.add.at(changes, spans.starts, 1)
    np.add.at(changes, spans.stops, -1)
    used = np.flatnonzero(np.cumsum(changes[:-1]))
    gaps = np.diff(used, append=used[0] + width)
    longest = int(np.argmax(gaps))
    return int(used[(longest + 1) % used.size]), width - int(gaps[longest]) + 1
