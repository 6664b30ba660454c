"""IP addresses that host names may have: allowed public names must not lead into a private network."""

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from functools import cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from urllib.parse import urlsplit
from urllib.request import getproxies

log = logging.getLogger(__name__)

Resolve = Callable[[str, int], Sequence[str]]
"""Returns the IP addresses of a host and port, or raises OSError."""

INNER_LABELS = frozenset({"localhost", "local", "internal", "lan", "home", "corp", "intranet", "private", "arpa"})
"""Last labels of names that only resolvers in private networks have, like names without a dot."""
METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)
"""Addresses from which machines in clouds get credentials."""
MAX_LOGGED = 1000
"""Maximum number of hosts with a warning in the log, each once."""
_NAT64 = IPv6Network("64:ff9b::/96")
_BROADCAST = ip_address("255.255.255.255")


class InnerAddress(OSError):
    """A host name has no address that is allowed."""


class InnerHosts:
    """Names that may have addresses that are not public: of this machine, private, or shared by a provider.

    Allowed are hosts of the operator's sources, and names that public DNS does not have. IP addresses in the operator's
    prefixes are allowed for all names; link-local, multicast and metadata addresses are only allowed in this way.
    """

    def __init__(self) -> None:
        self._names = frozenset[str]()
        self._addresses = frozenset[str]()
        self._logged = set[str]()
        self._lock = threading.Lock()

    def trust(self, href: str) -> None:
        """Allow private addresses for the host of an operator's source; ignores paths and buckets."""
        try:
            parts = urlsplit(href)
            host = (parts.hostname or "").lower() if parts.scheme in {"http", "https"} else ""
        except ValueError:  # opening the source reports the invalid URL
            return
        if host and host not in self._names:
            with self._lock:
                self._names |= {host}

    def allow_addresses(self, hosts: Iterable[str]) -> None:
        """Allow those `hosts` that are IP addresses for all names."""
        with self._lock:
            self._addresses |= {host for host in hosts if _address(host) is not None}

    def permitted_addresses(self, host: str, addresses: Sequence[str]) -> list[str]:
        """Return the addresses of a host that connections may use.

        Raises:
            InnerAddress: None is allowed.
        """
        permitted = [address for address in addresses if self._is_permitted(host.lower().rstrip("."), address)]
        if not permitted:
            self._log(host, addresses)
            raise InnerAddress(
                "its host name leads to an address of a network inside (private, loopback, link-local), which is not "
                "allowed; see the server's log"
            )
        return permitted

    def _log(self, host: str, addresses: Sequence[str]) -> None:
        """Log a warning, once per host."""
        with self._lock:
            if host in self._logged or len(self._logged) >= MAX_LOGGED:
                return
            self._logged.add(host)
        log.warning("%s leads to %s, where nothing is allowed to be read", host, ", ".join(addresses)[:200])

    def _is_permitted(self, host: str, text: str) -> bool:
        address = _address(text)
        if address is None:
            return False
        if text in self._addresses or str(address) in self._addresses or text == host:
            return True
        embedded = _embedded_ipv4(address)
        if _is_never(address) or _is_never(embedded):
            return False
        if address.is_global and embedded.is_global:
            return True
        return host in self._names or host in _proxies() or "." not in host or host.rpartition(".")[2] in INNER_LABELS


inner_hosts = InnerHosts()
"""Instance of this process."""


@cache
def _proxies() -> frozenset[str]:
    # Hosts of the proxies in the environment, to which connections are made instead.
    return frozenset((urlsplit(url).hostname or "").lower() for name, url in getproxies().items() if name != "no")


def system_resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses of a host from the system, in order of preference."""
    entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in entries))


def look_up(resolve: Resolve, host: str, port: int) -> "Future[Sequence[str]]":
    """Return the future addresses of a host, from a daemon thread, which does not delay the end of the process."""
    future: Future[Sequence[str]] = Future()

    def find() -> None:
        try:
            future.set_result(resolve(host, port))
        except Exception as error:  # noqa: BLE001 -- raised by the future
            future.set_exception(error)

    threading.Thread(target=find, name="name", daemon=True).start()
    return future


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return the IPv4 address in an IPv6 address; other addresses are returned unchanged."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _is_never(address: IPv4Address | IPv6Address) -> bool:
    is_special = address.is_link_local or address.is_multicast or address.is_unspecified
    return is_special or address in METADATA or address == _BROADCAST


def host_of(href: str) -> str:
    """Return scheme, host and port of a URL, or the bucket of a store; without user and password."""
    parts = urlsplit(href)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
