"""The layer and times of a series, of one place or many, and the cell of one place."""

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
    """Return a layer that has values of its own.

    Raises:
        UnknownLayer: There is no such layer.
        InvalidParameter: It is a composite.
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
        LimitExceeded: They are more than `max_series_values`.
        ChronotileError: The time is not accepted.
    """
    indexes = resolve_series_times(layer, time, now=services.clock()).indexes
    check_length(len(indexes), services)
    return indexes


def has_open_times(layer: Layer, time: TimeSelection, analysis: Analysis | None = None) -> bool:
    """Return whether the times of a series, or of the reference of its analysis, may be others soon."""
    is_reference_open = analysis is not None and analysis.is_reference_open
    return len(layer.times) > 0 and (time.is_open or is_reference_open)


def check_length(count: int, services: Services, *, alternative: str = SHORTER) -> None:
    """Refuse series of too many values in all; `alternative` is the cheaper way to ask.

    Raises:
        LimitExceeded: They are more than `max_series_values`.
    """
    allowed = services.catalogue.limits.max_series_values
    require_at_most("max_series_values", count, allowed, alternative=alternative, locator="time")


def instants_of(layer: Layer, indexes: tuple[int, ...]) -> InstantArray:
    """Return (time,): those of the indexes; not a time (NaT) for the one value of a layer without time."""
    if len(layer.times) == 0:
        return np.full(len(indexes), np.datetime64("NaT", "ns"))
    instants, count = layer.times.instants, len(indexes)
    if count and indexes[-1] - indexes[0] == count - 1:  # ascending: a run, ten times as fast as a list
        return instants[indexes[0] : indexes[-1] + 1]
    return instants[list(indexes)]


def selection_of(domain: TimeDomain, indexes: Sequence[int], *, is_of_open: bool = False) -> TimeSelection:
    """Return what selects the times of ascending indexes, at least one: an interval for each run of them.

    Args:
        domain: The times.
        indexes: Into them.
        is_of_open: Whether they are those of an open selection.
    """
    runs = np.split(indexes, np.flatnonzero(np.diff(indexes) > 1) + 1)
    spans = (TimeSpan(domain.starts[run[0]], domain.starts[run[-1]] + ONE_NS) for run in runs)
    parts = tuple(TimePart(span, is_interval=True) for span in spans)
    return TimeSelection("parts", parts, is_of_open=is_of_open)


NO_TIMES = TimeSelection("parts", (TimePart(TimeSpan(DISTANT_PAST, DISTANT_PAST + ONE_NS), is_interval=True),))
"""An interval without an instant, of which a series is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which of the times that match are requested."""

    limit: int
    """The most."""
    cursor: Instant | None
    """Where it begins; `None` at the first."""


def page_times(name: str, time: TimeSelection, page: Page, services: Services) -> tuple[TimeSelection, Instant | None]:
    """Return what selects the times of a page, and where the next begins, if there are more; reads no pixels.

    Args:
        name: The layer's id or alias.
        time: What selects the times of all pages.
        page: Which of them.
        services: To resolve them with.

    Raises:
        ChronotileError: A name or time is not accepted.
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


# One native cell, found and read the same way for the series of a point, feature info and EDR positions.

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


def outside_hints(places: Float64Array, layer: Layer) -> list[str]:
    """Return the same of each of (place, 2) longitudes and latitudes, by the box of a layer."""
    grid = layer.main_variable.grid
    west, south, east, north = grid.bbox_in(CRS84)
    x, y = places.T
    is_swapped = (south <= x) & (x <= north) & (west <= y) & (y <= east)
    hints = np.where(is_in_unfilled_box(places, grid), UNFILLED, np.where(is_swapped, SWAPPED, ""))
    return [str(each) for each in hints]


def is_in_unfilled_box(places: FloatArray, grid: NativeGrid) -> BoolArray:
    """(place,): whether longitudes and latitudes (place, 2) lie in the box of a grid that is not that box itself."""
    if grid.wrap_columns is not None:
        return np.zeros(len(places), dtype=np.bool_)
    west, south, east, north = grid.bbox_in(CRS84)
    x, y = places.T
    is_inside: BoolArray = (west <= x) & (x <= east) & (south <= y) & (y <= north)
    return is_inside


FILES_AT_ONCE = 64
"""Times of files that are read between two looks at whether the client is still connected."""


def read_cell(
    variable: VariableInfo,
    *,
    cell: tuple[int, int],
    place: Point,
    indexes: tuple[int, ...],
    unreadable: UnreadableDates,
    is_active: IsActive = always_active,
) -> Pixels:
    """Return (time,) pixels of a cell at the times of `indexes`, which count the variable's own.

    Args:
        variable: Of the layer that `unreadable` is of.
        cell: Row and column.
        place: In the cell; of a mosaic, whose pieces have cells of their own, those that hold it are read.
        indexes: Ascending.
        unreadable: Takes the dates that cannot be read, which have the reason `unreadable`.
        is_active: Whether the client still waits.

    Raises:
        ClientGone: The client left.
        SourceUnavailable: The source is away.
    """
    if not indexes:
        return Pixels(np.array([], dtype=variable.encoding.dtype))
    row, column = cell
    with reading(unreadable.layer):
        reader = unreadable.reader

        def read(some: Sequence[int]) -> Pixels:
            if variable.is_mosaic:
                return reader.read_point(variable.name, indexes=some, point=place)
            return reader.read_cell(variable.name, indexes=some, row=row, column=column)

        step = FILES_AT_ONCE if reader.info.is_of_files else len(indexes)
        parts = list[Pixels]()
        for start in range(0, len(indexes), step):
            require_active(is_active)
            some = indexes[start : start + step]
            parts.append(cell_around_damage(read, some, variable.encoding, unreadable.reporter(variable)))
        unreadable.require_source(variable, indexes, cell)
        return parts[0] if len(parts) == 1 else _join(parts, variable.encoding)


def _join(parts: Sequence[Pixels], encoding: Encoding) -> Pixels:
    """(time,) pixels of a cell, with the reasons of all parts."""
    numbers = np.concatenate([each.numbers for each in parts])
    valid = np.concatenate([valid_pixels(each, encoding) for each in parts])
    return Pixels(numbers, valid, tuple(reason for each in parts for reason in cell_reasons(each, encoding)))


def cell_values(pixels: Pixels, encoding: Encoding) -> Float64Array:
    """Return (time,) values of a cell in full precision, NaN where there is none."""
    return np.where(valid_pixels(pixels, encoding), encoding.values(pixels.numbers), np.nan)
