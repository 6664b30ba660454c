"""Layers and times of series, and reading of the native cell at a point."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import resolve_series_times
from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.errors import InvalidParameter, require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.encoding import Encoding
from chronotile.core.model.raster import Pixels, cell_reasons, valid_pixels
from chronotile.core.model.request import Point
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.time.domain import TimeDomain
from chronotile.core.model.time.instants import DISTANT_PAST, ONE_NS, TimeSpan
from chronotile.core.model.time.selection import TimePart, TimeSelection
from chronotile.core.model.types import BoolArray, Float64Array, FloatArray, Instant, InstantArray
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.bisect_damage import cell_around_damage

SHORTER = "request a shorter interval, or page by page with limit="


def layer_with_values(name: str, services: Services) -> Layer:
    """Return a layer that is not a composite.

    Raises:
        UnknownLayer: The layer does not exist.
        InvalidParameter: The layer is a composite, which has no values.
    """
    layer = services.catalogue.layer(name)
    if layer.is_composite:
        variables = ", ".join(variable.name for variable in layer.variables)
        raise InvalidParameter(
            f"layer {layer.id} is a composite of {variables} and has no values of its own", locator="layer"
        )
    return layer


def series_indexes(layer: Layer, time: TimeSelection, services: Services) -> tuple[int, ...]:
    """Return the indexes of the times of a series.

    Raises:
        LimitExceeded: The series has more than `max_series_values` times.
        ChronotileError: The time is invalid.
    """
    indexes = resolve_series_times(layer, time, now=services.clock()).indexes
    check_length(len(indexes), services)
    return indexes


def has_open_times(layer: Layer, time: TimeSelection, analysis: Analysis | None = None) -> bool:
    """Return whether the times of a series, or of the reference of its analysis, may change soon."""
    is_reference_open = analysis is not None and analysis.is_reference_open
    return len(layer.times) > 0 and (time.is_open or is_reference_open)


def check_length(count: int, services: Services, *, alternative: str = SHORTER) -> None:
    """Check the total number of values of series; `alternative` is advice for a smaller request.

    Raises:
        LimitExceeded: There are more than `max_series_values`.
    """
    allowed = services.catalogue.limits.max_series_values
    require_at_most("max_series_values", count, allowed, alternative=alternative, locator="time")


def instants_of(layer: Layer, indexes: tuple[int, ...]) -> InstantArray:
    """Return the (time,) instants of indexes; `NaT` for the only value of a layer without time."""
    if len(layer.times) == 0:
        return np.full(len(indexes), np.datetime64("NaT", "ns"))
    instants, count = layer.times.instants, len(indexes)
    if count and indexes[-1] - indexes[0] == count - 1:  # consecutive indexes: a slice is ten times as fast as a list
        return instants[indexes[0] : indexes[-1] + 1]
    return instants[list(indexes)]


def selection_of(domain: TimeDomain, indexes: Sequence[int], *, is_of_open: bool = False) -> TimeSelection:
    """Return a selection of the times of ascending indexes: one interval for each run of consecutive indexes.

    Args:
        domain: The time domain of the layer.
        indexes: At least one index into it.
        is_of_open: Whether the indexes were resolved from an open selection.
    """
    runs = np.split(indexes, np.flatnonzero(np.diff(indexes) > 1) + 1)
    spans = (TimeSpan(domain.starts[run[0]], domain.starts[run[-1]] + ONE_NS) for run in runs)
    parts = tuple(TimePart(span, is_interval=True) for span in spans)
    return TimeSelection("parts", parts, is_of_open=is_of_open)


NO_TIMES = TimeSelection("parts", (TimePart(TimeSpan(DISTANT_PAST, DISTANT_PAST + ONE_NS), is_interval=True),))
"""An interval that contains no instant, so the series is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimePage:
    """A page of the selected times."""

    limit: int
    """Maximum number of times."""
    cursor: Instant | None
    """First time of the page; `None` for the first page."""


def page_times(
    name: str, time: TimeSelection, page: TimePage, services: Services
) -> tuple[TimeSelection, Instant | None]:
    """Return the selection of a page, and the cursor of the next page or `None`; reads no pixels.

    Args:
        name: The layer's id or alias.
        time: The selection of all pages.
        page: The page.
        services: The services with the layer.

    Raises:
        ChronotileError: A name or time is invalid.
    """
    layer = layer_with_values(name, services)
    if len(layer.times) == 0:
        return time, None
    indexes = resolve_series_times(layer, time, now=services.clock()).indexes
    start = 0 if page.cursor is None else int(np.searchsorted(instants_of(layer, indexes), page.cursor))
    listed, rest = indexes[start : start + page.limit], indexes[start + page.limit :]
    if not listed:
        return replace(NO_TIMES, is_of_open=time.is_open), None
    page_selection = selection_of(layer.times, listed, is_of_open=time.is_open)
    return page_selection, instants_of(layer, rest[:1])[0] if rest else None


# The native cell at a point, for series, feature info and EDR positions.

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


def _join(parts: Sequence[Pixels], encoding: Encoding) -> Pixels:
    """Concatenate (time,) pixels of a cell with their reasons."""
    numbers = np.concatenate([part.numbers for part in parts])
    valid = np.concatenate([valid_pixels(part, encoding) for part in parts])
    return Pixels(numbers, valid, tuple(reason for part in parts for reason in cell_reasons(part, encoding)))


def cell_values(pixels: Pixels, encoding: Encoding) -> Float64Array:
    """Return (time,) values of a cell in full precision, NaN for missing values."""
    return np.where(valid_pixels(pixels, encoding), encoding.values(pixels.numbers), np.nan)
