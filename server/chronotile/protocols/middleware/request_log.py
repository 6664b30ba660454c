"""One line in the log for each request (docs/reference/operations.md)."""

import asyncio
import logging
import re
from time import perf_counter
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.protocols.common.raw_headers import header_value
from chronotile.protocols.common.state import FAULT_STATUS

log = logging.getLogger(__name__)

_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,-]{0,199}")
LAYER_PARAMETERS = {"layer", "layers"}


class RequestLog:
    """Writes route, layer, instants, status, milliseconds and bytes when an answer has been sent."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or not log.isEnabledFor(logging.INFO):
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        status, size, instants = 500, 0, "-"

        async def send_and_note(message: Message) -> None:
            nonlocal status, size, instants
            if message["type"] == "http.response.start":
                status = message["status"]
                instants = header_value(message["headers"], b"chronotile-time").decode("latin-1") or "-"
            elif message["type"] == "http.response.body" and scope["method"] != "HEAD":
                size += len(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:  # the server is being stopped and has answered 503
            status = 503
            raise
        finally:
            milliseconds = (perf_counter() - start) * 1000
            reported = scope.get(FAULT_STATUS, status)
            _write((scope["method"], route_pattern(scope), _layer(scope), instants, reported, milliseconds, size))


def _write(values: tuple[object, ...]) -> None:
    """Log a line as `log.info` does, but for the search of the stack for who called it."""
    line = "%s %s layer=%s time=%s status=%d ms=%.1f bytes=%d"
    log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, line, values, None))


def route_pattern(scope: Scope) -> str:
    """Return the pattern of the route, which is the same for all tiles of a protocol; `-` where none matched."""
    return getattr(scope.get("route"), "path", "-")


def _layer(scope: Scope) -> str:
    """The layer of the path or query, or the collection of OGC API; what is no name cannot stand in a log."""
    in_path = scope.get("path_params", {})
    named = in_path.get("layer") or in_path.get("collectionId")
    if named is None:
        query = parse_qsl(scope["query_string"][:2000].decode("latin-1"))
        named = next((value for name, value in query if name.lower() in LAYER_PARAMETERS), "")
    return named if _NAMES.fullmatch(named) else "-"
