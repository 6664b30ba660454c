"""Payloads as HTTP answers: validators, caching, the instant used; headers, of requests too; answers given again."""

import gzip
import re
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Sequence, Sized
from dataclasses import dataclass
from hashlib import blake2b
from time import perf_counter
from typing import Any
from urllib.parse import quote

from starlette.middleware.gzip import DEFAULT_EXCLUDED_CONTENT_TYPES
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.core.errors import ChronotileError
from chronotile.core.model.collection import Layer
from chronotile.core.model.items import Unanswered
from chronotile.core.model.payload import Document, Payload, PixelStates, TimeUsed
from chronotile.core.model.time.instants import DAY, format_instant
from chronotile.core.model.types import Instant
from chronotile.http.limiter import Limiter
from chronotile.http.run import DOCUMENTS, GRANTS, REFUSED_BY, ServerState, run, services_of
from chronotile.pipeline.revision import fingerprint, pixel_states
from chronotile.pipeline.search.search_items import live_names
from chronotile.pipeline.services import Services

SHORT = "public, max-age=300, stale-while-revalidate=86400"
CURRENT = "public, max-age=60, stale-while-revalidate=60"
"""Of answers that depend on the newest time or the list of layers: caches serve these at most two minutes too long."""
INCOMPLETE = "public, max-age=60"
"""Of an answer that lacks dates."""
IMMUTABLE = "public, max-age=31536000, immutable"
MAX_INSTANTS_TOLD = 16
GZIPPED = "-gzip"
"""End of the ETag of an answer that left compressed."""


class _AnyEtag(frozenset[str]):
    """Contains every ETag: what `If-None-Match: *` lists."""

    def __contains__(self, _etag: object) -> bool:
        return True


def known_etags(request: Request) -> frozenset[str]:
    """Return the ETags of answers that the client holds (RFC 9110 §13.1.2), without quotes, weakness or encoding."""
    parts = [part.strip() for line in request.headers.getlist("if-none-match") for part in line.split(",")]
    if "*" in parts:
        return _AnyEtag()
    return frozenset(part.removeprefix("W/").strip('"').removesuffix(GZIPPED) for part in parts if part)


def respond(payload: Payload, *, is_immutable: bool = False) -> Response:
    """Return the answer that carries a payload; 304 where the client holds it already."""
    cache_headers = caching(
        payload.unreadable,
        is_immutable=is_immutable,
        is_open=payload.time.is_open,
        left_out=payload.left_out,
        note=payload.note,
    )
    headers = {"ETag": f'"{payload.etag}"', **cache_headers}
    if payload.time.instants:
        headers["Chronotile-Time"] = instants_text(payload.time)
    if payload.timing:
        headers["Server-Timing"] = ", ".join(f"{name};dur={seconds * 1000:.2f}" for name, seconds in payload.timing)
    if payload.unchanged:
        return Response(status_code=304, headers=headers)
    return Response(payload.body, media_type=payload.media_type, headers=headers)


def caching(
    unreadable: Sequence[Instant],
    *,
    is_immutable: bool = False,
    is_open: bool,
    left_out: Sequence[str] = (),
    note: str = "",
) -> dict[str, str]:
    """Return how long an answer may be cached; of one that lacks dates or items also which: they may be repaired soon.

    Args:
        unreadable: The dates that it lacks.
        is_immutable: Whether its address names the revision that it is of.
        is_open: Whether its times were resolved from an open selection (`TimeSelection.is_open`).
        left_out: Ids of the items that it lacks.
        note: What it has in place of what was requested.
    """
    if unreadable or left_out or note:
        told = [format_instant(instant) for instant in unreadable[:MAX_INSTANTS_TOLD]]
        warnings = [_warning("unreadable", told, unreadable)] if unreadable else []
        warnings += [left_out_warning(left_out)] if left_out else []
        warnings += [f'199 - "{note}"'] if note else []
        return {"Cache-Control": INCOMPLETE, "Warning": ", ".join(warnings)}
    if is_immutable:
        return {"Cache-Control": IMMUTABLE}
    return {"Cache-Control": CURRENT if is_open else SHORT}


