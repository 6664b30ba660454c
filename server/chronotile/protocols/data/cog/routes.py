"""`/cog`: TiTiler, restricted to files below the prefixes that the operator allows."""

from collections.abc import Sequence

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.core.errors import LimitExceeded, ServerBusy
from chronotile.core.turns import FairSemaphore
from chronotile.http.asgi_headers import declared_bytes, replace_headers_on_send
from chronotile.http.error_headers import add_error_headers
from chronotile.http.problems import problem_response
from chronotile.http.request_bodies import check_body_size
from chronotile.http.server_state import state_of

PATH = "/cog"
POLICY = b"default-src 'self' https: data: 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'self'"
"""Content security policy of TiTiler's pages, which have inline scripts and scripts of other hosts."""
MOST_WAITING = 256
"""Maximum number of requests that wait for local files, and the same number for remote files; more are refused."""


def cog_routes(prefixes: Sequence[str], *, max_pixels: int, threads: int) -> list[BaseRoute]:
    """Return the route of TiTiler's endpoints for files below `prefixes`; an empty list without prefixes.

    Args:
        prefixes: Allowed folders and URLs.
        max_pixels: Maximum number of pixels in an answer.
        threads: Number of local files, and also of remote files, that are read concurrently.

    Raises:
        ConfigurationError: A prefix is not valid, or TiTiler is not installed.
    """
    if not prefixes:
        return []
    # FastAPI and TiTiler need 60 MB, which a server without /cog saves.
    from chronotile.protocols.data.cog.application import cog_application  # noqa: PLC0415 -- see above

    return [Mount(PATH, _Rooted(cog_application(prefixes, path=PATH, max_pixels=max_pixels), threads))]


class _Rooted:
    """Adapts requests to a mounted FastAPI application.

    FastAPI requires a path that starts with the root path, but only the root path contains the prefix of a proxy.
    FastAPI does not answer HEAD: HEAD becomes GET, and the server omits the body. Answers get the content security
    policy of TiTiler's pages.

    Requests for remote files, which may hang, have a separate waiting line: local files do not wait for them. Each
    running request uses one thread of FastAPI, which also sends streamed answers.
    """

    def __init__(self, app: ASGIApp, threads: int) -> None:
        self.app = app
        self._here, self._elsewhere = FairSemaphore(threads), FairSemaphore(threads)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        root = scope.get("root_path", "")
        if not scope["path"].startswith(root):
            scope = {**scope, "path": root.removesuffix(PATH) + scope["path"]}
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        send = replace_headers_on_send(send, ((b"content-security-policy", POLICY),))
        # A name with a colon may be a URL, so the file may be remote.
        urls = QueryParams(scope.get("query_string", b"")).getlist("url")
        turns = self._elsewhere if any(":" in url for url in urls) else self._here
        if turns.is_full(MOST_WAITING):
            fault = ServerBusy("too many requests are waiting for files; try again in a few seconds")
            await add_error_headers(problem_response(fault, Request(scope)))(scope, receive, send)
            return
        async with turns:
            await answer_bounded(self.app, scope, receive, send)


# FastAPI reads bodies before anything else, so bodies that are too large are refused here.

MAX_BODY_BYTES = 1 << 20
"""Maximum size of a body, which is a GeoJSON feature."""


async def answer_bounded(app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Let an application answer a request, unless its body is too large or there is no memory for it now."""
    if scope["type"] != "http" or scope["method"] == "GET":
        await app(scope, receive, send)
        return
    request = Request(scope)
    account = state_of(request).bodies.open_account()
    try:
        size = declared_bytes(request.headers.raw)
        size = MAX_BODY_BYTES + 1 if size is None else size
        check_body_size(size, "max_body_bytes", MAX_BODY_BYTES, alternative="send a simpler geometry")
        account.require(size)
    except (LimitExceeded, ServerBusy) as fault:
        await add_error_headers(problem_response(fault, request))(scope, receive, send)
        return
    try:
        await app(scope, receive, send)
    finally:
        account.free()
