"""Answers given before, given again without drawing, resolving or parsing: requests are known by their text.

Texts lead to what they were resolved to, never to bytes: those are in the cache of payloads, by ETag, within its
bound. A text is remembered only where its meaning hangs on only the services, not on the clock, and forgotten
with them. Before each answer the files it was made of are looked at. That is done at once, so only answers made of
few files on disks of this machine are remembered: where looks take long, or may hang, they are left to the ordinary way
and its threads.
"""

from collections import OrderedDict
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.pipeline.services import Services
from chronotile.protocols.common.raw_headers import RawHeader, join_values
from chronotile.protocols.common.responses.ranges import has_range
from chronotile.protocols.common.responses.remembered import REMEMBERED, Pixels
from chronotile.protocols.common.state import ServerState

MAX_ANSWERS = 2048
MAX_TEXT_BYTES = 1000
"""Of a request that is remembered; with `MAX_ANSWERS` this bounds what all of them take to some MB."""


Text = tuple[str, str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class _Answer:
    pixels: Pixels
    collection: str
    etag: str
    status: int
    headers: tuple[RawHeader, ...]
    route: dict[str, Any]
    """What the log and the metrics tell of the route."""


class ResponseCache:
    """Gives remembered answers again; all else passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._services: Services | None = None
        self._answers = OrderedDict[Text, _Answer]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or scope["method"] != "GET" or has_range(scope):
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        state: ServerState = scope["app"].state.chronotile
        if state.services is not self._services:
            self._services = state.services
            self._answers.clear()
        text = (
            scope.get("root_path", ""),
            scope["path"],
            scope["query_string"],
            join_values(scope["headers"], b"if-none-match"),
        )
        answer = self._answers.pop(text, None)
        if answer is not None:
            self._answers[text] = answer  # used last
            body = b"" if answer.status == 304 else state.services.caches.payloads.get(answer.etag)
            if body is not None and _is_current(answer, state):
                scope.update(answer.route)
                await _send(answer, body, perf_counter() - start, send)
                return

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start" and REMEMBERED in scope:
                self._remember(text, message, scope, state.services)
            await send(message)

        await self._app(scope, receive, send_and_note)

    def _remember(self, text: Text, start: Message, scope: Scope, services: Services) -> None:
        made_with, pixels, etag = scope[REMEMBERED]
        if not (made_with is services is self._services) or sum(map(len, text)) > MAX_TEXT_BYTES:
            return
        collection = services.catalogue.layer(pixels.layer).collection
        headers = tuple(header for header in start["headers"] if header[0] != b"server-timing")
        route = {"route": scope["route"], "path_params": scope["path_params"]}
        self._answers[text] = _Answer(pixels, collection, etag, start["status"], headers, route)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)


def _is_current(answer: _Answer, state: ServerState) -> bool:
    """Whether the files, as they are after this call, still are what the answer was made of."""
    return not state.live.has_grown(answer.collection) and answer.pixels.are_unchanged(state.services)


async def _send(answer: _Answer, body: bytes, seconds: float, send: Send) -> None:
    headers = list(answer.headers)
    if body:
        headers.append((b"server-timing", b"resolve;dur=%.2f" % (seconds * 1000)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
