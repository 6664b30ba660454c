"""What a request brings: its body, and the key-value pairs of its address and of a form in its body."""

import asyncio
from collections.abc import Callable
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.types import Scope

from chronotile.errors import ClientGone, InvalidParameter, LimitExceeded
from chronotile.http.body_memory import SMALL_BYTES, BodyRoom
from chronotile.http.headers import declared_bytes
from chronotile.http.server_state import services_of, state_of
from chronotile.model.geometry.json_text import memory_of_json

FORM = "application/x-www-form-urlencoded"
MAX_PAIRS = 1000
MAX_FORM_BYTES = 1_048_576
"""A form is taken apart between other requests: the longest one in use, a style sheet percent-encoded, has room."""
TOO_LARGE, UNSUPPORTED = 413, 415

BODY = "chronotile.body"
"""Where a request keeps its body, which comes once though the request may be begun again."""
ROOM = "chronotile.body_room"
"""Where it keeps what the body takes of the memory for bodies."""


async def pairs_of(request: Request) -> list[tuple[str, str]]:
    """Return the pairs of the query, and of a POST those of its form too.

    Raises:
        InvalidParameter: The body is not a valid form.
        LimitExceeded: It is larger than `max_body_bytes`, or than the limit for forms.
    """
    pairs = request.query_params.multi_items()
    if request.method != "POST":
        return pairs
    media_type = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if media_type != FORM:
        raise InvalidParameter(f"a body must be a form ({FORM}), not {media_type[:60]!r}", locator="REQUEST")
    body = await body_of(request, at_most=MAX_FORM_BYTES)
    try:
        return [*pairs, *parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PAIRS)]
    except ValueError as error:
        raise InvalidParameter(
            f"the body is not a form of at most {MAX_PAIRS} parameters in UTF-8", locator="REQUEST"
        ) from error


async def body_of(request: Request, *, at_most: int | None = None) -> bytes:
    """Return the body, read no further than it may reach, and not at all where its length says that it is larger.

    Args:
        request: What has it.
        at_most: Its bytes, where that is less than `max_body_bytes`.

    Raises:
        LimitExceeded: It is larger.
        InvalidParameter: It is compressed.
        ClientGone: The client aborted the upload.
        ServerBusy: Other bodies take the memory that there is for them.
    """
    body: bytes | None = request.scope.get(BODY)
    if body is not None:
        return body
    _require_plain(request.headers.get("content-encoding", ""))
    limit, allowed = "max_body_bytes", services_of(request).catalogue.limits.max_body_bytes
    if at_most is not None and at_most < allowed:
        limit, allowed = "bytes of a form", at_most
    size = declared_bytes(request.headers.raw) or 0
    check_size(size, limit, allowed)
    room = request.scope.setdefault(ROOM, state_of(request).bodies.room())
    room.require(size)
    whole = request.scope[BODY] = await _received(request, room, limit, allowed)
    return whole


async def discard_body(request: Request) -> None:
    """Read and drop the body of an unused request, so that `watch_disconnect` notices when the client leaves.

    Its memory is free again when this returns: an answer may need it.

    Raises:
        ChronotileError: As `body_of`.
    """
    await body_of(request)
    forget_body(request.scope)
    request.scope[BODY] = b""  # a request that is begun anew cannot read it again


def body_parsed(request: Request) -> Callable[[], object]:
    """Return what a thread calls once it has parsed the body: of its memory only the bytes themselves are counted then.

    The answer may need the rest.
    """
    room: BodyRoom | None = request.scope.get(ROOM)
    if room is None:
        return lambda: None
    return partial(asyncio.get_running_loop().call_soon_threadsafe, room.shrink, len(request.scope[BODY]))


def forget_body(scope: Scope) -> None:
    """Drop the body of a request that is answered, and give its memory back."""
    scope.pop(BODY, None)
    room: BodyRoom | None = scope.pop(ROOM, None)
    if room is not None:
        room.free()


async def _received(request: Request, room: BodyRoom, limit: str, allowed: int) -> bytes:
    body, parsed = bytearray(), 0
    try:
        async for part in request.stream():
            check_size(len(body) + len(part), limit, allowed)
            room.require(len(body) + len(part))  # of a body that does not declare its length
            body += part
            parsed += memory_of_json(part)
    except ClientDisconnect as error:
        raise ClientGone("the client aborted the upload") from error
    if len(body) > SMALL_BYTES:
        room.require_parsed(parsed)
    return bytes(body)


def _require_plain(encoding: str) -> None:
    """Without it a few bytes could stand for far more than `max_body_bytes`."""
    if encoding.strip().lower() not in {"", "identity"}:
        error = InvalidParameter(f"a body with Content-Encoding {encoding[:40]!r} is not supported; send it without")
        error.status = UNSUPPORTED
        raise error


def check_size(size: int, limit: str, allowed: int, *, alternative: str = "send less at once") -> None:
    """Refuse a body of more than `allowed` bytes, the value of a limit.

    Raises:
        LimitExceeded: It has more.
    """
    if size > allowed:
        error = LimitExceeded(limit, allowed=allowed, needed=size, alternative=alternative)
        error.status = TOO_LARGE
        raise error
