"""One line in the log for each request (docs/operations.md)."""

import asyncio
import logging
import os
import re
from time import perf_counter
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.logs import REQUEST_ID
from chronotile.protocols.common.raw_headers import header_value
from chronotile.protocols.common.state import FAULT_STATUS

log = logging.getLogger(__name__)

_NAMES = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.,@-]{0,199}")
_IDS = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_.:/+=@-]{0,127}")
HEADER = b"x-request-id"
LAYER_PARAMETERS = {"layer", "layers"}
LINE = "%(method)s %(route)s layer=%(layer)s time=%(datetime)s status=%(status)d ms=%(ms).1f bytes=%(bytes)d id=%(id)s"


class RequestLog:
    """Gives each request an id, and logs route, layer, instants, status, milliseconds and bytes of what was sent.

    The id is that of the header `X-Request-Id`, which the answer then has too; otherwise a new one. Answers to requests
    without the header have none, as shared caches store them for other requests.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent_id = _sent_id(scope)
        request_id = sent_id.decode("ascii") if sent_id else os.urandom(16).hex()
        start = perf_counter()
        status, size, instants = 500, 0, "-"

        async def send_and_note(message: Message) -> None:
            nonlocal status, size, instants
            if message["type"] == "http.response.start":
                status = message["status"]
                instants = header_value(message["headers"], b"chronotile-time").decode("latin-1") or "-"
                if sent_id:
                    message["headers"] = [*message["headers"], (HEADER, sent_id)]
            elif message["type"] == "http.response.body" and scope["method"] != "HEAD":
                size += len(message.get("body", b""))
            await send(message)

        token = REQUEST_ID.set(request_id)
        try:
            await self._app(scope, receive, send_and_note)
        except asyncio.CancelledError:  # the server is being stopped and has answered 503
            status = 503
            raise
        finally:
            REQUEST_ID.reset(token)
            if log.isEnabledFor(logging.INFO):
                _write(
                    method=scope["method"],
                    route=route_pattern(scope),
                    layer=_layer(scope),
                    datetime=instants,
                    status=scope.get(FAULT_STATUS, status),
                    ms=round((perf_counter() - start) * 1000, 1),
                    bytes=size,
                    id=request_id,
                )


def _write(**values: object) -> None:
    """Log a line as `log.info` does, but for the search of the stack for who called it."""
    log.handle(log.makeRecord(log.name, logging.INFO, __file__, 0, LINE, (values,), None))


def _sent_id(scope: Scope) -> bytes | None:
    """The id that the client or a proxy gave the request; one that could not stand in a log is no id."""
    sent = header_value(scope["headers"], HEADER)
    return sent if _IDS.fullmatch(sent) else None


def route_pattern(scope: Scope) -> str:
    """Return the pattern of the route, which is the same for all tiles of a protocol; `-` where none matched."""
    return getattr(scope.get("route"), "path", "-")


def _layer(scope: Scope) -> str:
    """The layer of the path or query, or the collection of OGC API; what is not a name cannot stand in a log."""
    in_path = scope.get("path_params", {})
    named = in_path.get("layer") or in_path.get("collectionId")
    if named is None:
        query = parse_qsl(scope["query_string"][:2000].decode("latin-1"))
        named = next((value for name, value in query if name.lower() in LAYER_PARAMETERS), "")
    return named if _NAMES.fullmatch(named) else "-"
