"""Processes in space: other grids, boxes, polygons, and moving windows."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from affine import Affine
from pyproj.exceptions import ProjError
from rasterio.enums import Resampling
from rasterio.errors import RasterioError
from rasterio.warp import reproject

from chronotile.core.errors import ChronotileError
from chronotile.core.graph.cube import Dimension, GraphCube, Labels, as_float, require_cube
from chronotile.core.graph.errors import invalid, shorten
from chronotile.core.graph.values import GraphProcess
from chronotile.core.model.space.crs import Crs, crs_of, transformer
from chronotile.core.model.types import AnyArray, BoolArray, Float64Array

CellTest = Callable[[Float64Array], BoolArray]
"""Returns for each centre along x or y whether its cell is in a part."""

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


class CellAxis(NamedTuple):
    """Cells along x or y: a window of all cells of a cube."""

    centres: Float64Array
    """(cell,) centres in the window."""
    whole: Float64Array
    """(cell,) centres of all cells."""
    step: float
    """Distance of neighbouring centres; negative if coordinates decrease."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and greatest coordinate of the cells in the window, which has at least one cell."""
        half = abs(self.step) / 2
        return float(self.centres.min()) - half, float(self.centres.max()) + half

    def part(self, low: float, high: float) -> "CellAxis":
        """Return the cells that overlap an interval of coordinates."""
        reach = abs(self.step) * (0.5 - TOLERANCE)
        return self._replace(centres=self.whole[(self.whole > low - reach) & (self.whole < high + reach)])

    def positions(self, coordinates: Float64Array) -> AnyArray:
        """Return the index in the window of the cell that contains each coordinate; -1 outside."""
        if not len(self.centres):
            return np.full(coordinates.shape, -1, dtype=np.intp)
        with np.errstate(invalid="ignore"):
            positions = (coordinates - self.centres[0]) / self.step + 0.5
            is_inside = (positions >= 0) & (positions < len(self.centres))
        return np.where(is_inside, np.floor(np.where(is_inside, positions, 0)), -1).astype(np.intp)

    def is_equal(self, other: "CellAxis") -> bool:
        """Return whether both windows have the same cells."""
        one, two = self.centres, other.centres
        return one.shape == two.shape and np.allclose(one, two, rtol=0, atol=TOLERANCE * abs(self.step))


