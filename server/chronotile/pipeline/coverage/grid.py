"""Grids of coverages: the native grid, or one as similar as possible in another CRS or size."""

import math
from dataclasses import dataclass, replace

import numpy as np
from affine import Affine

from chronotile.core.errors import InvalidParameter, OutsideData, require_at_most, translate_error
from chronotile.core.model.coverage import CoverageRequest, ScaleFactors, ScaleSize, Trim
from chronotile.core.model.geometry.area import Area
from chronotile.core.model.request import Point
from chronotile.core.model.space.boxes import WHOLE_CIRCLE, BBox, require_place
from chronotile.core.model.space.crs import CRS84, Crs, are_alike, transformer
from chronotile.core.model.space.grid import Grid, NativeGrid, Window
from chronotile.core.model.types import BoolArray, Int64Array
from chronotile.pipeline.coverage.cells import (
    POINTS_PER_SIDE,
    columns_per_turn,
    grid_of,
    outline_in,
    outside_error,
    trim_window,
)
from chronotile.pipeline.zones.outlines import outlines_of
from chronotile.pipeline.zones.spans import Spans, centre_spans


@dataclass(frozen=True, slots=True, eq=False)
class CellMask:
    """Mask of the cells of a coverage that are inside an area: runs of cells along rows, in order of rows."""

    rows: Int64Array
    """(run,)."""
    starts: Int64Array
    """(run,) first columns."""
    stops: Int64Array
    """(run,) columns after the last."""

    def rows_mask(self, rows: range, width: int) -> BoolArray:
        """Return the (y, x) mask of consecutive rows."""
        first, last = np.searchsorted(self.rows, (rows.start, rows.stop)).tolist()
        changes = np.zeros((len(rows), width + 1), dtype=np.int8)
        row_numbers = self.rows[first:last] - rows.start
        np.add.at(changes, (row_numbers, self.starts[first:last]), 1)
        np.add.at(changes, (row_numbers, self.stops[first:last]), -1)
        return np.cumsum(changes[:, :-1], axis=1, dtype=np.int8).view(np.bool_)


def cells_inside(area: Area, grid: NativeGrid, *, locator: str) -> Spans:
    """Return the cells of a grid whose centres are in an area, the same as for series of areas.

    Raises:
        OutsideData: The area contains no cell centre.
        InvalidParameter: The area has no coordinates in the CRS of the grid, or its outlines are too long.
    """
    with translate_error(InvalidParameter, InvalidParameter, locator=locator):
        outlines = outlines_of((area,), grid)
        spans = centre_spans(outlines, grid)
    if outlines.is_outside[0]:
        x, y = area.polygons[0][0].mean(axis=0)
        raise outside_error(grid, Point(x=float(x), y=float(y), crs=area.crs), locator=locator)
    if not spans.cells:
        raise OutsideData(f"no cell's centre lies in {locator}; name a larger area, or a bbox", locator=locator)
    return spans


def shrink_window(window: Window, spans: Spans, grid: NativeGrid, *, locator: str) -> Window:
    """Return the smallest part of a window of a grid that contains the spans in it.

    Raises:
        OutsideData: The window contains none of the spans.
    """
    if grid.is_circular and window.width == grid.width:
        start, width = _part_of_circle(spans, grid.width)
        window = window._replace(column_start=start, column_stop=start + width)
    rows, starts, stops = _clip_spans(spans, window, grid)
    if not rows.size:
        raise OutsideData(f"{locator} contains no cell centre in the rest of the request", locator=locator)
    return Window(int(rows.min()), int(rows.max()) + 1, int(starts.min()), int(stops.max()))


def mask_cells(window: Window, spans: Spans, grid: NativeGrid) -> CellMask:
    """Return the cells of spans (runs of cells of a row) in a window, counted from its north-west corner, north-up."""
    rows, starts, stops = _clip_spans(spans, window, grid)
    rows = window.row_stop - 1 - rows if grid.transform.e > 0 else rows - window.row_start
    if grid.transform.a < 0:
        starts, stops = window.column_stop - stops, window.column_stop - starts
    else:
        starts, stops = starts - window.column_start, stops - window.column_start
    order = np.argsort(rows, kind="stable")
    return CellMask(rows[order], starts[order], stops[order])


