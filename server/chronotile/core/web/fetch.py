"""Small documents from the web, and to it: bounded in bytes and in seconds, and no redirects are followed."""

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
"""Of silence."""
MOST_S = 15.0
"""Of all of it, however slowly the other side goes on."""
PART_BYTES = 1 << 16
LOOK_UPS = 64
"""Host names that are looked up at once; a resolver may hang for longer than the time limit of a request."""
NO_HEADERS: Mapping[str, str] = {}
AGENT = "chronotile"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What an address gives."""

    body: bytes
    media_type: str
    """In small letters, without parameters; empty if missing."""
    tag: str = ""
    """The ETag, or else when it was last modified; empty if missing."""


class TryLater(SourceUnavailable):
    """A server has no answer now.

    Args:
        message: As of any error.
        after_s: When it wants to be requested again; `None`: it does not say.
        is_late: Whether nothing, or not all, came in time.
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
    most_s: float = MOST_S,
) -> Fetched:
    """Return what an http or https URL gives, its body cut off after `max_bytes + 1` bytes; with `body` by POST.

    Raises:
        InvalidParameter: There is no document: the answer is a redirect or a client error.
        SourceUnavailable: There is no answer within `most_s` seconds, or one with an error of the server.
    """
    try:
        request = Request(url, body, dict(headers))  # noqa: S310 -- of an allowed place
        return _exchange(request, read_bytes=max_bytes + 1, most_s=most_s)
    except urllib.error.HTTPError as error:
        with error:
            raise _no_document(error.code, locator) from error
    except (OSError, HTTPException) as error:
        raise SourceUnavailable(f"{locator} returned no document: {_reason(error)}", locator=locator) from error


def ask(
    url: str,
    *,
    max_bytes: int,
    locator: str,
    body: bytes | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
    most_s: float = MOST_S,
) -> Fetched | None:
    """Return what an http or https URL gives; nothing if it is what `If-None-Match` or `If-Modified-Since` names.

    A document may have named the URL: its host's name must not lead inside (`web.inner_hosts`).

    Args:
        url: Of an allowed place.
        max_bytes: The body is cut off after one byte more.
        locator: What messages call it.
        body: Sent by POST; `None`: GET.
        headers: Of the request.
        most_s: How long it may take; half of it the server may send nothing, as it prepares its answer.

    Raises:
        InvalidParameter: There is no document: the answer is a redirect or a client error, or its name leads inside.
        TryLater: There is no answer in time, or one with an error of the server, or that there are too many requests.
    """
    request = Request(url, body, dict(headers))  # noqa: S310 -- of an allowed place
    try:
        return _exchange(request, read_bytes=max_bytes + 1, most_s=most_s, silence_s=most_s / 2, hosts=inner_hosts)
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
        said = f"{locator} returned no document: {_reason(error)}"
        raise TryLater(said, locator=locator, is_late=_is_late(error)) from error


def _seconds(headers: Message) -> float | None:
    # What Retry-After says, if it is in seconds.
    text = headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def post(url: str, body: bytes, *, headers: Mapping[str, str] = NO_HEADERS, most_s: float = MOST_S) -> None:
    """Send a document to an http or https URL, and wait until it was taken.

    Raises:
        SourceUnavailable: It was not, within `most_s` seconds; the message gives the reason.
    """
    request = Request(url, body, dict(headers), method="POST")  # noqa: S310 -- of an allowed place
    try:
        _exchange(request, read_bytes=0, most_s=most_s)
    except urllib.error.HTTPError as error:
        with error:
            raise SourceUnavailable(f"the answer was {_status(error.code)}") from error
    except (OSError, HTTPException) as error:
        raise SourceUnavailable(_reason(error)) from error


def _no_document(status: int, locator: str) -> ChronotileError:
    said = f"{locator} returned no document: the answer was {_status(status)}"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS:
        return SourceUnavailable(said, locator=locator)
    is_redirect = status < HTTPStatus.BAD_REQUEST
    return InvalidParameter(f"{said}{', and redirects are not followed' if is_redirect else ''}", locator=locator)


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
    request: Request, *, read_bytes: int, most_s: float, silence_s: float = TIMEOUT_S, hosts: InnerHosts | None = None
) -> Fetched:
    request.add_header("User-Agent", AGENT)
    with _deadline(most_s) as deadline:
        opener = urllib.request.build_opener(_Handler(deadline, hosts), _NoRedirects())
        with opener.open(request, timeout=min(silence_s, most_s)) as answer:
            body = bytearray()
            while len(body) < read_bytes and (part := answer.read(min(PART_BYTES, read_bytes - len(body)))):
                body += part
            if len(body) < read_bytes and answer.length:  # which reading in parts does not tell
                raise IncompleteRead(bytes(body), answer.length)
            media_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
            tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    return Fetched(body=bytes(body), media_type=media_type, tag=tag)


