"""Show me these layers over one another: several map requests to one encoded picture."""

from collections.abc import Collection, Sequence
from dataclasses import replace

from chronotile.errors import LimitExceeded, UnsupportedFormat
from chronotile.model.cancellation import IsActive, always_active
from chronotile.model.payload import LayeredPayload, Payload, time_of_all
from chronotile.model.request import MapRequest, PictureFormat, PlacedFormat
from chronotile.pipeline.maps.memory import memory_for_map, overlay_bytes
from chronotile.pipeline.maps.not_modified import find_payload, without_body
from chronotile.pipeline.maps.rasters import MapTarget, of_one_state
from chronotile.pipeline.maps.render import draw_picture, encode_on_background, render_map, resolve_map
from chronotile.pipeline.one_state import again_if_changed
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.pipeline.unreadable_dates import IncompleteAnswer, etag_without, time_without
from chronotile.styling.overlay import overlay


def overlay_maps(
    requests: Sequence[MapRequest],
    services: Services,
    *,
    known: Collection[str] = (),
    is_active: IsActive = always_active,
) -> LayeredPayload:
    """Read, paint, lay over one another and encode the pictures that `requests` describe, the first at the bottom.

    Args:
        requests: One or more, all of one grid, format and background.
        services: What to show them with.
        known: As for `render_map`.
        is_active: As for `render_map`.

    Raises:
        LimitExceeded: All layers and times together are more than `limits` allow.
        ChronotileError: As `render_map` does.
    """
    if len(requests) == 1:
        payload = render_map(requests[0], services, known=known, is_active=is_active)
        return LayeredPayload(payload=payload, times=(payload.time,))
    return again_if_changed(lambda: _overlaid(requests, services, known, is_active))


def find_overlay(
    requests: Sequence[MapRequest], services: Services, *, known: Collection[str] = ()
) -> LayeredPayload | None:
    """Return what `overlay_maps` would if the client or the cache has it, `None` if it is to be drawn; reads no pixels.

    Args:
        requests: As for `overlay_maps`.
        services: What to show them with.
        known: ETags of answers that the client holds.

    Raises:
        ChronotileError: As `overlay_maps`, of what is known before pixels are read.
    """
    if len(requests) == 1:
        answer = without_body(requests[0], resolve_map(requests[0], services))
        return _held(LayeredPayload(payload=answer, times=(answer.time,)), services, known)
    _targets, overlaid = _resolved(requests, services)
    return _held(overlaid, services, known)


def _overlaid(
    requests: Sequence[MapRequest], services: Services, known: Collection[str], is_active: IsActive
) -> LayeredPayload:
    """The picture of several layers.

    Raises:
        SourceChanged: Files that it is made of were written meanwhile.
    """
    targets, overlaid = _resolved(requests, services)
    found = _held(overlaid, services, known)
    if found is not None:
        return found
    payload = overlaid.payload
    try:
        body = services.caches.payloads.get_or_make(
            payload.etag,
            lambda: of_one_state(targets, lambda: _encoded(requests, targets, is_active)),
            is_active=is_active,
        )
    except IncompleteAnswer as answer:
        etag = etag_without(payload.etag, answer.unreadable, (*answer.left_out, *answer.notes))
        time = time_without(payload.time, answer.unreadable)
        payload = replace(
            payload, etag=etag, time=time, unreadable=answer.unreadable, left_out=answer.left_out, note=answer.note
        )
        body = answer.body
    return replace(overlaid, payload=replace(payload, body=body))


def _resolved(requests: Sequence[MapRequest], services: Services) -> tuple[list[MapTarget], LayeredPayload]:
    """What several layers show, and the answer without its body."""
    targets = [resolve_map(request, services) for request in requests]
    _check_size(requests, targets, services)
    used = tuple(target.time_used for target in targets)
    etag = fingerprint("overlay", *(target.etag for target in targets))
    payload = Payload(body=b"", media_type=requests[0].format, etag=etag, time=time_of_all(used))
    return targets, LayeredPayload(payload=payload, times=used)


def _held(overlaid: LayeredPayload, services: Services, known: Collection[str]) -> LayeredPayload | None:
    payload = find_payload(overlaid.payload, services, known)
    return None if payload is None else replace(overlaid, payload=payload)


def _encoded(requests: Sequence[MapRequest], targets: Sequence[MapTarget], is_active: IsActive) -> bytes:
    first = requests[0]
    match first.format:
        case "image/tiff" | "application/x-npy":
            raise UnsupportedFormat("several layers together have no values", locator="format")
        case picture_format:
            size = overlay_bytes(requests, targets)
            with memory_for_map(first.grid, size, targets[0].services.memory, is_active):
                return _drawn_over(requests, targets, picture_format)


def _drawn_over(
    requests: Sequence[MapRequest], targets: Sequence[MapTarget], format: PictureFormat | PlacedFormat
) -> bytes:
    pictures = (draw_picture(request, target) for request, target in zip(requests, targets, strict=True))
    return encode_on_background(overlay(pictures), format, requests[0].grid, requests[0].background)


def _check_size(requests: Sequence[MapRequest], targets: Sequence[MapTarget], services: Services) -> None:
    allowed = services.catalogue.limits.max_cube_values
    grid = requests[0].grid
    times = sum(max(1, len(target.time_used.instants) + len(target.time_used.base)) for target in targets)
    if grid.width * grid.height * times > allowed:
        raise LimitExceeded(
            "max_cube_values",
            allowed=allowed,
            needed=grid.width * grid.height * times,
            alternative="of maps it limits pixels times dates: request fewer layers or dates, or a smaller picture",
            locator="layer",
        )
