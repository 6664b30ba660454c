"""Maps that need no drawing: the client or the cache has them."""

from collections.abc import Collection
from dataclasses import replace

from chronotile.model.payload import Payload
from chronotile.model.request import MapRequest
from chronotile.pipeline.maps.rasters import MapTarget
from chronotile.pipeline.services import Services


def without_body(request: MapRequest, target: MapTarget) -> Payload:
    """Return the payload of a resolved map, to which its body is added."""
    return Payload(
        body=b"",
        media_type=request.format,
        etag=target.etag,
        time=target.time_used,
        timing=target.watch.steps,
        states=target.states,
    )


def find_payload(payload: Payload, services: Services, known: Collection[str]) -> Payload | None:
    """Return a payload as unchanged, if its ETag is among `known`, or with its body from the cache; else `None`."""
    if payload.etag in known:
        return replace(payload, timing=(), unchanged=True)
    body = services.caches.payloads.get(payload.etag)
    return None if body is None else replace(payload, body=body)
