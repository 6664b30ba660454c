"""HTTP for clients that may be slow or hostile: heads and waits have limits, checked as data arrive.

uvicorn's protocol bounds neither the bytes of a head nor the time it takes, and its parser copies a header with each
part of it that arrives.
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
from chronotile.http.job_access import may_be_of_jobs
from chronotile.http.problems import PROBLEM_TYPE
from chronotile.http.retry_after import RETRY_AFTER_S
from chronotile.http.unsent_answers import UNSENT_KEY as UNSENT
from chronotile.http.unsent_answers import UnsentAnswers

MAX_HEAD_BYTES = 65_536
"""Of the request line and all headers; and of what frames a body without being part of it (chunk sizes, trailers)."""
MAX_URL_BYTES = 64_000
MAX_HEADERS = 100
MAX_PIPELINED = 16
"""Requests that may be sent ahead of an answer."""

HEAD_S = 10.0
"""Time limit for a head from its first byte; for the first head from the connection."""
WINDOW_S = 30.0
"""Upload and download rates are checked over windows of this length."""
MIN_UPLOAD_BYTES_PER_S = 4096
MIN_DOWNLOAD_BYTES_PER_S = 1024

MAX_CONNECTIONS = 1024
"""Of a process. Above it the connections that have been idle longest are closed, an eighth at once."""
MOST_CONNECTIONS = 4096
"""Above it, if too few are idle, new connections are refused."""
LINGER_S = 1.0
"""How long input after a refusal is discarded, so that the client reads the refusal before the connection closes."""

SHARED = "access-control-allow-origin: *\r\naccess-control-expose-headers: Retry-After\r\n"

WITHOUT_HOST = ("0.9", "1.0")
"""Versions of HTTP whose requests need no Host header."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """The answer to a client that exceeds a limit."""

    status: HTTPStatus
    detail: str

    def wire(self, *, is_for_all_pages: bool) -> bytes:
        """Return the answer: a problem document (RFC 9457).

        Args:
            is_for_all_pages: Whether pages of any origin may read it; not so of jobs (docs/reference/jobs.md).
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


NO_REQUEST = Refusal(HTTPStatus.BAD_REQUEST, "this is not an HTTP request")
NO_HOST = Refusal(HTTPStatus.BAD_REQUEST, "the request has no Host header, or more than one (RFC 9112, section 3.2)")
LONG_URL = Refusal(
    HTTPStatus.REQUEST_URI_TOO_LONG, f"the URL is longer than the {MAX_URL_BYTES} bytes that are accepted"
)
LARGE_HEAD = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    f"the head of the request is larger than the {MAX_HEAD_BYTES} bytes that are accepted",
)
MANY_HEADERS = Refusal(
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"the request has more than the {MAX_HEADERS} headers that are accepted"
)
LARGE_FRAMING = Refusal(
    HTTPStatus.BAD_REQUEST, f"the body has more than {MAX_HEAD_BYTES} bytes of chunk extensions or trailers"
)
SLOW_HEAD = Refusal(HTTPStatus.REQUEST_TIMEOUT, f"the head of the request did not arrive within {HEAD_S:.0f} s")
FULL = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "too many connections are open; try again in a few seconds")
ENDING = Refusal(HTTPStatus.SERVICE_UNAVAILABLE, "the server is stopping; try again in a few seconds")


