"""Clients that ask one request after the other and drop what comes, while something else is measured."""

import asyncio
import itertools
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from benchmarks.load.exchange import END_OF_HEAD

HOST = "127.0.0.1"
BUSY = 503


@dataclass(slots=True)
class Storm:
    """What came back."""

    statuses: Counter[int] = field(default_factory=Counter)
    milliseconds: list[float] = field(default_factory=list)
    """Of all answers but refusals."""
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
    """Let clients ask for paths at random, over a kept connection each, until the block ends.

    Args:
        port: Of the server, on this machine.
        paths: What is requested.
        clients: How many there are.
        heed_refusals: Whether a client that is refused waits as long as `Retry-After` says before it asks again.
    """
    found, ends = Storm(), threading.Event()

    async def ask(chance: random.Random) -> None:
        reader, writer = await asyncio.open_connection(HOST, port)
        while not ends.is_set():
            started = time.perf_counter()
            path = chance.choice(paths)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nAccept-Encoding: gzip\r\n\r\n".encode())
            head = (await reader.readuntil(END_OF_HEAD)).decode("latin-1").lower()
            length = _number(head, "content-length")
            await reader.readexactly(length)
            found.count(head, length, (time.perf_counter() - started) * 1000)
            if heed_refusals and not ends.is_set():
                await asyncio.sleep(_number(head, "retry-after"))
        writer.close()
        await writer.wait_closed()

    async def all_ask() -> None:
        await asyncio.gather(*(ask(random.Random(number)) for number in range(clients)))

    thread = threading.Thread(target=lambda: asyncio.run(all_ask()))
    thread.start()
    try:
        yield found
    finally:
        ends.set()
        thread.join()


def _number(head: str, header: str) -> int:
    """What a header says, 0 without it."""
    lines = (line.partition(":") for line in itertools.islice(head.split("\r\n"), 1, None))
    return next((int(value) for name, _, value in lines if name == header), 0)
