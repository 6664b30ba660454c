"""Forwarded headers of trusted proxies, so that links contain the address that clients use."""

import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.core.turns import CLIENT
from chronotile.http.client_addresses import network_of

RECEIVED_HOSTS = "chronotile.received_hosts"
"""ASGI scope key of the `Host` lines that the request arrived with, if a trusted proxy forwarded another host."""
ANY = "*"

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}/?", re.ASCII)
_ADDRESS_WITH_PORT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d{1,5})?|(?P<v4>[0-9.]+):\d{1,5}", re.ASCII)
_PORT_NUMBER = re.compile(r"[1-9]\d{0,4}", re.ASCII)
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def _is_forwarded(scope: Scope) -> bool:
    return any(name.startswith(b"x-forwarded-") for name, _value in scope["headers"])


class Forwarded:
    """Middleware that applies X-Forwarded-Proto, -Host, -Port, -Prefix and -For of trusted proxies to the scope.

    It sets `CLIENT` to the address or network of the client.

    Args:
        app: The application.
        trusted: Addresses and networks of proxies; `*` trusts all clients.
    """

    def __init__(self, app: ASGIApp, *, trusted: Collection[str]) -> None:
        self._app = app
        self._trusts_all = ANY in trusted
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in trusted if network != ANY)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI connection."""
        if scope["type"] == "http":
            if _is_forwarded(scope) and self._is_trusted(scope.get("client")):
                scope = _public_scope(scope)
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


def _public_scope(scope: Scope) -> Scope:
    """Return a copy of the scope with the scheme, host, prefix and client that the proxy received."""
    headers = Headers(scope=scope)
    public = {**scope, "headers": list(scope["headers"])}
    scheme = _last_value(headers, "x-forwarded-proto").lower()
    if scheme in {"http", "https"}:
        public["scheme"] = scheme
    host = _last_value(headers, "x-forwarded-host")
    if _HOST.fullmatch(host):
        public[RECEIVED_HOSTS] = tuple(headers.getlist("host"))
        MutableHeaders(scope=public)["host"] = host
    port = _last_value(headers, "x-forwarded-port")
    if _PORT_NUMBER.fullmatch(port):
        MutableHeaders(scope=public)["host"] = _add_port(Headers(scope=public).get("host", ""), port, public["scheme"])
    prefix = _last_value(headers, "x-forwarded-prefix")
    if _PREFIX.fullmatch(prefix):
        public["root_path"] = prefix.rstrip("/")
    client = _parse_address(_last_value(headers, "x-forwarded-for"))
    if client is not None:
        public["client"] = (client, 0)
    return public


def _add_port(host: str, port: str, scheme: str) -> str:
    is_complete = not host or re.search(r":\d+$", host) is not None
    return host if is_complete or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"


def _parse_address(text: str) -> str | None:
    """Return an IP address in normal form, without the port that some proxies add; `None` if it is invalid."""
    match = _ADDRESS_WITH_PORT.fullmatch(text)
    try:
        return str(ipaddress.ip_address(text if match is None else match["v6"] or match["v4"]))
    except ValueError:
        return None


def _last_value(headers: Headers, name: str) -> str:
    # Each proxy appends a value or adds a line, so the last value is that of the trusted proxy. Others may be forged.
    return ",".join(headers.getlist(name)).rpartition(",")[2].strip()
