"""Values of native cells at a point, with the colours and labels of the styles (GetFeatureInfo)."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from chronotile.catalog.resolve_times import ResolvedTimes
from chronotile.core.errors import require_at_most
from chronotile.core.model.collection import Composite, Layer
from chronotile.core.model.encoding import REASON_NODATA
from chronotile.core.model.payload import (
    CellSeries,
    Identified,
    Missing,
    Payload,
    TimeUsed,
    join_layer_times,
    join_missing,
)
from chronotile.core.model.raster import Pixels, Raster, cell_reasons
from chronotile.core.model.request import IdentifyRequest, PictureReducer
from chronotile.core.model.source import VariableInfo
from chronotile.core.model.space.crs import CRS84, transformer
from chronotile.core.model.space.grid import Window
from chronotile.core.model.style import Colour, Style
from chronotile.core.model.time.selection import TimeSelection
from chronotile.core.model.types import Float64Array, Instant, InstantArray
from chronotile.core.stats.over_time import anomaly, difference, reduce_over_time
from chronotile.pipeline.cached_answer import mark_missing
from chronotile.pipeline.changed_files import read_unchanged_files
from chronotile.pipeline.estimate import require_seconds, window_seconds
from chronotile.pipeline.maps.resolve import MapTarget, resolve_map
from chronotile.pipeline.maps.stretched_range import resolve_picture_style
from chronotile.pipeline.maps.style_range import resolve_map_style
from chronotile.pipeline.maps.times import MapTimes, UsualDates, resolve_map_times
from chronotile.pipeline.native_cell import cell_of, cell_values, may_mix_versions, read_cell
from chronotile.pipeline.revision import fingerprint, pixel_revision, time_index
from chronotile.pipeline.services import Services, reading
from chronotile.pipeline.styling.colours import class_indexes
from chronotile.pipeline.styling.paint import paint, paint_composite
from chronotile.pipeline.unreadable_dates import UnreadableDates
from chronotile.readers.reader import NativeCell

MAX_VALUES = 10_000
"""Maximum number of values in one answer, over all layers and variables; longer series have separate documents."""

CellPosition = tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentifyTarget:
    """A request resolved to a layer, cells and times."""

    request: IdentifyRequest
    layer: Layer
    style: Style
    cells: tuple[CellPosition, ...]
    """Row and column in the native grid of each variable; empty if the point is outside a grid."""
    map_times: MapTimes
    picture: MapTarget | None
    """The map over whose values the style is stretched; `None` without stretching."""

    @property
    def times(self) -> ResolvedTimes:
        """The shown times."""
        return self.map_times.times

    @property
    def time_used(self) -> TimeUsed:
        """The shown times and the times of the reference."""
        return self.map_times.used


@dataclass(frozen=True, slots=True)
class CellChanges:
    """Difference or anomaly of a cell, and the reasons of missing values."""

    raster: Raster
    """(1, time) for a difference, (1, 1) for an anomaly."""
    reasons: tuple[str | None, ...]
    dates: int | None = None
    """For the anomaly of a period, the number of dates with a value and a usual value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoFormat:
    """Format in which a protocol writes identified values."""

    media_type: str
    encode: Callable[[Sequence[Identified]], bytes]


def deliver_identified(
    requests: Sequence[IdentifyRequest], format: InfoFormat, services: Services, *, client_etags: Collection[str] = ()
) -> Payload:
    """Return the values of each layer at a point in full precision, and the times of each layer.

    The cells are those of `extract_series`.

    Args:
        requests: Layers, points and times; the answer has their order.
        format: The format of the answer.
        services: The services that read them.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.

    Raises:
        LimitExceeded: The requests have more than `MAX_VALUES` values together.
        SourceUnavailable: A source is unreachable or damaged.
        ChronotileError: A name, time or parameter is invalid.
    """
    targets = resolve_identify(requests, services)
    etag = fingerprint("identified", format.media_type, *(_state(target, services) for target in targets))
    times = tuple(target.time_used for target in targets)
    payload = Payload(
        body=b"", media_type=format.media_type, etag=etag, time=join_layer_times(times), layer_times=times
    )
    if etag in client_etags:
        return replace(payload, unchanged=True)
    read = [_read(target, services) for target in targets]
    body = format.encode([identified for identified, _missing in read])
    return mark_missing(replace(payload, body=body), join_missing(missing for _identify, missing in read))


