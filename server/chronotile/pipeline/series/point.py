"""Point series: the values of the native cell at a point, over time."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import numpy as np

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import InvalidParameter
from chronotile.core.model.collection import Layer
from chronotile.core.model.payload import Payload, TimeUsed
from chronotile.core.model.raster import Pixels, cell_reasons
from chronotile.core.model.request import Point, SeriesRequest
from chronotile.core.model.series.analysis import Analysis
from chronotile.core.model.series.series import Series
from chronotile.core.model.space.grid import Window
from chronotile.core.stats.analysis_costs import analysis_seconds
from chronotile.pipeline.cached_answer import read_answer
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.estimate import require_seconds, window_seconds
from chronotile.pipeline.native_cell import cell_of, cell_values, may_mix_versions, outside_hint, reach_of, read_cell
from chronotile.pipeline.resolve_series import (
    SHORTER,
    check_length,
    has_open_times,
    instants_of,
    layer_with_values,
    series_indexes,
)
from chronotile.pipeline.revision import fingerprint, pixel_revision
from chronotile.pipeline.series.analyse import analyse_series, check_analysis, memory_for, reference_indexes
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import UnreadableDates


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesTarget:
    """A resolved request."""

    layer: Layer
    point: Point
    cell: tuple[int, int]
    """Row and column of the native cell at the point."""
    indexes: tuple[int, ...]
    """Indexes into the times of the layer, ascending; `(0,)` for a layer without time."""
    reference: tuple[int, ...]
    """Indexes of the reference times of an analysis; empty without one."""
    read: tuple[int, ...]
    """Indexes of all times that are read."""
    analysis: Analysis | None
    etag: str
    is_open: bool
    """Whether the requested or the reference times change with new data (`TimeSelection.is_open`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesFormat:
    """Encoding of a series in one protocol."""

    name: str
    """Part of the ETag."""
    media_type: str
    encode: Callable[[Series], bytes]


def extract_series(request: SeriesRequest, services: Services, *, is_active: IsActive = always_active) -> Series:
    """Return the values of the native cell at the point, in full precision.

    A date that cannot be read has no value; the reason is `unreadable`.

    Raises:
        InvalidParameter: The point lies outside the layer, or the layer is a composite.
        LimitExceeded: The series is longer than `max_series_values`.
        SourceUnavailable: The source is unreachable.
        ChronotileError: A name or time is not accepted.
    """
    return read_series(resolve_series(request, services), services, is_active=is_active)


def deliver_series(
    request: SeriesRequest,
    format: SeriesFormat,
    services: Services,
    *,
    client_etags: Collection[str] = (),
    is_active: IsActive = always_active,
) -> Payload:
    """Return the series of `extract_series` in a format.

    Args:
        request: The layer, point and times.
        format: The encoding.
        services: The services that read it.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.
        is_active: Whether the client still waits.

    Raises:
        ChronotileError: As `extract_series`.
    """
    target = resolve_series(request, services)
    payload = Payload(
        body=b"",
        media_type=format.media_type,
        etag=fingerprint(target.etag, format.name),
        time=TimeUsed(is_open=target.is_open),
    )
    read = partial(read_series, target, services, is_active=is_active)
    return read_answer(payload, client_etags, read, format.encode)


def resolve_series(request: SeriesRequest, services: Services) -> SeriesTarget:
    """Return the target of a request; reads no pixels.

    Raises:
        LimitExceeded: The series is too long.
        InvalidParameter: The point lies outside the layer.
    """
    layer = layer_with_values(request.layer, services)
    cell = _cell(layer, request.point)
    indexes = series_indexes(layer, request.time, services)
    times = instants_of(layer, indexes)
    reference = reference_indexes(request.analysis, layer, now=services.clock())
    check_analysis(request.analysis, layer, indexes, series=1, services=services)
    read = tuple(sorted({*indexes, *reference})) if reference else indexes
    check_length(len(read), services)
    read_times = instants_of(layer, read)
    seconds = window_seconds(layer, read, Window.from_cell(*cell), services)
    seconds += analysis_seconds(request.analysis, read_times, read_times, series=1)
    require_seconds(seconds, services, alternative=SHORTER, locator="time")
    point = request.point
    instants = read_times if len(layer.times) else ()
    etag = fingerprint(
        "series",
        pixel_revision(layer, instants, services, Window.from_cell(*cell)),
        times.tobytes(),
        (point.crs.name, point.x, point.y),
        request.analysis,
    )
    return SeriesTarget(
        layer=layer,
        point=point,
        cell=cell,
        indexes=indexes,
        reference=reference,
        read=read,
        analysis=request.analysis,
        etag=etag,
        is_open=has_open_times(layer, request.time, request.analysis),
    )


def read_series(target: SeriesTarget, services: Services, *, is_active: IsActive = always_active) -> Series:
    """Return the series of a target, analysed if it has an analysis.

    Raises:
        ClientGone: The client disconnected.
        SourceUnavailable: The source is unreachable.
    """
    layer = target.layer
    encoding = layer.main_variable.encoding

    def read_pixels() -> tuple[Pixels, UnreadableDates]:
        unreadable = UnreadableDates(layer, services)
        cell, place = target.cell, target.point
        pixels = read_cell(
            layer.main_variable, cell=cell, point=place, indexes=target.read, unreadable=unreadable, is_active=is_active
        )
        return pixels, unreadable

    if may_mix_versions(layer.main_variable, target.read, services.reader(layer)):
        places = ((Window.from_cell(*target.cell),),)
        pixels, unreadable = read_unchanged_files(read_pixels, layer, target.read, services, places=places)
    else:
        pixels, unreadable = read_pixels()
    longitude, latitude = target.point.degrees
    read = Series(
        layer=layer.id,
        units=encoding.units,
        longitude=longitude,
        latitude=latitude,
        times=instants_of(layer, target.read),
        values=cell_values(pixels, encoding),
        reasons=cell_reasons(pixels, encoding),
        missing=unreadable.missing,
        encoding=encoding,
    )
    if target.analysis is None:
        return read
    requested, reference = (np.searchsorted(target.read, indexes) for indexes in (target.indexes, target.reference))
    with memory_for(target.analysis, read.times[requested], services):
        return analyse_series(read, target.analysis, requested=requested, reference=reference)


def _cell(layer: Layer, point: Point) -> tuple[int, int]:
    grid = layer.main_variable.grid
    cell = cell_of(grid, point)
    if cell is None:
        raise InvalidParameter(
            f"the point lies outside layer {layer.id}, which {reach_of(layer)}{outside_hint(point, grid)}",
            locator="point",
        )
    return cell