def _clip_spans(spans: Spans, window: Window, grid: NativeGrid) -> tuple[Int64Array, Int64Array, Int64Array]:
    """Return rows, starts and stops of the parts of spans in a window, in whichever turn of longitude it is."""
    turn = columns_per_turn(grid)
    parts = []
    for shift in (0,) if turn is None else (-turn, 0, turn):
        starts = np.clip(spans.starts + shift, window.column_start, window.column_stop)
        stops = np.clip(spans.stops + shift, window.column_start, window.column_stop)
        is_inside = (starts < stops) & (spans.rows >= window.row_start) & (spans.rows < window.row_stop)
        parts.append((spans.rows[is_inside], starts[is_inside], stops[is_inside]))
    rows, starts, stops = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return rows, starts, stops


def _part_of_circle(spans: Spans, width: int) -> tuple[int, int]:
    """Return the first column and the width of the shortest part of a circle of longitude that contains all spans."""
    changes = np.zeros(width + 1, dtype=np.int64)
    np.add.at(changes, spans.starts, 1)
    np.add.at(changes, spans.stops, -1)
    used = np.flatnonzero(np.cumsum(changes[:-1]))
    gaps = np.diff(used, append=used[0] + width)
    longest = int(np.argmax(gaps))
    return int(used[(longest + 1) % used.size]), width - int(gaps[longest]) + 1


MAX_SIDE = 1 << 20
"""Maximum number of rows or columns, as coordinates need memory that no limit in bytes covers."""

MERCATOR_LATITUDE = 85.0511287798066
WEB_MERCATOR_M = 40075016.685578488
"""Difference of x over all longitudes."""
"""Northern limit of Web Mercator in degrees."""

SAME_CELL = 1e-4
"""Tolerance in cells for edges, which may be rounded in decimal text."""

