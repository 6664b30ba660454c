"""Show me these layers over one another: several map requests to one encoded picture."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from chronotile.errors import LimitExceeded, UnsupportedFormat
from chronotile.model.payload import Payload, TimeUsed
from chronotile.model.request import MapRequest
from chronotile.pipeline.render_map import MapTarget, drawn, encoded, render_map, resolve_map
from chronotile.pipeline.revision import fingerprint
from chronotile.pipeline.services import Services
from chronotile.styling.overlay import overlay


@dataclass(frozen=True, slots=True, kw_only=True)
class OverlaidMap:
    """A picture of several layers."""

    payload: Payload
    times: tuple[TimeUsed, ...]
    """Of each layer."""


def overlay_maps(requests: Sequence[MapRequest], services: Services, *, known: Collection[str] = ()) -> OverlaidMap:
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
        return OverlaidMap(payload=payload, times=(payload.time,))
    targets = [resolve_map(request, services) for request in requests]
    _check_size(requests, targets, services)
    media_type = requests[0].format
    etag = fingerprint("overlay", *(target.etag for target in targets))
    used = tuple(target.time_used for target in targets)
    all_used = TimeUsed(instants=tuple(sorted({each for one in used for each in one.instants}, reverse=True)))
    if etag in known:
        payload = Payload(body=b"", media_type=media_type, etag=etag, time=all_used, unchanged=True)
    else:
        body = services.caches.payloads.get_or_make(etag, lambda: _encoded(requests, targets))
        payload = Payload(body=body, media_type=media_type, etag=etag, time=all_used)
    return OverlaidMap(payload=payload, times=used)


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
