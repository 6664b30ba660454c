"""Trims of coverages: the rows and columns of a grid that are inside all requested boxes.

Columns of longitude repeat after 360 degrees. A window may therefore start before the first column or end beyond the
last one; `column_runs` maps it to columns of the source. A *turn* is one repetition.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from chronotile.core.errors import InvalidParameter, OutsideData
from chronotile.core.model.coverage import Trim
from chronotile.core.model.request import Point
from chronotile.core.model.space.boxes import FARTHEST, WHOLE_CIRCLE, BBox
from chronotile.core.model.space.crs import CRS84, Crs, are_alike, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.pipeline.native_cell import outside_hint

EDGE_CELLS = 1e-9
"""Minimum part of a cell inside a box, to which rounding errors are added; a smaller part only touches the box."""

ROUNDINGS = 4
"""Possible error of a position in units of the last place: it is the sum of two products."""

POINTS_PER_SIDE = 257
"""Points along each side of a box that is projected; a side 500 km long is then off by centimetres."""

MARGIN = 0.05
"""Possible reach of data beyond their projected box, as a fraction of its width and height."""


class Interval(NamedTuple):
    """Positions along an axis, both inclusive."""

    low: float
    high: float


class CellRun(NamedTuple):
    """Adjacent columns of a source, and their position in a window."""

    offset: int
    """Column of the window that the first one fills."""
    start: int
    stop: int


def trim_window(grid: NativeGrid, trims: Sequence[Trim]) -> Window:
    """Return the rows and columns of a grid without rotation that all trims leave.

    A cell is selected if more than an edge of it is in the box. Columns of longitude may be outside the grid, see
    `column_runs`.

    Raises:
        OutsideData: A trim leaves no cell, or two trims do not overlap.
    """
    trims = [replace(trim, box=BBox(*map(_limit_edge, trim.box))) for trim in trims]
    if len(trims) > 1:
        for trim in trims:
            _trim(grid, (trim,))
    return _trim(grid, intersect_trims(trims))


def _limit_edge(edge: float) -> float:
    # Infinite edges are open and stay unchanged; others are limited, as sums beyond 1e300 would become infinite.
    return edge if math.isinf(edge) else min(max(edge, -FARTHEST), FARTHEST)


def intersect_trims(trims: Sequence[Trim]) -> tuple[Trim, ...]:
    """Return the intersection of trims: one per CRS; xmax exceeds 180 degrees if it crosses the antimeridian.

    Raises:
        OutsideData: Two trims do not overlap.
    """
    trim_by_crs: dict[Crs, Trim] = {}
    for trim in trims:
        xmin, xmax = trim.box.xmin, trim.box.xmax
        unwound = trim if xmin <= xmax else replace(trim, box=trim.box._replace(xmax=xmax + WHOLE_CIRCLE))
        key = next((crs for crs in trim_by_crs if are_alike(crs, trim.crs)), trim.crs)
        trim_by_crs[key] = _both(trim_by_crs[key], unwound) if key in trim_by_crs else unwound
    return tuple(trim_by_crs.values())


def grid_of(grid: NativeGrid, window: Window, crs: Crs) -> Grid:
    """Return the north-up grid of a window; `crs` replaces the CRS of the grid and may differ only in its name."""
    xs, ys = (
        sorted((start * scale + offset, stop * scale + offset))
        for start, stop, scale, offset in (
            (window.column_start, window.column_stop, grid.transform.a, grid.transform.c),
            (window.row_start, window.row_stop, grid.transform.e, grid.transform.f),
        )
    )
    return Grid(crs=crs, bbox=BBox(xs[0], ys[0], xs[1], ys[1]), width=window.width, height=window.height)


def column_runs(grid: NativeGrid, window: Window) -> Iterator[CellRun]:
    """Yield the columns of a source that a window contains, from west to east of the window."""
    turn = columns_per_turn(grid) or grid.width
    start = window.column_start
    while start < window.column_stop:
        before = start // turn * turn
        stop = min(window.column_stop, before + turn)
        run = CellRun(start - window.column_start, start - before, min(stop - before, grid.width))
        if run.start < run.stop:
            yield run
        start = stop


def columns_per_turn(grid: NativeGrid) -> int | None:
    """Return the number of columns after which longitudes repeat; `None` if they do not."""
    period = _period(grid)
    if period is None:
        return None
    return grid.width if grid.is_circular else max(round(period), grid.width)


def _period(grid: NativeGrid) -> float | None:
    # Columns in 360 degrees of longitude, as a fraction; eastings of cylindrical projections repeat too.
    circle = grid.crs.longitude_circle
    return None if circle is None else abs(circle.width / grid.transform.a)


def _both(first: Trim, second: Trim) -> Trim:
    """Return the intersection of two trims whose CRSs satisfy `are_alike`."""
    circle = WHOLE_CIRCLE if first.crs.is_geographic else None
    x = _common(Interval(first.box.xmin, first.box.xmax), Interval(second.box.xmin, second.box.xmax), circle)
    y = _common(Interval(first.box.ymin, first.box.ymax), Interval(second.box.ymin, second.box.ymax), None)
    if x is None or y is None:
        raise _nothing_in_common(first, second)
    return replace(second, box=BBox(x.low, y.low, x.high, y.high))


def _nothing_in_common(first: Trim, second: Trim) -> OutsideData:
    where = (
        f"{second.locator} and {first.locator}" if first.locator != second.locator else f"what {second.locator} says"
    )
    return OutsideData(f"{where} {'have' if ' and ' in where else 'has'} no overlap", locator=second.locator)


def fill_interval(requested: Interval, reach: Interval, circle: float | None) -> Interval:
    """Replace infinite ends by those of the data; for longitudes, in the turn of the other end."""
    low, high = requested
    if math.isinf(low) and low < 0:
        low = reach.low if high > reach.low or circle is None else reach.low - circle
    if math.isinf(high) and high > 0:
        high = reach.high if low < reach.high or circle is None else reach.high + circle
    return Interval(low, high)


def _common(first: Interval, second: Interval, circle: float | None) -> Interval | None:
    """Return the intersection, in the turn of the first; a single point counts only if one interval is a point."""
    if circle is not None and all(map(math.isfinite, (*first, *second))):
        turns = round((sum(first) - sum(second)) / 2 / circle)
        candidates = [Interval(*(end + circle * turn for end in second)) for turn in (turns, turns - 1, turns + 1)]
        second = max(candidates, key=lambda turned: min(first.high, turned.high) - max(first.low, turned.low))
    low, high = max(first.low, second.low), min(first.high, second.high)
    is_slice = first.low == first.high or second.low == second.high
    return Interval(low, high) if low < high or (is_slice and low == high) else None


def _trim(grid: NativeGrid, trims: Sequence[Trim]) -> Window:
    window = Window(0, grid.height, grid.columns_east, grid.columns_east + grid.width)
    for trim in trims:
        box = _box_on(grid, trim)
        rows = None if box is None else _rows(grid, Interval(box.ymin, box.ymax))
        columns = None if box is None else _columns(grid, Interval(box.xmin, box.xmax))
        if rows is None or columns is None:
            x, y = (trim.box.xmin + trim.box.xmax) / 2, (trim.box.ymin + trim.box.ymax) / 2
            raise outside_error(grid, Point(x=x, y=y, crs=trim.crs), locator=trim.locator)
        common = _intersect_windows(grid, window, Window(*rows, *columns))
        if common is None:
            raise _nothing_in_common(trims[0], trim)
        window = common
    return window


def _intersect_windows(grid: NativeGrid, first: Window, second: Window) -> Window | None:
    rows = max(first.row_start, second.row_start), min(first.row_stop, second.row_stop)
    columns = second.column_start, second.column_stop
    turn = columns_per_turn(grid)
    if first.width != grid.width:  # otherwise the second window is kept in its turn
        shifts = [0] if turn is None else [0, -turn, turn]
        around = [
            (max(first.column_start, columns[0] + shift), min(first.column_stop, columns[1] + shift))
            for shift in shifts
        ]
        columns = max(around, key=lambda span: span[1] - span[0])
    if rows[0] >= rows[1] or columns[0] >= columns[1]:
        return None
    return Window(*rows, *columns)


def _rows(grid: NativeGrid, y: Interval) -> tuple[int, int] | None:
    inverse = ~grid.transform
    ends = sorted(inverse.e * edge + inverse.f for edge in y)
    return _cells(Interval(*ends), grid.height, _tolerance(grid.height, inverse.f))


def _columns(grid: NativeGrid, x: Interval) -> tuple[int, int] | None:
    """Return the columns of an interval, in its turn if the grid has cells there, else in the turn from 0 on.

    An open interval returns all columns from -180 degrees on.
    """
    if math.isinf(x.low) and math.isinf(x.high):
        return grid.columns_east, grid.columns_east + grid.width
    inverse = ~grid.transform
    ends = sorted(inverse.a * edge + inverse.c for edge in x)
    tolerance, turn = _tolerance(grid.width, inverse.c), columns_per_turn(grid)
    if turn is None:
        return _cells(Interval(*ends), grid.width, tolerance)
    low, high = fill_interval(Interval(*ends), Interval(0.0, grid.width), turn)
    period = _period(grid)
    if low == high and period is not None:
        is_inside = -tolerance <= low <= grid.width + tolerance
        position = low if is_inside else low % period
        return _cells(Interval(position, position), grid.width, tolerance)
    first, last = _whole(Interval(low, high), tolerance)
    if last - first >= turn:
        return (0, grid.width) if not grid.is_circular or first <= 0 < grid.width <= last else (first, first + turn)
    return _existing_columns(first, last, grid, turn)


def _existing_columns(first: int, last: int, grid: NativeGrid, turn: int) -> tuple[int, int] | None:
    """Limit less than a turn of columns to those that exist; there may be a gap between them."""
    low, high = (0, grid.width) if grid.columns_east == 0 else (1 - turn, 2 * turn)
    if first >= high or last <= low or not grid.is_circular:
        last, first = last - first // turn * turn, first % turn
    if grid.is_circular:
        return first, last
    parts = [(max(first, start), min(last, start + grid.width)) for start in (0, turn)]
    existing = [part for part in parts if part[0] < part[1]]
    if not existing:
        return None
    start, stop = existing[0][0], existing[-1][1]
    return (start - turn, stop - turn) if start >= turn else (start, stop)


def _cells(positions: Interval, size: int, tolerance: float) -> tuple[int, int] | None:
    """Return the first of `size` cells that shares more than an edge with an interval, and one past the last.

    A single position selects its cell. It may be on the outer edge of the grid, within a tolerance in cells (WCS
    09-110r4 requirement 33).
    """
    low, high = positions
    if low == high:
        if not -tolerance <= low <= size + tolerance:
            return None
        cell = min(max(int(low), 0), size - 1)
        return cell, cell + 1
    low, high = max(low, 0.0), min(high, float(size))
    if high - low <= tolerance and not 0 < low < high < size:
        return None
    return _whole(Interval(low, high), tolerance) if low < high else None


def _whole(positions: Interval, tolerance: float) -> tuple[int, int]:
    """Return the cells that an interval covers by more than a tolerance; at least the cell in its middle."""
    first, last = math.floor(positions.low + tolerance), math.ceil(positions.high - tolerance)
    if first < last:
        return first, last
    middle = math.floor((positions.low + positions.high) / 2)
    return middle, middle + 1


def _tolerance(size: int, offset: float) -> float:
    return EDGE_CELLS + ROUNDINGS * math.ulp(size + abs(offset))


def _box_on(grid: NativeGrid, trim: Trim) -> BBox | None:
    """Return the box in the CRS of a grid; `None` if it is certainly outside."""
    box = trim.box
    if are_alike(trim.crs, grid.crs):
        return box
    if trim.crs.is_geographic or not grid.crs.is_geographic:
        clipped = _clip(box, grid, trim.crs)
        return None if clipped is None else outline_in(clipped, trim.crs, grid.crs, locator=trim.locator)
    if not all(map(math.isfinite, box)):
        reach = grid.bbox_in(trim.crs)
        box = BBox(*(edge if math.isfinite(edge) else end for edge, end in zip(box, reach, strict=True)))
    return outline_in(box, trim.crs, grid.crs, locator=trim.locator)


def _clip(box: BBox, grid: NativeGrid, crs: Crs) -> BBox | None:
    """Cut a box to the neighbourhood of a grid, as projections may fail far from the data; `None` if they are apart."""
    reach = grid.unwound_box_in(crs) if crs.is_geographic else grid.bbox_in(crs)
    margin_x, margin_y = MARGIN * (reach.xmax - reach.xmin), MARGIN * (reach.ymax - reach.ymin)
    x = Interval(reach.xmin - margin_x, reach.xmax + margin_x)
    y = Interval(reach.ymin - margin_y, reach.ymax + margin_y)
    circle = WHOLE_CIRCLE if crs.is_geographic else None
    if circle is not None:
        y = Interval(max(-90.0, y.low), min(90.0, y.high))
        if x.high - x.low >= circle:
            x = Interval(-circle / 2, circle / 2)
    across = fill_interval(Interval(box.xmin, box.xmax), x, circle)
    is_all_round = circle is not None and x.high - x.low >= circle
    common = across if is_all_round else _common(x, across, circle)
    down = _common(y, Interval(box.ymin, box.ymax), None)
    return None if common is None or down is None else BBox(common.low, down.low, common.high, down.high)


def outline_in(box: BBox, source: Crs, target: Crs, *, locator: str = "crs") -> BBox:
    """Return the bounding box of the outline of a box in another CRS; longitudes may exceed 180 degrees.

    Raises:
        InvalidParameter: No point of the outline has coordinates in the CRS.
    """
    fractions = np.linspace(0, 1, POINTS_PER_SIDE)
    across, down = box.xmin + fractions * (box.xmax - box.xmin), box.ymin + fractions * (box.ymax - box.ymin)
    x = np.concatenate([across, np.full(down.size, box.xmax), across[::-1], np.full(down.size, box.xmin)])
    y = np.concatenate([np.full(across.size, box.ymin), down, np.full(across.size, box.ymax), down[::-1]])
    x, y = transformer(source, target).transform(x, y)
    usable = np.isfinite(x) & np.isfinite(y)
    if not usable.any():
        raise InvalidParameter(f"{locator} has no coordinates in {target.name[:40]}", locator=locator)
    x, y = x[usable], y[usable]
    south, north = float(y.min()), float(y.max())
    if target.longitude_circle is not None:
        circle = target.longitude_circle.width
        x = np.unwrap(x, period=circle)
        if not source.is_geographic:
            quarter = circle / 4 if target.is_geographic else circle / 2
            poles = [side * quarter for side in (-1, 1) if _holds_pole(box, source, side * WHOLE_CIRCLE / 4)]
            if poles:
                return BBox(-circle / 2, min(south, *poles), circle / 2, max(north, *poles))
    return BBox(float(x.min()), south, float(x.max()), north)


def _holds_pole(box: BBox, crs: Crs, latitude: float) -> bool:
    x, y = transformer(CRS84, crs).transform(0.0, latitude)
    return bool(box.xmin <= x <= box.xmax and box.ymin <= y <= box.ymax)


def outside_error(grid: NativeGrid, middle: Point, *, locator: str) -> OutsideData:
    """Return the error for an area around `middle` outside a grid, with the extent of the data."""
    reach = _reach_in_words(grid, middle.crs)
    return OutsideData(f"{locator} lies outside the data, which {reach}{outside_hint(middle, grid)}", locator=locator)


def _reach_in_words(grid: NativeGrid, crs: Crs) -> str:
    if not crs.is_geographic:
        try:
            box = grid.bbox_in(crs)
        except InvalidParameter:
            crs = CRS84
        else:
            return f"reach from {box.xmin:.10g} to {box.xmax:.10g} in x and {box.ymin:.10g} to {box.ymax:.10g} in y"
    west, south, east, north = grid.bbox_in(crs)
    return f"reach from {west:.6g} to {east:.6g} in longitude and from {south:.6g} to {north:.6g} in latitude"
