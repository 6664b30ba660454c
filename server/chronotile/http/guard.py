"""What holds for every request and answer, whatever its protocol."""

import ipaddress
import re
from collections.abc import Collection
from functools import lru_cache

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipResponder, IdentityResponder
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chronotile.core.errors import ChronotileError
from chronotile.core.turns import CLIENT
from chronotile.http.endpoint import problem_response
from chronotile.http.job_access import IS_OF_JOBS, is_path_of_jobs, job_sharing, network_of
from chronotile.http.respond import (
    ACCEPT_ENCODING,
    EXCLUDED,
    GZIPPED,
    RawHeader,
    header_value,
    is_compressible,
    join_values,
    set_headers,
    takes_gzip,
)
from chronotile.http.run import RECEIVED_HOSTS

MAX_QUERY_BYTES = 64_000
NOTHING_RUNS = b"default-src 'none'; base-uri 'none'; form-action 'none'"
"""Of HTML and SVG that need neither scripts nor styles nor anything from elsewhere. Pages elsewhere may frame them, as
map clients do with feature info."""

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_POLICY = b"content-security-policy"
_ACTIVE = (b"text/html", b"image/svg+xml", b"application/xhtml+xml")
"""Media types in which browsers run scripts."""


class Guard:
    """Refuses query strings no request needs (414), bounds what browsers do with answers, and compresses text.

    Browsers believe the media type, and run nothing that texts of files and configurations may bring into HTML and SVG;
    pages that need more have a policy of their own. Pages elsewhere may read all answers but those about jobs;
    preflights are answered here. The strong ETag of a compressed answer is another, since its bytes are (RFC 9110
    §8.8.3.3).
    """

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
        held = join_values(scope["headers"], b"if-none-match")
        accepted = join_values(scope["headers"], ACCEPT_ENCODING)
        word = _word(accepted) if len(accepted) <= MAX_KNOWN_BYTES else _word.__wrapped__(accepted)
        scope["headers"] = [*(each for each in scope["headers"] if each[0] != ACCEPT_ENCODING), (ACCEPT_ENCODING, word)]
        compressing: Send | None = None

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _settle(message, held)
                _guard(message, scope)
            await send(message)

        async def send_compressed(message: Message) -> None:
            nonlocal compressing
            if message["type"] == "http.response.start" and _may_compress(message):
                responder = (
                    GZipResponder(self._app, MINIMUM_BYTES, LEVEL, exclude_content_types=EXCLUDED)
                    if word == b"gzip"
                    else IdentityResponder(self._app, MINIMUM_BYTES, exclude_content_types=EXCLUDED)
                )
                responder.send = send_guarded
                compressing = responder.send_with_compression
            await (compressing or send_guarded)(message)

        is_long = len(scope["query_string"]) >= MAX_QUERY_BYTES
        await (_too_long(scope) if is_long else self._app)(scope, receive, send_compressed)


def _guard(start: Message, scope: Scope) -> None:
    headers = start["headers"]
    is_active = header_value(headers, b"content-type").lower().startswith(_ACTIVE)
    policy = ((_POLICY, NOTHING_RUNS),) if is_active and not header_value(headers, _POLICY) else ()
    if IS_OF_JOBS in scope:
        set_headers(start, (_NOSNIFF, *policy))
        sharing = job_sharing(scope)
        start["headers"] += [*sharing, *(_EXPOSING if sharing else ()), _VARY]
    else:
        set_headers(start, (_NOSNIFF, *policy, *_ADDED))


def _too_long(scope: Scope) -> ASGIApp:
    fault = ChronotileError(
        f"the query has {len(scope['query_string'])} bytes, fewer than {MAX_QUERY_BYTES} are accepted"
    )
    fault.status = 414
    return problem_response(fault, Request(scope))


# Compression of text.

MINIMUM_BYTES = 1024
LEVEL = 6
"""A third of the time of level 9, for texts that are 1 to 2 % larger."""
MAX_KNOWN_BYTES = 100
"""Of an Accept-Encoding that is parsed once for all requests that have it."""


@lru_cache(maxsize=256)
def _word(accepted: bytes) -> bytes:
    return b"gzip" if takes_gzip(accepted.decode("latin-1")) else b"identity"


def _may_compress(start: Message) -> bool:
    """Whether Starlette may compress an answer: it has no encoding, is whole, and of a type that gets smaller."""
    headers = start["headers"]
    return (
        start["status"] != 206
        and not header_value(headers, b"content-encoding")
        and is_compressible(header_value(headers, b"content-type").decode("latin-1"))
    )


