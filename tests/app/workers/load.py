"""Clients that repeat the same requests and compare the answers."""

import itertools
import math
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

from tests.running import PATIENCE_S, until

KEPT_S = 5
"""Less than the server's timeout of idle connections."""


class Kept(HTTPConnection):
    """A connection that measures its idle time: a delayed client may find it closed."""

    _asked_s = math.inf
    idle_s = -math.inf
    """Between the last request and the one before."""

    def request(self, method: str, url: str) -> None:
        """Send a request and note the time."""
        try:
            super().request(method, url)
        finally:
            now_s = time.monotonic()
            self._asked_s, self.idle_s = now_s, now_s - self._asked_s


@dataclass
class Load:
    """Results of the requests of some clients; each reuses its connection as long as possible."""

    address: str
    expected: Mapping[str, bytes]
    right: list[int]
    """Answers as expected, by client."""
    wrong: list[str] = field(default_factory=list)
    broken: list[int] = field(default_factory=list)
    """The clients' ports of connections that ended before they should."""
    is_over: bool = False

    def ask(self, client: int) -> None:
        """Send requests until the load ends."""
        while not self.is_over:
            connection = Kept(urlsplit(self.address).netloc, timeout=PATIENCE_S)
            connection.connect()
            port = connection.sock.getsockname()[1]
            try:
                self._ask_over(connection, client)
            except (OSError, HTTPException) as error:
                if connection.idle_s < KEPT_S or isinstance(error, TimeoutError):
                    self.broken.append(port)
            finally:
                connection.close()

    def wait_for_answers(self, count: int) -> None:
        """Return once every client has that many more."""
        before = list(self.right)
        until(lambda: all(now - then >= count for now, then in zip(self.right, before, strict=True)))

    def _ask_over(self, connection: HTTPConnection, client: int) -> None:
        for path in itertools.cycle(self.expected):
            if self.is_over:
                return
            connection.request("GET", path)
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200 and body == self.expected[path]:
                self.right[client] += 1
            else:
                self.wrong.append(f"{path}: {answer.status}, {len(body)} bytes")


@contextmanager
def under_load(address: str, expected: Mapping[str, bytes], *, clients: int = 8) -> Iterator[Load]:
    """Run clients during the block."""
    load = Load(address, expected, [0] * clients)
    threads = [threading.Thread(target=load.ask, args=(client,)) for client in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        load.is_over = True
        for thread in threads:
            thread.join()
