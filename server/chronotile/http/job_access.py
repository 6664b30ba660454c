"""Access of web pages to jobs: only pages of this server and of configured origins may use jobs; programs always may.

A user that can reach this server may open a page of any site. Such a page must not use jobs from its origin. It must
not use them by a host name that resolves to this server either (DNS rebinding), because browsers treat that as the same
origin. On a machine whose proxies are trusted, a page could send the headers of a proxy, but never `Host` and `Origin`.
Therefore the received `Host` is checked in addition to the forwarded one.
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
"""ASGI scope key that marks a request whose answer is about jobs."""


def require_job_access(request: HTTPConnection) -> None:
    """Mark a request as one about jobs, and refuse it if a page of another origin sends it.

    Raises:
        AccessRefused: The host is not a name of this server, or the origin is not allowed.
    """
    request.scope[IS_OF_JOBS] = True
    service = services_of(request).catalogue.service
    refused_host = next((host for host in _hosts(request.scope) if not _is_host(host, service)), None)
    if refused_host is not None:
        raise errors.AccessRefused(
            f"jobs may not be used under the host name {refused_host[:80]!r}; accepted are localhost, IP addresses, "
            "the host of `service: {url: …}` and the names in `service: {hosts: […]}` of the server's configuration",
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
    """Return whether the path belongs to jobs, before the request is routed."""
    return bool(_JOBS.fullmatch(scope["path"].removeprefix(scope.get("root_path", ""))))


def may_be_of_jobs(path: str) -> bool:
    """Return whether a path with an unknown prefix may belong to jobs."""
    return bool(_BELOW_PREFIX.search(path))


def job_sharing(scope: Scope) -> tuple[RawHeader, ...]:
    """Return the headers that let a page of an allowed origin read an answer about jobs; empty for other origins."""
    origins = Headers(scope=scope).getlist("origin")
    service = services_of(HTTPConnection(scope)).catalogue.service
    is_allowed = (
        len(origins) == 1
        and all(_is_host(host, service) for host in _hosts(scope))
        and _is_origin(origins[0], scope, service)
    )
    return ((b"access-control-allow-origin", origins[0].encode("latin-1")),) if is_allowed else ()


def _hosts(scope: Scope) -> list[str]:
    # The forwarded host and the received `Host` line.
    return [*(Headers(scope=scope).getlist("host") or [""]), *scope.get(RECEIVED_HOSTS, ())]


def _is_host(host: str, service: ServiceInfo) -> bool:
    """Return whether clients may use jobs with this `Host`, which may have a port."""
    match = _HOST.fullmatch(host.lower())
    if match is None:
        return False
    name = match["name"]
    return name == LOCALHOST or name in _host_names(service) or _is_address(name.strip("[]"))


def _host_names(service: ServiceInfo) -> set[str | None]:
    return {*service.hosts, urlsplit(service.url or "").hostname}


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_origin(origin: str, scope: Scope, service: ServiceInfo) -> bool:
    """Return whether pages of an origin may use jobs.

    A request that arrives by HTTP may have reached an untrusted proxy by HTTPS, so its scheme is not compared.
    """
    if origin in service.origins:
        return True
    if not _ORIGIN.fullmatch(origin):
        return False
    scheme = origin.partition(":")[0]
    addresses = [service.url or ""]
    if scope["scheme"] in {scheme, "http"}:
        addresses.append(f"{scheme}://{_page_host(scope, service)}")
    parts = _split_origin(origin)
    return parts is not None and parts in map(_split_origin, addresses)


def _page_host(scope: Scope, service: ServiceInfo) -> str:
    """Return the host of the pages of this server; empty if only a forwarded header contains it.

    A proxy passes `Host` on, perhaps without the port, or forwards a configured host name.
    """
    host = Headers(scope=scope).get("host", "").lower()
    match = _HOST.fullmatch(host)
    if match is None:
        return ""
    received = [name.lower() for name in scope.get(RECEIVED_HOSTS, (host,))]
    is_certain = received in ([host], [match["name"]]) or match["name"] in _host_names(service)
    return host if is_certain else ""


def _split_origin(url: str) -> tuple[str, str, int] | None:
    """Return scheme, host and port of the URL of a page; `None` for other URLs."""
    try:
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            return None
        return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]
    except ValueError:
        return None
