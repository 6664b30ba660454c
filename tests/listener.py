"""A web server that gives the answers of a test and records its requests."""

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.running import until


@dataclass
class Received:
    """A request that came."""

    method: str
    path: str
    headers: Mapping[str, str]
    """By lowercase names."""
    body: bytes

    @property
    def document(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)


@dataclass
class Answer:
    """Answer of the server."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    drips: bool = False
    """Whether it comes a byte at a time, and never ends."""


class Listener:
    """The web server; `answers` may be changed at any time, and other paths are 404."""

    def __init__(self, url: str, *, is_over: threading.Event) -> None:
        self.url = url
        self.answers: dict[str, Answer | Callable[[], Answer]] = {}
        self.asked: list[Received] = []
        self.is_over = is_over

    def paths(self) -> list[str]:
        """Return the requested paths in order."""
        return [each.path for each in self.asked]

    def hang(self) -> Answer:
        """Answer at the end of the test."""
        self.is_over.wait()
        return Answer()

    def wait_for(self, count: int) -> list[Received]:
        """Return so many requests, once they have come."""
        until(lambda: len(self.asked) >= count)
        return self.asked[:count]


@contextmanager
def listener() -> Iterator[Listener]:
    """Run a server on a free port."""
    is_over = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            told.asked.append(Received(self.command, self.path, headers, body))
            found = told.answers.get(self.path, Answer(404))
            self._send(found() if callable(found) else found)

        def do_POST(self) -> None:
            self.do_GET()

        def _send(self, answer: Answer) -> None:
            with suppress(OSError):  # the client has left
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)
                while answer.drips and not is_over.wait(0.01):
                    self.wfile.write(b"a")

        def log_message(self, *_args: object) -> None:
            """Write nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told = Listener(f"http://127.0.0.1:{server.server_port}", is_over=is_over)
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        try:
            yield told
        finally:
            is_over.set()
            server.shutdown()
            thread.join()
