"""What happened at these places: the values of the native cell of each along time, each chunk read once for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from chronotile.core.errors import require_at_most
from chronotile.core.model.collection import Layer
from chronotile.core.model.crs import CRS84, transformer
from chronotile.core.model.grid import NativeGrid
from chronotile.core.model.raster import cell_reasons
from chronotile.core.model.request import IsActive, Point, PointsSeriesRequest, always_active, require_active
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.series.series import PointsSeries
from chronotile.core.model.types import Float64Array, IndexArray, Int64Array, UInt8Array
from chronotile.core.stats.analyse import analysis_seconds
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.resolve_series import (
    cell_of,
    cell_values,
    instants_of,
    layer_with_values,
    outside_hints,
    reach_of,
    read_cell,
    series_indexes,
)
from chronotile.pipeline.series.area_cells import (
    AreaCells,
    AreaReading,
    cheapest_reading,
    places_of_all,
    takes_several_reads,
)
from chronotile.pipeline.series.areas import bounded_cost
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.pipeline.zones.spans import Spans

_Read = tuple[Float64Array, UInt8Array, tuple[str, ...]]
"""(time, point) values and codes, and what codes stand for."""

OUTSIDE = "outside_extent"
"""The reason of a point outside the layer, unlike that of cells inside that have no value."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PointsTarget:
    """A request resolved to what exists."""

    points: tuple[Point, ...]
    held: IndexArray
    """Of the points, those inside the layer."""
    how: AreaReading
    """How to read the cells of those, each of which is an area of one cell."""


def extract_points_series(
    requests: Sequence[PointsSeriesRequest],
    services: Services,
    *,
    analysis: Analysis | None = None,
    is_active: IsActive = always_active,
) -> list[PointsSeries]:
    """Return for each request the values of the native cells that hold the points, as `extract_series` does of one.

    Args:
        requests: What is read.
        services: What to read it with.
        analysis: What will be computed of the series, for the estimate of processor time.
        is_active: Whether the client still waits.

    Raises:
        InvalidParameter: A layer is a composite.
        LimitExceeded: All answers together, or what is to be read for them, are too large.
        SourceUnavailable: A source is away.
        ClientGone: The client left.
        ChronotileError: A name or time is not accepted.
    """
    layers = [layer_with_values(request.layer, services) for request in requests]
    indexes = [series_indexes(layer, each.time, services) for layer, each in zip(layers, requests, strict=True)]
    requested = sum(len(each.points) * len(own) for each, own in zip(requests, indexes, strict=True))
    allowed = services.catalogue.limits.max_series_values
    alternative = "request a shorter interval, or use fewer points or layers at once"
    require_at_most("max_series_values", requested, allowed, alternative=alternative, locator="points")
    targets = []
    for layer, each, own in zip(layers, requests, indexes, strict=True):
        require_active(is_active)
        targets.append(_target(layer, each.points, own, services))
    readings = [target.how for target in targets]
    further_s = 0.0
    for each, target in zip(requests, targets, strict=True):
        times = instants_of(target.how.layer, target.how.indexes)
        further_s += analysis_seconds(analysis, times, times, series=len(each.points))
    bounded_cost(readings, 1, services, alternative=alternative, further_s=further_s)
    return [_of_one_state(target, services, is_active) for target in targets]


SAMPLED_POINTS = 500


def estimate_points(layer: Layer, points: Sequence[Point], indexes: tuple[int, ...], services: Services) -> float:
    """Return the processor time of reading series of points, of which some are estimated; reads no pixels."""
    if not points:
        return 0.0
    some = tuple(points[:: max(1, len(points) // SAMPLED_POINTS)])
    return _target(layer, some, indexes, services).how.cost(1).seconds * len(points) / len(some)


def _of_one_state(target: PointsTarget, services: Services, is_active: IsActive) -> PointsSeries:
    read = partial(_series, target, services, is_active)
    if not takes_several_reads(target.how):
        return read()
    places = places_of_all([target.how])
    return read_unchanged_files(read, target.how.layer, target.how.indexes, services, places=places)


def _target(layer: Layer, points: tuple[Point, ...], indexes: tuple[int, ...], services: Services) -> PointsTarget:
    cells = cells_of(points, layer.main_variable.grid)
    held = np.flatnonzero(cells[:, 0] >= 0)
    rows, columns = cells[held].T
    spans = Spans(areas=np.arange(held.size), rows=rows, starts=columns, stops=columns + 1)
    how = cheapest_reading(spans, held.size, layer=layer, indexes=indexes, services=services)
    return PointsTarget(points=points, held=held, how=how)


def _series(target: PointsTarget, services: Services, is_active: IsActive) -> PointsSeries:
    layer, shape = target.how.layer, (len(target.points), len(target.how.indexes))
    found = UnreadableDates(layer, services)
    read = _read_places if layer.main_variable.is_mosaic else _read
    values_inside, codes_inside, names = read(target, found, is_active)
    values, codes = np.full(shape, np.nan), np.full(shape, len(names) + 1, dtype=np.uint8)
    values[target.held], codes[target.held] = values_inside.T, codes_inside.T
    is_outside = np.ones(len(target.points), dtype=np.bool_)
    is_outside[target.held] = False
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
        missing=found.missing,
    )


def cells_of(points: tuple[Point, ...], grid: NativeGrid) -> Int64Array:
    """Return (point, 2) rows and columns of native cells, -1 outside."""
    if not points:
        return np.empty((0, 2), dtype=np.int64)
    x, y = np.array([(point.x, point.y) for point in points]).T
    if grid.crs != CRS84:
        x, y = transformer(CRS84, grid.crs).transform(x, y)
    found = (grid.cell_at(*place) for place in zip(x.tolist(), y.tolist(), strict=True))
    return np.array([(-1, -1) if cell is None else cell for cell in found], dtype=np.int64)


def _read_places(target: PointsTarget, found: UnreadableDates, is_active: IsActive) -> _Read:
    """The same of a mosaic: of each point as of a series of its own."""
    how, variable = target.how, target.how.layer.main_variable
    encoding, names = variable.encoding, variable.encoding.code_names
    values = np.full((len(how.indexes), target.held.size), np.nan)
    codes = np.zeros(values.shape, dtype=np.uint8)
    for number, point in enumerate(target.held.tolist()):
        require_active(is_active)
        place = target.points[point]
        cell = cell_of(variable.grid, place)
        assert cell is not None  # noqa: S101 -- held
        pixels = read_cell(variable, cell=cell, place=place, indexes=how.indexes, found=found, is_active=is_active)
        values[:, number] = cell_values(pixels, encoding)
        reasons = cell_reasons(pixels, encoding)
        codes[:, number] = [0 if reason is None else names.index(reason) + 1 for reason in reasons]
    return values, codes, names


def _read(target: PointsTarget, found: UnreadableDates, is_active: IsActive) -> _Read:
    """(time, point) values and codes of those inside, and what codes stand for."""
    how = target.how
    reader = AreaCells(how, found, is_active)
    encoding = how.layer.main_variable.encoding
    samples = [reader.samples(slab) for slab in how.slabs()]
    reader.require_source()
    codes = np.concatenate([each.codes for each in samples])
    values = np.concatenate([encoding.values(each.numbers) for each in samples])
    values[codes != 0] = np.nan
    return values, codes, reader.names
