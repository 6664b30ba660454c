"""Answers given before, given again without drawing, resolving or parsing: requests are known by their text.

Texts lead to what they were resolved to, never to bytes: those are in the cache of payloads, by ETag, within its
bound. A text is remembered only where its meaning hangs on only the services, not on the clock, and forgotten
with them. Before each answer the files it was made of are looked at. That is done at once, so only answers made of
few files on disks of this machine are remembered: where looks take long, or may hang, they are left to the ordinary way
and its threads.

Refusals of a busy server are given again too, without routing or parsing, which would take processor time from the
work. A refusal has the limiter that refused and the sources that were to be read. It is given again only as long as
that limiter refuses, which is found out for each request, and forgotten when what is served is replaced.
"""

from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.http.limiter import Limiter
from chronotile.http.respond import REMEMBERED, Pixels, RawHeader, has_range, join_values
from chronotile.http.run import REFUSED_BY, ServerState
from chronotile.pipeline.services import Services

MAX_ANSWERS = 2048
MAX_TEXT_BYTES = 1000
"""Of a request that is remembered; with `MAX_ANSWERS` this bounds what all of them take to some MB."""
BUSY = 503
MAX_REFUSALS = 256

_ALIKE = "chronotile.refused_alike"

Path = tuple[str, str]
Text = tuple[str, str, bytes, bytes]
_Given = tuple[int, list[RawHeader], bytes, dict[str, Any]]
"""Status, headers, body, and what the log and the metrics tell of the route."""


@dataclass(frozen=True, slots=True)
class _Answer:
    pixels: Pixels
    collection: str
    etag: str
    status: int
    headers: tuple[RawHeader, ...]
    route: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Refusal:
    limiter: Limiter
    sources: Collection[str]
    headers: tuple[RawHeader, ...]
    body: bytes
    route: dict[str, Any]


def refuse_alike(request: Request) -> None:
    """If this request is refused, refuse all GET requests of its path alike.

    Args:
        request: Of a path that alone decides through which limiter the work passes, which sources it reads, and what a
            refusal looks like, whatever the query.
    """
    request.scope[_ALIKE] = True


class ResponseCache:
    """Gives remembered answers and refusals again; all else passes through."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._services: Services | None = None
        self._answers = OrderedDict[Text, _Answer]()
        self._refusals = OrderedDict[Path, _Refusal]()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        state: ServerState = scope["app"].state.chronotile
        services = state.services
        if services is not self._services:
            self._services = services
            self._answers.clear()
            self._refusals.clear()
        path = scope.get("root_path", ""), scope["path"]
        text = None if has_range(scope) else (*path, scope["query_string"], _held(scope))
        given = None if text is None else self._answer(text, state, start)
        given = given or self._refusal(path)
        if given is not None:
            status, headers, body, route = given
            scope.update(route)
            await send({"type": "http.response.start", "status": status, "headers": headers})
            await send({"type": "http.response.body", "body": body})
            return
        begun: Message = {}

        async def send_and_note(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = message
                if text is not None and REMEMBERED in scope:
                    self._remember(text, message, scope, services)
            elif _ALIKE in scope and REFUSED_BY in scope and begun["status"] == BUSY:
                self._remember_refusal(path, begun["headers"], message["body"], scope)
            await send(message)

        await self._app(scope, receive, send_and_note)

    def _answer(self, text: Text, state: ServerState, start: float) -> _Given | None:
        answer = self._answers.get(text)
        if answer is None:
            return None
        self._answers.move_to_end(text)
        body = b"" if answer.status == 304 else state.services.caches.payloads.get(answer.etag)
        if body is None or not _is_current(answer, state):
            return None
        headers = list(answer.headers)
        if body:
            headers.append((b"server-timing", b"resolve;dur=%.2f" % ((perf_counter() - start) * 1000)))
        return answer.status, headers, body, answer.route

    def _refusal(self, path: Path) -> _Given | None:
        refusal = self._refusals.get(path)
        if refusal is None or not refusal.limiter.refuses(refusal.sources):
            return None
        return BUSY, list(refusal.headers), refusal.body, refusal.route

    def _remember(self, text: Text, start: Message, scope: Scope, services: Services) -> None:
        made_with, pixels, etag = scope[REMEMBERED]
        if not (made_with is services is self._services) or sum(map(len, text)) > MAX_TEXT_BYTES:
            return
        collection = services.catalogue.layer(pixels.layer).collection
        headers = tuple(header for header in start["headers"] if header[0] != b"server-timing")
        self._answers[text] = _Answer(pixels, collection, etag, start["status"], headers, _route(scope))
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)

    def _remember_refusal(self, path: Path, headers: Sequence[RawHeader], body: bytes, scope: Scope) -> None:
        limiter, sources, services = scope[REFUSED_BY]
        if services is not self._services or sum(map(len, path)) > MAX_TEXT_BYTES:
            return
        self._refusals[path] = _Refusal(limiter, sources, tuple(headers), body, _route(scope))
        self._refusals.move_to_end(path)
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.popitem(last=False)


def _held(scope: Scope) -> bytes:
    return join_values(scope["headers"], b"if-none-match")


def _route(scope: Scope) -> dict[str, Any]:
    return {"route": scope["route"], "path_params": scope["path_params"]}


def _is_current(answer: _Answer, state: ServerState) -> bool:
    # Whether the files, as they are after this call, still are what the answer was made of.
    return not state.live.has_grown(answer.collection) and answer.pixels.are_unchanged(state.services)
