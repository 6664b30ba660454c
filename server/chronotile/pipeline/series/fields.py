"""What happened at these places, by several variables: the values of native cells, or their means, along time."""

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
from chronotile.core.model.series.analysis import MEAN
from chronotile.core.model.series.series import PointsSeries
from chronotile.core.model.space.grid import Window
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import InstantArray
from chronotile.pipeline.answer import FilePayload, mark_missing
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
"""Values that are written at once, rather than while they are sent."""
ALTERNATIVE = "request a shorter interval, fewer places or fewer parameters"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsFormat:
    """How series of several variables are written."""

    name: str
    """Part of the ETag."""
    media_type: str
    encode: Callable[[SeriesTable], Generator[bytes]]
    """In parts, which may be made while they are sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldsTarget:
    """A request resolved to what exists."""

    etag: str
    time: TimeUsed
    read: Callable[[], SeriesTable]
    """Raises ChronotileError, such as SourceUnavailable."""


def deliver_fields(target: FieldsTarget, format: FieldsFormat, *, client_etags: Collection[str] = ()) -> FilePayload:
    """Return the series, read and written.

    Args:
        target: The request, resolved.
        format: How it is written.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.

    Raises:
        SourceUnavailable: The source is gone or damaged.
        LimitExceeded: What is to be read is too large.
        StorageFull: There is no room to write what is long while many others are sent.
        ClientGone: The client disconnected.
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
    """Return what gives the values of the native cells that hold the points; reads no pixels.

    They are those of `extract_series`. A variable without the requested single time is left out, where another has
    it; of several points, one that lies outside has no values.

    Raises:
        InvalidParameter: All points lie outside, or a layer is a composite.
        LimitExceeded: There are more than `max_series_values`.
        TimeNotAvailable: No variable has the time.
        ChronotileError: A name or time is not accepted.
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
    """Return what gives the means of the native cells in the areas; reads no pixels.

    They are those of `extract_area_series`. A variable without the requested single time is left out, where
    another has it.

    Raises:
        InvalidParameter: A layer is a composite; as they are read, all areas lie outside.
        LimitExceeded: There are more than `max_series_values`; as they are read, that is too much.
        TimeNotAvailable: No variable has the time.
        ChronotileError: A name or time is not accepted.
    """
    layers, etag, time = _resolve_times(request.layers, request.time, len(request.areas), services)
    identity = [
        (area.id, area.properties, area.crs.name, [ring.tobytes() for each in area.polygons for ring in each])
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
    points = tuple(map(_in_degrees, request.points))
    layers, etag, time = _resolve_times(request.layers, request.time, len(points), services, points=points)
    identity = [(point.crs.name, point.x, point.y) for point in request.points]
    return FieldsTarget(
        etag=fingerprint(etag, identity), time=time, read=partial(_read_many, request, layers, services, is_active)
    )


def _read_many(
    request: PositionsRequest, layers: Sequence[Layer], services: Services, is_active: IsActive
) -> SeriesTable:
    points = tuple(map(_in_degrees, request.points))
    series_requests = [PointsSeriesRequest(layer=layer.id, points=points, time=request.time) for layer in layers]
    read = extract_points_series(series_requests, services, is_active=is_active)
    _check_inside(read)
    return table_of_layers(
        request.points,
        [(layer, each.times, each.values) for layer, each in zip(layers, read, strict=True)],
        missing=join_missing(series.missing for series in read),
    )


def _read_areas(request: AreasRequest, layers: Sequence[Layer], services: Services, is_active: IsActive) -> SeriesTable:
    make = partial(AreaSeriesRequest, areas=request.areas, time=request.time, reducers=(MEAN,), given_by="location")
    read = [extract_area_series(make(layer=layer.id), services, is_active=is_active) for layer in layers]
    return table_of_layers(
        request.areas,
        [
            (layer, each.times, np.array([area.reduced[MEAN.name] for area in each.areas]))
            for layer, each in zip(layers, read, strict=True)
        ],
        missing=join_missing(series.missing for series in read),
        method=MEAN.name,
    )


def _in_degrees(point: Point) -> Point:
    longitude, latitude = point.degrees
    return Point(x=longitude, y=latitude)


def _check_inside(read: Sequence[PointsSeries]) -> None:
    """Refuse points that all lie outside, as one point is.

    Raises:
        InvalidParameter: They do.
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
    """The layers that have requested times, a name for the state of what they are at those, and which those are.

    Of points the state is that of the cells round them.
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
    """The smallest window of native cells that has all points but those outside; `None` where there are none."""
    cells = cells_of(points, layer.main_variable.grid)
    inside = cells[cells[:, 0] >= 0]
    if not len(inside):
        return None
    (row_start, column_start), (row_stop, column_stop) = inside.min(axis=0).tolist(), (inside.max(axis=0) + 1).tolist()
    return Window(row_start, row_stop, column_start, column_stop)


def _join_times(times: Sequence[InstantArray], *, is_open: bool) -> TimeUsed:
    # All instants that any variable has, without what is not a time.
    known = [each for each in times if not np.isnat(each).any()]
    return TimeUsed(instants=tuple(reduce(np.union1d, known)[::-1]), is_open=is_open) if known else TimeUsed()


def _resolve_layers_with_times(names: Sequence[str], resolve: Callable[[str], Resolved]) -> list[Resolved]:
    """What is resolved of each name but of those that have no such time.

    Raises:
        TimeNotAvailable: None has.
    """
    found: list[Resolved] = []
    missing: list[TimeNotAvailable] = []
    for name in names:
        try:
            found.append(resolve(name))
        except TimeNotAvailable as error:
            missing.append(error)
    if not found:
        raise missing[0]
    return found
