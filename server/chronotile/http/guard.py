"""Middleware around every request and answer of any protocol: query length, compression, headers for browsers, CORS."""

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.core.errors import ChronotileError
from chronotile.http.asgi_headers import header_value, join_values, replace_headers
from chronotile.http.compression import compress_on_send, correct_encoding_headers, negotiate_encoding
from chronotile.http.cors import EXPOSING, PUBLIC_HEADERS, VARY_ORIGIN, answer_preflight
from chronotile.http.job_access import IS_OF_JOBS, job_sharing
from chronotile.http.problems import problem_response

MAX_QUERY_BYTES = 64_000
INERT_POLICY = b"default-src 'none'; base-uri 'none'; form-action 'none'"
"""Policy for HTML and SVG without scripts, styles and remote content. Other sites may frame these answers, as map
clients do with feature info."""

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_POLICY = b"content-security-policy"
_ACTIVE_TYPES = (b"text/html", b"image/svg+xml", b"application/xhtml+xml")
"""Media types in which browsers run scripts."""


class Guard:
    """Middleware that refuses long query strings (414), adds headers for browsers, and compresses text.

    With these headers browsers do not guess media types, and run no scripts in HTML and SVG, because texts of files and
    configurations may get into these. Pages that need scripts set a separate policy. Pages of any origin may read all
    answers except answers about jobs. Preflight requests are answered here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await answer_preflight(scope, send)
            return
        if_none_match = join_values(scope["headers"], b"if-none-match")
        encoding = negotiate_encoding(scope)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                correct_encoding_headers(message, if_none_match)
                _add_browser_headers(message, scope)
            await send(message)

        is_long = len(scope["query_string"]) >= MAX_QUERY_BYTES
        app = _refuse_long_query(scope) if is_long else self._app
        await app(scope, receive, compress_on_send(send_guarded, encoding, self._app))


def _add_browser_headers(message: Message, scope: Scope) -> None:
    headers = message["headers"]
    is_active = header_value(headers, b"content-type").lower().startswith(_ACTIVE_TYPES)
    policy = ((_POLICY, INERT_POLICY),) if is_active and not header_value(headers, _POLICY) else ()
    if IS_OF_JOBS in scope:
        replace_headers(message, (_NOSNIFF, *policy))
        sharing = job_sharing(scope)
        message["headers"] += [*sharing, *(EXPOSING if sharing else ()), VARY_ORIGIN]
    else:
        replace_headers(message, (_NOSNIFF, *policy, *PUBLIC_HEADERS))


def _refuse_long_query(scope: Scope) -> ASGIApp:
    fault = ChronotileError(
        f"the query has {len(scope['query_string'])} bytes, fewer than {MAX_QUERY_BYTES} are accepted"
    )
    fault.status = 414
    return problem_response(fault, Request(scope))