def resolve_identify(requests: Sequence[IdentifyRequest], services: Services) -> tuple[IdentifyTarget, ...]:
    """Return the layers, cells and times of requests, and check the limits; reads no pixels."""
    targets = tuple(_resolve_layer(request, services) for request in requests)
    count = sum((len(target.times.indexes) + len(target.time_used.base)) * len(target.cells) for target in targets)
    alternative = "request a shorter interval, or use the time series"
    require_at_most("values of a place", count, MAX_VALUES, alternative=alternative, locator="time")
    require_seconds(
        sum(_seconds(target, services) for target in targets), services, alternative=alternative, locator="time"
    )
    return targets


def _seconds(target: IdentifyTarget, services: Services) -> float:
    """Return the processor time to read several times in seconds; 0 for a single time, which is not estimated."""
    indexes = _stored_indexes(target)
    if len(indexes) < 2 or not target.cells:
        return 0.0
    return len(target.cells) * window_seconds(target.layer, indexes, Window.from_cell(*target.cells[0]), services)


def _stored_indexes(target: IdentifyTarget) -> tuple[int, ...]:
    times = target.layer.times.instants
    return (*target.times.indexes, *(time_index(times, instant) for instant in target.time_used.base))


def _resolve_layer(request: IdentifyRequest, services: Services) -> IdentifyTarget:
    layer = services.catalogue.layer(request.layer)
    style = resolve_map_style(request, layer, services)
    cells = [cell_of(variable.grid, request.point) for variable in layer.variables]
    inside = tuple(cell for cell in cells if cell is not None)
    return IdentifyTarget(
        request=request,
        layer=layer,
        style=style,
        cells=inside if len(inside) == len(cells) else (),
        map_times=resolve_map_times(request, layer, services),
        picture=None if request.stretched_over is None else resolve_map(request.stretched_over, services),
    )


def _state(target: IdentifyTarget, services: Services) -> tuple[object, ...]:
    layer, instants, base = target.layer, target.time_used.instants, target.time_used.base
    return (
        pixel_revision(layer, instants + base, services, _window(target.cells)) if target.cells else layer.id,
        (layer.title, target.request.layer, target.request.point, target.request.range),
        (instants, target.style, target.cells, _is_series(target.request.time)),
        (base, target.request.reducer if len(base) > 1 else None),
        None if target.picture is None else target.picture.etag,
        *(() if target.request.anomaly is None else (target.request.anomaly, target.map_times, target.request.reducer)),
    )


def _window(cells: tuple[CellPosition, ...]) -> Window | None:
    # The cell to fingerprint if it is equal for all variables; None means all cells.
    return Window.from_cell(*cells[0]) if len(set(cells)) == 1 else None


def _read(target: IdentifyTarget, services: Services) -> tuple[Identified, Missing]:
    def read() -> tuple[Identified, Missing]:
        unreadable = UnreadableDates(target.layer, services)
        return _identify(target, unreadable), unreadable.missing

    layer, base = target.layer, target.time_used.base
    indexes = _stored_indexes(target)
    takes_several_reads = (
        bool(base) or len(layer.variables) > 1 or may_mix_versions(layer.main_variable, indexes, services.reader(layer))
    )
    if not target.cells or not takes_several_reads:
        return read()
    places = (tuple(Window.from_cell(*cell) for cell in target.cells),)
    return read_unchanged_files(read, layer, indexes or (0,), services, places=places)


