"""Requested north-up grids, and native grids of sources in any orientation."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from typing import NamedTuple, TypeVar

import numpy as np
from affine import Affine

from chronotile.core.errors import InvalidParameter
from chronotile.core.model.space.boxes import LATTICE, WHOLE_CIRCLE, BBox, box_in
from chronotile.core.model.space.crs import CRS84, Crs, LongitudeCircle, transformer
from chronotile.core.model.types import BoolArray, FloatArray

Coordinate = TypeVar("Coordinate", float, FloatArray)
CIRCLE_TOLERANCE_PX = 0.75
"""A geographic grid wraps around if its width differs from 360 degrees by less (VIIRS files reach 180.01)."""

WORLD_TOLERANCE_PX = 1.05
"""A projected grid contains all longitudes if its width differs from 360 degrees by less: half a cell per side."""


class Window(NamedTuple):
    """Rows and columns of a source, half-open: `[row_start, row_stop)` by `[column_start, column_stop)`."""

    row_start: int
    row_stop: int
    column_start: int
    column_stop: int

    @classmethod
    def from_cell(cls, row: int, column: int) -> "Window":
        """Return the window of one cell."""
        return cls(row, row + 1, column, column + 1)

    @property
    def height(self) -> int:
        """Number of rows."""
        return self.row_stop - self.row_start

    @property
    def width(self) -> int:
        """Number of columns."""
        return self.column_stop - self.column_start


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A north-up grid of `height` rows by `width` columns over `bbox`; row 0 is in the north."""

    crs: Crs
    bbox: BBox
    width: int
    """Columns, in pixels."""
    height: int
    """Rows, in pixels."""

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise InvalidParameter(f"a grid needs pixels, got {self.width} x {self.height}", locator="width")
        if not all(math.isfinite(edge) for edge in self.bbox):
            raise InvalidParameter(f"the bounding box {tuple(self.bbox)} is not finite", locator="bbox")
        if self.bbox.xmin >= self.bbox.xmax or self.bbox.ymin >= self.bbox.ymax:
            raise InvalidParameter(
                f"the bounding box {tuple(self.bbox)} is empty: minimum must be less than maximum", locator="bbox"
            )

    @property
    def resolution(self) -> tuple[float, float]:
        """Pixel size (x, y) in CRS units, both positive."""
        xmin, ymin, xmax, ymax = self.bbox
        return (xmax - xmin) / self.width, (ymax - ymin) / self.height

    @property
    def transform(self) -> Affine:
        """Transform from (column, row) of pixel corners to x and y."""
        x_size, y_size = self.resolution
        return Affine(x_size, 0.0, self.bbox.xmin, 0.0, -y_size, self.bbox.ymax)

    @property
    def native(self) -> "NativeGrid":
        """The same pixels as a native grid."""
        return NativeGrid(crs=self.crs, transform=self.transform, width=self.width, height=self.height)

    def x_of(self, columns: Coordinate) -> Coordinate:
        """Return x of fractional columns; column 0.5 is the centre of the first pixel."""
        return self.bbox.xmin + columns * ((self.bbox.xmax - self.bbox.xmin) / self.width)

    def y_of(self, rows: Coordinate) -> Coordinate:
        """Return y of fractional rows; row 0.5 is the centre of the northernmost pixel."""
        return self.bbox.ymax - rows * ((self.bbox.ymax - self.bbox.ymin) / self.height)


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeGrid:
    """Grid of a source in any orientation: pixel corners are at `transform @ (column, row)`."""

    crs: Crs
    transform: Affine
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1 or self.transform.is_degenerate:
            raise ValueError("a native grid needs pixels and an invertible transform")

    def __hash__(self) -> int:
        """Hash the fields in which most grids differ: grids are keys of plans, many times per picture."""
        return hash((self.transform.c, self.transform.f, self.width, self.height))

    @property
    def resolution(self) -> float:
        """Geometric mean of the pixel's two sizes, in CRS units."""
        return math.sqrt(abs(self.transform.determinant))

    @property
    def steps(self) -> tuple[float, float]:
        """Distances between columns and between rows in CRS units, in any direction."""
        transform = self.transform
        return math.hypot(transform.a, transform.d), math.hypot(transform.b, transform.e)

    def coarser(self, factor: int) -> "NativeGrid":
        """Return the grid of pixels `factor` times as wide and high, from the same corner; sizes are rounded up."""
        return NativeGrid(
            crs=self.crs,
            transform=self.transform @ Affine.scale(factor),
            width=-(-self.width // factor),
            height=-(-self.height // factor),
        )

    def part(self, window: Window) -> "NativeGrid":
        """Return the pixels of a window."""
        transform = self.transform @ Affine.translation(window.column_start, window.row_start)
        return NativeGrid(crs=self.crs, transform=transform, width=window.width, height=window.height)

    def middle_part(self, margin: int) -> "NativeGrid":
        """Return the middle pixel with at most `margin` pixels on each side."""
        row, column = self.height // 2, self.width // 2
        rows = max(0, row - margin), min(self.height, row + margin + 1)
        columns = max(0, column - margin), min(self.width, column + margin + 1)
        return self.part(Window(*rows, *columns))

    @property
    def wrap_columns(self) -> float | None:
        """Columns of all longitudes, as they repeat; `None` if they do not, as in grids whose rows cross parallels.

        In a cylindrical projection they repeat only for a grid that crosses the edge of the projection, usually the
        meridian of 180 degrees.
        """
        if self.transform.d != 0 or self.transform.b != 0:
            return None
        circle = self.crs.longitude_circle
        if circle is None or not (self.crs.is_geographic or self._is_beyond(circle)):
            return None
        return abs(circle.width / self.transform.a)

    def _is_beyond(self, circle: LongitudeCircle) -> bool:
        ends = self.transform.c, self.transform.c + self.width * self.transform.a
        margin = CIRCLE_TOLERANCE_PX * abs(self.transform.a)
        return min(ends) < circle.west - margin or max(ends) > circle.east + margin

    @property
    def is_circular(self) -> bool:
        """Whether the last column is adjacent to the first."""
        return self.wrap_columns is not None and abs(self.wrap_columns - self.width) <= CIRCLE_TOLERANCE_PX

    @property
    def columns_east(self) -> int:
        """Column at which documents and coverages start, so that longitudes increase from -180.

        Negative if all longitudes are beyond 180; 0 for partial grids that cross the antimeridian.
        """
        turn, circle = self.wrap_columns, self.crs.longitude_circle
        west = self.transform.c
        if turn is None or circle is None or self.transform.a <= 0 or abs(turn - round(turn)) > CIRCLE_TOLERANCE_PX:
            return 0
        if self.is_circular:  # start at the first cell centre from -180 on
            return math.ceil((circle.west - west) / self.transform.a - 0.5)
        return -round(turn) if west >= circle.east - self.transform.a / 2 else 0

    @property
    def from_west(self) -> "NativeGrid":
        """The same cells with longitudes from -180 on, starting at `columns_east`."""
        return replace(self, transform=self.transform @ Affine.translation(self.columns_east, 0))

    @property
    def bbox(self) -> BBox:
        """The smallest box in CRS units that contains all pixels."""
        corners = [
            self.transform @ corner for corner in ((0, 0), (self.width, 0), (0, self.height), (self.width, self.height))
        ]
        xs, ys = [corner[0] for corner in corners], [corner[1] for corner in corners]
        return BBox(min(xs), min(ys), max(xs), max(ys))

    def pixels_at(self, x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return fractional columns and rows of points in CRS units; 0.5 is the middle of the first pixel."""
        inverse = ~self.transform
        # Points outside the CRS are infinite, and remain infinite or become NaN.
        with np.errstate(invalid="ignore"):
            return inverse.a * x + inverse.b * y + inverse.c, inverse.d * x + inverse.e * y + inverse.f

    def points_at(self, columns: FloatArray, rows: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return x and y in CRS units of fractional columns and rows."""
        a, b, c, d, e, f = self.transform[:6]
        return a * columns + b * rows + c, d * columns + e * rows + f

    def cell_at(self, x: float, y: float) -> tuple[int, int] | None:
        """Return (row, column) of the cell that contains a point in CRS units; `None` outside.

        Points on the far edges belong to the last cells; longitudes count modulo 360 if `wrap_columns` is a number.
        """
        column, row = ~self.transform @ (x, y)
        if not (math.isfinite(column) and math.isfinite(row)):
            return None
        period = self.wrap_columns
        if period is not None and not 0 <= column <= self.width:
            column %= period
        if not (0 <= column <= self.width and 0 <= row <= self.height):
            return None
        return min(int(row), self.height - 1), min(int(column), self.width - 1)

    def window_of(self, box: BBox, crs: Crs) -> Window | None:
        """Return the cells that may intersect a box, with a margin of one cell; `None` if the box is outside.

        The grid must be north-up and not circular; longitudes continue beyond 180 across the antimeridian. A box that
        meets the grid in two turns of longitude gets all columns.
        """
        extent = self._shift_turn(box_in(box, crs, self.crs))
        columns, rows = self.pixels_at(np.array([extent.xmin, extent.xmax]), np.array([extent.ymax, extent.ymin]))
        top, west = max(0, math.floor(rows[0]) - 1), max(0, math.floor(columns[0]) - 1)
        bottom, east = min(self.height, math.ceil(rows[1]) + 1), min(self.width, math.ceil(columns[1]) + 1)
        return Window(top, bottom, west, east) if top < bottom and west < east else None

    def _shift_turn(self, box: BBox) -> BBox:
        """Return a box in the CRS of the grid, with longitudes in the turn that the grid has."""
        circle = self.crs.longitude_circle
        if circle is None or self.wrap_columns is None:
            return box
        extent = self.bbox
        turns = ((box.xmin + turn, box.xmax + turn) for turn in (0.0, circle.width, -circle.width))
        matches = [(west, east) for west, east in turns if west < extent.xmax and east > extent.xmin]
        if not matches:
            return box
        west, east = matches[0] if len(matches) == 1 else (extent.xmin, extent.xmax)
        return box._replace(xmin=west, xmax=east)

    def centre_of(self, row: int, column: int) -> tuple[float, float]:
        """Return (x, y) of a cell's centre in CRS units."""
        x, y = self.transform @ (column + 0.5, row + 0.5)
        return float(x), float(y)

    def middle(self) -> tuple[float, float]:
        """Return longitude (-180 to 180) and latitude of the centre of the middle cell."""
        x, y = transformer(self.crs, CRS84).transform(*self.centre_of(self.height // 2, self.width // 2))
        return math.remainder(x, WHOLE_CIRCLE), y

    def lattice_in(self, crs: Crs) -> tuple[FloatArray, FloatArray]:
        """Return x and y (21, 21) in another CRS of a lattice over all pixels, edges included; may be infinite."""
        x, y = self.points_at(*_lattice_of(self.width, self.height))
        if self.crs == crs:
            return x, y
        return transformer(self.crs, crs).transform(x, y)

    def edges_in(self, crs: Crs) -> tuple[FloatArray, ...]:
        """Return the four edges as (21, 2) points in another CRS, in order around the pixels."""
        x, y = self.lattice_in(crs)
        edges = [(x[0], y[0]), (x[:, -1], y[:, -1]), (x[-1, ::-1], y[-1, ::-1]), (x[::-1, 0], y[::-1, 0])]
        return tuple(np.column_stack(edge) for edge in edges)

    def bbox_in(self, crs: Crs) -> BBox:
        """Return a box in another CRS that contains all pixels with coordinates in it.

        Longitudes are within -180 ... 180; a grid with a pole, or across the antimeridian, has the whole circle.

        Raises:
            InvalidParameter: No pixel has coordinates in that CRS.
        """
        half = WHOLE_CIRCLE / 2
        if crs.is_geographic:
            box = self.unwound_box_in(crs)
            return box if box.xmax <= half + 1e-9 else box._replace(xmin=-half, xmax=half)
        x, y, usable = self._usable_lattice(crs)
        return BBox(float(x[usable].min()), float(y[usable].min()), float(x[usable].max()), float(y[usable].max()))

    def unwound_box_in(self, crs: Crs) -> BBox:
        """Return the box in a geographic CRS; longitudes continue beyond 180 across the antimeridian.

        The west is at least -180; a grid that contains a pole has -180 ... 180.

        Raises:
            InvalidParameter: No pixel has coordinates in that CRS.
        """
        x, y, usable = self._usable_lattice(crs)
        return self._unwound_box(x, y[usable])

    def _usable_lattice(self, crs: Crs) -> tuple[FloatArray, FloatArray, BoolArray]:
        x, y = self.lattice_in(crs)
        usable = np.isfinite(x) & np.isfinite(y)
        if not usable.any():
            raise InvalidParameter(f"the data have no coordinates in {crs.name[:40]}", locator="crs")
        return x, y, usable

    def _unwound_box(self, x: FloatArray, latitudes: FloatArray) -> BBox:
        """Return the box of a lattice. Its longitudes are unwound first, so that a seam does not split the box."""
        half = WHOLE_CIRCLE / 2
        poles = [latitude for latitude in (-90.0, 90.0) if self._holds_pole(latitude)]
        south, north = (max(-90.0, float(latitudes.min())), min(90.0, float(latitudes.max())))
        if poles:
            return BBox(-half, min(south, *poles), half, max(north, *poles))
        is_projected = not self.crs.is_geographic
        longitudes = x[np.isfinite(x)]
        if is_projected and np.ptp(longitudes) > half:
            longitudes = _unwind(x)
            longitudes = longitudes[np.isfinite(longitudes)]
        west, east = float(longitudes.min()), float(longitudes.max())
        if is_projected and east - west > WHOLE_CIRCLE - WORLD_TOLERANCE_PX * (east - west) / self.width:
            return BBox(-half, south, half, north)
        turns = math.floor((west + half) / WHOLE_CIRCLE) * WHOLE_CIRCLE
        return BBox(west - turns, south, east - turns, north)

    def _holds_pole(self, latitude: float) -> bool:
        if self.crs.is_geographic:
            return False
        return self.cell_at(*_pole_in(self.crs, latitude)) is not None


def _unwind(longitudes: FloatArray) -> FloatArray:
    """Return longitudes (21, 21) of a lattice without jumps of 360 degrees from one point to the next.

    Each point is compared with its neighbour towards the middle, along the middle column first, then along each row.
    Points without a longitude are skipped.
    """
    unwound, middle = longitudes.copy(), LATTICE // 2
    for lines in (unwound[:, middle : middle + 1], unwound.T):
        for step in (1, -1):
            near = lines[middle].copy()
            for line in range(middle + step, LATTICE if step > 0 else -1, step):
                with np.errstate(invalid="ignore"):
                    turns = np.round((lines[line] - near) / WHOLE_CIRCLE)
                lines[line] -= np.where(np.isfinite(turns), turns, 0) * WHOLE_CIRCLE
                near = np.where(np.isfinite(lines[line]), lines[line], near)
    return unwound


@lru_cache(maxsize=64)
def _lattice_of(width: int, height: int) -> tuple[FloatArray, FloatArray]:
    # Columns and rows (21, 21) of points over all pixels, edges included.
    columns, rows = np.meshgrid(np.linspace(0, width, LATTICE), np.linspace(0, height, LATTICE))
    return columns, rows


@lru_cache(maxsize=512)
def _pole_in(crs: Crs, latitude: float) -> tuple[float, float]:
    x, y = transformer(CRS84, crs).transform(0.0, latitude)
    return x, y


def windows_over(grid: NativeGrid, side: int) -> Iterator[Window]:
    """Yield squares of cells that cover a grid, row by row; squares at its ends are smaller."""
    for row, column in product(range(0, grid.height, side), range(0, grid.width, side)):
        yield Window(row, min(row + side, grid.height), column, min(column + side, grid.width))


ALIGNED_PX = 0.01
"""Tolerance in cells for comparing edges of pixels and cells; stored coordinates are rounded."""


def divides(grid: Grid, native: NativeGrid) -> bool:
    """Return whether each pixel of a grid is inside one native cell: pixels are cells or equal parts of cells."""
    transform = native.transform
    if grid.crs != native.crs or transform.b != 0 or transform.d != 0:
        return False
    across, down = grid.resolution
    edges = (
        abs(transform.a) / across,
        abs(transform.e) / down,
        (transform.c - grid.bbox.xmin) / across,
        (grid.bbox.ymax - transform.f) / down,
    )
    return min(edges[:2]) > 1 - ALIGNED_PX and all(abs(edge - round(edge)) < ALIGNED_PX for edge in edges)
