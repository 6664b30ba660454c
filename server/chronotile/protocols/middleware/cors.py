"""Any page may read public answers, errors included; only allowed origins those about jobs (WHATWG Fetch, CORS)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.protocols.common.job_access import is_of_jobs, is_path_of_jobs, job_sharing
from chronotile.protocols.common.raw_headers import RawHeader, join_values, set_headers

EXPOSED = (
    "Accept-Ranges, ETag, Chronotile-Time, Content-Crs, Content-Bbox, Content-Datetime, Content-Disposition, "
    "Content-Range, Warning, Link, Location, Preference-Applied, Repr-Digest, Retry-After, Server-Timing, X-Request-Id"
)
METHODS = "GET, HEAD, POST, OPTIONS"
METHODS_OF_JOBS = "GET, HEAD, DELETE, OPTIONS"
ONE_DAY_S = "86400"

_OF_PROXIES = ("forwarded", "x-forwarded", "x-original-")
"""How headers begin that only proxies may send."""
_ONLY_OF_PROXIES = frozenset(
    (
        *("front-end-https", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-host", "x-http-host-override"),
        *("x-http-method", "x-http-method-override", "x-method-override", "x-proxy-host", "x-real-ip"),
        *("x-rewrite-url", "x-scheme", "x-script-name", "x-url-scheme"),
    )
)
"""Other such headers, which `deploy/nginx.conf` removes too."""

_TO_ALL = ((b"access-control-allow-origin", b"*"),)
_EXPOSING = ((b"access-control-expose-headers", EXPOSED.encode()),)
_ADDED = (*_TO_ALL, *_EXPOSING)
_VARY = (b"vary", b"Origin")


class CrossOrigin:
    """Adds the headers to every answer, and answers preflights itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["method"] == "OPTIONS":
            await _answer_preflight(scope, send)
            return

        async def send_sharing(message: Message) -> None:
            if message["type"] == "http.response.start":
                if is_of_jobs(scope):
                    message["headers"] = [*message["headers"], *_job_headers(scope)]
                else:
                    set_headers(message, _ADDED)
            await send(message)

        await self._app(scope, receive, send_sharing)


def _job_headers(scope: Scope) -> list[RawHeader]:
    sharing = job_sharing(scope)
    return [*sharing, *(_EXPOSING if sharing else ()), _VARY]


def _allowed_headers(scope: Scope) -> list[RawHeader]:
    """The header that allows the request headers that are requested, but those that only proxies may send.

    A page could pose as a trusted proxy with them. `*` would allow them as well, and browsers remember it for requests
    with other headers than those that the preflight names.
    """
    requested = join_values(scope["headers"], b"access-control-request-headers").decode("latin-1")
    names = [name for part in requested.split(",") if (name := part.strip()) and not _is_of_proxies(name.lower())]
    return [(b"access-control-allow-headers", ", ".join(names).encode("latin-1"))] if names else []


def _is_of_proxies(name: str) -> bool:
    return name.startswith(_OF_PROXIES) or name in _ONLY_OF_PROXIES


async def _answer_preflight(scope: Scope, send: Send) -> None:
    is_for_jobs = is_path_of_jobs(scope)
    methods = (METHODS_OF_JOBS if is_for_jobs else METHODS).encode()
    sharing = job_sharing(scope) if is_for_jobs else _TO_ALL
    headers: list[RawHeader] = [(b"allow", methods)]
    if sharing:
        headers += [
            *sharing,
            *_EXPOSING,
            (b"access-control-allow-methods", methods),
            *_allowed_headers(scope),
            (b"access-control-max-age", ONE_DAY_S.encode()),
        ]
    if is_for_jobs:
        headers.append(_VARY)
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