def _identify(target: IdentifyTarget, unreadable: UnreadableDates) -> Identified:
    """Read the cells of a target. Unreadable dates have no value, unless the target has only one time.

    Raises:
        SourceUnavailable: The source is unreachable, or the only time cannot be read.
    """
    layer, request = target.layer, target.request
    longitude, latitude = request.point.degrees
    times = _times(target)
    pixels = [
        read_cell(variable, cell=cell, point=request.point, indexes=_indexes(variable, times), unreadable=unreadable)
        for variable, cell in zip(layer.variables, target.cells, strict=bool(target.cells))
    ]
    if len(times) == 1:
        unreadable.require_all()
    changes = _read_changes(target, pixels, unreadable)
    if request.anomaly is not None:
        times = times[-1:]
    return Identified(
        layer=request.layer,
        title=layer.title.get("") or next(iter(layer.title.values()), request.layer),
        style=target.style.id,
        longitude=longitude,
        latitude=latitude,
        times=times,
        is_series=request.anomaly is None and (len(times) > 1 or (len(layer.times) > 0 and _is_series(request.time))),
        cells=tuple(
            _series(
                variable, _native_cell(variable, cell, target, unreadable), cell_pixels, target.style, changes=changes
            )
            for variable, cell, cell_pixels in zip(layer.variables, target.cells, pixels, strict=bool(target.cells))
        ),
        colours=_colours(target, pixels, changes),
    )


def _is_series(selection: TimeSelection) -> bool:
    return len(selection.parts) > 1 or any(part.is_interval for part in selection.parts)


def _times(target: IdentifyTarget) -> InstantArray:
    if len(target.layer.times) == 0:
        return np.full(1, np.datetime64("NaT", "ns"))
    return target.layer.times.instants[list(target.times.indexes)]


def _indexes(variable: VariableInfo, times: InstantArray) -> tuple[int, ...]:
    """Indexes into the times of the variable, which may have more than the layer if it is a composite."""
    if len(variable.times) == 0:
        return (0,)
    return tuple(time_index(variable.times.instants, instant) for instant in times)


def _native_cell(
    variable: VariableInfo, cell: CellPosition, target: IdentifyTarget, unreadable: UnreadableDates
) -> NativeCell:
    """Return the cell in the source. In a mosaic it belongs to the piece that the newest time shows at the point."""
    if variable.is_mosaic:
        index = max(_indexes(variable, _times(target)))
        with reading(target.layer):
            native = unreadable.reader.find_native_cell(variable.name, index, target.request.point)
        if native is not None:
            return native
    return NativeCell(grid=variable.grid, row=cell[0], column=cell[1])


def _series(
    variable: VariableInfo, cell: NativeCell, pixels: Pixels, style: Style, *, changes: CellChanges | None
) -> CellSeries:
    """Return the values of a cell, or its changes, for which no style has labels."""
    grid, encoding = cell.grid, variable.encoding
    x, y = grid.centre_of(cell.row, cell.column)
    longitude, latitude = transformer(grid.crs, CRS84).transform(x, y)
    if changes is None:
        values, reasons = cell_values(pixels, encoding), cell_reasons(pixels, encoding)
        labels = _labels(values, style, variable)
    else:
        values, reasons = changes.raster.values()[0], changes.reasons
        labels = [None] * values.size
    flags = {name for _number, name in encoding.flags}
    return CellSeries(
        variable=variable.name,
        units=encoding.units if changes is None else changes.raster.encoding.units,
        centre=(float(longitude), float(latitude)),
        numbers=pixels.numbers[-values.size :],
        values=values,
        encoding=encoding if changes is None else None,
        reasons=reasons,
        dates=None if changes is None else changes.dates,
        labels=tuple(reason if reason in flags else label for reason, label in zip(reasons, labels, strict=True)),
    )


def _labels(values: Float64Array, style: Style, variable: VariableInfo) -> list[str | None]:
    """Return the labels of the style's classes, or of the variable's classes if the style is a ramp."""
    classes = style if style.is_categorical else replace(style, classes=variable.classes)
    if not classes.is_categorical:
        return [None] * values.size
    indexes = class_indexes(classes, np.nan_to_num(values))
    return [
        classes.classes[index].label if index >= 0 and not np.isnan(value) else None
        for index, value in zip(indexes.tolist(), values.tolist(), strict=True)
    ]


