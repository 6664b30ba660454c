"""One native cell, found and read the same way for the series of a point, feature info and EDR positions."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chronotile.model.collection import Layer
from chronotile.model.crs import CRS84, transformer
from chronotile.model.grid import NativeGrid
from chronotile.model.raster import Encoding, Pixels, valid_pixels
from chronotile.model.request import Point
from chronotile.model.source import VariableInfo
from chronotile.pipeline.services import reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.around_damage import cell_around_damage

SWAPPED = "; longitude and latitude seem to be swapped"
UNFILLED = "; the area is not a rectangle in longitude and latitude and does not fill this box"
MAX_NAME = 40
"""Characters of the name of a CRS that a message has; a definition can be long."""


def cell_of(grid: NativeGrid, point: Point) -> tuple[int, int] | None:
    """Return (row, column) of the native cell that holds a point, or `None` outside."""
    x, y = point.x, point.y
    if point.crs != grid.crs:
        x, y = transformer(point.crs, grid.crs).transform(x, y)
    return grid.cell_at(x, y)


def reach_of(layer: Layer) -> str:
    """Return how far a layer reaches, in words, for the error of a place outside."""
    west, south, east, north = layer.main_variable.grid.bbox_in(CRS84)
    return f"reaches from {west:.6g} to {east:.6g} in longitude and from {south:.6g} to {north:.6g} in latitude"


def outside_hint(point: Point, grid: NativeGrid) -> str:
    """Return what to say of a place outside a grid, after how far that reaches: why it may be outside; else nothing."""
    x, y = transformer(point.crs, CRS84).transform(point.x, point.y)
    if is_in_unfilled_box(np.array([[x, y]]), grid)[0]:
        return UNFILLED
    if cell_of(grid, Point(x=point.y, y=point.x, crs=point.crs)) is None:
        return ""
    if point.crs.is_geographic:
        return SWAPPED
    return f"; its numbers seem to be swapped, they are in the axis order of {point.crs.name[:MAX_NAME]}"


def outside_hints(places: NDArray[np.float64], layer: Layer) -> list[str]:
    """Return the same of each of (place, 2) longitudes and latitudes, by the box of a layer."""
    grid = layer.main_variable.grid
    west, south, east, north = grid.bbox_in(CRS84)
    x, y = places.T
    is_swapped = (south <= x) & (x <= north) & (west <= y) & (y <= east)
    hints = np.where(is_in_unfilled_box(places, grid), UNFILLED, np.where(is_swapped, SWAPPED, ""))
    return [str(each) for each in hints]


def is_in_unfilled_box(places: NDArray[np.floating[Any]], grid: NativeGrid) -> NDArray[np.bool_]:
    """(place,): whether longitudes and latitudes (place, 2) lie in the box of a grid that is not that box itself."""
    if grid.wrap_columns is not None:
        return np.zeros(len(places), dtype=np.bool_)
    west, south, east, north = grid.bbox_in(CRS84)
    x, y = places.T
    is_inside: NDArray[np.bool_] = (west <= x) & (x <= east) & (south <= y) & (y <= north)
    return is_inside


def read_cell(
    variable: VariableInfo, *, cell: tuple[int, int], place: Point, indexes: tuple[int, ...], found: UnreadableDates
) -> Pixels:
    """Return (time,) pixels of a cell at the times of `indexes`, which count the variable's own.

    Args:
        variable: Of the layer that `found` is of.
        cell: Row and column.
        place: In the cell; of a mosaic, whose pieces have cells of their own, those that hold it are read.
        indexes: Ascending.
        found: Takes the dates that cannot be read, which have the reason `unreadable`.

    Raises:
        SourceUnavailable: The source is away.
    """
    if not indexes:
        return Pixels(np.array([], dtype=variable.encoding.dtype))
    row, column = cell
    with reading(found.layer):
        reader = found.reader

        def read(some: Sequence[int]) -> Pixels:
            if variable.is_mosaic:
                return reader.read_place(variable.name, indexes=some, place=place)
            return reader.read_cell(variable.name, indexes=some, row=row, column=column)

        pixels = cell_around_damage(read, indexes, variable.encoding, found.teller(variable))
        found.require_source(variable, indexes, cell)
        return pixels


def cell_values(pixels: Pixels, encoding: Encoding) -> NDArray[np.float64]:
    """Return (time,) values of a cell in full precision, NaN where there is none."""
    return np.where(valid_pixels(pixels, encoding), encoding.values(pixels.numbers), np.nan)
