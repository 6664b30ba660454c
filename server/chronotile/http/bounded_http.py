"""HTTP for slow or hostile clients: limits of sizes, times and connections, checked while data arrive.

uvicorn limits neither the size of a head nor its time, and its parser copies a header with each part that arrives.
"""

import asyncio
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Any, NoReturn
from urllib.parse import unquote

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chronotile.http.asgi_headers import declared_bytes
from chronotile.http.error_headers import RETRY_AFTER_S
from chronotile.http.job_access import may_be_of_jobs
from chronotile.http.problems import PROBLEM_TYPE
from chronotile.http.unsent_answers import UNSENT_KEY, UnsentAnswers

MAX_HEAD_BYTES = 65_536
"""For the request line with all headers, and for the framing of a body (chunk sizes, trailers)."""
MAX_URL_BYTES = 64_000
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Requests that a client may send before it has the answer to the first."""

HEAD_S = 10.0
"""Time limit of a head from its first byte, or from the start of the connection."""
WINDOW_S = 30.0
"""Time over which upload and download rates are measured."""
MIN_UPLOAD_BYTES_PER_S = 4096
MIN_DOWNLOAD_BYTES_PER_S = 1024

MAX_CONNECTIONS = 1024
"""Per process. Above it, idle connections are closed, longest idle first, at most an eighth of this number."""
MAX_ACCEPTED_CONNECTIONS = 4096
"""Per process. Above this number, reached if too few connections are idle, new connections are refused."""
LINGER_S = 1.0
"""Time for which input after a refusal is discarded, so that the client can read the refusal."""

SHARED = "access-control-allow-origin: *\r\naccess-control-expose-headers: Retry-After\r\n"

WITHOUT_HOST = ("0.9", "1.0")
"""HTTP versions without a required Host header."""


@dataclass(frozen=True, slots=True)
class ConnectionRefusal:
    """The answer to a client that exceeds a limit, written without the application."""

    status: HTTPStatus
    detail: str

    def encode(self, *, is_for_all_pages: bool) -> bytes:
        """Return the bytes of the answer, a problem document (RFC 9457).

        Args:
            is_for_all_pages: Whether pages of any origin may read it; false for jobs (docs/reference/jobs.md).
        """
        body = orjson.dumps(
            {"type": "about:blank", "title": self.status.phrase, "status": self.status, "detail": self.detail}
        )
        busy = f"cache-control: no-store\r\nretry-after: {RETRY_AFTER_S}\r\n" if self.status == 503 else ""
        head = (
            f"HTTP/1.1 {self.status.value} {self.status.phrase}\r\n"
            f"content-type: {PROBLEM_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            f"{busy}{SHARED if is_for_all_pages else ''}"
            "connection: close\r\n\r\n"
        )
        return head.encode("ascii") + body


NO_REQUEST = ConnectionRefusal(HTTPStatus.BAD_REQUEST, "this is not an HTTP request")
NO_HOST = ConnectionRefusal(
    HTTPStatus.BAD_REQUEST, "the request has no Host header, or more than one (RFC 9112, section 3.2)"
)
LONG_URL = ConnectionRefusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, f"the URL is longer than the {MAX_URL_BYTES} bytes that are accepted"
)
LARGE_HEAD = ConnectionRefusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"the head of the request is larger than the {MAX_HEAD_BYTES} bytes that are accepted",
)
MANY_HEADERS = ConnectionRefusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the request has more than the {MAX_HEADERS} headers that are accepted"
)
LARGE_FRAMING = ConnectionRefusal(
    HTTPStatus.BAD_REQUEST, f"the body has more than {MAX_HEAD_BYTES} bytes of chunk extensions or trailers"
)
SLOW_HEAD = ConnectionRefusal(
    HTTPStatus.REQUEST_TIMEOUT, f"the head of the request did not arrive within {HEAD_S:.0f} s"
)
FULL = ConnectionRefusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open; try again in a few seconds")
ENDING = ConnectionRefusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping; try again in a few seconds")


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with limits on the bytes, the time and the connections of clients."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- as in uvicorn
        super().__init__(*args, **kwargs)
        self.url = b""
        """The received part of the URL."""
        self._is_in_head = False
        self._is_in_body = False
        self._has_advanced = False
        """Whether the current part completed a head or contained bytes of a body."""
        self._counted = 0
        """Bytes of the current head, or framing bytes since the last bytes of the body."""
        self._trailers = 0
        self._failure: ConnectionRefusal | None = None
        """Refusal that a callback of the parser has raised."""
        self._refusal: ConnectionRefusal | None = None
        """Refusal that was sent; no requests are read after it."""
        self._idle_since = monotonic()
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._uploaded = 0
        """Bytes of the body since the last check of its rate."""
        self._body_bytes = 0
        """Declared size of the current body, or the received bytes if they are more."""
        self._received = 0
        self._is_last_answer = False
        """Whether the connection closes after the rest of the body has arrived."""
        self._untaken = 0
        """Unsent bytes when the client became too slow for its answer; 0 otherwise."""

    @property
    def is_idle(self) -> bool:
        """Whether all complete requests are answered."""
        cycle: RequestResponseCycle | None = self.cycle  # `None` before the first request, against uvicorn's types
        return not self._is_in_body and (cycle is None or cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Limit the number of connections, and the time of the first head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._close_idle()
        if len(self.connections) > MAX_ACCEPTED_CONNECTIONS:
            self._refuse(FULL)
        else:
            self._receiving = self.loop.call_later(HEAD_S, self._end_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel all timers."""
        self._stop_receiving()
        self._stop_sending()
        self._forget_unsent()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data within the limits."""
        while data and self._refusal is None and not self.transport.is_closing():
            room = MAX_HEAD_BYTES - self._counted
            part, data = data[:room], data[room:]
            self._has_advanced = False
            super().data_received(part)
            if not self._has_advanced:
                self._counted += len(part)
            if self._counted >= MAX_HEAD_BYTES and self._refusal is None:
                self._reject(LARGE_FRAMING if self._is_in_body else LARGE_HEAD)
        if self._refusal is None and self._receiving is None:
            if self._is_in_body:
                self._uploaded = 0
                self._receiving = self.loop.call_later(WINDOW_S, self._check_upload)
            elif self._is_in_head or self._counted:
                self._receiving = self.loop.call_later(HEAD_S, self._end_head)

    def on_message_begin(self) -> None:
        """Start a head."""
        self._is_in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Add a part of the URL."""
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            self._fail(LONG_URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Add a header; trailers are counted and dropped."""
        if self._is_in_body:
            self._trailers += 1
        else:
            super().on_header(name, value)
        if max(len(self.headers), self._trailers) > MAX_HEADERS:
            self._fail(MANY_HEADERS)

    def on_headers_complete(self) -> None:
        """Start the request; refuse it if `Host` is missing or ambiguous, or too many requests are pipelined."""
        hosts = [name for name, _value in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() not in WITHOUT_HOST):
            self._fail(NO_HOST)
        self._advance()
        self._stop_receiving()
        if not self._untaken:
            self._stop_sending()  # a new request shows that the client is alive
        self._is_in_head = False
        super().on_headers_complete()
        self._is_in_body = True
        self._received, self._body_bytes = 0, declared_bytes(self.headers) or 0
        if len(self.pipeline) > MAX_PIPELINED:
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        """Add a part of the body."""
        self._advance()
        self._uploaded += len(body)
        self._received += len(body)
        self._body_bytes = max(self._body_bytes, self._received)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Wait for the next request."""
        self._advance()
        self._stop_receiving()
        self._is_in_body = False
        self._trailers = 0
        super().on_message_complete()
        if self._is_last_answer:
            self.transport.close()

    def close_when_read(self) -> None:
        """Close after the rest of the body has arrived: a client that is still sending could lose the answer before."""
        # Close immediately after an incomplete answer: nothing would read the rest of the body.
        is_whole = self.cycle.response_complete
        if is_whole and self._is_in_body and self.transport.can_write_eof() and not self.transport.is_closing():
            self._is_last_answer = True
            self.transport.write_eof()
            if self.expect_100_continue and not self._received:  # the client waits for permission to send the body
                self._stop_receiving()
                self._receiving = self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Note when the connection became idle, and keep checking how fast the rest of the answer is read."""
        self._idle_since = monotonic()
        self._watch_download()
        super().on_response_complete()
        if self._is_last_answer:  # the upload rate limits the connection now, not its idle time
            self._unset_keepalive_if_required()

    def pause_writing(self) -> None:
        """Start checking how fast the client reads its answer."""
        super().pause_writing()
        self._untaken = self.transport.get_write_buffer_size()
        self._watch_download()
        if self._unsent is not None:
            self._unsent.add(self.transport)

    def resume_writing(self) -> None:
        """Stop counting the answer as unsent: most of it was sent."""
        self._forget_unsent()
        self._watch_download()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's message, the same for all
        """Send the refusal of the parser or of a limit."""
        self._reject(self._failure or NO_REQUEST)

    def shutdown(self) -> None:
        """Accept no more requests, and refuse a request whose head is arriving."""
        if self.is_idle and self._is_in_head and self._refusal is None:
            self._refuse(ENDING)
        else:
            super().shutdown()

    def end_unanswered(self) -> None:
        """Refuse an unanswered request, or abort an incomplete answer."""
        if self._refusal is None and not self.is_idle:
            self._end_request(ENDING)

    @property
    def is_refused(self) -> bool:
        """Whether a refusal was sent."""
        return self._refusal is not None

    def _fail(self, refusal: ConnectionRefusal) -> NoReturn:
        # Raising stops the parser in the middle of a part; `_failure` is sent then.
        self._failure = refusal
        raise ValueError(refusal.detail)

    def _reject(self, refusal: ConnectionRefusal) -> None:
        """Refuse the request that is arriving."""
        if self._is_in_body:
            self._end_request(refusal)
        elif self.is_idle:
            self._refuse(refusal)
        else:  # the answer to the previous request is incomplete
            self._refusal = refusal
            self.transport.abort()

    def _advance(self) -> None:
        self._has_advanced = True
        self._counted = 0

    def _end_head(self) -> None:
        self._receiving = None
        if not self.is_idle:  # a client that waits for an answer may send its next request later
            self._receiving = self.loop.call_later(HEAD_S, self._end_head)
        elif self._is_in_head or self._counted:
            self._refuse(SLOW_HEAD)
        else:
            self.transport.close()

    def _check_upload(self) -> None:
        """Refuse the request if its body arrives too slowly while the server reads it."""
        rate = required_rate(self._body_bytes, MIN_UPLOAD_BYTES_PER_S)
        if self._uploaded >= rate * WINDOW_S or self.flow.read_paused:
            self._uploaded = 0
            self._receiving = self.loop.call_later(WINDOW_S, self._check_upload)
        else:
            self._receiving = None
            detail = f"the body of the request arrives at less than {rate} bytes per second"
            self._end_request(ConnectionRefusal(HTTPStatus.REQUEST_TIMEOUT, detail))

    def _watch_download(self) -> None:
        self._stop_sending()
        unsent = self.transport.get_write_buffer_size()
        if unsent:
            self._sending = self.loop.call_later(WINDOW_S, self._check_download, unsent)

    def _check_download(self, previous: int) -> None:
        """Abort the connection if the client reads its answer too slowly; `previous` bytes were unsent before."""
        unsent = self.transport.get_write_buffer_size()
        rate = required_rate(self._untaken, MIN_DOWNLOAD_BYTES_PER_S)
        if unsent and previous - unsent < rate * WINDOW_S:
            self.transport.abort()
        else:
            self._watch_download()

    @property
    def _unsent(self) -> UnsentAnswers | None:
        # Missing if another application is served.
        return self.app_state.get(UNSENT_KEY)

    def _forget_unsent(self) -> None:
        self._untaken = 0
        if self._unsent is not None:
            self._unsent.remove(self.transport)

    def _end_request(self, refusal: ConnectionRefusal) -> None:
        """Refuse a request that the application is answering; its answer is dropped."""
        cycle = self.cycle
        is_answered = cycle.response_started or bool(self.pipeline)
        cycle.disconnected = True
        cycle.message_event.set()
        if is_answered:
            self._refusal = refusal
            self.transport.abort()
        else:
            self._refuse(refusal)

    def _refuse(self, refusal: ConnectionRefusal) -> None:
        """Send a refusal, and discard input for `LINGER_S`: the client may still be sending."""
        self._refusal = refusal
        self._stop_receiving()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        # The path of the refused request, possibly incomplete.
        path = unquote(self.url.partition(b"?")[0].decode("latin-1")) if self.is_idle else self.cycle.scope["path"]
        self.transport.write(refusal.encode(is_for_all_pages=not may_be_of_jobs(path)))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._receiving = self.loop.call_later(LINGER_S, self.transport.close)

    def _close_idle(self) -> None:
        protocols = [http for http in self.connections if isinstance(http, BoundedHttp) and http is not self]
        idle = sorted((http for http in protocols if http.is_idle), key=lambda http: http._idle_since)  # noqa: SLF001 -- same class
        for http in idle[: max(1, MAX_CONNECTIONS // 8)]:
            http.transport.abort()

    def _stop_receiving(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None


WHOLE_S = 300
"""Time limit in seconds for a large body or answer, as it takes memory until its end; the required rate that follows is
at most `MAX_REQUIRED_BYTES_PER_S`."""
MAX_REQUIRED_BYTES_PER_S = 60_000
"""Highest required rate: half of 1 Mbit/s (62,500 B with TCP headers)."""


def required_rate(size: int, min_rate: int) -> int:
    """Return the minimum rate, in bytes per second, of a body or an answer of `size` bytes."""
    return max(min_rate, min(size // WHOLE_S, MAX_REQUIRED_BYTES_PER_S))
