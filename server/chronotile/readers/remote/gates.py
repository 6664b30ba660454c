"""Requests to remote servers over HTTP, in one event loop of the process, with few threads for servers that hang."""

import asyncio
import atexit
import random
import socket
import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from time import monotonic
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from chronotile.core.web.inner_hosts import InnerAddress, InnerHosts, Resolve, inner_hosts, look_up, system_resolve

if TYPE_CHECKING:
    import aiohttp


# Gates: few threads wait for a server that hangs, and none after it has not answered several times.
#
# The timeouts of requests limit the wait of one request. A gate limits the number of requests that wait for one server,
# including servers that only items name.

SILENT_S = 2.0
"""If a server has sent nothing for this time, at most `MAX_WAITING` requests may wait for it."""
MAX_WAITING = 8
MAX_LATE = 3
"""Number of requests in succession without an answer in time that closes the gate."""
FIRST_CLOSED_S, MAX_CLOSED_S = 1.0, 8.0
"""Time until a closed gate lets one request through as a trial; each failure doubles it, up to the longest time."""
JITTER = 0.5
"""Maximum fraction by which that time is shortened at random, so that workers do not retry simultaneously."""
MAX_SERVERS = 1024
"""Gates in memory; the gate without use for the longest time is discarded."""


class TooLate(Exception):
    """A server has not answered in time."""


class Undecided(Exception):
    """A request was not sent, or was cancelled: it does not show whether the server answers."""


class GateClosed(OSError):
    """A request is not sent, as its server does not answer; the message gives this reason without naming the server."""


class Gate:
    """Lets requests to one server through unless the server hangs; shared by all threads.

    Args:
        clock: Returns seconds.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = 0
        self._heard_s = clock()
        """Time when data were last received or, if no request waited before, when the first request started to wait."""
        self._late = 0
        """Requests without an answer in time since the last answer."""
        self._closed_until_s = 0.0
        self._is_trying = False

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Let the request through that the block sends.

        If the block raises `TooLate`, the server did not answer in time; if it raises `Undecided`, the request shows
        nothing about the server. Any other end of the block counts as an answer.

        Raises:
            GateClosed: The server hangs; the block does not run.
        """
        self._enter()
        is_late: bool | None = False
        try:
            yield
        except TooLate:
            is_late = True
            raise
        except Undecided:
            is_late = None
            raise
        finally:
            self._leave(is_late=is_late)

    def require_open(self) -> None:
        """Check that the server does not hang, before a request outside of `passing`.

        Raises:
            GateClosed: The server hangs, and the next trial is not due.
        """
        with self._lock:
            self._require_answers()

    def _require_answers(self) -> None:
        if self._late >= MAX_LATE and (self._is_trying or self._clock() < self._closed_until_s):
            raise GateClosed("its server did not respond to the last requests; try again later")

    def hear(self) -> None:
        """Record that a part of an answer was received."""
        self._heard_s = self._clock()

    def _enter(self) -> None:
        with self._lock:
            now_s = self._clock()
            is_closed = self._late >= MAX_LATE
            self._require_answers()
            if self._waiting >= MAX_WAITING and now_s - self._heard_s >= SILENT_S:
                raise GateClosed("its server does not respond now, and other requests wait for it; try again later")
            if not self._waiting:
                self._heard_s = now_s
            self._waiting += 1
            self._is_trying = is_closed

    def _leave(self, *, is_late: bool | None) -> None:
        with self._lock:
            self._waiting -= 1
            self._is_trying = False
            if is_late is None:
                return
            if not is_late:
                self._late = 0
                self._heard_s = self._clock()
                return
            self._late += 1
            if self._late >= MAX_LATE:
                closed_s = min(FIRST_CLOSED_S * 2.0 ** min(self._late - MAX_LATE, 10), MAX_CLOSED_S)
                self._closed_until_s = self._clock() + closed_s * (1 - JITTER * random.random())


