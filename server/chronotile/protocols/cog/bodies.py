"""Bodies that `/cog` takes, refused before they are read: FastAPI reads them before all else."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.errors import LimitExceeded, ServerBusy
from chronotile.protocols.common.endpoint import with_error_caching
from chronotile.protocols.common.problem import problem_response
from chronotile.protocols.common.state import state_of

MAX_BODY_BYTES = 1 << 20
"""Of a GeoJSON feature."""


async def answer_bounded(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let an application answer a request, unless its body is too large or there is no memory for it now."""
    if scope["type"] != "http" or scope["method"] == "GET":
        await app(scope, receive, send)
        return
    request = Request(scope)
    room = state_of(request).bodies.room()
    try:
        room.require(_declared_bytes(request))
    except (LimitExceeded, ServerBusy) as fault:
        await with_error_caching(problem_response(fault, request))(scope, receive, send)
        return
    try:
        await app(scope, receive, send)
    finally:
        room.free()


def _declared_bytes(request: Request) -> int:
    """Return the declared length of a body.

    Raises:
        LimitExceeded: It is too much, or not declared.
    """
    length = request.headers.get("content-length", "")
    asked = int(length[:18]) if length.isdecimal() else MAX_BODY_BYTES + 1
    if asked > MAX_BODY_BYTES:
        fault = LimitExceeded(
            "max_body_bytes", allowed=MAX_BODY_BYTES, asked=asked, alternative="send a simpler geometry"
        )
        fault.status = 413
        raise fault
    return asked
