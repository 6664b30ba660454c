"""Series of several variables at points or in areas (EDR): values of native cells, or their means."""

from collections.abc import Callable, Collection, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from typing import TypeVar

import numpy as np

from chronotile.core.cancellation import IsActive
from chronotile.core.errors import InvalidParameter, TimeNotAvailable
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import TimeUsed, join_missing
from chronotile.core.model.request import (
    AreaSeriesRequest,
    AreasRequest,
    Point,
    PointsSeriesRequest,
    PositionsRequest,
    SeriesRequest,
)
from chronotile.core.model.series.reducers import MEAN
from chronotile.core.model.series.series import PointsSeries
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import InstantArray
from chronotile.pipeline.cached_answer import FilePayload, mark_missing
from chronotile.pipeline.encoders.bodies import BytesBody, stream_parts, translate_storage_errors
from chronotile.pipeline.encoders.series.table import SeriesTable, table_of_layers
from chronotile.pipeline.resolve_series import check_length, instants_of, layer_with_values, series_indexes
from chronotile.pipeline.revision import fingerprint, pixel_revision
from chronotile.pipeline.series.areas import extract_area_series
from chronotile.pipeline.series.point import SeriesTarget, read_series, resolve_series
from chronotile.pipeline.series.points import cells_of, extract_points_series
from chronotile.pipeline.services import Services