class CellGrid(NamedTuple):
    """Cells along x and y."""

    crs: str
    x: CellAxis
    y: CellAxis

    @property
    def transform(self) -> Affine:
        """Transform from columns and rows of the window to coordinates."""
        width, height = self.x.step, self.y.step
        return Affine(width, 0, self.x.centres[0] - width / 2, 0, height, self.y.centres[0] - height / 2)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the window."""
        return len(self.y.centres), len(self.x.centres)

    @property
    def bounds(self) -> tuple[float, float, float, float]:
        """West, south, east and north of the window."""
        (west, east), (south, north) = self.x.bounds, self.y.bounds
        return west, south, east, north

    def is_equal(self, other: "CellGrid") -> bool:
        """Return whether both have the same cells."""
        return self.crs == other.crs and self.x.is_equal(other.x) and self.y.is_equal(other.y)


def grid_of(cube: GraphCube) -> CellGrid:
    """Return the cells of a cube; a single row or column is as wide as the cells along the other axis.

    Raises:
        ProcessFault: The cube lacks x or y.
    """
    y, x = cube.spatial()
    across, down = (_step_of(d.labels if d.whole is None else d.whole) for d in (x, y))
    size = abs(across or down or 1.0)
    return CellGrid(str(x.crs or y.crs or ""), _axis_of(x, across or size), _axis_of(y, down or -size))


def cells_of_grid(dimensions: tuple[Dimension, Dimension], grid: CellGrid) -> tuple[Dimension, Dimension]:
    """Return the dimensions y and x with the cells of a grid."""
    y, x = dimensions
    return (
        replace(y, labels=grid.y.centres, whole=grid.y.whole, crs=grid.crs),
        replace(x, labels=grid.x.centres, whole=grid.x.whole, crs=grid.crs),
    )


def _axis_of(dimension: Dimension, step: float) -> CellAxis:
    centres = np.asarray(dimension.labels, dtype=np.float64)
    return CellAxis(centres, centres if dimension.whole is None else dimension.whole, step)


def _step_of(centres: Labels) -> float:
    # 0 for a single cell
    return float((centres[-1] - centres[0]) / (len(centres) - 1)) if len(centres) > 1 else 0.0


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
    whole = _target_grid(
        grid._replace(x=grid.x._replace(centres=grid.x.whole), y=grid.y._replace(centres=grid.y.whole)),
        crs,
        sizes,
        align,
    )
    target = _part_below(whole, grid)
    return cube if target.is_equal(grid) else _resample(cube, target, _method(method))


def filter_bbox(data: GraphCube, extent: Mapping[str, Any]) -> GraphCube:
    """Return the cube with the rows and columns of cells whose centres are in a box."""
    cube = require_cube(data)
    grid = grid_of(cube)
    west, south, east, north = _box(extent, grid)
    return crop(cube, lambda x: (x >= west) & (x <= east), lambda y: (y >= south) & (y <= north))


def crop(cube: GraphCube, has_x: CellTest, has_y: CellTest) -> GraphCube:
    """Return the cube with the columns and rows whose centres pass a test."""
    grid = grid_of(cube)
    for dimension, axis, has_cell in zip(cube.spatial(), (grid.y, grid.x), (has_y, has_x), strict=True):
        cube = cube.select(dimension.name, np.flatnonzero(has_cell(axis.centres)))
        cropped = replace(cube.dimension(dimension.name), whole=axis.whole[has_cell(axis.whole)])
        cube = cube.replace_dimension(dimension.name, cropped, cube.values)
    return cube


def _part_below(whole: CellGrid, grid: CellGrid) -> CellGrid:
    """Return the cells of a grid that overlap the window of another grid."""
    if not all(grid.shape):
        return whole._replace(x=whole.x.part(math.inf, -math.inf), y=whole.y.part(math.inf, -math.inf))
    if len(grid.x.centres) == len(grid.x.whole) and len(grid.y.centres) == len(grid.y.whole):
        return whole
    west, south, east, north = grid.bounds
    if whole.crs != grid.crs:
        box = transformer(crs_from(grid.crs), crs_from(whole.crs)).transform_bounds(west, south, east, north)
        west, south, east, north = box
    return whole._replace(x=whole.x.part(west, east), y=whole.y.part(south, north))


def _resample(cube: GraphCube, grid: CellGrid, method: str) -> GraphCube:
    source = grid_of(cube)
    y, x = cube.spatial()
    if math.prod(grid.shape) > MAX_CELLS:
        raise invalid("resolution", f"the grid has {_size(grid)} cells; at most {MAX_CELLS} are accepted")
    values = np.moveaxis(as_float(cube.values), [cube.axis(y.name), cube.axis(x.name)], [-2, -1])
    if not all(source.shape):
        moved = np.full((*values.shape[:-2], *grid.shape), np.nan, dtype=values.dtype)
    else:
        moved = _nearest(values, source, grid) if method == "near" else _warp(values, source, grid, METHODS[method])
    dimensions = (*(d for d in cube if d not in (y, x)), *cells_of_grid((y, x), grid))
    resampled = GraphCube(dimensions, moved)
    order = [resampled.axis(name) for name in cube.names]
    return GraphCube(tuple(dimensions[axis] for axis in order), np.transpose(moved, order))


def _size(grid: CellGrid) -> str:
    return f"{grid.shape[1]} by {grid.shape[0]}"


def _nearest(values: AnyArray, source: CellGrid, grid: CellGrid) -> AnyArray:
    x, y = grid.x.centres, grid.y.centres
    if source.crs == grid.crs:
        columns, rows = source.x.positions(x)[np.newaxis], source.y.positions(y)[:, np.newaxis]
    else:
        to_source = transformer(crs_from(grid.crs), crs_from(source.crs))
        xs, ys = to_source.transform(*np.meshgrid(x, y))
        columns, rows = source.x.positions(xs), source.y.positions(ys)
    picked = values[..., np.maximum(rows, 0), np.maximum(columns, 0)]
    return np.where((rows < 0) | (columns < 0), np.asarray(np.nan, dtype=values.dtype), picked)


def _warp(values: AnyArray, source: CellGrid, grid: CellGrid, method: Resampling) -> AnyArray:
    source_crs, target_crs = crs_from(source.crs), crs_from(grid.crs)
    unit = source_crs.metres_per_unit / target_crs.metres_per_unit
    # GDAL would find the ratio of the cells' sizes from the sizes of the windows, and kernels would vary with them.
    across, down = (abs(one.step / other.step) * unit for one, other in ((source.x, grid.x), (source.y, grid.y)))
    bands = values.reshape(-1, *values.shape[-2:])
    warped = np.full((len(bands), *grid.shape), np.nan, dtype=values.dtype)
    for band, target in zip(bands, warped, strict=True):  # together, a missing value of one band affects the others
        try:
            reproject(
                np.ascontiguousarray(band),
                target,
                src_transform=source.transform,
                dst_transform=grid.transform,
                src_crs=source_crs.name,
                dst_crs=target_crs.name,
                src_nodata=np.nan,
                dst_nodata=np.nan,
                resampling=method,
                XSCALE=across,
                YSCALE=down,
                tolerance=0,
            )
        except RasterioError as error:
            raise invalid("projection", f"GDAL cannot resample the cube: {str(error)[:200]}") from error
    return warped.reshape(*values.shape[:-2], *warped.shape[-2:])


def _target_grid(grid: CellGrid, crs: str, sizes: list[float], align: str) -> CellGrid:
    west, south, east, north = grid.bounds
    step_x, step_y = abs(grid.x.step), abs(grid.y.step)
    if crs != grid.crs:
        diagonal = math.hypot(*grid.shape)
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
    is_down = crs != grid.crs or grid.y.step < 0
    start = west if "left" in align else east - columns * across
    top = north if "upper" in align else south + rows * down
    x = start + np.arange(0.5, columns, dtype=np.float64) * across
    y = top - np.arange(0.5, rows, dtype=np.float64) * down
    y = y if is_down else y[::-1]
    return CellGrid(crs, CellAxis(x, x, across), CellAxis(y, y, -down if is_down else down))


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


SPACE: Mapping[str, GraphProcess] = {
    process.__name__: GraphProcess(process.__name__, process)
    for process in (filter_bbox, resample_cube_spatial, resample_spatial)
}
"""Processes by name."""
