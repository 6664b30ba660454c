"""What happened in these areas: the values of their native cells, reduced to one an instant."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from chronotile.errors import ClientGone, InvalidParameter, LimitExceeded
from chronotile.model.area import Area
from chronotile.model.collection import Layer
from chronotile.model.raster import pixel_codes
from chronotile.model.reducer import Reducer
from chronotile.model.request import AreaSeriesRequest
from chronotile.model.series import AreaSeries, AreasSeries
from chronotile.pipeline.cells import reach_of
from chronotile.pipeline.extract_series import instants_of, layer_with_values, series_indexes
from chronotile.pipeline.services import Services, reading
from chronotile.readers.area_cells import Piece, cells_inside, window_of
from chronotile.stats.samples import FloatArray, IntArray, Reduced, Samples, reduce_samples


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AreaTarget:
    """A request resolved to what exists."""

    layer: Layer
    pieces: tuple[tuple[Piece, ...], ...]
    """The native cells whose centres lie in each area."""
    indexes: tuple[int, ...]
    """Ascending, into the layer's times; of a layer without time, the one index 0."""


def extract_area_series(
    request: AreaSeriesRequest, services: Services, *, is_wanted: Callable[[], bool] = lambda: True
) -> AreasSeries:
    """Return what the reducers make of the values in the native cells of each area.

    An area so small that it holds no centre has no values, and a `total` of 0.

    Raises:
        InvalidParameter: An area lies outside the layer, or the layer is a composite.
        LimitExceeded: An area has too many cells, alone or over all times, or there are too many times.
        SourceUnavailable: The source is gone or damaged.
        ClientGone: Nobody wants the answer any more.
        ChronotileError: A name or time is not accepted.
    """
    target = resolve_area_series(request, services)
    encoding = target.layer.main_variable.encoding
    edges = edges_of(request.reducers, target.layer)
    reduced = reduce_samples(_samples(target, services, is_wanted), encoding, request.reducers, edges)
    return AreasSeries(
        layer=target.layer.id,
        units=encoding.units,
        times=instants_of(target.layer, target.indexes),
        areas=tuple(
            _series(area, number, reduced, request=request, names=encoding.code_names)
            for number, area in enumerate(request.areas)
        ),
        edges=edges,
    )


def resolve_area_series(request: AreaSeriesRequest, services: Services) -> AreaTarget:
    """Return the layer, cells and times a request means, and refuse what is too much; reads no pixels."""
    layer = layer_with_values(request.layer, services)
    grid = layer.main_variable.grid
    limits = services.catalogue.limits
    for area in request.areas:
        window = window_of(area, grid)
        if window is None:
            raise _outside(area, layer)
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
    pieces = tuple(tuple(cells_inside(area, grid)) for area in request.areas)
    values = sum(_cells(each) for each in pieces) * len(indexes)
    if values > limits.max_cube_values:
        raise LimitExceeded(
            "max_cube_values",
            allowed=limits.max_cube_values,
            asked=values,
            alternative="ask for a shorter interval or a smaller area",
            locator="time",
        )
    return AreaTarget(layer=layer, pieces=pieces, indexes=indexes)


def edges_of(reducers: Sequence[Reducer], layer: Layer) -> Mapping[str, FloatArray]:
    """Return the (bin + 1,) edges of each histogram; without a range of its own over that of the first style."""
    edges = {}
    for each in reducers:
        if each.bins is not None:
            low, high = each.range or layer.styles[0].range
            edges[each.name] = np.linspace(low, high, each.bins + 1)
    return edges


def _cells(pieces: tuple[Piece, ...]) -> int:
    return sum(int(np.count_nonzero(piece.inside)) for piece in pieces)


def _samples(target: AreaTarget, services: Services, is_wanted: Callable[[], bool]) -> Samples:
    """The numbers of all cells at all times."""
    variable = target.layer.main_variable
    bounds = np.cumsum([0, *map(_cells, target.pieces)])
    numbers = np.empty((len(target.indexes), int(bounds[-1])), dtype=variable.encoding.dtype)
    codes = np.empty(numbers.shape, dtype=np.uint8)
    for row, index in enumerate(target.indexes):
        if not is_wanted():
            raise ClientGone("the client left")
        start = 0
        for piece in (piece for pieces in target.pieces for piece in pieces):
            with reading(target.layer):
                pixels = services.reader(target.layer).read_window(
                    variable.name, index=index, level=0, window=piece.window
                )
            end = start + int(np.count_nonzero(piece.inside))
            numbers[row, start:end] = pixels.numbers[piece.inside]
            codes[row, start:end] = pixel_codes(pixels, variable.encoding).numbers[piece.inside]
            start = end
    return Samples(numbers=numbers, codes=codes, bounds=bounds, weights=None)


def _series(
    area: Area, number: int, reduced: Reduced, *, request: AreaSeriesRequest, names: tuple[str, ...]
) -> AreaSeries:
    """What is told of one area, without the values for which too few cells have one."""
    share = reduced.valid_share[:, number]
    is_enough = ~(share < request.min_valid)
    columns = {}
    for reducer in request.reducers:
        column = reduced.values[reducer.name][:, number].copy()
        if reducer.kind not in {"count", "valid_share"}:
            column[~is_enough] = np.nan
        columns[reducer.name] = column
    reasons: dict[str, IntArray] = {}
    for code, counts in sorted(reduced.causes.items()):
        if counts[:, number].any():
            name = names[code - 1]
            reasons[name] = reasons.get(name, 0) + counts[:, number]
    return AreaSeries(
        area=area,
        reduced=columns,
        valid=reduced.valid[:, number],
        total=int(reduced.total[number]),
        reasons=reasons,
    )


def _outside(area: Area, layer: Layer) -> InvalidParameter:
    return InvalidParameter(
        f"the geometry of {area.vertices} vertices lies outside layer {layer.id}, which {reach_of(layer)}; "
        "coordinates are longitude first",
        locator="geometry",
    )
