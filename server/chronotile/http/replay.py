"""Replay of earlier answers, without routing, parsing, resolving and drawing.

Many requests repeat an earlier request exactly. `ReplayMiddleware` maps the text of a request (grant, prefix of
the server, path, query and `If-None-Match`) to the ETag and the headers of its answer. Bodies stay in the payload
cache, which has a separate limit in bytes; if the body was evicted, the request is handled normally.

Before each replay, the files of the answer are checked on the event loop. Therefore an answer is stored only if

- it is complete, and its meaning does not depend on the clock;
- its layer is configured, not an expression, and its files are few and on local disks;
- it was made from the services that are still in use. A reload of the configuration empties the cache.

Refusals (503) are replayed too, because routing and parsing would take processor time that a busy server lacks. A
stored refusal is replayed only while its limiter still refuses.
"""

from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.core.errors import ChronotileError
from chronotile.core.model.payload import Payload, PixelStates
from chronotile.core.model.time.instants import DAY
from chronotile.core.model.types import Instant
from chronotile.http.asgi_headers import RawHeader, has_range, join_values
from chronotile.http.limiter import Limiter
from chronotile.http.principal import GRANTS
from chronotile.http.request_services import services_of
from chronotile.http.run import REFUSED_BY
from chronotile.http.server_state import ServerState
from chronotile.pipeline.revision import pixel_states
from chronotile.pipeline.services import Services

MAX_ANSWERS = 2048
MAX_REFUSALS = 256
MAX_TEXT_BYTES = 1000
"""Longer requests are not stored. With `MAX_ANSWERS` this limits the cache to a few MB."""
MAX_INSTANTS = 16
MAX_FILE_CHECKS = 64
"""Files and folders that are checked before a replay, in a few µs each."""
BUSY = 503

REPLAY_NOTE = "chronotile.remembered"
"""ASGI scope key of the services, inputs and ETag of an answer that may be replayed."""
_SHARED_REFUSAL = "chronotile.refused_alike"
"""ASGI scope key that marks a request whose refusal applies to its whole path."""

RequestPath = tuple[str, str, str]
"""Grant, prefix of the server, and path."""
RequestText = tuple[str, str, str, bytes, bytes]
"""Grant, prefix of the server, path, query, and `If-None-Match`."""
_Replay = tuple[int, list[RawHeader], bytes, dict[str, Any]]
"""Status, headers, body, and route (for the request log and the metrics)."""


@dataclass(frozen=True, slots=True)
class AnswerInputs:
    """The layer and instants of an answer, and the fingerprints of their files when it was made."""

    layer: str
    instants: tuple[Instant, ...]
    states: PixelStates

    def are_unchanged(self, services: Services) -> bool:
        """Return whether all files have the same fingerprints; a missing file or layer counts as changed."""
        try:
            layer = services.catalogue.layer(self.layer)
            return self.states == pixel_states(layer, self.instants, services, windows=self.states.windows)
        except ChronotileError:
            return False


@dataclass(frozen=True, slots=True)
class _StoredAnswer:
    """An answer without its body."""

    inputs: AnswerInputs
    collection: str
    etag: str
    status: int
    headers: tuple[RawHeader, ...]
    route: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _StoredRefusal:
    """A 503 answer, and the limiter that decides whether it still applies."""

    limiter: Limiter
    sources: Collection[str]
    headers: tuple[RawHeader, ...]
    body: bytes
    route: dict[str, Any]


def allow_replay(request: Request, payload: Payload, *, layer: str) -> None:
    """Mark the answer to a request for replay, if it meets the conditions of this module.

    The answer must depend on the text of the request only.

    Args:
        request: A request for a configured layer, not for an expression.
        payload: The answer, with the fingerprints of its files.
        layer: Name of the layer whose pixels the answer shows.
    """
    services = services_of(request)
    answer_layer = services.catalogue.layer(layer)
    times = answer_layer.times
    instants = payload.time.instants + payload.time.base
    if payload.missing or payload.states.is_provisional:
        return
    is_small = len(instants) <= MAX_INSTANTS and payload.states.file_checks <= MAX_FILE_CHECKS
    if not is_small or answer_layer.collection not in services.is_local:
        return
    # With future times, the newest or default time up to now changes with the clock.
    has_future_times = len(times) > 0 and bool(times.instants[-1] > services.clock() + DAY)
    if not has_future_times:
        request.scope[REPLAY_NOTE] = (services, AnswerInputs(layer, instants, payload.states), payload.etag)