def left_out_warning(left_out: Sequence[str]) -> str:
    """Return the warning that names the items that could not be read."""
    return _warning("left out", [quote(item, safe=" :()+,;=@!*") for item in left_out[:MAX_INSTANTS_TOLD]], left_out)


def _warning(what: str, told: Sequence[str], all_: Sized) -> str:
    # A warning (RFC 7234 §5.5) that names the first of some things, and says how many more there are.
    more = len(all_) - len(told)
    return f'199 - "{what}: {", ".join(told)}{f", and {more} more" if more else ""}"'


def respond_with_content(body: bytes, media_type: str, request: Request, *, cache_control: str = CURRENT) -> Response:
    """Return a document that is cheap to make, validated by its content; 304 where the client holds it already.

    Args:
        body: Of the document.
        media_type: Under which it leaves.
        request: The request.
        cache_control: How long it may be cached: `CURRENT` unless it depends neither on layers nor on times.
    """
    etag = fingerprint(blake2b(body, digest_size=16).hexdigest())  # which lets other threads run
    payload = Payload(body=body, media_type=media_type, etag=etag, unchanged=etag in known_etags(request))
    response = respond(payload)
    response.headers["Cache-Control"] = cache_control
    return response


def instants_text(time: TimeUsed) -> str:
    """Return the instants used, newest first; of many, the interval they lie in; and those a difference is from."""
    shown = _listed(time.instants)
    return f"{shown};difference={_listed(time.base)}" if time.base else shown


def _listed(instants: tuple[Instant, ...]) -> str:
    if len(instants) > MAX_INSTANTS_TOLD:
        return f"{format_instant(instants[-1])}/{format_instant(instants[0])}"
    return ",".join(format_instant(instant) for instant in instants)


def unanswered_members(unanswered: Sequence[Unanswered]) -> list[dict[str, Any]]:
    """Return the collections of which an answer lacks items, each with the reason, and whether it has some of them."""
    return [{"collection": each.collection, "reason": each.reason, "partial": each.is_partial} for each in unanswered]


def unanswered_warning(unanswered: Sequence[Unanswered]) -> str:
    """Return the warnings (RFC 7234 §5.5) that name the collections that are left out, and the incomplete ones."""
    left_out = [quote(each.collection) for each in unanswered if not each.is_partial]
    incomplete = [quote(each.collection) for each in unanswered if each.is_partial]
    named = {"left out": left_out, "incomplete": incomplete}
    return ", ".join(f'199 - "{what}: {", ".join(names)}"' for what, names in named.items() if names)


def warned(response: Response, unanswered: Sequence[Unanswered]) -> Response:
    """Return an answer that names the collections of which it lacks items, and is cached no longer than such ones."""
    if unanswered:
        response.headers.update({"Warning": unanswered_warning(unanswered), "Cache-Control": INCOMPLETE})
    return response


def warned_of_live(response: Response, layers: Iterable[Layer], services: Services) -> Response:
    """Return series that name the live collections among theirs: these have what searches found, not all that exists.

    They are cached no longer than other incomplete answers, as each search may add to them.
    """
    mosaics = {layer.collection for layer in layers if layer.main_variable.is_mosaic}
    live = mosaics.intersection(live_names(services) if mosaics else ())
    if live:
        names = ", ".join(map(quote, sorted(live)))
        found = f'199 - "incomplete: {names}; items that were searched for are here, not all"'
        headers = response.headers
        headers["Warning"] = ", ".join(filter(None, [headers.get("Warning"), found]))
        headers["Cache-Control"] = INCOMPLETE
    return response


# Documents of the catalogue: made once, in a thread, and cached until a reload.

GZIP_LEVEL = 5


