"""Who may use jobs until there are users: programs, the server's own pages, and pages of configured web origins.

A user who can reach this server may open a page of any site. Such a page must not use jobs, neither from its own
origin nor under a host name of its own that resolves to this server (DNS rebinding), which the browser takes to be
the same origin. On a machine whose proxies are trusted, a page in a browser could also send the headers of a
proxy, but never `Host` and `Origin`: so the received `Host` is checked, not only the forwarded one.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.types import Scope

from chronotile.archive.index.write import TRIES_S, ItemWriter
from chronotile.catalog.service_info import ServiceInfo
from chronotile.core import errors
from chronotile.http.endpoint import TOO_LARGE, problem_response
from chronotile.http.respond import RawHeader
from chronotile.http.run import PRINCIPAL, RECEIVED_HOSTS, Principal, services_of, state_of

LOCALHOST = "localhost"
MAX_CLIENT = 100
"""Characters of what a proxy gives as the address of its client."""
_JOBS = re.compile(r"/ogcapi/jobs(/.*)?", re.DOTALL)
_BELOW_PREFIX = re.compile(r"/ogcapi/jobs(/|$)")
_HOST = re.compile(r"(?P<name>[^:\[\]/@\s]+|\[[0-9a-f:.]+\])(:(?P<port>\d{1,5}))?", re.ASCII)
_ORIGIN = re.compile(r"https?://[^/?#@\\\s]+", re.ASCII)
_PORTS = {"http": 80, "https": 443}
IS_OF_JOBS = "chronotile.is_of_jobs"
"""Marks a request whose answer is about jobs."""


def require_job_access(request: HTTPConnection) -> None:
    """Refuse a request about jobs that the page of another origin sends, and mark its answer as one about jobs.

    Raises:
        AccessRefused: Its host is not one of this server, or its origin is not allowed.
    """
    request.scope[IS_OF_JOBS] = True
    service = services_of(request).catalogue.service
    refused = next((host for host in _hosts(request.scope) if not _is_host(host, service)), None)
    if refused is not None:
        raise errors.AccessRefused(
            f"jobs may not be used under the host name {refused[:80]!r}; accepted are localhost, IP addresses, the "
            "host of `service: {url: …}` and the names in `service: {hosts: […]}` of the server's configuration",
            locator="Host",
        )
    for origin in request.headers.getlist("origin"):
        if not _is_origin(origin, request.scope, service):
            raise errors.AccessRefused(
                f"pages of the origin {origin[:80]!r} may not use jobs or run processes; accepted are the server's "
                "own and those in `service: {origins: […]}` of the server's configuration",
                locator="Origin",
            )


def client_of(request: HTTPConnection) -> str | None:
    """Return the address that quotas of jobs count for, if it is known.

    The forwarded one behind a trusted proxy. Of an IPv6 address the network (/64), in which a client has any number.
    """
    return network_of(request.client.host if request.client else "") or None


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return the address of a client, of an IPv6 address the network (/64); of what is none at most `MAX_CLIENT`."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:MAX_CLIENT]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))


def is_path_of_jobs(scope: Scope) -> bool:
    """Return whether a request that is not handled yet is for the path of jobs."""
    return bool(_JOBS.fullmatch(scope["path"].removeprefix(scope.get("root_path", ""))))


def may_be_of_jobs(path: str) -> bool:
    """Return whether a path of which the server's prefix is not known yet may be one of jobs."""
    return bool(_BELOW_PREFIX.search(path))


def job_sharing(scope: Scope) -> tuple[RawHeader, ...]:
    """Return the headers that let the page of an allowed origin read an answer about jobs; none for others."""
    origins = Headers(scope=scope).getlist("origin")
    service = services_of(HTTPConnection(scope)).catalogue.service
    is_allowed = (
        len(origins) == 1
        and all(_is_host(host, service) for host in _hosts(scope))
        and _is_origin(origins[0], scope, service)
    )
    return ((b"access-control-allow-origin", origins[0].encode("latin-1")),) if is_allowed else ()


def _hosts(scope: Scope) -> list[str]:
    # The hosts that a request names: the forwarded one, and that of its own `Host` line.
    return [*(Headers(scope=scope).getlist("host") or [""]), *scope.get(RECEIVED_HOSTS, ())]


