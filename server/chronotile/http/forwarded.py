"""What a trusted proxy says of the request it passes on, so that links are those clients can follow."""

import ipaddress
import re
from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from chronotile.http.server_state import RECEIVED_HOSTS

ANY = "*"

_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(:\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](:\d{1,5})?", re.ASCII)
_PREFIX = re.compile(r"(/[A-Za-z0-9._~-]{1,64}){1,8}/?", re.ASCII)
_PORT = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](:\d{1,5})?|(?P<v4>[0-9.]+):\d{1,5}", re.ASCII)


class Forwarded:
    """Uses X-Forwarded-Proto, -Host, -Prefix and -For of trusted proxies only.

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
        if scope["type"] == "http" and self._is_trusted(scope.get("client")):
            scope = _as_clients_see_it(scope)
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
    prefix = _last(headers, "x-forwarded-prefix")
    if _PREFIX.fullmatch(prefix):
        seen["root_path"] = prefix.rstrip("/")
    client = _address(_last(headers, "x-forwarded-for"))
    if client is not None:
        seen["client"] = (client, 0)
    return seen


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
