"""Who may use jobs until there are users: programs, the server's own pages, and pages of configured web origins.

A user who can reach this server may open a page of any site. Such a page must not use jobs, neither from its own
origin nor under a host name of its own that resolves to this server (DNS rebinding), which the browser takes to be
the same origin. On a machine whose proxies are trusted, a page in a browser could also send the headers of a
proxy, but never `Host` and `Origin`: so the received `Host` is checked, not only the forwarded one.
"""

import ipaddress
import re
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection
from starlette.types import Scope

from chronotile.catalog.service_info import ServiceInfo
from chronotile.core import errors
from chronotile.http.asgi_headers import RawHeader
from chronotile.http.forwarded import RECEIVED_HOSTS
from chronotile.http.request_services import services_of

LOCALHOST = "localhost"

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
    return name == LOCALHOST or name in _host_names(service) or _is_address(name.strip("[]"))


def _host_names(service: ServiceInfo) -> set[str | None]:
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
        addresses.append(f"{scheme}://{_page_host(scope, service)}")
    written = _split_origin(origin)
    return written is not None and written in map(_split_origin, addresses)


def _page_host(scope: Scope, service: ServiceInfo) -> str:
    """The host of the server's own pages; empty where only a forwarded header names it.

    A proxy passes `Host` on, perhaps without the port, or forwards a name of the configuration.
    """
    host = Headers(scope=scope).get("host", "").lower()
    found = _HOST.fullmatch(host)
    if found is None:
        return ""
    received = [each.lower() for each in scope.get(RECEIVED_HOSTS, (host,))]
    is_certain = received in ([host], [found["name"]]) or found["name"] in _host_names(service)
    return host if is_certain else ""


def _split_origin(url: str) -> tuple[str, str, int] | None:
    """The scheme, host and port of an address, if a browser can have loaded a page from it."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            return None
        return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None
