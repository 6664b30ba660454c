"""Answers made of payloads and of small documents, with their ETag; 304 if the client has stored the same answer."""

from hashlib import blake2b

from starlette.requests import Request
from starlette.responses import Response

from chronotile.core.model.payload import Payload
from chronotile.http.cache_headers import CACHE_CHANGING, cache_headers, format_times_used
from chronotile.http.if_none_match import client_etags
from chronotile.pipeline.revision import fingerprint


def answer_payload(payload: Payload, *, is_immutable: bool = False) -> Response:
    """Return the answer with a payload, or 304 if the payload is marked as unchanged.

    Args:
        payload: The encoded answer of an operation.
        is_immutable: Whether the address contains a revision that is the answer's (`RevisionCheck.is_immutable`).
    """
    headers = {
        "ETag": f'"{payload.etag}"',
        **cache_headers(payload.missing, is_immutable=is_immutable, is_open=payload.time.is_open),
    }
    if payload.time.instants:
        headers["Chronotile-Time"] = format_times_used(payload.time)
    if payload.timing:
        headers["Server-Timing"] = ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in payload.timing)
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    return Response(payload.body, media_type=payload.media_type, headers=headers)


def answer_content(body: bytes, media_type: str, request: Request, *, cache_control: str = CACHE_CHANGING) -> Response:
    """Return the answer with a document whose ETag is computed from its bytes.

    For documents that are cheap to make. `answer_document` caches expensive ones.
    """
    etag = fingerprint(blake2b(body, digest_size=16).hexdigest())  # blake2b releases the interpreter's lock
    payload = Payload(body=body, media_type=media_type, etag=etag, unchanged=etag in client_etags(request))
    response = answer_payload(payload)
    response.headers["Cache-Control"] = cache_control
    return response