def _read_changes(target: IdentifyTarget, pixels: Sequence[Pixels], unreadable: UnreadableDates) -> CellChanges | None:
    """Return the difference or anomaly; `None` if the request has none or the point is outside the layer."""
    variable, groups, kind = target.layer.main_variable, target.map_times.reference_groups, target.request.anomaly
    instants = np.array(target.time_used.base[::-1], dtype="datetime64[ns]")
    if groups is None or not target.cells or (kind is None and len(instants) == 0):
        return None
    values, usual, reason, matched = _row(variable, pixels[0]), target.map_times.usual, None, None
    along = values
    if len(instants):
        indexes = _indexes(variable, instants)
        base = read_cell(
            variable, cell=target.cells[0], point=target.request.point, indexes=indexes, unreadable=unreadable
        )
        if len(indexes) == 1 and kind is None:
            unreadable.require_all(indexes)
        reason, along = cell_reasons(base, variable.encoding)[-1], _row(variable, base)
    if usual is not None:  # subtract from each date the usual value of its part of the year
        means = [_reduce(along, _positions(instants, group), "mean") for group in usual.groups]
        values = _subtract_usual(values, target.layer.times.instants[list(target.times.indexes)], means, usual)
        along = _subtract_usual(along, instants, means, usual) if groups else along
        matched = int(values.valid.sum())
    references = [_reduce(along, _positions(instants, group), target.request.reducer) for group in groups]
    reasons = cell_reasons(pixels[0], variable.encoding)
    if kind is None:
        why = None if references[0].valid.all() else reason
        return CellChanges(difference(values, references[0]), tuple(cause or why for cause in reasons))
    last = values.numbers.shape[1] - 1
    row = _reduce(values, range(last, -1, -1), target.request.reducer)
    if matched is None or kind.kind != "abs":
        row = anomaly(row, references, kind.kind)
    return CellChanges(row, (None if row.valid.all() else reasons[last] or REASON_NODATA,), matched)


def _positions(instants: InstantArray, group: Sequence[Instant]) -> Sequence[int]:
    positions: Sequence[int] = np.searchsorted(instants, group).tolist()
    return positions


def _subtract_usual(along: Raster, instants: InstantArray, means: Sequence[Raster], usual: UsualDates) -> Raster:
    """Subtract from each time of a cell the usual value of its part of the year; without one it is missing."""
    numbers = [usual.group_of.get(instant) for instant in instants]
    subtracted = [np.nan if number is None else means[number].values()[0, 0] for number in numbers]
    return difference(along, Raster(np.array([subtracted]), means[0].encoding if means else along.encoding))


def _reduce(along: Raster, positions: Sequence[int], reducer: PictureReducer) -> Raster:
    """Reduce some times of a cell to one pixel; `positions` lists the newest first."""
    rasters = (
        Raster(along.numbers[:, [at]], along.encoding, None if along.present is None else along.present[:, [at]])
        for at in (reversed(positions) if reducer == "earliest" else positions)
    )
    return reduce_over_time(rasters, reducer)


def _row(variable: VariableInfo, pixels: Pixels) -> Raster:
    # The times of a cell as one row of a picture.
    present = None if pixels.valid is None else pixels.valid[np.newaxis]
    return Raster(pixels.numbers[np.newaxis], variable.encoding, present)


def _colours(target: IdentifyTarget, pixels: Sequence[Pixels], changes: CellChanges | None) -> tuple[Colour, ...]:
    """Return the colours of the values, painted like a row of a picture."""
    if not pixels:
        return ()
    rasters = [
        _row(variable, cell_pixels) for variable, cell_pixels in zip(target.layer.variables, pixels, strict=True)
    ]
    content = target.layer.content
    if isinstance(content, Composite):
        red, green, blue = rasters
        span = target.request.range or content.range
        picture = paint_composite((red, green, blue), replace(content, range=span)).rgba()
    else:
        raster = rasters[0] if changes is None else changes.raster
        style, stretched_over = target.style, target.request.stretched_over
        if stretched_over is not None and target.picture is not None:
            style = resolve_picture_style(stretched_over, target.picture)
        picture = paint(raster, style).rgba()
    return tuple(Colour(*colour) for colour in picture[0].tolist())