async def respond_with_document(
    request: Request,
    services: Services,
    make: Callable[[], bytes],
    *,
    key: Hashable,
    media_type: str,
    cache_control: str = CURRENT,
) -> Response:
    """Return what `make` gives, cached until the day ends, another time is the newest of a layer, or a reload.

    Args:
        request: The request.
        services: What it describes.
        make: Makes it.
        key: All that it depends on but the catalogue and the time of day.
        media_type: Under which it leaves.
        cache_control: How long clients may keep it: `CURRENT` unless it depends neither on layers nor on times.

    Raises:
        ServerBusy: Too much is waiting already.
    """

    def made() -> Document:
        body = make()
        # Without the time at which it was compressed, so that equal documents are equal bytes.
        gzipped = gzip.compress(body, GZIP_LEVEL, mtime=0)
        return Document(body=body, gzipped=gzipped, media_type=media_type, etag=fingerprint(body))

    def cached() -> Document:
        today = services.clock().astype("datetime64[D]").item()  # by which documents say which data are still updated
        return services.documents.get_or_make(
            (services.grant, key, media_type, today, _newest_of_moving(services)), made
        )

    document = await run(request, DOCUMENTS, cached)
    headers = {"ETag": f'"{document.etag}"', "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
    if cache_control == CURRENT and services.catalogue.wholly_unavailable:
        missing = [Unanswered(collection=each, reason="") for each in sorted(services.catalogue.wholly_unavailable)]
        headers |= {"Warning": unanswered_warning(missing), "Cache-Control": INCOMPLETE}
    if document.etag in known_etags(request):
        return Response(status_code=304, headers=headers)
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(document.body, media_type=media_type, headers=headers)
    headers["Content-Encoding"] = "gzip"
    return Response(document.gzipped, media_type=media_type, headers=headers)


def _newest_of_moving(services: Services) -> tuple[int | None, ...]:
    """The newest times of layers with times to come, by index: what moves with the clock within a day."""
    latest = services.clock() + DAY
    domains = (layer.times for layer in services.catalogue.layers)
    return tuple(domain.at_or_before(latest) for domain in domains if len(domain) and domain.instants[-1] > latest)


# What an answer was made of, so that the response cache may give it again.

MAX_INSTANTS = 16


MAX_LOOKS = 64
"""At files and folders, some µs each: what takes more is left to the ordinary way too."""


REMEMBERED = "chronotile.remembered"
"""Where a request records what its answer was made of."""


@dataclass(frozen=True, slots=True)
class Pixels:
    """What an answer was made of, and in which state."""

    layer: str
    instants: tuple[Instant, ...]
    states: PixelStates

    def are_unchanged(self, services: Services) -> bool:
        """Look at the files; what is gone has changed, and what takes longer to find may have."""
        try:
            layer = services.catalogue.layer(self.layer)
            return self.states == pixel_states(layer, self.instants, services, windows=self.states.windows)
        except ChronotileError:
            return False


def remember(request: Request, payload: Payload, *, layer: str) -> None:
    """Let the answer that carries a payload, and hangs on nothing of the request but its text, be given again.

    Args:
        request: Of a layer as it is configured, not of an expression.
        payload: With the states of its pixels.
        layer: Whose pixels they are.
    """
    services = services_of(request)
    found = services.catalogue.layer(layer)
    times = found.times
    instants = payload.time.instants + payload.time.base
    if payload.unreadable or payload.left_out or payload.note or payload.states.is_provisional:
        return
    is_small = len(instants) <= MAX_INSTANTS and payload.states.looks <= MAX_LOOKS
    if not is_small or found.collection not in services.is_local:
        return
    # Where there are times to come, which of them is the newest or the default changes with the clock.
    is_settled = len(times) == 0 or bool(times.instants[-1] <= services.clock() + DAY)
    if is_settled:
        request.scope[REMEMBERED] = (services, Pixels(layer, instants, payload.states), payload.etag)


# Headers of requests: as ASGI carries them, and what a client would rather have (RFC 9110 §12.5).

MAX_MEMBERS = 50
MAX_SUBTAGS = 8
"""Parts of a language range that are looked at: no language that is offered has more."""
_WEIGHT = re.compile(r"q=(0(?:\.\d{0,3})?|1(?:\.0{0,3})?)", re.IGNORECASE)


def parse_weights(header: str) -> list[tuple[str, float]]:
    """Return the members of a header in lower case with their weights, the highest first; of equals as they came."""
    members: list[tuple[str, float]] = []
    for member in header.split(",")[:MAX_MEMBERS]:
        value, *parameters = (part.strip() for part in member.split(";"))
        weights = [found[1] for parameter in parameters if (found := _WEIGHT.fullmatch(parameter))]
        if value:
            members.append((value.lower(), float(weights[0]) if weights else 1.0))
    return sorted(members, key=lambda member: -member[1])


def preferred_type(header: str, offered: Sequence[str]) -> str:
    """Return the media type a client likes best; the first one offered where it likes several equally, or none."""
    members = dict(reversed(parse_weights(header)))

    def weight(media_type: str) -> float:
        family = media_type.partition("/")[0]
        for pattern in (media_type, f"{family}/*", "*/*"):
            if pattern in members:
                return members[pattern]
        return 0.0

    return max(offered, key=weight)


def takes_gzip(header: str) -> bool:
    """Return whether a client takes gzip and would not rather have what is not compressed (RFC 9110 §12.5.3).

    `x-gzip` is another name of it (§8.4.1.3). Where nothing is acceptable that could be sent, `identity` is sent.
    """
    weights = dict(reversed(parse_weights(header)))
    others = weights.get("*", 0.0)
    gzip = max((weights[name] for name in ("gzip", "x-gzip") if name in weights), default=others)
    return gzip > 0 and gzip >= weights.get("identity", 0.0)


def preferred_language(header: str, offered: Sequence[str]) -> str:
    """Return the language a client likes best (RFC 4647 §3.4 lookup), the first one offered where it likes none."""
    for language_range, weight in parse_weights(header):
        found = offered_language(language_range, offered) if weight > 0 else None
        if found is not None:
            return found
    return offered[0]


def offered_language(language_range: str, offered: Sequence[str]) -> str | None:
    """Return the language that `language_range` or, part by part, its beginning names: `nl-BE` finds `nl`."""
    known = {language.lower(): language for language in offered}
    parts = language_range.lower().split("-", MAX_SUBTAGS)[:MAX_SUBTAGS]
    for length in range(len(parts), 0, -1):
        found = known.get("-".join(parts[:length]))
        if found is not None:
            return found
    return None


# Headers as ASGI carries them: lower-case names and values, in bytes.
#
# Starlette's `Headers` decode each of them for each look; what stands in the way of every request looks at the bytes.

RawHeader = tuple[bytes, bytes]


def header_value(headers: Iterable[RawHeader], name: bytes) -> bytes:
    """Return the first value of a header; empty where there is none."""
    for each, value in headers:
        if each == name:
            return value
    return b""


def join_values(headers: Iterable[RawHeader], name: bytes) -> bytes:
    """Return the values of all lines of a header as one list (RFC 9110 §5.3); empty where there is none."""
    return b", ".join(value for each, value in headers if each == name)


def declared_bytes(headers: Iterable[RawHeader]) -> int | None:
    """Return the length of a body as `Content-Length` declares it; `None` where it does not."""
    declared = header_value(headers, b"content-length")
    # Of many digits the first ones say enough, but for zeros.
    return int(declared.lstrip(b"0")[:18] or b"0") if declared.isdigit() else None


def set_headers(start: Message, added: Collection[RawHeader]) -> None:
    """Give the start of an answer some headers, in place of those it has of the same names."""
    names = [name for name, _ in added]
    start["headers"] = [*(header for header in start["headers"] if header[0] not in names), *added]


def with_headers(send: Send, added: Collection[RawHeader]) -> Send:
    """Return what sends an answer with some headers in place of its own of the same names."""

    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            set_headers(message, added)
        await send(message)

    return send_with_headers


def has_range(scope: Scope) -> bool:
    """Return whether a part is requested."""
    return scope["method"] == "GET" and bool(header_value(scope["headers"], b"range"))


# What leaves compressed.

ACCEPT_ENCODING = b"accept-encoding"
BINARY = (
    "application/flatgeobuf",
    "application/geopackage+sqlite3",
    "application/netcdf",
    "application/octet-stream",
    "application/vnd.apache.parquet",
    "application/x-netcdf",
    "application/x-npy",
    "font/*",
    "image/tiff",
    "image/vnd.microsoft.icon",
    "multipart/related",
)
"""Of what is served, in addition to what Starlette leaves alone: it is packed already, or must be fast."""
EXCLUDED = (*DEFAULT_EXCLUDED_CONTENT_TYPES, *BINARY)


def is_compressible(content_type: str) -> bool:
    """Return whether an answer of that type leaves compressed for clients that take that."""
    media_type = content_type.partition(";")[0].strip().lower()
    return {media_type, f"{media_type.partition('/')[0]}/*"}.isdisjoint(EXCLUDED)


def leaves_compressed(scope: Scope, content_type: str) -> bool:
    """Return whether an answer of many bytes and that type leaves compressed; `scope` is that within `Guard`."""
    return join_values(scope["headers"], ACCEPT_ENCODING) == b"gzip" and is_compressible(content_type)


# Answers given before, given again without drawing, resolving or parsing: requests are known by their text.
#
# Texts lead to what they were resolved to, never to bytes: those are in the cache of payloads, by ETag, within its
# bound. A text is remembered only where its meaning hangs on only the services, not on the clock, and forgotten
# with them. Before each answer the files it was made of are looked at. That is done at once, so only answers made of
# few files on disks of this machine are remembered: where looks take long, or may hang, they are left to the ordinary
# way and its threads.
#
# Refusals of a busy server are given again too, without routing or parsing, which would take processor time from the
# work. A refusal has the limiter that refused and the sources that were to be read. It is given again only as long as
# that limiter refuses, which is found out for each request, and forgotten when what is served is replaced.

MAX_ANSWERS = 2048
MAX_TEXT_BYTES = 1000
"""Of a request that is remembered; with `MAX_ANSWERS` this bounds what all of them take to some MB."""
BUSY = 503
MAX_REFUSALS = 256

_ALIKE = "chronotile.refused_alike"

Path = tuple[str, str, str]
Text = tuple[str, str, str, bytes, bytes]
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

    def __init__(self, app: ASGIApp, *, gate: Callable[[ASGIApp], ASGIApp] | None = None) -> None:
        self._app = app
        self._gate = None if gate is None else gate(self)
        self._services: Services | None = None
        self._answers = OrderedDict[Text, _Answer]()
        self._refusals = OrderedDict[Path, _Refusal]()

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
        held = join_values(scope["headers"], b"if-none-match")
        text = None if has_range(scope) else (*path, scope["query_string"], held)
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
        if body is None or state.live.has_grown(answer.collection):
            return None
        # The files, as they are after this call, must still be what the answer was made of.
        if not answer.pixels.are_unchanged(state.services):
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
        if made_with is not services or services.origin is not self._services or _is_long(text):
            return
        collection = services.catalogue.layer(pixels.layer).collection
        headers = tuple(header for header in start["headers"] if header[0] != b"server-timing")
        self._answers[text] = _Answer(pixels, collection, etag, start["status"], headers, _route(scope))
        if len(self._answers) > MAX_ANSWERS:
            self._answers.popitem(last=False)

    def _remember_refusal(self, path: Path, headers: Sequence[RawHeader], body: bytes, scope: Scope) -> None:
        limiter, sources, services = scope[REFUSED_BY]
        if services.origin is not self._services or _is_long(path):
            return
        self._refusals[path] = _Refusal(limiter, sources, tuple(headers), body, _route(scope))
        self._refusals.move_to_end(path)
        if len(self._refusals) > MAX_REFUSALS:
            self._refusals.popitem(last=False)


def _is_long(text: Path | Text) -> bool:
    return sum(map(len, text[1:])) > MAX_TEXT_BYTES


def _route(scope: Scope) -> dict[str, Any]:
    return {"route": scope["route"], "path_params": scope["path_params"]}
