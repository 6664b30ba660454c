"""Bodies and key-value pairs of requests, within the limits for size and memory."""

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from chronotile.core import errors
from chronotile.core.model.geometry.json_estimates import memory_of_json
from chronotile.http.asgi_headers import declared_bytes
from chronotile.http.body_memory import SMALL_BYTES, BodyAccount
from chronotile.http.request_services import services_of
from chronotile.http.server_state import state_of

FORM = "application/x-www-form-urlencoded"
MAX_PAIRS = 1000
MAX_FORM_BYTES = 1_048_576
"""Forms are parsed on the event loop. The longest forms in use contain a percent-encoded style sheet."""
TOO_LARGE, UNSUPPORTED = 413, 415

BODY = "chronotile.body"
"""ASGI scope key of the body. It can be received once, but the endpoint may run again (`http.replaced_services`)."""
BODY_ACCOUNT = "chronotile.body_room"
"""ASGI scope key of the memory that the body takes (`BodyAccount`)."""


async def read_pairs(request: Request) -> list[tuple[str, str]]:
    """Return the pairs of the query and, for POST, of the form in the body.

    Raises:
        InvalidParameter: The body is not a valid form.
        LimitExceeded: The body is larger than `max_body_bytes` or `MAX_FORM_BYTES`.
    """
    pairs = request.query_params.multi_items()
    if request.method != "POST":
        return pairs
    media_type = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if media_type != FORM:
        raise errors.InvalidParameter(f"a body must be a form ({FORM}), not {media_type[:60]!r}", locator="REQUEST")
    body = await read_body(request, at_most=MAX_FORM_BYTES)
    try:
        return [*pairs, *parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PAIRS)]
    except ValueError as error:
        raise errors.InvalidParameter(
            f"the body is not a form of at most {MAX_PAIRS} parameters in UTF-8", locator="REQUEST"
        ) from error


async def read_body(request: Request, *, at_most: int | None = None, is_file: bool = False) -> bytes:
    """Return the body of a request, and count its memory until the request is answered.

    A body that is too large is refused as soon as that is known: by its `Content-Length` before it is read.

    Args:
        request: The request.
        at_most: Limit in bytes, if lower than `max_body_bytes`.
        is_file: Whether another process parses the body. Otherwise memory for its parsed JSON is counted too.

    Raises:
        LimitExceeded: The body is too large.
        InvalidParameter: The body is compressed.
        ClientGone: The client aborted the upload.
        ServerBusy: Other bodies use all memory for bodies.
    """
    body: bytes | None = request.scope.get(BODY)
    if body is not None:
        return body
    encoding = request.headers.get("content-encoding", "")
    if encoding.strip().lower() not in {"", "identity"}:
        error = errors.InvalidParameter(
            f"a body with Content-Encoding {encoding[:40]!r} is not supported; send it without"
        )
        error.status = UNSUPPORTED
        raise error
    limit, allowed = "max_body_bytes", services_of(request).catalogue.limits.max_body_bytes
    if at_most is not None and at_most < allowed:
        limit, allowed = "bytes of a body", at_most
    size = declared_bytes(request.headers.raw) or 0
    check_body_size(size, limit, allowed)
    account = request.scope.setdefault(BODY_ACCOUNT, state_of(request).bodies.open_account())
    account.reserve(size)
    body = request.scope[BODY] = await _receive(request, account, limit, allowed, is_file=is_file)
    return body


async def discard_body(request: Request) -> None:
    """Read and drop a body that is not used: `watch_connection` can notice that a client left only after its body.

    Raises:
        ChronotileError: An error of `read_body`.
    """
    await read_body(request)
    release_body(request.scope)
    request.scope[BODY] = b""  # a retry of the endpoint must not receive it again


def parsed_body_callback(request: Request) -> Callable[[], object]:
    """Return a function that a thread calls after it has parsed the body: it frees all memory but that of the bytes."""
    account: BodyAccount | None = request.scope.get(BODY_ACCOUNT)
    if account is None:
        return lambda: None
    return partial(asyncio.get_running_loop().call_soon_threadsafe, account.shrink, len(request.scope[BODY]))


def release_body(scope: Scope) -> None:
    """Drop the body of an answered request and free its memory."""
    scope.pop(BODY, None)
    account: BodyAccount | None = scope.pop(BODY_ACCOUNT, None)
    if account is not None:
        account.free()


def check_body_size(size: int, limit: str, allowed: int, *, alternative: str = "send less at once") -> None:
    """Raise an error with status 413 if a body has more than `allowed` bytes.

    Args:
        size: Bytes of the body.
        limit: Name of the limit.
        allowed: Value of the limit.
        alternative: Advice for the client.

    Raises:
        LimitExceeded: The body is larger than the limit.
    """
    if size > allowed:
        error = errors.LimitExceeded(limit, allowed=allowed, needed=size, alternative=alternative)
        error.status = TOO_LARGE
        raise error


async def _receive(request: Request, account: BodyAccount, limit: str, allowed: int, *, is_file: bool) -> bytes:
    body, parsed_bytes = bytearray(), 0
    with errors.raised_instead(ClientDisconnect, errors.ClientGone("the client aborted the upload")):
        async for part in request.stream():
            check_body_size(len(body) + len(part), limit, allowed)
            account.require(len(body) + len(part))
            body += part
            parsed_bytes += 0 if is_file else memory_of_json(part)
    if len(body) > SMALL_BYTES:
        account.require_parsed(parsed_bytes)
    return bytes(body)
