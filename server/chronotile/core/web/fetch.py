"""Small requests to web servers, limited in bytes and seconds; redirects are not followed."""

import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import Message
from functools import partial
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPResponse, HTTPSConnection, IncompleteRead
from time import monotonic
from typing import IO, Any
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request

from chronotile.core.errors import ChronotileError, InvalidParameter, SourceUnavailable
from chronotile.core.web.inner_hosts import InnerAddress, InnerHosts, inner_hosts, look_up, system_resolve

TIMEOUT_S = 5.0
"""Maximum silence."""
MAX_S = 15.0
"""Maximum duration of a request, even if bytes continue to arrive."""
PART_BYTES = 1 << 16
LOOK_UPS = 64
"""Maximum number of concurrent look-ups of host names; a resolver may hang longer than a request may take."""
NO_HEADERS: Mapping[str, str] = {}
AGENT = "chronotile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """An answer with a document."""

    body: bytes
    media_type: str
    """Lower case, without parameters; empty if missing."""
    tag: str = ""
    """ETag, or Last-Modified without one; empty if missing."""


class TryLater(SourceUnavailable):
    """A server has no answer at present.

    Args:
        message: The error message.
        after_s: Seconds until the next request (Retry-After); `None` if not stated.
        is_late: Whether the answer, or its end, was late.
    """

    def __init__(
        self, message: str, *, locator: str | None = None, after_s: float | None = None, is_late: bool = False
    ) -> None:
        super().__init__(message, locator=locator)
        self.after_s = after_s
        self.is_late = is_late


def fetch(
    url: str,
    *,
    max_bytes: int,
    locator: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
    max_s: float = MAX_S,
) -> Fetched:
    """Return the document at an http or https URL, cut after `max_bytes + 1` bytes; with `body`, use POST.

    The host may be in a private network, unlike in `fetch_if_changed`: callers request only URLs that
    `AllowedPlaces.require_allowed` accepts, and URLs of the operator's token issuer.

    Raises:
        InvalidParameter: The answer is a redirect or a client error.
        SourceUnavailable: No answer came within `max_s` seconds, or the server has an error.
    """
    try:
        request = Request(url, body, dict(headers))  # noqa: S310 -- of an allowed place
        return _exchange(request, read_bytes=max_bytes + 1, max_s=max_s)
    except urllib.error.HTTPError as error:
        with error:
            raise _no_document(error.code, locator) from error
    except (OSError, HTTPException) as error:
        raise SourceUnavailable(f"{locator} returned no document: {_reason(error)}", locator=locator) from error


def fetch_if_changed(
    url: str,
    *,
    max_bytes: int,
    locator: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
    max_s: float = MAX_S,
) -> Fetched | None:
    """Return the document at an http or https URL; `None` if it is unchanged (`If-None-Match`, `If-Modified-Since`).

    The URL may come from a document, so a host in a private network is refused when the connection is opened
    (`_checked_connection`), unless a source of the operator names this host (`web.inner_hosts`).

    Args:
        url: An allowed address.
        max_bytes: The body is cut after one more byte.
        locator: Name of the URL in messages.
        body: Sent by POST; `None`: GET.
        headers: Headers of the request.
        max_s: Maximum duration; for half of it, the server may be silent while it prepares the answer.

    Raises:
        InvalidParameter: The answer is a redirect or a client error, or the host name leads into a private network.
        TryLater: No answer came in time, the server has an error, or it reports too many requests.
    """
    request = Request(url, body, dict(headers))  # noqa: S310 -- of an allowed place
    try:
        return _exchange(request, read_bytes=max_bytes + 1, max_s=max_s, silence_s=max_s / 2, hosts=inner_hosts)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == HTTPStatus.NOT_MODIFIED:
                return None
            fault = _no_document(error.code, locator)
            if isinstance(fault, SourceUnavailable):
                raise TryLater(fault.message, locator=locator, after_s=_seconds(error.headers)) from error
            raise fault from error
    except (OSError, HTTPException) as error:
        inner = getattr(error, "reason", error)
        if isinstance(inner, InnerAddress):
            raise InvalidParameter(f"{locator} returned no document: {inner}", locator=locator) from error
        message = f"{locator} returned no document: {_reason(error)}"
        raise TryLater(message, locator=locator, is_late=_is_late(error)) from error


def _seconds(headers: Message) -> float | None:
    # Retry-After, if it is in seconds.
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def post(url: str, body: bytes, *, headers: Mapping[str, str] = NO_HEADERS, max_s: float = MAX_S) -> None:
    """Send a document to an http or https URL, and wait until it is accepted.

    The host may be in a private network, unlike in `fetch_if_changed`: callers check the URL by `AllowedPlaces`.

    Raises:
        SourceUnavailable: It was not accepted within `max_s` seconds; the message states the reason.
    """
    request = Request(url, body, dict(headers), method="POST")  # noqa: S310 -- of an allowed place
    try:
        _exchange(request, read_bytes=0, max_s=max_s)
    except urllib.error.HTTPError as error:
        with error:
            raise SourceUnavailable(f"the answer was {_status(error.code)}") from error
    except (OSError, HTTPException) as error:
        raise SourceUnavailable(_reason(error)) from error


def _no_document(status: int, locator: str) -> ChronotileError:
    message = f"{locator} returned no document: the answer was {_status(status)}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return SourceUnavailable(message, locator=locator)
    is_redirect = status < HTTPStatus.BAD_REQUEST
    return InvalidParameter(f"{message}{', and redirects are not followed' if is_redirect else ''}", locator=locator)


def _reason(error: OSError | HTTPException) -> str:
    if _is_late(error) or isinstance(error, IncompleteRead):
        return "there was no answer in time" if _is_late(error) else "the answer was broken off"
    return "its server cannot be reached, or is not an HTTP server"


def _is_late(error: OSError | HTTPException) -> bool:
    return isinstance(getattr(error, "reason", error), TimeoutError)


def _status(code: int) -> str:
    with suppress(ValueError):
        return f"{code} {HTTPStatus(code).phrase}"
    return str(code)


def _exchange(
    request: Request, *, read_bytes: int, max_s: float, silence_s: float = TIMEOUT_S, hosts: InnerHosts | None = None
) -> Fetched:
    request.add_header("User-Agent", AGENT)
    with _deadline(max_s) as deadline:
        opener = urllib.request.build_opener(_Handler(deadline, hosts), _NoRedirects())
        with opener.open(request, timeout=min(silence_s, max_s)) as answer:
            body = bytearray()
            while len(body) < read_bytes and (part := answer.read(min(PART_BYTES, read_bytes - len(body)))):
                body += part
            # `answer.read` detects an incomplete body only if it is read in one call.
            if len(body) < read_bytes and answer.length:
                raise IncompleteRead(bytes(body), answer.length)
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    return Fetched(body=bytes(body), media_type=media_type, tag=tag)


class _NoRedirects(HTTPRedirectHandler):
    """Refuses redirects, because an allowed address may redirect to an address that is not allowed."""

    def redirect_request(  # noqa: PLR0917 -- urllib's own signature
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return `None`, so that urllib raises the answer as an error."""
        del req, fp, code, msg, headers, newurl
        return None


