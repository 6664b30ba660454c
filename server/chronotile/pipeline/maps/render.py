"""Show me these layers at this time, one over the other: map requests to one encoded picture."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np

from chronotile.core.errors import TooManyPieces, UnsupportedFormat, require_at_most
from chronotile.core.model.collection import Composite
from chronotile.core.model.crs import CRS84, transformer
from chronotile.core.model.formats import VALUE_FORMATS, MapFormat
from chronotile.core.model.grid import Grid
from chronotile.core.model.payload import Missing, Payload, join_missing, time_of_all
from chronotile.core.model.raster import Picture, Raster, RgbaPicture
from chronotile.core.model.request import Backdrop, IsActive, MapRequest, always_active
from chronotile.core.model.style import Style
from chronotile.core.model.types import BoolArray, Float32Array, Float64Array, FloatArray, IndexArray
from chronotile.pipeline.answer import find_answer, make_answer
from chronotile.pipeline.changed_files import retry_if_files_change
from chronotile.pipeline.encoders.picture.picture import encode_picture
from chronotile.pipeline.encoders.picture.values import encode_geotiff, encode_npy, encode_picture_geotiff
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.maps.rasters import (
    MapValues,
    drawing_seconds,
    map_bytes,
    memory_for_map,
    of_all_variables,
    shown_values,
)
from chronotile.pipeline.maps.resolve import MapTarget, resolve_map, shown_units
from chronotile.pipeline.maps.stand_ins import footprints_note, footprints_picture
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.overlay import on_backdrop, overlay
from chronotile.pipeline.styling.paint import blank_pixels, composite_picture, paint, paint_band, stack_strips
from chronotile.pipeline.styling.restyle import with_colouring, with_range


def overlay_maps(
    requests: Sequence[MapRequest],
    services: Services,
    *,
    client_etags: Collection[str] = (),
    is_active: IsActive = always_active,
) -> Payload:
    """Read, paint, overlay and encode the pictures of several requests; the first is at the bottom.

    If a request selects several times, unreadable ones are skipped and listed in `missing`. If files change
    meanwhile, everything is repeated.

    Args:
        requests: One or more, with the same grid, format and background.
        services: The services that read the layers.
        client_etags: ETags of answers that the client has; pixels are read only if none of them is current.
        is_active: Whether the client still waits; called while a large picture waits for memory.

    Returns:
        The picture; transparent outside the layers.

    Raises:
        LimitExceeded: The picture is too large, has too many times, or needs more memory than one answer may take.
        ServerBusy: Other large answers take the memory.
        ClientGone: The client disconnected.
        SourceUnavailable: A source is unreachable, or none of the times can be read.
        ChronotileError: A name, time or parameter is not accepted.
    """

    def overlay_current_files() -> Payload:
        targets, payload = _resolve_maps(requests, services)
        cache = services.caches.payloads
        answer = find_answer(payload, client_etags, cache.get)
        if answer is not None:
            return replace(answer, timing=()) if answer.unchanged else answer
        draw = partial(_draw, requests, [replace(target, is_active=is_active) for target in targets], services)
        answer = make_answer(payload, targets, draw, cache, is_active=is_active)
        # The steps of several layers are not measured separately.
        return replace(answer, timing=targets[0].watch.steps) if len(targets) == 1 else answer

    return retry_if_files_change(overlay_current_files)


def find_overlay(
    requests: Sequence[MapRequest], services: Services, *, client_etags: Collection[str] = ()
) -> Payload | None:
    """Return the answer of `overlay_maps` if the client or the cache has it, else `None`; reads no pixels.

    Raises:
        ChronotileError: As `overlay_maps`, for errors that are found before pixels are read.
    """
    _targets, payload = _resolve_maps(requests, services)
    answer = find_answer(payload, client_etags, services.caches.payloads.get)
    return None if answer is None else replace(answer, timing=() if answer.unchanged else answer.timing)


def _resolve_maps(requests: Sequence[MapRequest], services: Services) -> tuple[list[MapTarget], Payload]:
    """The targets, and the answer without its body. An answer about one layer has the ETag of its target."""
    targets = [resolve_map(request, services) for request in requests]
    media_type = requests[0].format
    if len(targets) == 1:
        return targets, targets[0].payload(media_type)
    _check_size_of_all(requests[0].grid, targets, services)
    if media_type in VALUE_FORMATS:
        raise UnsupportedFormat("several layers together have no values", locator="format")
    times = tuple(target.time_used for target in targets)
    return targets, Payload(
        body=b"",
        media_type=media_type,
        etag=fingerprint("overlay", *(target.etag for target in targets)),
        time=time_of_all(times),
        layer_times=times,
    )


def _draw(requests: Sequence[MapRequest], targets: Sequence[MapTarget], services: Services) -> tuple[bytes, Missing]:
    grid = requests[0].grid
    _check_seconds(grid, targets, services)
    with memory_for_map(grid, map_bytes(requests, targets), services.memory, targets[0].is_active):
        body = _encode(requests, targets)
    return body, join_missing(target.unreadable.missing for target in targets)


QUICK_TIMES, QUICK_PIXELS = 4, 1 << 22
"""Maps of at most so many times and pixels times dates, all layers together, take less than two seconds."""


def _check_seconds(grid: Grid, targets: Sequence[MapTarget], services: Services) -> None:
    times = sum(len(target.time_used.instants) + len(target.time_used.base) for target in targets)
    if times <= QUICK_TIMES and grid.width * grid.height * times <= QUICK_PIXELS:
        return
    seconds = sum(drawing_seconds(grid, target) for target in targets)
    fewer = "request a smaller picture, fewer layers or fewer dates"
    require_seconds(seconds, services, alternative=fewer, locator="time")


def _check_size_of_all(grid: Grid, targets: Sequence[MapTarget], services: Services) -> None:
    allowed = services.catalogue.limits.max_cube_values
    times = sum(max(1, len(target.time_used.instants) + len(target.time_used.base)) for target in targets)
    needed = grid.width * grid.height * times
    fewer = "of maps it limits pixels times dates: request fewer layers or dates, or a smaller picture"
    require_at_most("max_cube_values", needed, allowed, alternative=fewer, locator="layer")


def _encode(requests: Sequence[MapRequest], targets: Sequence[MapTarget]) -> bytes:
    """The values of a layer, or the pictures of one or more laid over one another, in the requested format."""
    request, target = requests[0], targets[0]
    grid, background = request.grid, request.background
    match request.format:
        case MapFormat.VALUE_TIFF | MapFormat.NPY as value_format:
            values, units = _values_for_files(grid, target), shown_units(target.layer, request)
            with target.watch.step("encode"):
                is_tiff = value_format == MapFormat.VALUE_TIFF
                return encode_geotiff(values, grid, units=units) if is_tiff else encode_npy(values)
        case picture_format:
            pictures = map(draw_picture, requests, targets)
            picture = overlay(pictures) if len(requests) > 1 else next(pictures)
            with target.watch.step("encode"):
                if isinstance(background, Backdrop):
                    is_void = void_area(grid) if background.void != background.colour else None
                    picture, background = on_backdrop(picture, background, is_void), None
                if picture_format == MapFormat.GEOTIFF:
                    return encode_picture_geotiff(picture, grid, background)
                return encode_picture(picture, picture_format, background=background)


def draw_picture(request: MapRequest, target: MapTarget) -> Picture:
    """Return the picture of a resolved request, transparent where the layer has no pixels.

    Of a mosaic that would open too many items it has their outlines, which the answer tells.

    Raises:
        TooManyPieces: In place of those, where the collection is configured so.
    """
    try:
        return _drawn(request, target)
    except TooManyPieces as error:
        if not error.may_be_outlined:
            raise
        target.unreadable.note = footprints_note(error)
        return footprints_picture(error, request.grid)


def _drawn(request: MapRequest, target: MapTarget) -> Picture:
    if isinstance(target.layer.content, Composite):
        return _drawn_composite(request, target, target.layer.content)
    values = shown_values(request.grid, target)
    if values is None:
        return _blank(request.grid)
    style = _painted(request, target, values)

    def painted(rows: slice) -> Picture:
        raster = values.of_rows(rows)
        with target.watch.step("paint"):
            return paint(raster, style)

    return stack_strips(((rows, painted(rows)) for rows in values.strips), request.grid.height)


def painted_style(request: MapRequest, target: MapTarget) -> Style:
    """Return the style of a resolved request as its picture has it, stretched over its values where requested.

    Raises:
        SourceUnavailable: The source is gone or damaged.
        InvalidParameter: The style cannot be stretched.
    """
    values = shown_values(request.grid, target)
    return target.style if values is None else _painted(request, target, values)


def _drawn_composite(request: MapRequest, target: MapTarget, content: Composite) -> Picture:
    grid, composite = request.grid, replace(content, range=request.range or content.range)

    def painted(bands: Iterator[MapValues]) -> Picture:
        pixels = blank_pixels(grid.height, grid.width)
        for band, values in enumerate(bands):
            for rows in values.strips:
                raster = values.of_rows(rows)
                with target.watch.step("paint"):
                    paint_band(pixels[rows], band, raster, composite)
        return composite_picture(pixels)

    return of_all_variables(grid, target, content.variables, painted) or _blank(grid)


def _painted(request: MapRequest, target: MapTarget, values: MapValues) -> Style:
    if not request.colouring.is_stretched:
        return target.style
    stretched = _stretched(target.style, values, is_symmetric=_is_symmetric(request))
    return with_colouring(stretched, request.colouring)


def _stretched(style: Style, values: MapValues, *, is_symmetric: bool) -> Style:
    """The style over the values of a picture, of changes as far to either side; as it is where all are one."""
    ends = [end for rows in values.strips for end in _ends(values.of_rows(rows))]
    if not ends or style.is_categorical:
        return style
    low, high = min(ends), max(ends)
    if is_symmetric:
        high = max(-low, high)
        low = -high
    return with_range(style, (low, high)) if low < high else style


def _is_symmetric(request: MapRequest) -> bool:
    return request.is_difference or (request.anomaly is not None and request.anomaly.kind != "percentile")


def _ends(raster: Raster) -> tuple[float, ...]:
    """The least and greatest of its values, if it has any."""
    values = raster.values()
    values = values[np.isfinite(values)]
    return (float(values.min()), float(values.max())) if values.size else ()


def _values_for_files(grid: Grid, target: MapTarget) -> Float32Array:
    """(y, x), NaN where the layer has no pixel."""
    found = np.full((grid.height, grid.width), np.nan, dtype=np.float32)
    values = shown_values(grid, target)
    if values is None:
        return found
    for rows in values.strips:
        raster = values.of_rows(rows)
        with target.watch.step("encode"):
            found[rows] = raster.values_for_files()
    return found


def _blank(grid: Grid) -> RgbaPicture:
    return RgbaPicture(np.zeros((grid.height, grid.width, 4), dtype=np.uint8))


# Where a grid leaves the earth: what lies outside the valid area of its CRS.

MOST_A_SIDE = 1024
"""Pixels that are looked at along a side; of a larger grid each stands for those next to it."""
MOST_LATITUDE = 90.0


def void_area(grid: Grid) -> BoolArray:
    """Return (y, x): where the middle of a pixel is not a place on earth, or one whose coordinates are others.

    Longitudes go round, so that in a geographic CRS only what lies beyond the poles is void.
    """
    columns, column_of = _looked_at(grid.width)
    rows, row_of = _looked_at(grid.height)
    x, y = np.meshgrid(grid.x_of(columns), grid.y_of(rows))
    is_void = np.abs(y) > MOST_LATITUDE if grid.crs.is_geographic else _is_elsewhere(grid, x, y)
    return is_void[np.ix_(row_of, column_of)]


def _looked_at(side: int) -> tuple[Float64Array, IndexArray]:
    """Fractional columns or rows that are looked at, and which of them stands for each pixel."""
    count = min(side, MOST_A_SIDE)
    nearest = ((np.arange(side) + 0.5) * count / side).astype(np.intp)
    return (np.arange(count) + 0.5) * side / count, nearest


def _is_elsewhere(grid: Grid, x: FloatArray, y: FloatArray) -> BoolArray:
    """Whether points come back from longitude and latitude, by no less than half a pixel, to another place."""
    there = transformer(grid.crs, CRS84).transform(x, y)
    back_x, back_y = transformer(CRS84, grid.crs).transform(*there)
    x_size, y_size = grid.resolution
    with np.errstate(invalid="ignore"):
        returns = (np.abs(back_x - x) < x_size / 2) & (np.abs(back_y - y) < y_size / 2)
    is_elsewhere: BoolArray = ~returns
    return is_elsewhere