Resolved = TypeVar("Resolved")
SHORT = 1 << 16
"""Maximum number of values that are written before sending; longer bodies are written while they are sent."""
ALTERNATIVE = "request a shorter interval, fewer places or fewer parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsFormat:
    """A format of series of several variables."""

    name: str
    """Name for the ETag."""
    media_type: str
    encode: Callable[[SeriesTable], Generator[bytes]]
    """Yields the document in parts, which may be made while they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsTarget:
    """A resolved request; `read` reads its values."""

    etag: str
    time: TimeUsed
    read: Callable[[], SeriesTable]
    """Raises ChronotileError, such as SourceUnavailable."""


def deliver_fields(target: FieldsTarget, format: FieldsFormat, *, client_etags: Collection[str] = ()) -> FilePayload:
    """Return the series in a format.

    Args:
        target: The resolved request.
        format: The format of the answer.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.

    Raises:
        SourceUnavailable: The source is unreachable or damaged.
        LimitExceeded: The data to read are too large.
        StorageFull: The disk is full, and too many other answers are being sent from memory.
        ClientGone: The client closed the connection.
    """
    payload = FilePayload(
        body=BytesBody(b""),
        media_type=format.media_type,
        etag=fingerprint("fields", target.etag, format.name),
        time=target.time,
    )
    if payload.etag in client_etags:
        return replace(payload, unchanged=True)
    table = target.read()
    parts = format.encode(table)
    with translate_storage_errors():
        body = BytesBody(b"".join(parts)) if table.size <= SHORT else stream_parts(parts)
    return mark_missing(replace(payload, body=body), table.missing)


def resolve_positions(request: PositionsRequest, services: Services, *, is_active: IsActive) -> FieldsTarget:
    """Return a target that reads the native cells at points; reads no pixels itself.

    The values are those of `extract_series`. A variable without the requested single time is skipped if another
    variable has the time. Of several points, those outside have no values.

    Raises:
        InvalidParameter: All points are outside, or a layer is a composite.
        LimitExceeded: There are more than `max_series_values` values.
        TimeNotAvailable: No variable has the time.
        ChronotileError: A name or time is invalid.
    """
    if len(request.points) > 1:
        return _resolve_many(request, services, is_active)
    make = partial(SeriesRequest, point=request.points[0], time=request.time)
    targets = _resolve_layers_with_times(request.layers, lambda name: resolve_series(make(layer=name), services))
    check_length(sum(len(target.indexes) for target in targets), services, alternative=ALTERNATIVE)
    return FieldsTarget(
        etag=fingerprint([target.etag for target in targets]),
        time=_join_times(
            [instants_of(target.layer, target.indexes) for target in targets],
            is_open=any(target.is_open for target in targets),
        ),
        read=partial(_read_one, request, targets, services),
    )


def resolve_areas(request: AreasRequest, services: Services, *, is_active: IsActive) -> FieldsTarget:
    """Return a target that reads the means of native cells in areas; reads no pixels itself.

    The means are those of `extract_area_series`. A variable without the requested single time is skipped if another
    variable has the time.

    Raises:
        InvalidParameter: A layer is a composite; raised by `read`: all areas are outside.
        LimitExceeded: There are more than `max_series_values` values; raised by `read`: the data to read are too large.
        TimeNotAvailable: No variable has the time.
        ChronotileError: A name or time is invalid.
    """
    layers, etag, time = _resolve_times(request.layers, request.time, len(request.areas), services)
    identity = [
        (area.id, area.properties, area.crs.name, [ring.tobytes() for polygon in area.polygons for ring in polygon])
        for area in request.areas
    ]
    return FieldsTarget(
        etag=fingerprint(etag, identity), time=time, read=partial(_read_areas, request, layers, services, is_active)
    )


def _read_one(request: PositionsRequest, targets: Sequence[SeriesTarget], services: Services) -> SeriesTable:
    read = [(target.layer, read_series(target, services)) for target in targets]
    return table_of_layers(
        request.points,
        [(layer, series.times, series.values[None]) for layer, series in read],
        missing=join_missing(series.missing for _layer, series in read),
    )


def _resolve_many(request: PositionsRequest, services: Services, is_active: IsActive) -> FieldsTarget:
    points = tuple(map(_point_in_degrees, request.points))
    layers, etag, time = _resolve_times(request.layers, request.time, len(points), services, points=points)
    identity = [(point.crs.name, point.x, point.y) for point in request.points]
    return FieldsTarget(
        etag=fingerprint(etag, identity), time=time, read=partial(_read_many, request, layers, services, is_active)
    )


def _read_many(
    request: PositionsRequest, layers: Sequence[Layer], services: Services, is_active: IsActive
) -> SeriesTable:
    points = tuple(map(_point_in_degrees, request.points))
    series_requests = [PointsSeriesRequest(layer=layer.id, points=points, time=request.time) for layer in layers]
    read = extract_points_series(series_requests, services, is_active=is_active)
    _check_inside(read)
    return table_of_layers(
        request.points,
        [(layer, series.times, series.values) for layer, series in zip(layers, read, strict=True)],
        missing=join_missing(series.missing for series in read),
    )


def _read_areas(request: AreasRequest, layers: Sequence[Layer], services: Services, is_active: IsActive) -> SeriesTable:
    make = partial(AreaSeriesRequest, areas=request.areas, time=request.time, reducers=(MEAN,), given_by="location")
    read = [extract_area_series(make(layer=layer.id), services, is_active=is_active) for layer in layers]
    return table_of_layers(
        request.areas,
        [
            (layer, series.times, np.array([area.reduced[MEAN.name] for area in series.areas]))
            for layer, series in zip(layers, read, strict=True)
        ],
        missing=join_missing(series.missing for series in read),
        method=MEAN.name,
    )


def _point_in_degrees(point: Point) -> Point:
    longitude, latitude = point.degrees
    return Point(x=longitude, y=latitude)


def _check_inside(read: Sequence[PointsSeries]) -> None:
    """Check that a point is inside a layer; a single point outside is an error too.

    Raises:
        InvalidParameter: All points are outside.
    """
    first = read[0]
    if all(series.is_outside.all() for series in read):
        raise InvalidParameter(
            f"all {len(first.points)} points lie outside layer {first.layer}, which {first.reach}{first.hints[0]}",
            locator="point",
        )


def _resolve_times(
    names: Sequence[str], time: TimeSelection, places: int, services: Services, *, points: tuple[Point, ...] = ()
) -> tuple[list[Layer], str, TimeUsed]:
    """Return the layers that have requested times, a fingerprint of their pixels, and these times.

    For points, only the cells around them are fingerprinted.
    """

    def resolve(name: str) -> tuple[Layer, tuple[int, ...]]:
        layer = layer_with_values(name, services)
        return layer, series_indexes(layer, time, services)

    pairs = _resolve_layers_with_times(names, resolve)
    check_length(places * sum(len(indexes) for _layer, indexes in pairs), services, alternative=ALTERNATIVE)
    layers, times = [layer for layer, _indexes in pairs], [instants_of(*pair) for pair in pairs]
    states = [_state(*pair, services, points) for pair in zip(layers, times, strict=True)]
    return layers, fingerprint(states), _join_times(times, is_open=time.is_open)


def _state(layer: Layer, times: InstantArray, services: Services, points: tuple[Point, ...]) -> tuple[str, bytes]:
    window = _window_round(points, layer)
    return pixel_revision(layer, times if len(layer.times) else (), services, window), times.tobytes()


def _window_round(points: tuple[Point, ...], layer: Layer) -> Window | None:
    """Return the smallest window of native cells that contains all points inside; `None` if all are outside."""
    cells = cells_of(points, layer.main_variable.grid)
    inside = cells[cells[:, 0] >= 0]
    if not len(inside):
        return None
    (row_start, column_start), (row_stop, column_stop) = inside.min(axis=0).tolist(), (inside.max(axis=0) + 1).tolist()
    return Window(row_start, row_stop, column_start, column_stop)


def _join_times(times: Sequence[InstantArray], *, is_open: bool) -> TimeUsed:
    # All instants of any variable, without NaT.
    dated = [instants for instants in times if not np.isnat(instants).any()]
    return TimeUsed(instants=tuple(reduce(np.union1d, dated)[::-1]), is_open=is_open) if dated else TimeUsed()


def _resolve_layers_with_times(names: Sequence[str], resolve: Callable[[str], Resolved]) -> list[Resolved]:
    """Resolve each name, and skip layers that do not have the requested time.

    Raises:
        TimeNotAvailable: No layer has the time.
    """
    resolved: list[Resolved] = []
    missing: list[TimeNotAvailable] = []
    for name in names:
        try:
            resolved.append(resolve(name))
        except TimeNotAvailable as error:
            missing.append(error)
    if not resolved:
        raise missing[0]
    return resolved