def _settle(start: Message, held: bytes) -> None:
    """Give an answer the validator of its bytes, and each header in Vary once.

    Starlette adds Accept-Encoding to Vary though the answer names it. An answer that leaves as it is keeps Starlette
    from compressing it by a word that is removed here (RFC 9110 §8.4).
    """
    encoding = header_value(start["headers"], b"content-encoding")
    if encoding == b"identity":
        start["headers"] = [each for each in start["headers"] if each != (b"content-encoding", b"identity")]
    headers = MutableHeaders(raw=start["headers"])
    etag = header_value(start["headers"], b"etag").decode("latin-1")
    if etag.startswith('"') and (encoding == b"gzip" or (start["status"] == 304 and held)):
        gzipped = f'{etag[:-1]}{GZIPPED}"'
        if encoding == b"gzip" or gzipped in held.decode("latin-1"):
            headers["etag"] = gzipped
    varying = join_values(start["headers"], b"vary").decode("latin-1")
    named = [name.strip() for name in varying.split(",")] if "," in varying else []
    once = {name.lower(): name for name in named}
    if len(once) < len(named):
        headers["vary"] = ", ".join(once.values())


# Any page may read public answers, errors included; only allowed origins those about jobs (WHATWG Fetch, CORS).

EXPOSED = (
    "Accept-Ranges, ETag, Chronotile-Time, Content-Crs, Content-Bbox, Content-Datetime, Content-Disposition, "
    "Content-Range, Warning, Link, Location, Preference-Applied, Repr-Digest, Retry-After, Server-Timing, X-Request-Id"
)
METHODS = "GET, HEAD, POST, OPTIONS"
METHODS_OF_JOBS = "GET, HEAD, POST, DELETE, OPTIONS"
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


# What a trusted proxy says of the request it passes on, so that links are those clients can follow.

ANY = "*"

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}/?", re.ASCII)
_PORT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d{1,5})?|(?P<v4>[0-9.]+):\d{1,5}", re.ASCII)


_PORT_NUMBER = re.compile(r"[1-9]\d{0,4}", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def _is_forwarded(scope: Scope) -> bool:
    return any(name.startswith(b"x-forwarded-") for name, _value in scope["headers"])


class Forwarded:
    """Uses X-Forwarded-Proto, -Host, -Port, -Prefix and -For of trusted proxies only; sets `CLIENT` to the network.

    Args:
        app: The application that answers.
        trusted: Addresses and networks of proxies; `*` trusts all clients.
    """

    def __init__(self, app: ASGIApp, *, trusted: Collection[str]) -> None:
        self._app = app
        self._trusts_all = ANY in trusted
        self._networks = tuple(ipaddress.ip_network(each, strict=False) for each in trusted if each != ANY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            if _is_forwarded(scope) and self._is_trusted(scope.get("client")):
                scope = _as_clients_see_it(scope)
            client = scope.get("client")
            CLIENT.set(network_of(client[0] if client else ""))
        await self._app(scope, receive, send)

    def _is_trusted(self, peer: tuple[str, int] | None) -> bool:
        if self._trusts_all or not self._networks:
            return self._trusts_all
        try:
            address = ipaddress.ip_address(peer[0] if peer else "")
        except ValueError:
            return False
        return any(address in network for network in self._networks)


def _as_clients_see_it(scope: Scope) -> Scope:
    headers = Headers(scope=scope)
    seen = {**scope, "headers": list(scope["headers"])}
    scheme = _last(headers, "x-forwarded-proto").lower()
    if scheme in {"http", "https"}:
        seen["scheme"] = scheme
    host = _last(headers, "x-forwarded-host")
    if _HOST.fullmatch(host):
        seen[RECEIVED_HOSTS] = tuple(headers.getlist("host"))
        MutableHeaders(scope=seen)["host"] = host
    port = _last(headers, "x-forwarded-port")
    if _PORT_NUMBER.fullmatch(port):
        MutableHeaders(scope=seen)["host"] = _with_port(Headers(scope=seen).get("host", ""), port, seen["scheme"])
    prefix = _last(headers, "x-forwarded-prefix")
    if _PREFIX.fullmatch(prefix):
        seen["root_path"] = prefix.rstrip("/")
    client = _address(_last(headers, "x-forwarded-for"))
    if client is not None:
        seen["client"] = (client, 0)
    return seen


def _with_port(host: str, port: str, scheme: str) -> str:
    is_complete = not host or re.search(r":\d+$", host) is not None
    return host if is_complete or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"


def _address(text: str) -> str | None:
    """The IP address in one spelling, without the port that some proxies add; `None` of anything else."""
    port = _PORT.fullmatch(text)
    try:
        return str(ipaddress.ip_address(text if port is None else port["v6"] or port["v4"]))
    except ValueError:
        return None


def _last(headers: Headers, name: str) -> str:
    # What the nearest proxy wrote, which is last: each appends or adds a line. The rest may be forged.
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()
