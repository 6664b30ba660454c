"""Answers given before, given again without drawing, resolving or parsing: what is asked is known by its text.

Texts lead to what they were resolved to, never to bytes: those are in the cache of payloads, by ETag, within its
bound. A text is remembered only where its meaning hangs on nothing but the services, not on the clock, and forgotten
with them. Before each answer the files it was made of are looked at. That is done at once, so only answers made of
files on disks of this machine are remembered: where a look may hang, it is left to the ordinary way and its threads.
"""

from collections import OrderedDict
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.errors import ChronotileError
from chronotile.model.payload import Payload
from chronotile.model.time import DAY, Instant
from chronotile.pipeline.revision import known_layer_revision, pixel_states
from chronotile.pipeline.services import Services
from chronotile.protocols.common.ranges import has_range
from chronotile.protocols.common.raw_headers import RawHeader, joined_value
from chronotile.protocols.common.state import ServerState, services_of

MAX_ANSWERS = 2048
MAX_TEXT_BYTES = 1000
"""Of a request that is remembered; with `MAX_ANSWERS` this bounds what all of them take to some MB."""
MAX_INSTANTS = 16

_REMEMBERED = "chronotile.remembered"
"""Where a request tells what its answer was made of."""

Text = tuple[str, str, bytes, bytes]


@dataclass(frozen=True, slots=True)
class Pixels:
    """What an answer was made of, and in which state."""

    layer: str
    instants: tuple[Instant, ...]
    states: tuple[str, ...]
    layer_revision: str | None
    """Of the layer as a whole, where the answer tells that its address carries it."""

    def are_unchanged(self, services: Services) -> bool:
        """Look at the files; what is gone has changed, and what takes longer to find may have."""
        try:
            layer = services.catalogue.layer(self.layer)
            return self.states == pixel_states(layer, self.instants, services) and (
                self.layer_revision is None or self.layer_revision == known_layer_revision(layer, services)
            )
        except ChronotileError:
            return False


@dataclass(frozen=True, slots=True)
class _Answer:
    pixels: Pixels
    collection: str
    etag: str
    status: int
    headers: tuple[RawHeader, ...]
    route: dict[str, Any]
    """What the log and the metrics tell of the route."""


def remember(request: Request, payload: Payload, *, layer: str, layer_revision: str | None = None) -> None:
    """Let the answer that carries a payload, and hangs on nothing of the request but its text, be given again.

    Args:
        request: Of a layer as it is configured, not of an expression.
        payload: With the states of its pixels.
        layer: Whose pixels they are.
        layer_revision: Where the answer tells that its address carries that.
    """
    services = services_of(request)
    found = services.catalogue.layer(layer)
    times = found.times
    instants = payload.time.instants + payload.time.base
    if payload.unreadable:
        return
    # Where there are times to come, which of them is the newest or the default changes with the clock.
    is_settled = len(times) == 0 or bool(times.instants[-1] <= services.clock() + DAY)
    if is_settled and len(instants) <= MAX_INSTANTS and found.collection in services.at_hand:
        pixels = Pixels(layer, instants, payload.states, layer_revision)
        request.scope[_REMEMBERED] = (services, pixels, payload.etag)


class KeptAnswers:
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
            joined_value(scope["headers"], b"if-none-match"),
        )
        answer = self._answers.pop(text, None)
        if answer is not None:
            self._answers[text] = answer  # used last
            body = b"" if answer.status == 304 else state.services.caches.payloads.kept(answer.etag)
            if body is not None and _is_current(answer, state):
                scope.update(answer.route)
                await _send(answer, body, perf_counter() - start, send)
                return

        async def send_and_note(message: Message) -> None:
            if message["type"] == "http.response.start" and _REMEMBERED in scope:
                self._remember(text, message, scope, state.services)
            await send(message)

        await self._app(scope, receive, send_and_note)

    def _remember(self, text: Text, start: Message, scope: Scope, services: Services) -> None:
        made_with, pixels, etag = scope[_REMEMBERED]
        if not (made_with is services is self._services) or sum(map(len, text)) > MAX_TEXT_BYTES:
            return
        collection = services.catalogue.layer(pixels.layer).collection
        headers = tuple(header for header in start["headers"] if header[0] != b"server-timing")
        route = {"route": scope["route"], "path_params": scope["path_params"]}
        self._answers[text] = _Answer(pixels, collection, etag, start["status"], headers, route)
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)


def _is_current(answer: _Answer, state: ServerState) -> bool:
    """Whether the files, as they are after this was asked, still are what the answer was made of."""
    return not state.has_grown(answer.collection) and answer.pixels.are_unchanged(state.services)


async def _send(answer: _Answer, body: bytes, seconds: float, send: Send) -> None:
    headers = list(answer.headers)
    if body:
        headers.append((b"server-timing", b"resolve;dur=%.2f" % (seconds * 1000)))
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
