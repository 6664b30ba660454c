"""Refusals of a busy server, given again without routing or parsing, which would take processor time from the work.

A refusal has the limiter that refused and the sources that were to be read. It is given again only as long as
that limiter refuses, which is found out for each request, and forgotten when what is served is replaced.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.pipeline.services import Services
from chronotile.protocols.common.limits.limiter import Limiter
from chronotile.protocols.common.raw_headers import RawHeader
from chronotile.protocols.common.state import REFUSED_BY, ServerState

BUSY = 503
MAX_REFUSALS = 256
MAX_PATH_BYTES = 1000

_ALIKE = "chronotile.refused_alike"

Path = tuple[str, str]


def refuse_alike(request: Request) -> None:
    """If this request is refused, refuse all GET requests of its path alike.

    Args:
        request: Of a path that alone decides through which limiter the work passes, which sources it reads, and what a
            refusal looks like, whatever the query.
    """
    request.scope[_ALIKE] = True


@dataclass(frozen=True, slots=True)
class _Refusal:
    limiter: Limiter
    sources: Collection[str]
    headers: tuple[RawHeader, ...]
    body: bytes
    route: dict[str, Any]
    """What the log and the metrics record about the route."""


class RefusalCache:
    """Repeats a refusal as long as its limiter refuses; passes on all other requests."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._services: Services | None = None
        self._refusals = OrderedDict[Path, _Refusal]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        state: ServerState = scope["app"].state.chronotile
        if state.services is not self._services:
            self._services = state.services
            self._refusals.clear()
        path = scope.get("root_path", ""), scope["path"]
        refusal = self._refusals.get(path)
        if refusal is not None and refusal.limiter.refuses(refusal.sources):
            scope.update(refusal.route)
            await send({"type": "http.response.start", "status": BUSY, "headers": list(refusal.headers)})
            await send({"type": "http.response.body", "body": refusal.body})
            return
        start: Message = {}

        async def send_and_note(message: Message) -> None:
            nonlocal start
            if _ALIKE in scope and REFUSED_BY in scope:
                if message["type"] == "http.response.start":
                    start = message
                elif start["status"] == BUSY:
                    self._remember(path, start["headers"], message["body"], scope)
            await send(message)

        await self._app(scope, receive, send_and_note)

    def _remember(self, path: Path, headers: Sequence[RawHeader], body: bytes, scope: Scope) -> None:
        limiter, sources, services = scope[REFUSED_BY]
        if services is not self._services or sum(map(len, path)) > MAX_PATH_BYTES:
            return
        route = {"route": scope["route"], "path_params": scope["path_params"]}
        self._refusals[path] = _Refusal(limiter, sources, tuple(headers), body, route)
        self._refusals.move_to_end(path)
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.popitem(last=False)
