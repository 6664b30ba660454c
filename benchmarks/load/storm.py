"""Clients that send one request after the other and discard the answers, during another measurement."""

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import cast

import uvloop

from benchmarks.load.exchange import END_OF_HEAD

HOST = "127.0.0.1"
BUSY = 503


@dataclass(slots=True)
class Storm:
    """Answers to the clients."""

    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    """Durations of all answers except refusals."""
    refused_ms: list[float] = field(default_factory=list)
    """Until 503 was the answer."""
    without_retry_after: int = 0
    """Refusals."""
    bytes: int = 0

    def count(self, head: str, length: int, milliseconds: float) -> None:
        """Count an answer."""
        status = int(head.split(" ", 2)[1])
        self.statuses[status] += 1
        self.bytes += length
        if status == BUSY:
            self.refused_ms.append(milliseconds)
            self.without_retry_after += "\r\nretry-after: " not in head
        else:
            self.milliseconds.append(milliseconds)


@contextmanager
def storm(port: int, paths: Sequence[str], *, clients: int, heed_refusals: bool = False) -> Iterator[Storm]:
    """Let clients request paths at random, each over a kept connection, until the block ends.

    Args:
        port: Port of the server, on this machine.
        paths: Paths of the requests.
        clients: Number of clients.
        heed_refusals: Whether a refused client waits for `Retry-After` before the next request.
    """
    found, ends = Storm(), threading.Event()

    async def all_ask() -> None:
        loop = asyncio.get_running_loop()
        asking = [
            _Client(found, paths, random.Random(number), ends=ends, heeds_refusals=heed_refusals)
            for number in range(clients)
        ]
        for client in asking:
            await loop.create_connection(lambda each=client: each, HOST, port)  # type: ignore[misc]
        await asyncio.gather(*(client.end for client in asking))

    thread = threading.Thread(target=lambda: uvloop.run(all_ask()))
    thread.start()
    try:
        yield found
    finally:
        ends.set()
        thread.join()


class _Client(asyncio.Protocol):
    """Sends requests over its connection; without streams and tasks, whose time would count as the server's."""

    def __init__(
        self, found: Storm, paths: Sequence[str], chance: random.Random, *, ends: threading.Event, heeds_refusals: bool
    ) -> None:
        self.end: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._found = found
        self._paths = paths
        self._chance = chance
        self._ends = ends
        self._heeds_refusals = heeds_refusals
        self._head = ""
        self._received = b""
        self._missing = 0
        self._length = 0
        self._started = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        if self._head:
            self._missing -= len(data)
        else:
            self._received += data
            head, end, body = self._received.partition(END_OF_HEAD)
            if not end:
                return
            self._head = head.decode("latin-1").lower() + "\r\n"
            self._length = _number(self._head, "content-length")
            self._missing = self._length - len(body)
        if self._missing <= 0:
            self._count()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.end.done():
            self.end.set_exception(error or ConnectionResetError("the server closed the connection"))

    def _ask(self) -> None:
        if self._ends.is_set():
            self.end.set_result(None)
            self._transport.close()
            return
        self._head, self._received, self._started = "", b"", time.perf_counter()
        path = self._chance.choice(self._paths)
        self._transport.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n".encode())

    def _count(self) -> None:
        self._found.count(self._head, self._length, (time.perf_counter() - self._started) * 1000)
        wait_s = _number(self._head, "retry-after") if self._heeds_refusals else 0
        asyncio.get_running_loop().call_later(wait_s, self._ask)


def _number(head: str, header: str) -> int:
    """The value of a header, or 0."""
    lines = (line.partition(":") for line in itertools.islice(head.split("\r\n"), 1, None))
    return next((int(value) for name, _, value in lines if name == header), 0)
