"""From the route of a request to its answer: the one place where errors on their way out of a handler are caught."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qsl, quote

import orjson
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Match, Mount, Router
from starlette.types import Receive, Scope, Send

from chronotile.core import errors
from chronotile.core.model.geometry.json_text import memory_of_json
from chronotile.http.body_memory import SMALL_BYTES, BodyRoom
from chronotile.http.respond import declared_bytes
from chronotile.http.run import SERVICES, base_url, services_of, state_of

log = logging.getLogger(__name__)

RETRY_AFTER_S = "5"
INDEX_WAIT_S = 1.0
"""How long a request waits for the index of a collection: that of a few files is there soon after the start."""
INDEX_LOOK_S = 0.1
"""Between two attempts meanwhile."""
UNLOGGED = errors.IndexIncomplete | errors.OperationNotSupported | errors.ServerBusy | errors.SourceAway


class NamePath(PathConvertor):
    """The rest of a path, of names of files and items: `path` ends at a line break, which they may have too."""

    regex = "(?s:.*)"


register_url_convertor("names", NamePath())

Handler = Callable[[Request], Awaitable[Response]]
Faults = Callable[[errors.ChronotileError, Request], Response]
"""Words an error as one protocol does."""


def endpoint(handler: Handler, faults: Faults) -> Handler:
    """Return `handler` with its errors worded by `faults`; an unforeseen one is logged, its trace not sent."""

    async def answer(request: Request) -> Response:
        try:
            return await _answer_when_indexed(handler, request)
        except errors.ClientGone:
            return Response(status_code=errors.ClientGone.status)  # for the log; nobody reads it
        except errors.ChronotileError as error:
            # An operator must act on it. Limiters log their own refusals, and that a source is away is a finding.
            if error.status >= 500 and not _is_logged(error):
                log.warning("%s: %s%s", request.scope["path"], error.message, _cause(error))
            return with_error_caching(faults(error, request))
        except Exception:  # the last place where an error becomes an answer
            log.exception("unexpected error at %s", request.scope["path"])
            return with_error_caching(faults(errors.ChronotileError("internal server error"), request))
        finally:
            if ROOM in request.scope:
                forget_body(request.scope)

    return answer


async def _answer_when_indexed(handler: Handler, request: Request) -> Response:
    """Answer, or try again for up to `INDEX_WAIT_S` where the index of a collection is not filled yet.

    Raises:
        IndexIncomplete: It is not filled then either, or the request changes something.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + INDEX_WAIT_S
    while True:
        try:
            return await _answered(handler, request)
        except errors.IndexIncomplete:
            if request.method not in {"GET", "HEAD"} or loop.time() >= until_s:
                raise
        await asyncio.sleep(INDEX_LOOK_S)


async def _answered(handler: Handler, request: Request) -> Response:
    """Answer with what is served now, even if that changes as the request is begun: `retry_overtaken`, awaited."""
    for _attempt in range(errors.ServicesRenewed.most_again):
        with suppress(errors.ServicesRenewed):
            return await handler(request)
        request.scope.pop(SERVICES, None)  # those of now are taken next
    raise errors.SourceUnavailable(
        "what is served was replaced again and again while this was answered; try again later"
    )


def _is_logged(error: BaseException | None) -> bool:
    """Whether the log has an error, or one that it came from, without this request."""
    if error is None or isinstance(error, UNLOGGED):
        return error is not None
    return getattr(error, "is_logged", False) or _is_logged(error.__cause__)


def _cause(error: BaseException) -> str:
    """What lies at the root of an error, for the operator: it may name files, which clients must not see."""
    root = error
    while root.__cause__ is not None:
        root = root.__cause__
    return "" if root is error else f" ({root})"


