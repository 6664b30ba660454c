"""`/zarr`: a layer as a read-only Zarr 3 store (docs/reference/zarr.md)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.errors import ChronotileError, StateGone, UnknownPath
from chronotile.core.model.coverage import ChunkRequest, StoreRequest
from chronotile.core.model.payload import Payload
from chronotile.http.answers import answer_payload
from chronotile.http.byte_ranges import accept_ranges
from chronotile.http.if_none_match import client_etags
from chronotile.http.problems import problem_response
from chronotile.http.request_services import services_of
from chronotile.http.run import run
from chronotile.http.work_kinds import CHUNKS, STORES
from chronotile.pipeline.coverage.layer_store import (
    CHUNK_TYPE,
    DOCUMENT_TYPE,
    StoreDescription,
    deliver_chunk,
    describe_store,
    encode_document,
)
from chronotile.protocols.common.openapi import FILE, OBJECT, in_path
from chronotile.protocols.common.operation import Operation, routes_of, segment
from chronotile.protocols.common.query.kvp import Kvp

# Errors of Zarr stores.
#
# Clients interpret 404 as cells without values. Therefore only unknown names get 404; a failing source gets 503, and a
# revision that is no longer served gets 410.


def store_fault(error: ChronotileError, request: Request) -> Response:
    """Return the problem document; a missing state may come back at any time, so the answer is not cached."""
    response = problem_response(error, request)
    if isinstance(error, StateGone):
        response.headers["Cache-Control"] = "no-store"
    return response


async def get_group(request: Request) -> Response:
    """Return the metadata of the store, those of its arrays included."""
    return await _document(request, lambda description: description.group)


async def get_array(request: Request) -> Response:
    """Return the metadata of an array."""
    name = request.path_params["array"]

    def choose(description: StoreDescription) -> dict[str, object]:
        if name not in description.arrays:
            raise UnknownPath(f"the store has no array {name[:MAX_SHOWN]!r}, but {', '.join(description.arrays)}")
        return description.arrays[name]

    return await _document(request, choose)


async def _document(request: Request, choose: Callable[[StoreDescription], dict[str, object]]) -> Response:
    _check(request)
    services, etags, store = services_of(request), client_etags(request), store_request(request.path_params)

    def describe() -> Payload:
        description = describe_store(store, services)
        return encode_document(choose(description), description, client_etags=etags)

    return _response(await run(request, STORES, describe, layers=[store.layer]), store)


async def get_chunk(request: Request) -> Response:
    """Return a chunk of an array, compressed as the metadata say."""
    _check(request)
    services, etags, chunk = services_of(request), client_etags(request), chunk_request(request.path_params)
    payload = await run(
        request,
        CHUNKS,
        lambda is_active: deliver_chunk(chunk, services, client_etags=etags, is_active=is_active),
        layers=[chunk.store.layer],
    )
    return accept_ranges(_response(payload, chunk.store))


def _check(request: Request) -> None:
    # Refuse a query: the path contains the whole request.
    Kvp(request.query_params.multi_items()).check_names(())


def _response(payload: Payload, store: StoreRequest) -> Response:
    # Without a revision in the URL, the answer may change soon; with one, it changes only if dates are processed again.
    return answer_payload(replace(payload, time=replace(payload.time, is_open=store.revision is None)))


LAYER = segment("layer", "Id or alias of a layer with values, or `id@revision`", example=lambda of: of.store)
ARRAY = in_path("array", "Name of an array of the store", example="spatial_ref")
CHUNK = in_path("chunk", "Name of a chunk, such as `c/0/0/0`", example="c")
describe = partial(Operation, tag="Zarr", faults=store_fault)
group = partial(describe, parameters=[LAYER], answers={DOCUMENT_TYPE: OBJECT})
array = partial(describe, parameters=[LAYER, ARRAY], answers={DOCUMENT_TYPE: OBJECT})
chunk = partial(describe, parameters=[LAYER, ARRAY, CHUNK], answers={CHUNK_TYPE: FILE})
operations = (
    group("/zarr/{layer}", get_group, "getStore", "A layer as a Zarr 3 store: its metadata"),
    group("/zarr/{layer}/zarr.json", get_group, "getStoreGroup", "The metadata of the store and of its arrays"),
    array("/zarr/{layer}/{array}/zarr.json", get_array, "getStoreArray", "The metadata of one array"),
    chunk("/zarr/{layer}/{array}/{chunk:path}", get_chunk, "getStoreChunk", "A chunk of an array on the native grid"),
)
routes = routes_of(operations)


# Conversion of paths below `/zarr` to requests.

AT = "@"
"""Separates the id of a layer from its revision; no id contains this character."""
MAX_SHOWN = 60
_NUMBERS = r"\d{1,9}(?:%s\d{1,9}){0,2}"
_KEYS = tuple(
    re.compile(pattern, re.ASCII)
    for pattern in (f"c(?:/({_NUMBERS % '/'}))?", rf"c\.({_NUMBERS % re.escape('.')})", f"({_NUMBERS % '/'})")
)
"""Patterns of chunk keys by `ChunkRequest.encoding`: `c/0/1`, `c.0.1` and `0/1` (Zarr 3 §Chunk key encoding)."""


def store_request(path: Mapping[str, str]) -> StoreRequest:
    """Return the layer, and the state of it, that `/zarr/{layer}` or `/zarr/{layer}@{revision}` names."""
    layer, at, revision = path["layer"].partition(AT)
    return StoreRequest(layer=layer, revision=revision if at else None)


def chunk_request(path: Mapping[str, str]) -> ChunkRequest:
    """Return the chunk that `/zarr/{layer}/{array}/{chunk}` names.

    Raises:
        UnknownPath: It is not a name of a chunk.
    """
    key = path["chunk"]
    for encoding, pattern in enumerate(_KEYS):
        match = pattern.fullmatch(key)
        if match is not None:
            numbers = tuple(int(digits) for digits in re.findall(r"\d+", match[1] or ""))
            return ChunkRequest(store=store_request(path), array=path["array"], encoding=encoding, numbers=numbers)
    raise UnknownPath(f"{key[:MAX_SHOWN]!r} is neither the name of a chunk, such as c/0/0/0, nor a document")
