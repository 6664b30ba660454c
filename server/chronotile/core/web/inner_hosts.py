"""To which IP addresses a host name may lead: never from an allowed public name into a network inside."""

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
"""Last labels of names that only a resolver inside a network answers for, as it does for names without a dot."""
METADATA = frozenset(
    map(ip_address, ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192"))
)
"""Where clouds give machines their credentials."""
MOST_LOGGED = 1000
"""Hosts of which the log says once that they lead inside."""
_NAT64 = IPv6Network("64:ff9b::/96")
_BROADCAST = ip_address("255.255.255.255")


class InnerAddress(OSError):
    """A host name leads to no address that is allowed."""


class InnerHosts:
    """Which names may lead to addresses that are not public: of this machine, private, or shared by a provider.

    Those of the operator's own sources may. So may names that public DNS does not have. Addresses that the operator
    names in place of a host may be those of any name. Link-local, multicast and metadata addresses need that always.
    """

    def __init__(self) -> None:
        self._names = frozenset[str]()
        self._addresses = frozenset[str]()
        self._logged = set[str]()
        self._lock = threading.Lock()

    def trust(self, href: str) -> None:
        """Let the host of a source of the operator's lead to private addresses too; of paths and buckets do nothing."""
        try:
            parts = urlsplit(href)
            host = (parts.hostname or "").lower() if parts.scheme in {"http", "https"} else ""
        except ValueError:  # which opening it reports
            return
        if host and host not in self._names:
            with self._lock:
                self._names |= {host}

    def allow_addresses(self, hosts: Iterable[str]) -> None:
        """Let any name lead to those of the hosts that are IP addresses."""
        with self._lock:
            self._addresses |= {host for host in hosts if _address(host) is not None}

    def permitted_addresses(self, host: str, addresses: Sequence[str]) -> list[str]:
        """Return those of the addresses of a host that may be connected to.

        Raises:
            InnerAddress: There is none.
        """
        found = [each for each in addresses if self._is_permitted(host.lower().rstrip("."), each)]
        if not found:
            self._log(host, addresses)
            raise InnerAddress(
                "its host name leads to an address of a network inside (private, loopback, link-local), which is not "
                "allowed; see the server's log"
            )
        return found

    def _log(self, host: str, addresses: Sequence[str]) -> None:
        """Warn of a host once."""
        with self._lock:
            if host in self._logged or len(self._logged) >= MOST_LOGGED:
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
"""Of this process."""


@cache
def _proxies() -> frozenset[str]:
    # Hosts of the proxies that the environment names, which are connected to in place of others.
    return frozenset((urlsplit(url).hostname or "").lower() for name, url in getproxies().items() if name != "no")


def system_resolve(host: str, port: int) -> list[str]:
    """Return the IP addresses that the system has for a host, in the order to try them."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def look_up(resolve: Resolve, host: str, port: int) -> "Future[Sequence[str]]":
    """Return what will hold the addresses of a host, in a thread for which no process waits when it ends."""
    found: Future[Sequence[str]] = Future()

    def find() -> None:
        try:
            found.set_result(resolve(host, port))
        except Exception as error:  # noqa: BLE001 -- raised where the addresses are needed
            found.set_exception(error)

    threading.Thread(target=find, name="name", daemon=True).start()
    return found


def _address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _embedded_ipv4(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that one of IPv6 leads to, else the same."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or (address.teredo[1] if address.teredo else address)


def _is_never(address: IPv4Address | IPv6Address) -> bool:
    is_special = address.is_link_local or address.is_multicast or address.is_unspecified
    return is_special or address in METADATA or address == _BROADCAST


# Which server or bucket an address is of.


def host_of(href: str) -> str:
    """Return the host of a URL with its scheme and port, or the bucket of a store; without user and password."""
    parts = urlsplit(href)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