def with_error_caching(response: Response) -> Response:
    """Return the error with how long it may be cached: a missing thing a minute, a failing source not at all."""
    if response.status_code == 404:
        response.headers["Cache-Control"] = "max-age=60"
    elif response.status_code >= 500:
        response.headers["Cache-Control"] = "no-store"
        if response.status_code == 503:
            response.headers["Retry-After"] = RETRY_AFTER_S
    return response


# The route of a path, looked up by the first segment of the path; redirects where a slash at the end is wrong.


class PathRouter:
    """Answers with the routes of a router, of which it compares only those that share the first segment of a path.

    A path with one slash too many at its end, or that of a mounted application with one too few, is redirected by a
    relative address, which holds under any prefix of any proxy. Starlette's own redirects name the path that the proxy
    passes on, without the prefix that clients see.

    Args:
        router: Whose routes there are, all of them.
    """

    def __init__(self, router: Router) -> None:
        self._router = router
        firsts = [_first_segment(getattr(each, "path", "")) for each in router.routes]
        self._unbound = [route for route, first in zip(router.routes, firsts, strict=True) if first is None]
        self._bound: dict[str, list[BaseRoute]] = {
            name: [route for route, first in zip(router.routes, firsts, strict=True) if first in {name, None}]
            for name in set(firsts)
            if name is not None
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._router.app(scope, receive, send)
            return
        found = self._route(scope)
        if found is not None:
            scope.setdefault("router", self._router)
            scope["route"], child_scope = found
            scope.update(child_scope)
            await scope["route"].handle(scope, receive, send)
            return
        location = self._location(scope)
        answer = self._router.default if location is None else RedirectResponse(location)
        await answer(scope, receive, send)

    def _route(self, scope: Scope) -> tuple[BaseRoute, Scope] | None:
        """The first route that takes the request, or else the first of its path, which refuses the method."""
        partial = None
        for route in self._candidates(scope):
            match, child_scope = route.matches(scope)
            if match is Match.FULL:
                return route, child_scope
            if match is Match.PARTIAL and partial is None:
                partial = route, child_scope
        return partial

    def _candidates(self, scope: Scope) -> Sequence[BaseRoute]:
        path, root = scope["path"], scope.get("root_path", "")
        below = path.removeprefix(root) if path.startswith(f"{root}/") else path
        return self._bound.get(below[1:].partition("/")[0], self._unbound)

    def _location(self, scope: Scope) -> str | None:
        path, query = scope["path"], scope.get("query_string", b"").decode("latin-1")
        bare = path.removesuffix("/")  # one: clients differ in how they resolve an address after several
        name = quote(bare.rpartition("/")[2], safe="")
        if bare and bare != path and self._has(scope, bare, BaseRoute):
            location = f"../{name}"
        elif bare == path and self._has(scope, f"{path}/", Mount):
            location = f"./{name}/"
        else:
            return None
        return f"{location}?{query}" if query else location

    def _has(self, scope: Scope, path: str, kind: type[BaseRoute]) -> bool:
        there = {**scope, "path": path}
        return any(
            isinstance(route, kind) and route.matches(there)[0] is not Match.NONE for route in self._candidates(there)
        )


def _first_segment(pattern: str) -> str | None:
    first = pattern[1:].partition("/")[0]
    return None if not pattern or "{" in first else first  # which has several, or any


# What a request brings: its body, and the key-value pairs of its address and of a form in its body.

FORM = "application/x-www-form-urlencoded"
MAX_PAIRS = 1000
MAX_FORM_BYTES = 1_048_576
"""A form is taken apart between other requests: the longest one in use, a style sheet percent-encoded, has room."""
TOO_LARGE, UNSUPPORTED = 413, 415

BODY = "chronotile.body"
"""Where a request keeps its body, which comes once though the request may be begun again."""
ROOM = "chronotile.body_room"
"""Where it keeps what the body takes of the memory for bodies."""


async def pairs_of(request: Request) -> list[tuple[str, str]]:
    """Return the pairs of the query, and of a POST those of its form too.

    Raises:
        InvalidParameter: The body is not a valid form.
        LimitExceeded: It is larger than `max_body_bytes`, or than the limit for forms.
    """
    pairs = request.query_params.multi_items()
    if request.method != "POST":
        return pairs
    media_type = request.headers.get("content-type", FORM).partition(";")[0].strip().lower()
    if media_type != FORM:
        raise errors.InvalidParameter(f"a body must be a form ({FORM}), not {media_type[:60]!r}", locator="REQUEST")
    body = await body_of(request, at_most=MAX_FORM_BYTES)
    try:
        return [*pairs, *parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MAX_PAIRS)]
    except ValueError as error:
        raise errors.InvalidParameter(
            f"the body is not a form of at most {MAX_PAIRS} parameters in UTF-8", locator="REQUEST"
        ) from error


