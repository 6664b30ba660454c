"""Any page may read public answers, errors included (WHATWG Fetch, CORS protocol)."""

from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.protocols.common.raw_headers import header_value, sending

EXPOSED = (
    "ETag, Chronotile-Time, Content-Crs, Content-Bbox, Content-Datetime, Content-Disposition, Warning, Link, Location, "
    "Preference-Applied, Retry-After, Server-Timing"
)
METHODS = "GET, HEAD, POST, OPTIONS"
ONE_DAY_S = "86400"

_ADDED = ((b"access-control-allow-origin", b"*"), (b"access-control-expose-headers", EXPOSED.encode()))


class CrossOrigin:
    """Adds the headers to every answer, and answers preflights itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await _answer_preflight(scope, send)
            return
        await self._app(scope, receive, sending(send, _ADDED))


async def _answer_preflight(scope: Scope, send: Send) -> None:
    asked = header_value(scope["headers"], b"access-control-request-headers")
    headers = [
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-methods", METHODS.encode()),
        (b"access-control-allow-headers", asked or b"*"),
        (b"access-control-expose-headers", EXPOSED.encode()),
        (b"access-control-max-age", ONE_DAY_S.encode()),
        (b"allow", METHODS.encode()),
    ]
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
