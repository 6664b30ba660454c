"""One HTTP/1.1 request over a separate connection, by a bare asyncio protocol: cheap enough for 1,000 per second."""

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

END_OF_HEAD = b"\r\n\r\n"
DEFAULT_TIMEOUT_S = 60.0


class BrokenAnswer(Exception):
    """The received bytes are not a complete answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer; names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """A request."""

    path: str
    """With the query."""
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    def wire(self, host: str) -> bytes:
        """Return the bytes that are sent; the connection is for this request alone."""
        lines = [f"{self.method} {self.path} HTTP/1.1", f"Host: {host}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        if self.body:
            lines.append(f"Content-Length: {len(self.body)}")
        return "\r\n".join([*lines, "", ""]).encode() + self.body


class _Connection(asyncio.Protocol):
    def __init__(self, request: bytes, *, leave_after: int | None) -> None:
        self._request = request
        self._leave_after = leave_after
        self._received = bytearray()
        self._transport: asyncio.Transport | None = None
        self.done: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._leave_after is not None and len(self._received) > self._leave_after:
            self.leave()

    def connection_lost(self, error: Exception | None) -> None:
        if self.done.done():
            return
        if error is None:
            self.done.set_result(bytes(self._received))
        else:
            self.done.set_exception(error)

    def leave(self) -> None:
        """Go away without a word, as a browser does whose map was moved."""
        if self._transport is not None:
            self._transport.abort()
        if not self.done.done():
            self.done.set_result(b"")


async def exchange(ask: Ask, host: str, port: int, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> Answer:
    """Return the answer to a request over a fresh connection.

    Raises:
        BrokenAnswer: The connection ended within the answer.
        OSError: No connection.
        TimeoutError: It took too long.
    """
    async with asyncio.timeout(timeout_s):
        connection = await _open(ask, host, port, leave_after=None)
        try:
            return parse_answer(await connection.done, method=ask.method)
        finally:
            connection.leave()


async def abandon(ask: Ask, host: str, port: int, *, after_s: float, after_bytes: int) -> None:
    """Send a request and leave after so many seconds or bytes of the answer, whichever comes first."""
    connection = await _open(ask, host, port, leave_after=after_bytes)
    await asyncio.wait([connection.done], timeout=after_s)
    connection.leave()
    connection.done.exception()


async def _open(ask: Ask, host: str, port: int, *, leave_after: int | None) -> _Connection:
    request = ask.wire(f"{host}:{port}")
    loop = asyncio.get_running_loop()
    _, connection = await loop.create_connection(lambda: _Connection(request, leave_after=leave_after), host, port)
    return connection


def parse_answer(received: bytes, *, method: str = "GET") -> Answer:
    """Return the answer from the bytes of a closed connection, decompressed if it was gzipped.

    Raises:
        BrokenAnswer: It is not complete.
    """
    head, found, body = received.partition(END_OF_HEAD)
    if not found:
        raise BrokenAnswer(f"the connection ended after {len(received)} bytes, within the head")
    first, *lines = head.decode("latin-1").split("\r\n")
    status = int(first.split(" ", 2)[1])
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if headers.get("transfer-encoding", "").lower() == "chunked":
        body = _unchunked(body)
    elif method != "HEAD" and len(body) != int(headers.get("content-length", len(body))):
        raise BrokenAnswer(f"{len(body)} of {headers['content-length']} bytes")
    if headers.get("content-encoding") == "gzip":
        body = zlib.decompress(body, wbits=31)
    return Answer(status, headers, body)


def _unchunked(body: bytes) -> bytes:
    parts: list[bytes] = []
    while True:
        size_line, found, body = body.partition(b"\r\n")
        size = int(size_line.split(b";")[0] or b"0", 16) if found else -1
        if size < 0 or len(body) < size + 2:
            raise BrokenAnswer("the last chunk is missing")
        if size == 0:
            return b"".join(parts)
        parts.append(body[:size])
        body = body[size + 2 :]