class Gates:
    """The gates of the `MAX_SERVERS` servers that were used last."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._gates: OrderedDict[str, Gate] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, server: str) -> Gate:
        """Return the gate of a server or bucket."""
        with self._lock:
            gate = self._gates.get(server)
            if gate is None:
                gate = self._gates[server] = Gate(self._clock)
                while len(self._gates) > MAX_SERVERS:
                    self._gates.popitem(last=False)
            else:
                self._gates.move_to_end(server)
            return gate


gates = Gates()
"""The gates of this process."""


# HTTP client in one event loop of the process: it follows no redirects, and connects only to checked addresses.
#
# obstore follows redirects and resolves host names without a check; neither can be configured. This client resolves a
# host name once, checks the addresses, and connects to one of them.

Result = TypeVar("Result")

AGENT = "chronotile"
MAX_CONNECTIONS = 64
"""Maximum number of connections to one server; the time limit of a request starts when it has a connection."""
KEPT_S = 30.0
"""Time until an unused connection is closed, and until the cached addresses of a host name are looked up again."""
MAX_LOOKUPS = 64
"""Maximum number of concurrent lookups of host names; a lookup may block its thread for seconds."""
PART_BYTES = 1 << 16


def _ignore() -> None:
    pass


class NoAnswer(OSError):
    """No connection to a server was possible, or the connection ended before its answer was complete."""


class NoConnectionFree(Exception):
    """All connections to a server were in use for so long that the request was not sent."""


class HttpAnswer(NamedTuple):
    """An answer of a server."""

    status: int
    headers: Mapping[str, str]
    """Names are case-insensitive."""
    body: bytes


class HttpClient:
    """Sends requests from any thread, in the event loop of a daemon thread that the first request starts.

    Args:
        hosts: Checks the addresses of host names.
        resolve: Returns the addresses of a host name; may block.
        connect_s: Time limit of a connection.
        request_s: Time limit of a request, including its whole answer.
        wait_s: Time limit of the wait for a connection; `None`: equal to `request_s`.
        tls: Accepted certificates; `None`: those of the system.
    """

    def __init__(
        self,
        hosts: InnerHosts = inner_hosts,
        resolve: Resolve = system_resolve,
        *,
        connect_s: float,
        request_s: float,
        wait_s: float | None = None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._hosts, self._resolve = hosts, resolve
        self._connect_s, self._request_s = connect_s, request_s
        self._wait_s = request_s if wait_s is None else wait_s
        self._tls = tls
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._session: aiohttp.ClientSession | None = None
        self._turn = lru_cache(MAX_SERVERS)(lambda _server: asyncio.Semaphore(MAX_CONNECTIONS))
        self._proxies = {name: url for name, url in getproxies().items() if name != "no"}

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Return the result of a coroutine that the loop runs; never call it in the thread of the loop."""
        return asyncio.run_coroutine_threadsafe(work, self._running_loop()).result()

    async def send(
        self, method: str, url: str, headers: Mapping[str, str], *, max_bytes: int, hear: Callable[[], None] = _ignore
    ) -> HttpAnswer:
        """Send a request and return the answer, its body cut off after `max_bytes + 1` bytes; `run` runs the coroutine.

        Args:
            method: HTTP method.
            url: URL with an allowed host.
            headers: Headers of the request.
            max_bytes: Size limit of the body. One byte more shows the caller that it is exceeded.
            hear: Called with each received part of the answer.

        Raises:
            InnerAddress: The name of the host resolves to an inner address.
            NoAnswer: There is no answer, or it is incomplete.
            NoConnectionFree: No connection was free for `wait_s`; the request was not sent.
            TimeoutError: The answer was not complete within `request_s`.
        """
        import aiohttp

        session = self._session_of_loop()
        parts = urlsplit(url)
        turn = self._turn(parts.netloc)
        try:
            async with asyncio.timeout(self._wait_s):
                await turn.acquire()
        except TimeoutError:
            raise NoConnectionFree from None
        try:
            async with session.request(
                method, _verbatim(url), headers=headers, allow_redirects=False, proxy=self._proxy(parts)
            ) as answer:
                body = await _body(answer, max_bytes + 1, hear)
                return HttpAnswer(answer.status, answer.headers, body)
        except TimeoutError:  # some errors of aiohttp are timeouts, too
            raise TimeoutError from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            cause = getattr(error, "os_error", None)
            raise cause if isinstance(cause, InnerAddress) else NoAnswer(type(error).__name__) from None
        finally:
            turn.release()

    def close(self) -> None:
        """Close all connections and end the loop."""
        with self._lock:
            loop, self._loop = self._loop, None
        if loop is None:
            return
        atexit.unregister(self.close)
        asyncio.run_coroutine_threadsafe(self._end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        self._thread.join()
        loop.close()
        self._turn.cache_clear()  # semaphores belong to a loop

    async def _end(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = threading.Thread(target=self._loop.run_forever, name="http", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            return self._loop

    def _session_of_loop(self) -> "aiohttp.ClientSession":
        if self._session is None:
            import aiohttp

            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    ssl=self._tls or True,
                    limit=0,  # `_turn` limits the connections to each server
                    resolver=_checking_resolver(self._hosts, self._resolve),
                    ttl_dns_cache=int(KEPT_S),
                    keepalive_timeout=KEPT_S,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                headers={"User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"},
                timeout=aiohttp.ClientTimeout(total=self._request_s, sock_connect=self._connect_s),
            )
        return self._session

    def _proxy(self, parts: Any) -> str | None:  # noqa: ANN401 -- urllib's SplitResult
        # The environment contains the URL of the proxy. The proxy, not this process, resolves the name of the server.
        url = self._proxies.get(parts.scheme) or self._proxies.get("all")
        return None if url is None or proxy_bypass(parts.netloc) else url


async def _body(answer: "aiohttp.ClientResponse", most: int, hear: Callable[[], None]) -> bytes:
    body = bytearray()
    hear()
    while len(body) < most and (part := await answer.content.read(min(PART_BYTES, most - len(body)))):
        body += part
        hear()
    return bytes(body)


def _verbatim(url: str) -> Any:  # noqa: ANN401 -- yarl's URL
    from yarl import URL

    return URL(url, encoded=True)


def _checking_resolver(hosts: InnerHosts, resolve: Resolve) -> Any:  # noqa: ANN401 -- aiohttp's AbstractResolver
    from aiohttp.abc import AbstractResolver, ResolveResult

    free = asyncio.Semaphore(MAX_LOOKUPS)

    class CheckingResolver(AbstractResolver):
        """Finds the addresses of a host name for aiohttp, which connects to one of them."""

        async def resolve(
            self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
        ) -> list[ResolveResult]:
            """Return the allowed addresses of a host name; aiohttp does not call this if a URL contains an address."""
            del family
            async with free:
                addresses = await asyncio.shield(asyncio.wrap_future(look_up(resolve, host, port)))
            return [
                ResolveResult(
                    hostname=host,
                    host=each,
                    port=port,
                    family=socket.AF_INET6 if ":" in each else socket.AF_INET,
                    proto=0,
                    flags=socket.AI_NUMERICHOST,
                )
                for each in hosts.permitted_addresses(host, addresses)
            ]

        async def close(self) -> None:
            """Do nothing: running lookups end in their threads."""

    return CheckingResolver()
