"""Series of points: the values of the native cell at each point, over time; each chunk is read once for all points."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from chronotile.core.cancellation import IsActive, always_active, require_active
from chronotile.core.errors import require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.raster import cell_reasons
from chronotile.core.model.request import Point, PointsSeriesRequest
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.series.series import PointsSeries
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import NativeGrid
from chronotile.core.model.types import Float64Array, IndexArray, Int64Array, UInt8Array
from chronotile.core.stats.analysis_costs import analysis_seconds
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.native_cell import cell_of, cell_values, outside_hints, reach_of, read_cell
from chronotile.pipeline.resolve_series import instants_of, layer_with_values, series_indexes
from chronotile.pipeline.series.area_cells import (
    AreaCells,
    AreaReading,
    cheapest_reading,
    takes_several_reads,
    windows_of_all,
)
from chronotile.pipeline.series.areas import bounded_cost
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.pipeline.zones.spans import Spans

_InsideValues = tuple[Float64Array, UInt8Array, tuple[str, ...]]
"""(time, point) values and codes, and the names of the codes."""

OUTSIDE = "outside_extent"
"""Reason for a point outside the layer; cells inside have other reasons."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsTarget:
    """A resolved request."""

    points: tuple[Point, ...]
    inside: IndexArray
    """Numbers of the points inside the layer."""
    how: AreaReading
    """How their cells are read; each is an area of one cell."""


def extract_points_series(
    requests: Sequence[PointsSeriesRequest],
    services: Services,
    *,
    analysis: Analysis | None = None,
    is_active: IsActive = always_active,
) -> list[PointsSeries]:
    """Return for each request the values of the native cells at its points, the same as from `extract_series`.

    Args:
        requests: The layers, points and times.
        services: The services that read them.
        analysis: The analysis that follows, for the estimate of processor time.
        is_active: Whether the client still waits.

    Raises:
        InvalidParameter: A layer is a composite.
        LimitExceeded: All answers together have too many values, or reading them takes too much.
        SourceUnavailable: A source is unreachable.
        ClientGone: The client disconnected.
        ChronotileError: A name or time is not accepted.
    """
    layers = [layer_with_values(request.layer, services) for request in requests]
    indexes = [series_indexes(layer, request.time, services) for layer, request in zip(layers, requests, strict=True)]
    requested = sum(
        len(request.points) * len(request_indexes) for request, request_indexes in zip(requests, indexes, strict=True)
    )
    allowed = services.catalogue.limits.max_series_values
    alternative = "request a shorter interval, or use fewer points or layers at once"
    require_at_most("max_series_values", requested, allowed, alternative=alternative, locator="points")
    targets = []
    for layer, request, request_indexes in zip(layers, requests, indexes, strict=True):
        require_active(is_active)
        targets.append(_target(layer, request.points, request_indexes, services))
    readings = [target.how for target in targets]
    further_s = 0.0
    for request, target in zip(requests, targets, strict=True):
        times = instants_of(target.how.layer, target.how.indexes)
        further_s += analysis_seconds(analysis, times, times, series=len(request.points))
    bounded_cost(readings, 1, services, alternative=alternative, further_s=further_s)
    return [_read_unchanged(target, services, is_active) for target in targets]


SAMPLED_POINTS = 500