MIN_PER_DEGREE = 10
"""If a degree has at least this number of cells, the number is an integer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CoverageGrid:
    """The grid of a coverage, and its cells in the source."""

    grid: Grid
    window: Window | None
    """Window of the native grid; `None` if the cells are not native."""
    inside: CellMask | None
    """Mask of the requested area; `None` without an area."""


def resolve_grid(request: CoverageRequest, native: NativeGrid) -> CoverageGrid:
    """Return the grid that a request describes.

    In another CRS, cells are squares with the median area of native cells. Their size has two significant digits in
    units of a projected CRS; in degrees, a degree has an integer number of cells, or 180 degrees if cells are larger
    than 0.1 degrees. They start at the origin of the CRS. Therefore requests for neighbouring boxes get cells of one
    lattice if their sizes are equal.

    Raises:
        OutsideData: A trim or the area leaves no cell.
        InvalidParameter: A scale is invalid, or the data have no cells in the CRS.
        LimitExceeded: The grid has too many columns or rows.
    """
    if request.cells is not None:
        return _use_cells(request.cells, native)
    crs = request.crs or native.crs
    is_native = is_upright(native) and are_alike(crs, native.crs)
    if are_alike(crs, native.crs):
        frame = native if is_native else to_upright(native)
    else:
        frame = _frame_in(crs, native, request)
    window = trim_window(frame, request.trims)
    spans = None
    if request.area is not None:
        spans = cells_inside(request.area, frame, locator=request.area_locator)
        window = shrink_window(window, spans, frame, locator=request.area_locator)
    grid = grid_of(frame, window, crs)
    scaled = grid if request.scale is None else _scale_grid(grid, request.scale)
    if scaled != grid:
        return CoverageGrid(grid=scaled, window=None, inside=_inside(request, scaled))
    inside = None if spans is None else mask_cells(window, spans, frame)
    return CoverageGrid(grid=grid, window=window if is_native else None, inside=inside)


def _use_cells(cells: Grid, native: NativeGrid) -> CoverageGrid:
    """Return the grid that a request states cell by cell; it is read as native cells if it matches them."""
    require_place(cells.bbox, cells.crs)
    xmin, ymin, xmax, ymax = cells.bbox
    x, y = (SAME_CELL * size for size in cells.resolution)
    inner = BBox(xmin + x, ymin + y, xmax - x, ymax - y)
    try:
        window = trim_window(to_upright(native), (Trim(box=inner, crs=cells.crs),))
    except OutsideData:  # the data may fill less than their box in another CRS, which documents state
        if not _meet(cells.bbox, native.bbox_in(cells.crs)):
            raise
        window = None
    if window is not None and is_upright(native) and are_alike(cells.crs, native.crs):
        same = grid_of(native, window, cells.crs)
        is_same = np.allclose(same.bbox, cells.bbox, rtol=0, atol=SAME_CELL * min(same.resolution))
        if is_same and (same.width, same.height) == (cells.width, cells.height):
            return CoverageGrid(grid=same, window=window, inside=None)
    return CoverageGrid(grid=_resize_grid(cells, cells.width, cells.height, "width"), window=None, inside=None)


def _meet(first: BBox, second: BBox) -> bool:
    is_apart = first.xmax < second.xmin or second.xmax < first.xmin
    return not (is_apart or first.ymax < second.ymin or second.ymax < first.ymin)


def is_upright(grid: NativeGrid) -> bool:
    """Return whether the rows of a grid are parallel to the x axis."""
    return bool(grid.transform.b == 0 and grid.transform.d == 0)


def to_upright(grid: NativeGrid) -> NativeGrid:
    """Return the grid if it is not rotated, else a north-up grid of square cells of the same size that contains it."""
    if is_upright(grid):
        return grid
    size, box = grid.resolution, grid.bbox
    return NativeGrid(
        crs=grid.crs,
        transform=Affine(size, 0, box.xmin, 0, -size, box.ymax),
        width=math.ceil((box.xmax - box.xmin) / size),
        height=math.ceil((box.ymax - box.ymin) / size),
    )


def _inside(request: CoverageRequest, grid: Grid) -> CellMask | None:
    """Return the mask of the cells of a resampled grid whose centres are in the area."""
    if request.area is None:
        return None
    spans = cells_inside(request.area, grid.native, locator=request.area_locator)
    return mask_cells(Window(0, grid.height, 0, grid.width), spans, grid.native)


def _scale_grid(grid: Grid, scale: ScaleFactors | ScaleSize) -> Grid:
    if isinstance(scale, ScaleFactors):
        if not all(math.isfinite(factor) and factor > 0 for factor in (scale.x, scale.y)):
            raise InvalidParameter(f"{scale.locator} is a number above 0", locator=scale.locator)
        return _resize_grid(grid, grid.width / scale.x, grid.height / scale.y, scale.locator)
    width, height = scale.width, scale.height
    if any(side is not None and side < 1 for side in (width, height)):
        raise InvalidParameter(f"{scale.locator} is a number of cells from 1 on", locator=scale.locator)
    if width is None:
        requested_width = grid.width if height is None else height * grid.width / grid.height
        return _resize_grid(grid, requested_width, height or grid.height, scale.locator)
    return _resize_grid(grid, width, width * grid.height / grid.width if height is None else height, scale.locator)


def _resize_grid(grid: Grid, width: float, height: float, locator: str) -> Grid:
    fewer = "request a smaller bbox or coarser cells"
    require_at_most(
        "cells per side", int(min(max(width, height), 1 << 62)), MAX_SIDE, alternative=fewer, locator=locator
    )
    return replace(grid, width=max(1, math.floor(width + 0.5)), height=max(1, math.floor(height + 0.5)))


def _frame_in(crs: Crs, native: NativeGrid, request: CoverageRequest) -> NativeGrid:
    """Return a grid in another CRS that contains the requested part of the native grid."""
    trims = request.trims if request.area is None else (*request.trims, _box_of(request.area, request.area_locator))
    upright = to_upright(native)
    part = upright.part(trim_window(upright, trims))
    box, size = _box_in(crs, part), _cell_size(crs, part)
    x, y = (-WHOLE_CIRCLE / 2, WHOLE_CIRCLE / 4) if crs.is_geographic else (0.0, 0.0)
    first_column, end_column = math.floor((box.xmin - x) / size), math.ceil((box.xmax - x) / size)
    first_row, end_row = math.floor((y - box.ymax) / size), math.ceil((y - box.ymin) / size)
    if crs.is_geographic:
        end_row = min(end_row, round(WHOLE_CIRCLE / 2 / size))
        end_column = min(end_column, first_column + round(WHOLE_CIRCLE / size))
    return NativeGrid(
        crs=crs,
        transform=Affine(size, 0, x + first_column * size, 0, -size, y - first_row * size),
        width=max(1, end_column - first_column),
        height=max(1, end_row - first_row),
    )


def _box_of(area: Area, locator: str) -> Trim:
    corners = np.vstack([ring for polygon in area.polygons for ring in polygon])
    (xmin, ymin), (xmax, ymax) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    return Trim(box=BBox(xmin, ymin, xmax, ymax), crs=area.crs, locator=locator)


def _box_in(crs: Crs, grid: NativeGrid) -> BBox:
    """Return a box that contains a grid in another CRS; in Web Mercator it ends at the limits of the projection."""
    if crs.name == "EPSG:3857":
        box = grid.bbox if are_alike(grid.crs, CRS84) else _reach_of(grid, CRS84)
        south, north = (min(max(edge, -MERCATOR_LATITUDE), MERCATOR_LATITUDE) for edge in (box.ymin, box.ymax))
        _, (bottom, top) = transformer(CRS84, crs).transform([0.0, 0.0], [south, north])
        scale = WEB_MERCATOR_M / WHOLE_CIRCLE
        return BBox(box.xmin * scale, bottom, box.xmax * scale, top)
    box = _reach_of(grid, crs)
    if crs.is_geographic:
        return box
    x, y = grid.lattice_in(crs)
    usable = np.isfinite(x) & np.isfinite(y)
    x, y = x[usable], y[usable]  # the projected outline of a hemisphere may be inside the projected area
    return BBox(
        min(box.xmin, float(x.min())),
        min(box.ymin, float(y.min())),
        max(box.xmax, float(x.max())),
        max(box.ymax, float(y.max())),
    )


def _reach_of(grid: NativeGrid, crs: Crs) -> BBox:
    """Return the box of a grid's outline in another CRS, or of its interior if the outline has no coordinates there."""
    try:
        return outline_in(grid.bbox, grid.crs, crs)
    except InvalidParameter:
        sides = (np.linspace(0, side, POINTS_PER_SIDE) for side in (grid.width, grid.height))
        x, y = transformer(grid.crs, crs).transform(*grid.points_at(*np.meshgrid(*sides)))
        usable = np.isfinite(x) & np.isfinite(y)
        if not usable.any():
            raise
        x, y = x[usable], y[usable]
    circle = crs.longitude_circle
    if circle is not None:
        west = x[x.size // 2] - circle.width / 2
        x = west + (x - west) % circle.width
    return BBox(float(x.min()), float(y.min()), float(x.max()), float(y.max()))


def _cell_size(crs: Crs, grid: NativeGrid) -> float:
    """Return the side of a square with the median area of the grid's cells in another CRS, rounded to few digits."""
    columns, rows = np.meshgrid(np.linspace(0, grid.width, 21), np.linspace(0, grid.height, 21))
    corners = [
        transformer(grid.crs, crs).transform(*grid.points_at(columns + across, rows + down))
        for across, down in ((-0.5, 0.0), (0.5, 0.0), (0.0, -0.5), (0.0, 0.5))
    ]
    with np.errstate(invalid="ignore", over="ignore"):
        (right_x, right_y), (down_x, down_y) = (
            (np.asarray(last[0]) - first[0], np.asarray(last[1]) - first[1])
            for first, last in (corners[:2], corners[2:])
        )
        if crs.is_geographic:
            half = WHOLE_CIRCLE / 2
            right_x, down_x = ((step + half) % WHOLE_CIRCLE - half for step in (right_x, down_x))
        areas = np.abs(right_x * down_y - right_y * down_x)
    areas = areas[np.isfinite(areas) & (areas > 0)]
    if not areas.size:
        raise InvalidParameter(f"the data have no cells in {crs.name[:40]}", locator="crs")
    size = math.sqrt(float(np.median(areas)))
    if not crs.is_geographic:
        return _round_two_digits(size)
    per_degree = 1 / size
    if per_degree >= MIN_PER_DEGREE:
        return 1 / _round_two_digits(per_degree)
    return WHOLE_CIRCLE / 2 / max(1, round(WHOLE_CIRCLE / 2 / size))


def _round_two_digits(number: float) -> float:
    return float(f"{number:.1e}")
