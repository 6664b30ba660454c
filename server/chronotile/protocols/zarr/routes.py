"""`/zarr`: a layer as a read-only Zarr 3 store (docs/reference/zarr.md)."""

from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from chronotile.errors import UnknownPath
from chronotile.model.layer_store import StoreRequest
from chronotile.model.payload import Payload
from chronotile.pipeline.coverage.layer_store import (
    StoreDescription,
    deliver_chunk,
    describe_store,
    encode_document,
)
from chronotile.protocols.common.endpoint import endpoint
from chronotile.protocols.common.query.kvp import Kvp
from chronotile.protocols.common.responses.ranges import in_parts
from chronotile.protocols.common.responses.respond import known_etags, respond
from chronotile.protocols.common.state import for_client, make_for_client, services_of, state_of
from chronotile.protocols.zarr.faults import store_fault
from chronotile.protocols.zarr.params import MAX_SHOWN, chunk_request, store_request


async def get_group(request: Request) -> Response:
    """Return the metadata of the store, those of its arrays included."""
    return await _document(request, lambda found: found.group)


async def get_array(request: Request) -> Response:
    """Return the metadata of an array."""
    name = request.path_params["array"]

    def choose(found: StoreDescription) -> dict[str, object]:
        if name not in found.arrays:
            raise UnknownPath(f"the store has no array {name[:MAX_SHOWN]!r}, but {', '.join(found.arrays)}")
        return found.arrays[name]

    return await _document(request, choose)


async def _document(request: Request, choose: Callable[[StoreDescription], dict[str, object]]) -> Response:
    _check(request)
    services, known, store = services_of(request), known_etags(request), store_request(request.path_params)

    def describe() -> Payload:
        description = describe_store(store, services)
        return encode_document(choose(description), description, known=known)

    limiter = state_of(request).limiters.chunks
    payload = await for_client(request, limiter, store.layer, describe, services=services)
    return _response(payload, store)


async def get_chunk(request: Request) -> Response:
    """Return a chunk of an array, compressed as the metadata say."""
    _check(request)
    services, known, chunk = services_of(request), known_etags(request), chunk_request(request.path_params)
    payload = await make_for_client(
        request,
        state_of(request).limiters.chunks,
        chunk.store.layer,
        lambda is_active: deliver_chunk(chunk, services, known=known, is_active=is_active),
        services=services,
    )
    return in_parts(_response(payload, chunk.store))


def _check(request: Request) -> None:
    """Refuse a query: an address has all that a store is asked."""
    Kvp(request.query_params.multi_items()).check_names(())


def _response(payload: Payload, store: StoreRequest) -> Response:
    """What is of now may be another answer soon; what names its state is the same until dates are processed again."""
    return respond(replace(payload, time=replace(payload.time, is_open=store.revision is None)))


routes = [
    Route("/zarr/{layer}", endpoint(get_group, store_fault)),
    Route("/zarr/{layer}/zarr.json", endpoint(get_group, store_fault)),
    Route("/zarr/{layer}/{array}/zarr.json", endpoint(get_array, store_fault)),
    Route("/zarr/{layer}/{array}/{chunk:path}", endpoint(get_chunk, store_fault)),
]
