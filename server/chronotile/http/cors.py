"""Cross-origin resource sharing (WHATWG Fetch): which pages may read answers, and preflight requests.

Pages of any origin may read public answers, errors included. Only pages of allowed origins may read answers about jobs
(`job_access`).
"""

from starlette.types import Scope, Send

from chronotile.http.asgi_headers import RawHeader, join_values
from chronotile.http.job_access import is_path_of_jobs, job_sharing

EXPOSED = (
    "Accept-Ranges, ETag, Chronotile-Time, Content-Crs, Content-Bbox, Content-Datetime, Content-Disposition, "
    "Content-Range, Warning, Link, Location, Preference-Applied, Repr-Digest, Retry-After, Server-Timing, X-Request-Id"
)
METHODS = "GET, HEAD, POST, OPTIONS"
JOB_METHODS = "GET, HEAD, POST, DELETE, OPTIONS"
ONE_DAY_S = "86400"

_PROXY_PREFIXES = ("forwarded", "x-forwarded", "x-original-")
"""Beginnings of the names of headers that only proxies may send."""
_PROXY_HEADERS = frozenset(
    (
        *("front-end-https", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "x-host", "x-http-host-override"),
        *("x-http-method", "x-http-method-override", "x-method-override", "x-proxy-host", "x-real-ip"),
        *("x-rewrite-url", "x-scheme", "x-script-name", "x-url-scheme"),
    )
)
"""Other headers that only proxies may send; `deploy/nginx.conf` removes them too."""

_ALLOW_ALL = ((b"access-control-allow-origin", b"*"),)
EXPOSING = ((b"access-control-expose-headers", EXPOSED.encode()),)
PUBLIC_HEADERS = (*_ALLOW_ALL, *EXPOSING)
VARY_ORIGIN = (b"vary", b"Origin")


def _allow_requested_headers(scope: Scope) -> list[RawHeader]:
    """Return the header that allows the requested headers, except headers that only proxies may send.

    With these a page could pretend to be a trusted proxy. `*` would allow them too, and browsers cache it for later
    requests with different headers.
    """
    requested = join_values(scope["headers"], b"access-control-request-headers").decode("latin-1")
    names = [name for part in requested.split(",") if (name := part.strip()) and not _is_proxy_header(name.lower())]
    return [(b"access-control-allow-headers", ", ".join(names).encode("latin-1"))] if names else []


def _is_proxy_header(name: str) -> bool:
    return name.startswith(_PROXY_PREFIXES) or name in _PROXY_HEADERS


async def answer_preflight(scope: Scope, send: Send) -> None:
    """Answer a preflight request (`OPTIONS`) with the methods and headers that a page may use at this path."""
    is_for_jobs = is_path_of_jobs(scope)
    methods = (JOB_METHODS if is_for_jobs else METHODS).encode()
    sharing = job_sharing(scope) if is_for_jobs else _ALLOW_ALL
    headers: list[RawHeader] = [(b"allow", methods)]
    if sharing:
        headers += [
            *sharing,
            *EXPOSING,
            (b"access-control-allow-methods", methods),
            *_allow_requested_headers(scope),
            (b"access-control-max-age", ONE_DAY_S.encode()),
        ]
    if is_for_jobs:
        headers.append(VARY_ORIGIN)
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
