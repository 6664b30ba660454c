"""What happened in this area: the values of its native cells, reduced to one an instant."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce

import numpy as np

from chronotile.errors import InvalidParameter, LimitExceeded
from chronotile.model.area import Area
from chronotile.model.collection import Layer
from chronotile.model.raster import valid_pixels
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series import AreaSeries
from chronotile.pipeline.cells import reach_of
from chronotile.pipeline.extract_series import instants_of, layer_with_values, series_indexes
from chronotile.pipeline.services import Services, reading
from chronotile.readers.area_cells import Piece, cells_inside, window_of
from chronotile.stats.moments import Moments, joined, moments_of

THREADS = 4
"""Of one series; each reads another time."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaTarget:
    """A request resolved to what exists."""

    layer: Layer
    pieces: tuple[Piece, ...]
    """The native cells whose centres lie in the area."""
    indexes: tuple[int, ...]
    """Ascending, into the layer's times; of a layer without time, the one index 0."""

    @property
    def cells(self) -> int:
        """The number of cells in the area."""
        return sum(int(np.count_nonzero(piece.inside)) for piece in self.pieces)


def extract_area_series(request: AreaSeriesRequest, services: Services) -> AreaSeries:
    """Return what the reducers make of the values in the native cells whose centres lie in the area.

    The cells are found once for all times. An area so small that it holds no centre has no values, and a `total` of 0.

    Raises:
        InvalidParameter: The area lies outside the layer, or the layer is a composite.
        LimitExceeded: The area has too many cells, alone or over all times, or there are too many times.
        SourceUnavailable: The source is gone or damaged.
        ChronotileError: A name or time is not accepted.
    """
    target = resolve_area_series(request, services)
    found = _at_each(target.indexes, lambda index: _moments(target, index, services))
    return AreaSeries(
        layer=target.layer.id,
        units=target.layer.main_variable.encoding.units,
        id=request.area.id,
        times=instants_of(target.layer, target.indexes),
        reduced={
            reducer: np.array([moments.reduced(reducer) for moments in found], dtype=np.float64)
            for reducer in request.reducers
        },
        valid=np.array([moments.count for moments in found], dtype=np.int64),
        total=target.cells,
    )


def resolve_area_series(request: AreaSeriesRequest, services: Services) -> AreaTarget:
    """Return the layer, cells and times a request means, and refuse what is too much; reads no pixels."""
    layer = layer_with_values(request.layer, services)
    grid = layer.main_variable.grid
    window = window_of(request.area, grid)
    if window is None:
        raise _outside(request.area, layer)
    limits = services.catalogue.limits
    pixels = window.width * window.height
    if pixels > limits.max_pixels:
        raise LimitExceeded(
            "max_pixels",
            allowed=limits.max_pixels,
            asked=pixels,
            alternative="ask for smaller areas",
            locator="geometry",
        )
    indexes = series_indexes(layer, request.time, services)
    target = AreaTarget(layer=layer, pieces=tuple(cells_inside(request.area, grid)), indexes=indexes)
    values = target.cells * len(indexes)
    if values > limits.max_cube_values:
        raise LimitExceeded(
            "max_cube_values",
            allowed=limits.max_cube_values,
            asked=values,
            alternative="ask for a shorter interval or a smaller area",
            locator="time",
        )
    return target


def _at_each(indexes: Sequence[int], find: Callable[[int], Moments]) -> list[Moments]:
    """What is found at each time, in that order."""
    if len(indexes) < 2:
        return [find(index) for index in indexes]
    with ThreadPoolExecutor(min(THREADS, len(indexes))) as threads:
        return list(threads.map(find, indexes))


def _moments(target: AreaTarget, index: int, services: Services) -> Moments:
    return reduce(
        joined, (_moments_of_piece(target.layer, piece, index, services) for piece in target.pieces), Moments()
    )


def _moments_of_piece(layer: Layer, piece: Piece, index: int, services: Services) -> Moments:
    variable = layer.main_variable
    with reading(layer):
        pixels = services.reader(layer).read_window(variable.name, index=index, level=0, window=piece.window)
    counted = piece.inside & valid_pixels(pixels, variable.encoding)
    return moments_of(variable.encoding.values(pixels.numbers[counted]))


def _outside(area: Area, layer: Layer) -> InvalidParameter:
    return InvalidParameter(
        f"the geometry of {area.vertices} vertices lies outside layer {layer.id}, which {reach_of(layer)}; "
        "coordinates are longitude first",
        locator="geometry",
    )
