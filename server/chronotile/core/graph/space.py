"""Processes in space: other grids, boxes, polygons, and moving windows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from chronotile.core.errors import ChronotileError
from chronotile.core.graph.cube import GraphCube, as_float, centres, require_cube
from chronotile.core.graph.errors import invalid, shorten
from chronotile.core.graph.values import GraphProcess
from chronotile.core.model.space.crs import Crs, crs_of, transformer
from chronotile.core.model.types import AnyArray, Float64Array

METHODS = {
    "average": Resampling.average,
    "bilinear": Resampling.bilinear,
    "cubic": Resampling.cubic,
    "cubicspline": Resampling.cubic_spline,
    "lanczos": Resampling.lanczos,
    "max": Resampling.max,
    "med": Resampling.med,
    "min": Resampling.min,
    "mode": Resampling.mode,
    "near": Resampling.nearest,
    "q1": Resampling.q1,
    "q3": Resampling.q3,
    "rms": Resampling.rms,
    "sum": Resampling.sum,
}
"""Methods of resampling, as GDAL names them."""
ALIGNMENTS = ("lower-left", "upper-left", "lower-right", "upper-right")
MAX_CELLS = 1 << 30
"""Maximum number of cells of a grid."""
TOLERANCE = 1e-6
"""Greatest difference of coordinates of equal cells, as a fraction of a cell."""


class CellGrid(NamedTuple):
    """Cells along x and y."""

    crs: str
    x: Float64Array
    """(column,) centres."""
    y: Float64Array
    """(row,) centres."""

    @property
    def transform(self) -> Affine:
        """Transform from columns and rows to coordinates."""
        width, height = step_of(self.x), step_of(self.y)
        return Affine(width, 0, self.x[0] - width / 2, 0, height, self.y[0] - height / 2)

    def is_equal(self, other: "CellGrid") -> bool:
        """Return whether both have the same cells."""
        return self.crs == other.crs and all(
            one.shape == two.shape and np.allclose(one, two, rtol=0, atol=TOLERANCE * abs(step_of(one)))
            for one, two in ((self.x, other.x), (self.y, other.y))
        )


def grid_of(cube: GraphCube) -> CellGrid:
    """Return the cells of a cube.

    Raises:
        ProcessFault: The cube lacks x or y.
    """
    y, x = cube.spatial()
    return CellGrid(str(x.crs or y.crs or ""), centres(x), centres(y))


def align(cube: GraphCube, target: GraphCube) -> GraphCube:
    """Return the cube with the nearest values at the cells of another cube; cubes without x and y stay unchanged."""
    if len(cube.dimensions_of_type("spatial")) < 2 or len(target.dimensions_of_type("spatial")) < 2:
        return cube
    grid = grid_of(target)
    return cube if grid_of(cube).is_equal(grid) else _resample(cube, grid, "near")


def resample_cube_spatial(data: GraphCube, target: GraphCube, method: str = "near") -> GraphCube:
    """Return the cube at the cells of another cube."""
    cube = require_cube(data)
    return _resample(cube, grid_of(require_cube(target, "target")), _method(method))


def resample_spatial(
    data: GraphCube,
    *,
    resolution: float | Sequence[float] = 0,
    projection: int | str | None = None,
    method: str = "near",
    align: str = "upper-left",
) -> GraphCube:
    """Return the cube with other cells; 0 keeps the resolution, `None` the CRS."""
    cube = require_cube(data)
    listed = list(resolution) if isinstance(resolution, Sequence) else [resolution] * 2
    sizes = [float(size) for size in listed]
    if len(sizes) != 2 or not all(0 <= size < math.inf for size in sizes):
        raise invalid("resolution", f"{shorten(resolution)} is not accepted; accepted are one or two numbers from 0")
    if align not in ALIGNMENTS:
        raise invalid("align", f"{shorten(align)} is not accepted; accepted are {', '.join(ALIGNMENTS)}")
    grid = grid_of(cube)
    crs = grid.crs if projection is None else crs_from(projection).name
    target = _target_grid(grid, crs, sizes, align)
    return cube if target.is_equal(grid) else _resample(cube, target, _method(method))


def filter_bbox(data: GraphCube, extent: Mapping[str, Any]) -> GraphCube:
    """Return the cube with the rows and columns of cells whose centres are in a box."""
    cube = require_cube(data)
    grid = grid_of(cube)
    west, south, east, north = _box(extent, grid)
    columns = np.flatnonzero((grid.x >= west) & (grid.x <= east))
    rows = np.flatnonzero((grid.y >= south) & (grid.y <= north))
    y, x = cube.spatial()
    return cube.select(x.name, columns).select(y.name, rows)


def _resample(cube: GraphCube, grid: CellGrid, method: str) -> GraphCube:
    source = grid_of(cube)
    y, x = cube.spatial()
    if len(grid.x) * len(grid.y) > MAX_CELLS:
        raise invalid(
            "resolution", f"the grid has {len(grid.x)} by {len(grid.y)} cells; at most {MAX_CELLS} are accepted"
        )
    values = np.moveaxis(as_float(cube.values), [cube.axis(y.name), cube.axis(x.name)], [-2, -1])
    moved = _nearest(values, source, grid) if method == "near" else _warp(values, source, grid, METHODS[method])
    rest = [dimension for dimension in cube if dimension not in (y, x)]
    dimensions = (*rest, replace(y, labels=grid.y, crs=grid.crs), replace(x, labels=grid.x, crs=grid.crs))
    resampled = GraphCube(dimensions, moved)
    order = [resampled.axis(name) for name in cube.names]
    return GraphCube(tuple(dimensions[axis] for axis in order), np.transpose(moved, order))


def _nearest(values: AnyArray, source: CellGrid, grid: CellGrid) -> AnyArray:
    if source.crs == grid.crs:
        columns, rows = positions_of(source.x, grid.x), positions_of(source.y, grid.y)
        picked = values[..., np.maximum(rows, 0)[:, np.newaxis], np.maximum(columns, 0)]
        is_outside = (rows < 0)[:, np.newaxis] | (columns < 0)
    else:
        to_source = transformer(crs_from(grid.crs), crs_from(source.crs))
        x, y = to_source.transform(*np.meshgrid(grid.x, grid.y))
        columns, rows = positions_of(source.x, x), positions_of(source.y, y)
        picked = values[..., np.maximum(rows, 0), np.maximum(columns, 0)]
        is_outside = (rows < 0) | (columns < 0)
    return np.where(is_outside, np.asarray(np.nan, dtype=values.dtype), picked)


def positions_of(cells: Float64Array, coordinates: Float64Array) -> AnyArray:
    """Return the index of the cell that contains each coordinate; -1 outside."""
    with np.errstate(invalid="ignore"):
        positions = (coordinates - cells[0]) / step_of(cells) + 0.5
        is_inside = (positions >= 0) & (positions < len(cells))
    return np.where(is_inside, np.floor(np.where(is_inside, positions, 0)), -1).astype(np.intp)


def _warp(values: AnyArray, source: CellGrid, grid: CellGrid, method: Resampling) -> AnyArray:
    bands = values.reshape(-1, *values.shape[-2:])
    warped = np.full((len(bands), len(grid.y), len(grid.x)), np.nan, dtype=values.dtype)
    for band, target in zip(bands, warped, strict=True):  # together, a missing value of one band affects the others
        try:
            reproject(
                np.ascontiguousarray(band),
                target,
                src_transform=source.transform,
                dst_transform=grid.transform,
                src_crs=crs_from(source.crs).name,
                dst_crs=crs_from(grid.crs).name,
                src_nodata=np.nan,
                dst_nodata=np.nan,
                resampling=method,
            )
        except RasterioError as error:
            raise invalid("projection", f"GDAL cannot resample the cube: {str(error)[:200]}") from error
    return warped.reshape(*values.shape[:-2], *warped.shape[-2:])


def _target_grid(grid: CellGrid, crs: str, sizes: list[float], align: str) -> CellGrid:
    transform, width, height = grid.transform, len(grid.x), len(grid.y)
    west, east = sorted((transform.c, transform.c + transform.a * width))
    south, north = sorted((transform.f, transform.f + transform.e * height))
    step_x, step_y = abs(transform.a), abs(transform.e)
    if crs != grid.crs:
        diagonal = math.hypot(width, height)
        try:
            box = transformer(crs_from(grid.crs), crs_from(crs)).transform_bounds(west, south, east, north)
        except ProjError as error:
            raise invalid("projection", f"the cube has no cells in {shorten(crs)}: {str(error)[:200]}") from error
        west, south, east, north = box
        step_x = step_y = math.hypot(east - west, north - south) / diagonal
    across, down = sizes[0] or step_x, sizes[1] or step_y
    columns, rows = (max(1, round(length / step)) for length, step in ((east - west, across), (north - south, down)))
    if columns * rows > MAX_CELLS:
        raise invalid("resolution", f"the grid has {columns} by {rows} cells; at most {MAX_CELLS} are accepted")
    is_down = crs != grid.crs or step_of(grid.y) < 0
    start = west if "left" in align else east - columns * across
    top = north if "upper" in align else south + rows * down
    x = start + np.arange(0.5, columns, dtype=np.float64) * across
    y = top - np.arange(0.5, rows, dtype=np.float64) * down
    return CellGrid(crs, x, y if is_down else y[::-1])


def _method(method: object) -> str:
    if method not in METHODS:
        raise invalid("method", f"{shorten(method)} is not accepted; accepted are {', '.join(METHODS)}")
    return str(method)


def crs_from(name: object) -> Crs:
    """Return the CRS with a name or EPSG code.

    Raises:
        ProcessFault: It is not supported.
    """
    try:
        return crs_of(f"EPSG:{name}" if isinstance(name, int) or str(name).isdigit() else str(name))
    except ChronotileError as error:
        raise invalid("projection", error.message) from None


def _box(extent: object, grid: CellGrid) -> tuple[float, float, float, float]:
    if not isinstance(extent, Mapping) or any(not isinstance(extent.get(side), int | float) for side in SIDES):
        raise invalid("extent", f"{shorten(extent)} is not a box; required are the numbers {', '.join(SIDES)}")
    west, south, east, north = (float(extent[side]) for side in SIDES)
    if not all(map(math.isfinite, (west, south, east, north))) or south > north:
        raise invalid("extent", f"{shorten(extent)} is not a box; south must not exceed north")
    crs = crs_from(extent.get("crs") or 4326)
    target = crs_from(grid.crs) if grid.crs else crs
    if crs.name == target.name:
        return west, south, east, north
    try:
        box: tuple[float, float, float, float] = transformer(crs, target).transform_bounds(west, south, east, north)
    except ValueError as error:
        raise invalid("extent", f"{shorten(extent)} cannot be transformed to {grid.crs}: {error}") from None
    return box


SIDES = ("west", "south", "east", "north")


def step_of(cells: Float64Array) -> float:
    """Return the distance of neighbouring centres; 1 for a single cell."""
    return float((cells[-1] - cells[0]) / (len(cells) - 1)) if len(cells) > 1 else 1.0


SPACE: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (filter_bbox, resample_cube_spatial, resample_spatial)
}
"""Processes by name."""