async def body_of(request: Request, *, at_most: int | None = None, is_file: bool = False) -> bytes:
    """Return the body, read no further than it may reach, and not at all where its length says that it is larger.

    Args:
        request: What has it.
        at_most: Its bytes, where that is less than `max_body_bytes`.
        is_file: Whether a separate process parses it, so that commas and quotes in it take no memory here.

    Raises:
        LimitExceeded: It is larger.
        InvalidParameter: It is compressed.
        ClientGone: The client aborted the upload.
        ServerBusy: Other bodies take the memory that there is for them.
    """
    body: bytes | None = request.scope.get(BODY)
    if body is not None:
        return body
    encoding = request.headers.get("content-encoding", "")
    if encoding.strip().lower() not in {"", "identity"}:
        error = errors.InvalidParameter(
            f"a body with Content-Encoding {encoding[:40]!r} is not supported; send it without"
        )
        error.status = UNSUPPORTED
        raise error
    limit, allowed = "max_body_bytes", services_of(request).catalogue.limits.max_body_bytes
    if at_most is not None and at_most < allowed:
        limit, allowed = "bytes of a body", at_most
    size = declared_bytes(request.headers.raw) or 0
    check_size(size, limit, allowed)
    room = request.scope.setdefault(ROOM, state_of(request).bodies.room())
    room.reserve(size)
    whole = request.scope[BODY] = await _receive(request, room, limit, allowed, is_file=is_file)
    return whole


async def discard_body(request: Request) -> None:
    """Read and drop the body of an unused request, so that `watch_disconnect` notices when the client leaves.

    Its memory is free again when this returns: an answer may need it.

    Raises:
        ChronotileError: As `body_of`.
    """
    await body_of(request)
    forget_body(request.scope)
    request.scope[BODY] = b""  # a request that is begun anew cannot read it again


def body_parsed(request: Request) -> Callable[[], object]:
    """Return what a thread calls once it has parsed the body: of its memory only the bytes themselves are counted then.

    The answer may need the rest.
    """
    room: BodyRoom | None = request.scope.get(ROOM)
    if room is None:
        return lambda: None
    return partial(asyncio.get_running_loop().call_soon_threadsafe, room.shrink, len(request.scope[BODY]))


def forget_body(scope: Scope) -> None:
    """Drop the body of a request that is answered, and give its memory back."""
    scope.pop(BODY, None)
    room: BodyRoom | None = scope.pop(ROOM, None)
    if room is not None:
        room.free()


async def _receive(request: Request, room: BodyRoom, limit: str, allowed: int, *, is_file: bool) -> bytes:
    body, parsed = bytearray(), 0
    with errors.raised_instead(ClientDisconnect, errors.ClientGone("the client aborted the upload")):
        async for part in request.stream():
            check_size(len(body) + len(part), limit, allowed)
            room.require(len(body) + len(part))
            body += part
            parsed += 0 if is_file else memory_of_json(part)
    if len(body) > SMALL_BYTES:
        room.require_parsed(parsed)
    return bytes(body)


