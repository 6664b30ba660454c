"""What holds for every request and answer, whatever its protocol."""

from collections.abc import Collection

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.errors import ChronotileError
from chronotile.protocols.common.raw_headers import RawHeader, header_value, set_headers
from chronotile.protocols.common.responses.problem import problem_response

MAX_QUERY_BYTES = 64_000
NOTHING_RUNS = b"default-src 'none'; base-uri 'none'; form-action 'none'"
"""Of HTML and SVG that need neither scripts nor styles nor anything from elsewhere. Pages elsewhere may frame them, as
map clients do with feature info."""

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_POLICY = b"content-security-policy"
_ACTIVE = (b"text/html", b"image/svg+xml", b"application/xhtml+xml")
"""Media types in which browsers run scripts."""


class Guard:
    """Refuses query strings no request needs (414), and bounds what browsers do with answers.

    They believe the media type, and run nothing that texts of files and configurations may bring into HTML and SVG;
    pages that need more have a policy of their own.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _guarded(send)
        if len(scope["query_string"]) >= MAX_QUERY_BYTES:
            await _too_long(scope)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def _guarded(send: Send) -> Send:
    async def send_guarded(message: Message) -> None:
        if message["type"] == "http.response.start":
            set_headers(message, _added(message["headers"]))
        await send(message)

    return send_guarded


def _added(headers: Collection[RawHeader]) -> tuple[RawHeader, ...]:
    is_active = header_value(headers, b"content-type").lower().startswith(_ACTIVE)
    if is_active and not header_value(headers, _POLICY):
        return (_NOSNIFF, (_POLICY, NOTHING_RUNS))
    return (_NOSNIFF,)


def _too_long(scope: Scope) -> ASGIApp:
    fault = ChronotileError(
        f"the query has {len(scope['query_string'])} bytes, fewer than {MAX_QUERY_BYTES} are accepted"
    )
    fault.status = 414
    return problem_response(fault, Request(scope))
