"""The native cell at a point, and its pixels, for series, feature info and EDR positions."""

from collections.abc import Sequence

import numpy as np

from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.model.collection import Layer
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, cell_reasons, valid_pixels
from chronotile.core.model.request import Point
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import BoolArray, Float64Array, FloatArray
from chronotile.pipeline.services import reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.bisect_damage import cell_around_damage
from chronotile.readers.reader import Reader

SWAPPED = "; longitude and latitude seem to be swapped"
UNFILLED = "; the area is not a rectangle in longitude and latitude and does not fill this box"
MAX_NAME = 40
"""Maximum length of the name of a CRS in a message; a name may be a whole definition."""


def cell_of(grid: NativeGrid, point: Point) -> tuple[int, int] | None:
    """Return (row, column) of the native cell that contains a point, or `None` if it is outside the grid."""
    x, y = point.x, point.y
    if point.crs != grid.crs:
        x, y = transformer(point.crs, grid.crs).transform(x, y)
    return grid.cell_at(x, y)


def reach_of(layer: Layer) -> str:
    """Return the extent of a layer in words, for the error about a point outside it."""
    west, south, east, north = layer.main_variable.grid.bbox_in(CRS84)
    return f"reaches from {west:.6g} to {east:.6g} in longitude and from {south:.6g} to {north:.6g} in latitude"


def outside_hint(point: Point, grid: NativeGrid) -> str:
    """Return the end of the message about a point outside a grid: the probable mistake, or an empty text."""
    x, y = transformer(point.crs, CRS84).transform(point.x, point.y)
    if is_in_unfilled_box(np.array([[x, y]]), grid)[0]:
        return UNFILLED
    if cell_of(grid, Point(x=point.y, y=point.x, crs=point.crs)) is None:
        return ""
    if point.crs.is_geographic:
        return SWAPPED
    return f"; its numbers seem to be swapped, they are in the axis order of {point.crs.name[:MAX_NAME]}"


def outside_hints(points: Float64Array, layer: Layer) -> list[str]:
    """Return for each point a hint like `outside_hint` does; it is empty if no mistake is probable.

    Args:
        points: (point, 2) longitudes and latitudes outside the grid of the layer.
        layer: Layer whose bounding box the points are compared with.
    """
    grid = layer.main_variable.grid
    west, south, east, north = grid.bbox_in(CRS84)
    x, y = points.T
    is_swapped = (south <= x) & (x <= north) & (west <= y) & (y <= east)
    hints = np.where(is_in_unfilled_box(points, grid), UNFILLED, np.where(is_swapped, SWAPPED, ""))
    return [str(hint) for hint in hints]


def is_in_unfilled_box(points: FloatArray, grid: NativeGrid) -> BoolArray:
    """Return a (point,) mask: longitude and latitude are in the bounding box of a grid that does not fill this box."""
    if grid.wrap_columns is not None:
        return np.zeros(len(points), dtype=np.bool_)
    west, south, east, north = grid.bbox_in(CRS84)
    x, y = points.T
    is_inside: BoolArray = (west <= x) & (x <= east) & (south <= y) & (y <= north)
    return is_inside


TIMES_PER_CHECK = 64
"""Number of times that are read from files between two checks of the connection."""


def read_cell(
    variable: VariableInfo,
    *,
    cell: tuple[int, int],
    point: Point,
    indexes: tuple[int, ...],
    unreadable: UnreadableDates,
    is_active: IsActive = always_active,
) -> Pixels:
    """Return (time,) pixels of a cell; unreadable dates have no value and the reason `unreadable`.

    Args:
        variable: A variable of the layer of `unreadable`.
        cell: Row and column.
        point: A point in the cell. A mosaic reads the cells of its pieces at the point instead of `cell`.
        indexes: Ascending indexes into the times of the variable.
        unreadable: Collects the dates that cannot be read.
        is_active: Whether the client still waits.

    Raises:
        ClientGone: The client closed the connection.
        SourceUnavailable: The source is unreachable.
    """
    if not indexes:
        return Pixels(np.array([], dtype=variable.encoding.dtype))
    row, column = cell
    with reading(unreadable.layer):
        reader = unreadable.reader

        def read(file_indexes: Sequence[int]) -> Pixels:
            if variable.is_mosaic:
                return reader.read_point(variable.name, indexes=file_indexes, point=point)
            return reader.read_cell(variable.name, indexes=file_indexes, row=row, column=column)

        step = TIMES_PER_CHECK if reader.info.is_of_files else len(indexes)
        parts = list[Pixels]()
        for start in range(0, len(indexes), step):
            require_active(is_active)
            file_indexes = indexes[start : start + step]
            parts.append(cell_around_damage(read, file_indexes, variable.encoding, unreadable.reporter(variable)))
        unreadable.require_source(variable, indexes, cell)
        return parts[0] if len(parts) == 1 else _join(parts, variable.encoding)


def may_mix_versions(variable: VariableInfo, indexes: Sequence[int], reader: Reader) -> bool:
    """Return whether `read_cell` needs several reads of the same files, between which they may be replaced.

    A reader compares each file before and after one read. Formulas and mosaics need several reads, and so does a file
    with more than `TIMES_PER_CHECK` times.
    """
    if variable.is_derived or variable.is_mosaic:
        return True
    starts = range(TIMES_PER_CHECK, len(indexes), TIMES_PER_CHECK) if reader.info.is_of_files else ()
    return any(
        reader.revision(variable.name, indexes[start - 1]) == reader.revision(variable.name, indexes[start])
        for start in starts
    )


def _join(parts: Sequence[Pixels], encoding: Encoding) -> Pixels:
    """Concatenate (time,) pixels of a cell with their reasons."""
    numbers = np.concatenate([part.numbers for part in parts])
    valid = np.concatenate([valid_pixels(part, encoding) for part in parts])
    return Pixels(numbers, valid, tuple(reason for part in parts for reason in cell_reasons(part, encoding)))


def cell_values(pixels: Pixels, encoding: Encoding) -> Float64Array:
    """Return (time,) values of a cell in full precision, NaN for missing values."""
    return np.where(valid_pixels(pixels, encoding), encoding.values(pixels.numbers), np.nan)
