"""Bodies that `/cog` takes, refused before they are read: FastAPI reads them before all else."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.errors import LimitExceeded, ServerBusy
from chronotile.protocols.common.endpoint import with_error_caching
from chronotile.protocols.common.query.form import check_size
from chronotile.protocols.common.raw_headers import declared_bytes
from chronotile.protocols.common.responses.problem import problem_response
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
        size = declared_bytes(request.headers.raw)
        size = MAX_BODY_BYTES + 1 if size is None else size
        check_size(size, "max_body_bytes", MAX_BODY_BYTES, alternative="send a simpler geometry")
        room.require(size)
    except (LimitExceeded, ServerBusy) as fault:
        await with_error_caching(problem_response(fault, request))(scope, receive, send)
        return
    try:
        await app(scope, receive, send)
    finally:
        room.free()
