"""Rendering maps: from requests for layers at times to one encoded picture."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from functools import partial

from chronotile.core.cancellation import IsActive, always_active
from chronotile.core.errors import UnsupportedFormat, require_at_most
from chronotile.core.model.formats import VALUE_FORMATS, MapFormat
from chronotile.core.model.payload import Missing, Payload, join_layer_times, join_missing
from chronotile.core.model.request import Backdrop, MapRequest
from chronotile.core.model.space.grid import Grid
from chronotile.pipeline.cached_answer import find_answer, make_answer
from chronotile.pipeline.changed_files import retry_if_files_change
from chronotile.pipeline.encoders.picture.picture import encode_picture
from chronotile.pipeline.encoders.picture.values import encode_geotiff, encode_npy, encode_picture_geotiff
from chronotile.pipeline.estimate import require_seconds
from chronotile.pipeline.maps.draw import draw_picture, read_value_array
from chronotile.pipeline.maps.memory import map_bytes, memory_for_map
from chronotile.pipeline.maps.rasters import drawing_seconds
from chronotile.pipeline.maps.resolve import MapTarget, resolve_map
from chronotile.pipeline.maps.style_range import map_units
from chronotile.pipeline.maps.void_area import void_area
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.styling.overlay import lay_on_backdrop, overlay


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
        _check_seconds(requests[0].grid, targets, services)
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
        time=join_layer_times(times),
        layer_times=times,
    )


def _draw(requests: Sequence[MapRequest], targets: Sequence[MapTarget], services: Services) -> tuple[bytes, Missing]:
    grid = requests[0].grid
    with memory_for_map(grid, map_bytes(requests, targets), services.memory, targets[0].is_active):
        body = _encode(requests, targets)
    return body, join_missing(target.unreadable.missing for target in targets)


QUICK_TIMES, QUICK_PIXELS = 4, 1 << 22
"""Maps with at most this number of times, and of pixels multiplied by times, take less than two seconds."""


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
    """The values of one layer, or the overlaid pictures of all layers, in the requested format."""
    request, target = requests[0], targets[0]
    grid, background = request.grid, request.background
    match request.format:
        case MapFormat.VALUE_TIFF | MapFormat.NPY as value_format:
            values, units = read_value_array(grid, target), map_units(target.layer, request)
            with target.watch.step("encode"):
                is_tiff = value_format == MapFormat.VALUE_TIFF
                return encode_geotiff(values, grid, units=units) if is_tiff else encode_npy(values)
        case picture_format:
            pictures = map(draw_picture, requests, targets)
            picture = overlay(pictures) if len(requests) > 1 else next(pictures)
            with target.watch.step("encode"):
                if isinstance(background, Backdrop):
                    is_void = void_area(grid) if background.void != background.colour else None
                    picture, background = lay_on_backdrop(picture, background, is_void), None
                if picture_format == MapFormat.GEOTIFF:
                    return encode_picture_geotiff(picture, grid, background)
                return encode_picture(picture, picture_format, background=background)