def check_size(size: int, limit: str, allowed: int, *, alternative: str = "send less at once") -> None:
    """Refuse a body of more than `allowed` bytes, the value of a limit.

    Raises:
        LimitExceeded: It has more.
    """
    if size > allowed:
        error = errors.LimitExceeded(limit, allowed=allowed, needed=size, alternative=alternative)
        error.status = TOO_LARGE
        raise error


# Errors of path APIs as problem documents (RFC 9457).

MEDIA_TYPE = "application/problem+json"
AS_IN_THE_CORE: Mapping[str, str] = {}
DATED = {"time": "datetime"}
TILED = {**DATED, "row": "y", "column": "x", "tile_matrix": "z", "tile_matrix_set": "tms"}
"""Names of parameters, by the core's."""
OFFERED = "chronotile.job"
"""The member of a request's scope with the function that makes its offer."""


def problem_response(
    error: errors.ChronotileError,
    request: Request,
    *,
    spelling: Mapping[str, str] = AS_IN_THE_CORE,
    status: int | None = None,
    type_: str | None = None,
    media_type: str = MEDIA_TYPE,
) -> Response:
    """Return the problem document of an error.

    Args:
        error: What went wrong.
        request: Where.
        spelling: The protocol's names of parameters, by the core's.
        status: Of HTTP, where the protocol has another one than the error.
        type_: Of the problem, where the protocol has another one than the error.
        media_type: Of the answer.
    """
    status = status or error.status
    members: dict[str, Any] = {
        "type": type_ or error.problem_type,
        "title": error.problem_title or HTTPStatus(status).phrase,
        "status": status,
        "detail": error.message,
    }
    if error.locator:
        is_as_written = isinstance(error, errors.UnknownParameter)
        members["parameter"] = error.locator if is_as_written else spelling.get(error.locator, error.locator)
    if isinstance(error, errors.TimeNotAvailable):
        members["nearest"] = list(error.nearest)
    if isinstance(error, errors.LimitExceeded):
        members |= {
            "limit": error.limit,
            "allowed": error.allowed,
            "asked": error.needed,
            "alternative": error.alternative,
        }
        job = job_document(error, request)
        members |= {} if job is None else {"job": job}
    body = b"" if request.method == "HEAD" else orjson.dumps(members)
    return Response(body, status_code=status, media_type=media_type)


dated_problem = partial(problem_response, spelling=DATED)
"""Problem documents of paths and queries whose times are in `datetime`."""
tile_problem = partial(problem_response, spelling=TILED)
"""Those of paths that end with `{tms}/{z}/{x}/{y}`, too."""


# The job that does what a request is too large for: a link, and the inputs that its body does not have.


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOffer:
    """A job that does the same as a request."""

    process: str
    inputs: dict[str, Any]
    """Those that the body of the request does not have."""
    limits: Mapping[str, float]
    """How far it goes, by the names of the limits of requests that do not apply to it."""
    notes: Sequence[str] = ()
    """What is different, and where the body of the request belongs."""


def offer_job(request: Request, make: Callable[[], JobOffer | None]) -> None:
    """Set which job does the same as a request, for the problem if it exceeds a limit.

    Args:
        request: It.
        make: Gives the job, or `None` where no process does the same; raises ChronotileError if the request is not
            valid.
    """
    request.scope[OFFERED] = make


def job_document(error: errors.LimitExceeded, request: Request) -> dict[str, Any] | None:
    """Return the member `job` of a problem, the job to which the limit does not apply; `None` if there is none."""
    make = request.scope.get(OFFERED)
    try:
        job: JobOffer | None = None if make is None else make()
    except errors.ChronotileError:  # the limit was met before the rest was checked
        return None
    if job is None or error.needed > job.limits.get(error.limit, 0):
        return None
    return {
        "href": f"{base_url(request)}/ogcapi/processes/{job.process}/execution",
        "inputs": job.inputs,
        **({"note": "; ".join(job.notes)} if job.notes else {}),
    }
