"""Any page may read public answers, errors included; only allowed origins those about jobs (WHATWG Fetch, CORS)."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.protocols.common.job_access import is_of_jobs, is_path_of_jobs, job_sharing
from chronotile.protocols.common.raw_headers import RawHeader, header_value, set_headers

EXPOSED = (
    "ETag, Chronotile-Time, Content-Crs, Content-Bbox, Content-Datetime, Content-Disposition, Warning, Link, Location, "
    "Preference-Applied, Retry-After, Server-Timing"
)
METHODS = "GET, HEAD, POST, OPTIONS"
METHODS_OF_JOBS = "GET, HEAD, DELETE, OPTIONS"
ONE_DAY_S = "86400"

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


async def _answer_preflight(scope: Scope, send: Send) -> None:
    asked = header_value(scope["headers"], b"access-control-request-headers")
    is_for_jobs = is_path_of_jobs(scope)
    methods = (METHODS_OF_JOBS if is_for_jobs else METHODS).encode()
    sharing = job_sharing(scope) if is_for_jobs else _TO_ALL
    headers: list[RawHeader] = [(b"allow", methods)]
    if sharing:
        headers += [
            *sharing,
            *_EXPOSING,
            (b"access-control-allow-methods", methods),
            (b"access-control-allow-headers", asked or b"*"),
            (b"access-control-max-age", ONE_DAY_S.encode()),
        ]
    if is_for_jobs:
        headers.append(_VARY)
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