class _Deadline:
    """Ends connections when the time is over, because the timeout of a socket restarts with each byte."""

    def __init__(self, seconds: float) -> None:
        self._ends_s = monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self.is_over = False

    def left_s(self) -> float:
        """Return the remaining seconds.

        Raises:
            TimeoutError: The time is over.
        """
        left_s = self._ends_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def watch(self, connection: socket.socket) -> None:
        """End this connection too when the time is over, possibly immediately."""
        with self._lock:
            self._watched.append(connection)
        if self.is_over:
            self.end()

    def end(self) -> None:
        """End all connections; reads from them return no more bytes."""
        self.is_over = True
        with self._lock:
            for connection in self._watched:
                with suppress(OSError):  # the connection is closed already
                    # Not the method of TLS sockets, which removes the state that another thread uses for reading.
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)


@contextmanager
def _deadline(seconds: float) -> Iterator[_Deadline]:
    """Raise TimeoutError instead of any other result once the time is over."""
    deadline = _Deadline(seconds)
    timer = threading.Timer(seconds, deadline.end)
    timer.daemon = True
    timer.start()
    try:
        yield deadline
    except (OSError, HTTPException) as error:
        if deadline.is_over:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
    if deadline.is_over:
        raise TimeoutError


class _Handler(HTTPHandler, HTTPSHandler):
    """Opens connections with a deadline."""

    def __init__(self, deadline: _Deadline, hosts: InnerHosts | None) -> None:
        super().__init__()
        self._deadline, self._hosts = deadline, hosts

    def http_open(self, req: Request) -> HTTPResponse:
        """Open an http URL."""
        return self.do_open(partial(_Http, deadline=self._deadline, hosts=self._hosts), req)

    def https_open(self, req: Request) -> HTTPResponse:
        """Open an https URL."""
        return self.do_open(partial(_Https, deadline=self._deadline, hosts=self._hosts), req)


class _Http(HTTPConnection):
    def __init__(self, host: str, *, deadline: _Deadline, hosts: InnerHosts | None, **more: Any) -> None:  # noqa: ANN401 -- http.client's own
        super().__init__(host, **more)
        self._deadline = deadline
        self._create_connection = partial(_checked_connection, hosts, deadline)  # called by http.client

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock)


_looking_up = threading.BoundedSemaphore(LOOK_UPS)


def _addresses(host: str, port: int, deadline: _Deadline) -> Sequence[str]:
    """Return the IP addresses of a host.

    Raises:
        TimeoutError: The look-up took too long.
    """
    if not _looking_up.acquire(timeout=deadline.left_s()):
        raise TimeoutError
    future = look_up(system_resolve, host, port)
    future.add_done_callback(lambda _future: _looking_up.release())
    return future.result(deadline.left_s())


def _checked_connection(
    hosts: InnerHosts | None,
    deadline: _Deadline,
    address: tuple[str, int],
    silence_s: float,
    *more: Any,  # noqa: ANN401 -- socket's own
) -> socket.socket:
    """Connect to an address of a host; with `hosts`, only to a permitted address."""
    host, port = address
    addresses = _addresses(host, port, deadline)
    failure = OSError(f"{host} has no address")
    for ip_address in addresses if hosts is None else hosts.permitted_addresses(host, addresses):
        try:
            return socket.create_connection((ip_address, port), min(silence_s, deadline.left_s()), *more)
        except OSError as error:
            failure = error
    raise failure


class _Https(_Http, HTTPSConnection):
    """The same over TLS: `super()` in `_Http` is `HTTPSConnection` here."""