class _NoRedirects(HTTPRedirectHandler):
    """An address that was allowed may lead to one that was not."""

    def redirect_request(  # noqa: PLR0917 -- urllib's own signature
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        """Return none to follow; urllib then raises the answer as an error."""
        del req, fp, code, msg, headers, newurl
        return None


class _Deadline:
    """Ends connections when the time is over: a timeout of a socket begins again with each byte."""

    def __init__(self, seconds: float) -> None:
        self._ends_s = monotonic() + seconds
        self._lock = threading.Lock()
        self._watched: list[socket.socket] = []
        self.is_over = False

    def left_s(self) -> float:
        """Return the seconds that are left.

        Raises:
            TimeoutError: There are none.
        """
        left_s = self._ends_s - monotonic()
        if left_s <= 0:
            raise TimeoutError
        return left_s

    def watch(self, connection: socket.socket) -> None:
        """End this one too, at once if the time is over already."""
        with self._lock:
            self._watched.append(connection)
        if self.is_over:
            self.end()

    def end(self) -> None:
        """End all connections; reading from them gives no more bytes."""
        self.is_over = True
        with self._lock:
            for each in self._watched:
                with suppress(OSError):  # it is closed already
                    # Not TLS's own, which would take away what another thread is reading with.
                    socket.socket.shutdown(each, socket.SHUT_RDWR)


@contextmanager
def _deadline(seconds: float) -> Iterator[_Deadline]:
    """Raise TimeoutError in place of what is met, or of no error, once the time was over."""
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
    """Opens connections that a deadline ends."""

    def __init__(self, deadline: _Deadline, hosts: InnerHosts | None) -> None:
        super().__init__()
        self._deadline, self._hosts = deadline, hosts

    def http_open(self, req: Request) -> HTTPResponse:
        """Ask an http URL."""
        return self.do_open(partial(_Http, deadline=self._deadline, hosts=self._hosts), req)

    def https_open(self, req: Request) -> HTTPResponse:
        """Ask an https URL."""
        return self.do_open(partial(_Https, deadline=self._deadline, hosts=self._hosts), req)


class _Http(HTTPConnection):
    def __init__(self, host: str, *, deadline: _Deadline, hosts: InnerHosts | None, **more: Any) -> None:  # noqa: ANN401 -- http.client's own
        super().__init__(host, **more)
        self._deadline = deadline
        self._create_connection = partial(_checked_connection, hosts, deadline)  # by which http.client connects

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock)


_looking_up = threading.BoundedSemaphore(LOOK_UPS)


def _addresses(host: str, port: int, deadline: _Deadline) -> Sequence[str]:
    """The IP addresses of a host.

    Raises:
        TimeoutError: They are not known in time.
    """
    if not _looking_up.acquire(timeout=deadline.left_s()):
        raise TimeoutError
    found = look_up(system_resolve, host, port)
    found.add_done_callback(lambda _found: _looking_up.release())
    return found.result(deadline.left_s())


def _checked_connection(
    hosts: InnerHosts | None,
    deadline: _Deadline,
    address: tuple[str, int],
    silence_s: float,
    *more: Any,  # noqa: ANN401 -- socket's own
) -> socket.socket:
    """Connect to an address of a host, one that was checked if there is something to check by."""
    host, port = address
    found = _addresses(host, port, deadline)
    failure = OSError(f"{host} has no address")
    for each in found if hosts is None else hosts.permitted_addresses(host, found):
        try:
            return socket.create_connection((each, port), min(silence_s, deadline.left_s()), *more)
        except OSError as error:
            failure = error
    raise failure


class _Https(_Http, HTTPSConnection):
    """The same over TLS: what `_Http` calls its parent is `HTTPSConnection` here."""