def estimate_points(layer: Layer, points: Sequence[Point], indexes: tuple[int, ...], services: Services) -> float:
    """Return the processor seconds of reading series of points, estimated from some of them; reads no pixels."""
    if not points:
        return 0.0
    sampled_points = tuple(points[:: max(1, len(points) // SAMPLED_POINTS)])
    return _target(layer, sampled_points, indexes, services).how.cost(1).seconds * len(points) / len(sampled_points)


def _read_unchanged(target: PointsTarget, services: Services, is_active: IsActive) -> PointsSeries:
    read = partial(_series, target, services, is_active)
    if not takes_several_reads(target.how):
        return read()
    places = windows_of_all([target.how])
    return read_unchanged_files(read, target.how.layer, target.how.indexes, services, places=places)


def _target(layer: Layer, points: tuple[Point, ...], indexes: tuple[int, ...], services: Services) -> PointsTarget:
    cells = cells_of(points, layer.main_variable.grid)
    inside = np.flatnonzero(cells[:, 0] >= 0)
    rows, columns = cells[inside].T
    spans = Spans(areas=np.arange(inside.size), rows=rows, starts=columns, stops=columns + 1)
    how = cheapest_reading(spans, inside.size, layer=layer, indexes=indexes, services=services)
    return PointsTarget(points=points, inside=inside, how=how)


def _series(target: PointsTarget, services: Services, is_active: IsActive) -> PointsSeries:
    layer, shape = target.how.layer, (len(target.points), len(target.how.indexes))
    unreadable = UnreadableDates(layer, services)
    read = _read_places if layer.main_variable.is_mosaic else _read
    values_inside, codes_inside, names = read(target, unreadable, is_active)
    values, codes = np.full(shape, np.nan), np.full(shape, len(names) + 1, dtype=np.uint8)
    values[target.inside], codes[target.inside] = values_inside.T, codes_inside.T
    is_outside = np.ones(len(target.points), dtype=np.bool_)
    is_outside[target.inside] = False
    places = np.array([(point.x, point.y) for point in target.points]).reshape(-1, 2)
    return PointsSeries(
        layer=layer.id,
        units=layer.main_variable.encoding.units,
        times=instants_of(layer, target.how.indexes),
        points=target.points,
        is_outside=is_outside,
        values=values,
        codes=codes,
        reasons=(*names, OUTSIDE),
        encoding=layer.main_variable.encoding,
        reach=reach_of(layer),
        hints=outside_hints(places, layer),
        missing=unreadable.missing,
    )


def cells_of(points: tuple[Point, ...], grid: NativeGrid) -> Int64Array:
    """Return (point, 2) rows and columns of native cells; -1 outside the grid."""
    if not points:
        return np.empty((0, 2), dtype=np.int64)
    x, y = np.array([(point.x, point.y) for point in points]).T
    if grid.crs != CRS84:
        x, y = transformer(CRS84, grid.crs).transform(x, y)
    point_cells = (grid.cell_at(*place) for place in zip(x.tolist(), y.tolist(), strict=True))
    return np.array([(-1, -1) if cell is None else cell for cell in point_cells], dtype=np.int64)


def _read_places(target: PointsTarget, unreadable: UnreadableDates, is_active: IsActive) -> _InsideValues:
    """`_read` for a mosaic: each point is read like a single series."""
    how, variable = target.how, target.how.layer.main_variable
    encoding, names = variable.encoding, variable.encoding.code_names
    values = np.full((len(how.indexes), target.inside.size), np.nan)
    codes = np.zeros(values.shape, dtype=np.uint8)
    for number, point in enumerate(target.inside.tolist()):
        require_active(is_active)
        place = target.points[point]
        cell = cell_of(variable.grid, place)
        assert cell is not None  # noqa: S101 -- held
        pixels = read_cell(
            variable, cell=cell, point=place, indexes=how.indexes, unreadable=unreadable, is_active=is_active
        )
        values[:, number] = cell_values(pixels, encoding)
        reasons = cell_reasons(pixels, encoding)
        codes[:, number] = [0 if reason is None else names.index(reason) + 1 for reason in reasons]
    return values, codes, names


def _read(target: PointsTarget, unreadable: UnreadableDates, is_active: IsActive) -> _InsideValues:
    """(time, point) values and codes of the points inside, and the names of the codes."""
    how = target.how
    reader = AreaCells(how, unreadable, is_active)
    encoding = how.layer.main_variable.encoding
    samples = [reader.samples(slab) for slab in how.slabs()]
    reader.require_source()
    codes = np.concatenate([part.codes for part in samples])
    values = np.concatenate([encoding.values(part.numbers) for part in samples])
    values[codes != 0] = np.nan
    return values, codes, reader.names
