"""What holds for every request and answer, whatever its protocol."""

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.errors import ChronotileError
from chronotile.protocols.common.problem import problem_response
from chronotile.protocols.common.raw_headers import sending

MAX_QUERY_BYTES = 64_000

_ADDED = ((b"x-content-type-options", b"nosniff"),)


class Guard:
    """Refuses query strings no request needs (414), and tells browsers to believe the media type of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = sending(send, _ADDED)
        if len(scope["query_string"]) >= MAX_QUERY_BYTES:
            await _too_long(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _too_long(scope: Scope) -> ASGIApp:
    fault = ChronotileError(
        f"the query has {len(scope['query_string'])} bytes, fewer than {MAX_QUERY_BYTES} are accepted"
    )
    fault.status = 414
    return problem_response(fault, Request(scope))