def _is_host(host: str, service: ServiceInfo) -> bool:
    """Whether clients may use jobs under a host, with or without a port."""
    found = _HOST.fullmatch(host.lower())
    if found is None:
        return False
    name = found["name"]
    return name == LOCALHOST or name in _configured(service) or _is_address(name.strip("[]"))


def _configured(service: ServiceInfo) -> set[str | None]:
    # The names of hosts in the configuration.
    return {*service.hosts, urlsplit(service.url or "").hostname}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_origin(origin: str, scope: Scope, service: ServiceInfo) -> bool:
    """Whether pages of an origin may use jobs; the scheme is compared where it is certain.

    A request that arrives by HTTP may have reached an untrusted proxy by HTTPS.
    """
    if origin in service.origins:
        return True
    if not _ORIGIN.fullmatch(origin):
        return False
    scheme = origin.partition(":")[0]
    addresses = [service.url or ""]
    if scope["scheme"] in {scheme, "http"}:
        addresses.append(f"{scheme}://{_own_host(scope, service)}")
    written = _normal(origin)
    return written is not None and written in map(_normal, addresses)


def _own_host(scope: Scope, service: ServiceInfo) -> str:
    """The host of the server's own pages; empty where only a forwarded header names it.

    A proxy passes `Host` on, perhaps without the port, or forwards a name of the configuration.
    """
    host = Headers(scope=scope).get("host", "").lower()
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    received = [each.lower() for each in scope.get(RECEIVED_HOSTS, (host,))]
    is_certain = received in ([host], [found["name"]]) or found["name"] in _configured(service)
    return host if is_certain else ""


def _normal(url: str) -> tuple[str, str, int] | None:
    """The scheme, host and port of an address, if a browser can have loaded a page from it."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            return None
        return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None


# What protocols share that write items: who may, and the errors of those who may not.


def writer_of(request: Request) -> ItemWriter:
    """Return what writes items, for a request that may: by the operator's token, or as one whom `publish` names.

    Raises:
        AccessRefused: None may.
        Unauthenticated: It does not show the token.
        TooManyTries: Neither, and its address has shown too many wrong ones.
    """
    writer = state_of(request).items
    if writer is None:
        raise errors.AccessRefused("items cannot be written here")
    if _may_publish(request):
        return writer
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if not writer.allows(token.strip() if scheme.lower() == "bearer" else None, client_of(request) or ""):
        raise errors.Unauthenticated("writing items needs the header Authorization: Bearer with the operator's token")
    return writer


def _may_publish(request: Request) -> bool:
    """Whether the user may write items of the collection, or of the layer's collection, that the path names.

    By a password they may not: browsers send it by themselves, for pages of other sites too.
    """
    principal: Principal | None = request.scope.get(PRINCIPAL)
    is_password = request.headers.get("authorization", "").lower().startswith("basic")
    if principal is None or is_password or not (principal.rights is None or "publish" in principal.rights):
        return False
    catalogue, path = services_of(request).origin.catalogue, request.path_params
    written = path.get("collection") or path.get("layer", "")
    named = next(iter(catalogue.collections_of((written,))), written)
    collection = catalogue.collections_by_id.get(named) or catalogue.unopened.get(named)
    return collection is not None and collection.access.allows(principal.subjects, "publish")


def parsed(body: bytes) -> Any:  # noqa: ANN401 -- JSON
    """Return a body as JSON.

    Raises:
        InvalidParameter: It is none.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise errors.InvalidParameter(f"the body is not valid JSON: {error}") from error


def written_problem(error: errors.ChronotileError, request: Request) -> Response:
    """Return the problem document of a request that writes items."""
    response = problem_response(error, request, status=TOO_LARGE if isinstance(error, errors.LimitExceeded) else None)
    if isinstance(error, errors.Unauthenticated):
        response.headers["WWW-Authenticate"] = 'Bearer realm="chronotile"'
    if isinstance(error, errors.TooManyTries):
        response.headers.update({"Retry-After": f"{TRIES_S:.0f}", "Cache-Control": "no-store"})
    return response
