"""Show me these layers over one another: several map requests to one encoded picture."""

from collections.abc import Collection, Sequence

from chronotile.errors import LimitExceeded, UnsupportedFormat
from chronotile.model.payload import LayeredPayload, Payload, time_of_all
from chronotile.model.request import MapRequest
from chronotile.pipeline.render_map import MapTarget, drawn, encoded, render_map, resolve_map
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.styling.overlay import overlay


def overlay_maps(requests: Sequence[MapRequest], services: Services, *, known: Collection[str] = ()) -> LayeredPayload:
    """Read, paint, lay over one another and encode the pictures that `requests` ask for, the first at the bottom.

    Args:
        requests: One or more, all of one grid, format and background.
        services: What to show them with.
        known: As for `render_map`.

    Raises:
        LimitExceeded: All layers and times together are more than `limits` allow.
        ChronotileError: As `render_map` does.
    """
    if len(requests) == 1:
        payload = render_map(requests[0], services, known=known)
        return LayeredPayload(payload=payload, times=(payload.time,))
    targets = [resolve_map(request, services) for request in requests]
    _check_size(requests, targets, services)
    media_type = requests[0].format
    etag = fingerprint("overlay", *(target.etag for target in targets))
    used = tuple(target.time_used for target in targets)
    if etag in known:
        payload = Payload(body=b"", media_type=media_type, etag=etag, time=time_of_all(used), unchanged=True)
    else:
        body = services.caches.payloads.get_or_make(etag, lambda: _encoded(requests, targets))
        payload = Payload(body=body, media_type=media_type, etag=etag, time=time_of_all(used))
    return LayeredPayload(payload=payload, times=used)


def _encoded(requests: Sequence[MapRequest], targets: Sequence[MapTarget]) -> bytes:
    first = requests[0]
    match first.format:
        case "image/tiff" | "application/x-npy":
            raise UnsupportedFormat("several layers together have no values of their own", locator="format")
        case picture_format:
            pictures = (drawn(request, target) for request, target in zip(requests, targets, strict=True))
            return encoded(overlay(pictures), picture_format, first.grid, first.background)


def _check_size(requests: Sequence[MapRequest], targets: Sequence[MapTarget], services: Services) -> None:
    allowed = services.catalogue.limits.max_cube_values
    grid = requests[0].grid
    times = sum(max(1, len(target.time_used.instants) + len(target.time_used.base)) for target in targets)
    if grid.width * grid.height * times > allowed:
        raise LimitExceeded(
            "max_cube_values",
            allowed=allowed,
            asked=grid.width * grid.height * times,
            alternative="ask for fewer layers, a shorter interval or a smaller picture",
            locator="layer",
        )
