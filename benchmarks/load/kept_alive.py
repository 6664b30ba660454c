"""One connection, kept alive, one request after the other: how long each takes."""

import socket
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.load.exchange import END_OF_HEAD, Answer, Ask, BrokenAnswer, parse_answer

HOST = "127.0.0.1"


class Connection:
    """A blocking connection to a server on this machine; opened again if the server ends it."""

    def __init__(self, port: int, *, timeout_s: float = 120.0) -> None:
        self._address = (HOST, port)
        self._timeout_s = timeout_s
        self._socket: socket.socket | None = None

    def ask(self, ask: Ask) -> Answer:
        """Return the answer to a request; its time includes opening if the server keeps no connections.

        Raises:
            BrokenAnswer: It is not complete.
        """
        was_kept = self._socket is not None
        received = self._exchange(ask)
        if not received and was_kept:  # the server had ended it since the last answer
            received = self._exchange(ask)
        answer = parse_answer(received, method=ask.method)
        if answer.headers.get("connection", "").lower() == "close":
            self.close()
        return answer

    def close(self) -> None:
        """End it."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _exchange(self, ask: Ask) -> bytes:
        """Return the received bytes, to the end of the answer or of the connection."""
        connection = self._socket = self._socket or self._open()
        received = bytearray()
        try:
            connection.sendall(_wire(ask, self._address[1]))
            while not _is_whole(received):
                part = connection.recv(1 << 18)
                if not part:
                    self.close()
                    break
                received += part
        except ConnectionError:
            self.close()
        return bytes(received)

    def _open(self) -> socket.socket:
        opened = socket.create_connection(self._address, timeout=self._timeout_s)
        opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return opened


@contextmanager
def connected(port: int) -> Iterator[Connection]:
    """Give a connection."""
    connection = Connection(port)
    try:
        yield connection
    finally:
        connection.close()


@dataclass(frozen=True, slots=True)
class Latencies:
    """Durations of answers, and number of missing answers."""

    milliseconds: list[float]
    failed: int


def latencies(port: int, asks: Sequence[Ask], *, seconds: float) -> Latencies:
    """Return the duration of each answer; the list is repeated until the time is over, with at least one request."""
    until = time.perf_counter() + seconds
    return timed(port, _until(asks, until))


def timed(port: int, asks: Iterable[Ask]) -> Latencies:
    """Return how long each answer takes."""
    taken, failed = [], 0
    with connected(port) as connection:
        for ask in asks:
            started = time.perf_counter()
            try:
                answer = connection.ask(ask)
            except BrokenAnswer:
                failed += 1
                continue
            if answer.status in {200, 304}:
                taken.append((time.perf_counter() - started) * 1000)
            else:
                failed += 1
    return Latencies(taken, failed)


def _until(asks: Sequence[Ask], until_s: float) -> Iterator[Ask]:
    while True:
        for ask in asks:
            yield ask
            if time.perf_counter() >= until_s:
                return


def _wire(ask: Ask, port: int) -> bytes:
    headers = "".join(f"{name}: {value}\r\n" for name, value in ask.headers.items())
    length = f"Content-Length: {len(ask.body)}\r\n" if ask.body else ""
    return f"{ask.method} {ask.path} HTTP/1.1\r\nHost: {HOST}:{port}\r\n{headers}{length}\r\n".encode() + ask.body


def _is_whole(received: bytearray) -> bool:
    end = received.find(END_OF_HEAD)
    if end < 0:
        return False
    head = received[:end].lower()
    if head.startswith((b"http/1.1 304", b"http/1.1 204")):
        return True
    _, found, length = head.partition(b"content-length:")
    if found:
        return len(received) - end - len(END_OF_HEAD) >= int(length.split(b"\r\n", 1)[0])
    return b"transfer-encoding: chunked" in head and received.endswith(b"0\r\n\r\n")
