"""Addresses of clients, for quotas and for turns."""

import ipaddress
from functools import lru_cache

from starlette.requests import HTTPConnection

MAX_CLIENT_CHARS = 100
"""Longest text of a proxy that counts as the address of a client."""


def client_of(request: HTTPConnection) -> str | None:
    """Return the client's address for quotas; `None` if it is unknown.

    Behind a trusted proxy it is the forwarded address. An IPv6 client can use any address of its network (/64).
    """
    return network_of(request.client.host if request.client else "") or None


@lru_cache(maxsize=4096)
def network_of(host: str) -> str:
    """Return an IPv4 address, the network (/64) of an IPv6 address, or the first `MAX_CLIENT_CHARS` of another text."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host[:MAX_CLIENT_CHARS]
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address, 64), strict=False))