class BoundedHttp(HttpToolsProtocol):
    """uvicorn's protocol with limits on the bytes, the time and the connections of clients."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- uvicorn's
        super().__init__(*args, **kwargs)
        self.url = b""
        """As far as it has come; uvicorn has none before the first request."""
        self._is_in_head = False
        self._is_in_body = False
        self._has_advanced = False
        """Whether the part that is parsed ended a head or held some of a body."""
        self._counted = 0
        """Bytes of the head that is arriving or, within a body, since some of it came."""
        self._trailers = 0
        self._failure: Refusal | None = None
        """The refusal that a callback of the parser raised."""
        self._refusal: Refusal | None = None
        """The refusal that was sent; no more requests are read after it."""
        self._idle_since = monotonic()
        self._receiving: asyncio.TimerHandle | None = None
        self._sending: asyncio.TimerHandle | None = None
        self._uploaded = 0
        """Bytes of the body since the rate was last checked."""
        self._body_bytes = 0
        """Of the body that is arriving: as declared, or as far as it has come."""
        self._received = 0
        self._closes = False
        """Whether the answer was the last one, and the rest of the body is awaited."""
        self._untaken = 0
        """Bytes that waited when the client fell behind with its answer; 0 if it keeps up."""

    @property
    def is_idle(self) -> bool:
        """Whether no request is complete that has no answer yet."""
        cycle: RequestResponseCycle | None = (
            self.cycle
        )  # `None` before the first request, though uvicorn declares otherwise
        return not self._is_in_body and (cycle is None or cycle.response_complete)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """Wait for the first head, with the time limit of every head."""
        super().connection_made(transport)
        if len(self.connections) > MAX_CONNECTIONS:
            self._close_idle()
        if len(self.connections) > MOST_CONNECTIONS:
            self._refuse(FULL)
        else:
            self._receiving = self.loop.call_later(HEAD_S, self._end_head)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait for nothing any more."""
        self._stop_receiving()
        self._stop_sending()
        self._forget_unsent()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse the data, up to the limits."""
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
                self._receiving = self.loop.call_later(WINDOW_S, self._look_at_upload)
            elif self._is_in_head or self._counted:
                self._receiving = self.loop.call_later(HEAD_S, self._end_head)

    def on_message_begin(self) -> None:
        """Begin with a head."""
        self._is_in_head = True
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Take a part of the URL."""
        super().on_url(url)
        if len(self.url) > MAX_URL_BYTES:
            self._fail(LONG_URL)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; trailers are counted and discarded."""
        if self._is_in_body:
            self._trailers += 1
        else:
            super().on_header(name, value)
        if max(len(self.headers), self._trailers) > MAX_HEADERS:
            self._fail(MANY_HEADERS)

    def on_headers_complete(self) -> None:
        """Start the request, unless its Host is missing or ambiguous, or too many requests are pipelined."""
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
        """Take a part of the body."""
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
        if self._closes:
            self.transport.close()

    def close_when_read(self) -> None:
        """Close once the rest of the body has arrived: before, a client that is still sending could lose the answer."""
        # After an incomplete answer, close at once: nothing would read the rest of the body.
        is_whole = self.cycle.response_complete
        if is_whole and self._is_in_body and self.transport.can_write_eof() and not self.transport.is_closing():
            self._closes = True
            self.transport.write_eof()
            if self.expect_100_continue and not self._received:  # the client did not get the word to send it
                self._stop_receiving()
                self._receiving = self.loop.call_later(LINGER_S, self.transport.close)
        else:
            self.transport.close()

    def on_response_complete(self) -> None:
        """Note when the connection became idle; the rest of the answer must still be read fast enough."""
        self._idle_since = monotonic()
        self._watch_download()
        super().on_response_complete()
        if self._closes:  # the limit is the upload rate now, not the time of an idle connection
            self._unset_keepalive_if_required()

    def pause_writing(self) -> None:
        """Check from now on how fast the client reads its answer."""
        super().pause_writing()
        self._untaken = self.transport.get_write_buffer_size()
        self._watch_download()
        if self._unsent is not None:
            self._unsent.add(self.transport)

    def resume_writing(self) -> None:
        """Resume: most of the buffer is sent."""
        self._forget_unsent()
        self._watch_download()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's word for all of them
        """Send the refusal of the parser or of a limit."""
        self._reject(self._failure or NO_REQUEST)

    def shutdown(self) -> None:
        """Take no more requests; one whose head is arriving is refused."""
        if self.is_idle and self._is_in_head and self._refusal is None:
            self._refuse(ENDING)
        else:
            super().shutdown()

    def end_unanswered(self) -> None:
        """Refuse a request that has no answer yet, and break off an answer that is not whole."""
        if self._refusal is None and not self.is_idle:
            self._end_request(ENDING)

    @property
    def is_refused(self) -> bool:
        """Whether a refusal was sent."""
        return self._refusal is not None

    def _fail(self, refusal: Refusal) -> NoReturn:
        # Stop the parser within a part.
        self._failure = refusal
        raise ValueError(refusal.detail)

    def _reject(self, refusal: Refusal) -> None:
        """Refuse what is arriving."""
        if self._is_in_body:
            self._end_request(refusal)
        elif self.is_idle:
            self._refuse(refusal)
        else:  # the answer to the request before is not complete
            self._refusal = refusal
            self.transport.abort()

    def _advance(self) -> None:
        self._has_advanced = True
        self._counted = 0

    def _end_head(self) -> None:
        self._receiving = None
        if not self.is_idle:  # a client that waits for an answer may send the next request later
            self._receiving = self.loop.call_later(HEAD_S, self._end_head)
        elif self._is_in_head or self._counted:
            self._refuse(SLOW_HEAD)
        else:
            self.transport.close()

    def _look_at_upload(self) -> None:
        """Keep waiting for a body that arrives fast enough, or that the server does not read at present."""
        rate = required_rate(self._body_bytes, MIN_UPLOAD_BYTES_PER_S)
        if self._uploaded >= rate * WINDOW_S or self.flow.read_paused:
            self._uploaded = 0
            self._receiving = self.loop.call_later(WINDOW_S, self._look_at_upload)
        else:
            self._receiving = None
            slow = f"the body of the request arrives at less than {rate} bytes per second"
            self._end_request(Refusal(HTTPStatus.REQUEST_TIMEOUT, slow))

    def _watch_download(self) -> None:
        self._stop_sending()
        left = self.transport.get_write_buffer_size()
        if left:
            self._sending = self.loop.call_later(WINDOW_S, self._look_at_download, left)

    def _look_at_download(self, before: int) -> None:
        """Keep waiting for a client that reads its answer fast enough."""
        left = self.transport.get_write_buffer_size()
        rate = required_rate(self._untaken, MIN_DOWNLOAD_BYTES_PER_S)
        if left and before - left < rate * WINDOW_S:
            self.transport.abort()
        else:
            self._watch_download()

    @property
    def _unsent(self) -> UnsentAnswers | None:
        # What waits for all clients of this process; other applications than ours do not count it.
        return self.app_state.get(UNSENT)

    def _forget_unsent(self) -> None:
        self._untaken = 0
        if self._unsent is not None:
            self._unsent.remove(self.transport)

    def _end_request(self, refusal: Refusal) -> None:
        """Refuse a request that the application works on; what it still answers is dropped."""
        cycle = self.cycle
        is_answered = cycle.response_started or bool(self.pipeline)
        cycle.disconnected = True
        cycle.message_event.set()
        if is_answered:
            self._refusal = refusal
            self.transport.abort()
        else:
            self._refuse(refusal)

    def _refuse(self, refusal: Refusal) -> None:
        """Send a refusal and drop what comes after it, for a moment: the client finds it though it is still sending."""
        self._refusal = refusal
        self._stop_receiving()
        self._unset_keepalive_if_required()
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        # Of the request that is refused, as far as it has come.
        path = unquote(self.url.partition(b"?")[0].decode("latin-1")) if self.is_idle else self.cycle.scope["path"]
        self.transport.write(refusal.wire(is_for_all_pages=not may_be_of_jobs(path)))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self._receiving = self.loop.call_later(LINGER_S, self.transport.close)

    def _close_idle(self) -> None:
        others = (each for each in self.connections if isinstance(each, BoundedHttp) and each is not self)
        idle = sorted((each for each in others if each.is_idle), key=lambda each: each._idle_since)  # noqa: SLF001 -- ours
        for each in idle[: max(1, MAX_CONNECTIONS // 8)]:
            each.transport.abort()

    def _stop_receiving(self) -> None:
        if self._receiving is not None:
            self._receiving.cancel()
            self._receiving = None

    def _stop_sending(self) -> None:
        if self._sending is not None:
            self._sending.cancel()
            self._sending = None


WHOLE_S = 300
"""Large bodies and answers, which take memory until the end, must move at a rate at which they take no longer."""
MAX_REQUIRED_BYTES_PER_S = 60_000
"""No higher rate is required, however large they are: half of 1 Mbit/s (62,500 B with TCP headers) is enough."""


def required_rate(size: int, least: int) -> int:
    """Return the bytes per second at which a body or an answer of `size` bytes must move at least."""
    return max(least, min(size // WHOLE_S, MAX_REQUIRED_BYTES_PER_S))