def share_refusal(request: Request) -> None:
    """If this request is refused, let `ReplayMiddleware` refuse other GET requests of its path with the same answer.

    Args:
        request: Its path alone must decide the limiter, the sources and the form of a refusal, for any query.
    """
    request.scope[_SHARED_REFUSAL] = True


class ReplayMiddleware:
    """Middleware that replays stored answers and refusals; other requests go to the application.

    Args:
        app: The application.
        gate: Makes the middleware that sets the client's grant. It runs first if the catalogue has access rules, and
            then calls this middleware again.
    """

    def __init__(self, app: ASGIApp, *, gate: Callable[[ASGIApp], ASGIApp] | None = None) -> None:
        self._app = app
        self._gate = None if gate is None else gate(self)
        self._services: Services | None = None
        self._answers = OrderedDict[RequestText, _StoredAnswer]()
        self._refusals = OrderedDict[RequestPath, _StoredRefusal]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        state: ServerState = scope["app"].state.chronotile
        if self._gate is not None and GRANTS not in scope and state.services.catalogue.access is not None:
            await self._gate(scope, receive, send)
            return
        if scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        if state.services is not self._services:
            self._services = state.services
            self._answers.clear()
            self._refusals.clear()
        services = services_of(Request(scope)) if GRANTS in scope else state.services
        path = services.grant, scope.get("root_path", ""), scope["path"]
        if_none_match = join_values(scope["headers"], b"if-none-match")
        text = None if has_range(scope) else (*path, scope["query_string"], if_none_match)
        replay = None if text is None else self._find_answer(text, state, start)
        replay = replay or self._find_refusal(path)
        if replay is not None:
            status, headers, body, route = replay
            scope.update(route)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        start_message: Message = {}

        async def send_and_store(message: Message) -> None:
            nonlocal start_message
            if message["type"] == "http.response.start":
                start_message = message
                if text is not None and REPLAY_NOTE in scope:
                    self._store_answer(text, message, scope, services)
            elif _SHARED_REFUSAL in scope and REFUSED_BY in scope and start_message["status"] == BUSY:
                self._store_refusal(path, start_message["headers"], message["body"], scope)
            await send(message)

        await self._app(scope, receive, send_and_store)

    def _find_answer(self, text: RequestText, state: ServerState, start: float) -> _Replay | None:
        answer = self._answers.get(text)
        if answer is None:
            return None
        self._answers.move_to_end(text)
        body = b"" if answer.status == 304 else state.services.caches.payloads.get(answer.etag)
        if body is None or state.live.has_grown(answer.collection):
            return None
        # Check the files last: they may change until this call.
        if not answer.inputs.are_unchanged(state.services):
            return None
        headers = list(answer.headers)
        if body:
            headers.append((b"server-timing", b"resolve;dur=%.2f" % ((perf_counter() - start) * 1000)))
        return answer.status, headers, body, answer.route

    def _find_refusal(self, path: RequestPath) -> _Replay | None:
        refusal = self._refusals.get(path)
        if refusal is None or not refusal.limiter.refuses(refusal.sources):
            return None
        return BUSY, list(refusal.headers), refusal.body, refusal.route

    def _store_answer(self, text: RequestText, start_message: Message, scope: Scope, services: Services) -> None:
        answer_services, inputs, etag = scope[REPLAY_NOTE]
        if answer_services is not services or services.origin is not self._services or _is_long(text):
            return
        collection = services.catalogue.layer(inputs.layer).collection
        headers = tuple(header for header in start_message["headers"] if header[0] != b"server-timing")
        self._answers[text] = _StoredAnswer(inputs, collection, etag, start_message["status"], headers, _route(scope))
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)

    def _store_refusal(self, path: RequestPath, headers: Sequence[RawHeader], body: bytes, scope: Scope) -> None:
        limiter, sources, services = scope[REFUSED_BY]
        if services.origin is not self._services or _is_long(path):
            return
        self._refusals[path] = _StoredRefusal(limiter, sources, tuple(headers), body, _route(scope))
        self._refusals.move_to_end(path)
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.popitem(last=False)


def _is_long(text: RequestPath | RequestText) -> bool:
    return sum(map(len, text[1:])) > MAX_TEXT_BYTES


def _route(scope: Scope) -> dict[str, Any]:
    return {"route": scope["route"], "path_params": scope["path_params"]}
