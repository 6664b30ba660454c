"""A cache in front of servers that stores `immutable` answers permanently."""

import http.client
import json
import random
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from tests.running import PATIENCE_S

TOKEN = "a token of tests that is long enough"
COMPARED = 0.2
"""Fraction of the cached answers that are compared with a server."""


class Cache(ThreadingHTTPServer):
    """Stores `immutable` answers permanently and requests all others from one of two servers."""

    daemon_threads = True
    request_queue_size = 64

    def __init__(self, addresses: list[str]) -> None:
        super().__init__(("127.0.0.1", 0), CacheHandler)
        self.addresses = addresses
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.kept: dict[str, bytes] = {}
        self._contents: dict[bytes, bytes] = {}
        """Each content once: many addresses have the same."""
        self.hits = 0
        self.differing: list[str] = []
        """Addresses with two contents, both `immutable`."""

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """Return status, headers and body; some stored answers are requested again, to compare them."""
        is_hit = path in self.kept
        self.hits += is_hit
        if not is_hit or random.random() < COMPARED:
            status, headers, body = ask(random.choice(self.addresses), "GET", path)
            if "immutable" in headers.get("Cache-Control", ""):
                if self.kept.setdefault(path, self._contents.setdefault(body, body)) != body:
                    self.differing.append(path)
            elif not is_hit:
                return status, {"X-Kept": "0", "Chronotile-Time": headers.get("Chronotile-Time", "")}, body
        return 200, {"X-Kept": "1"}, self.kept[path]


class CacheHandler(BaseHTTPRequestHandler):
    """Answers a request to the cache."""

    server: Cache

    def do_GET(self) -> None:
        """Answer."""
        status, headers, body = self.server.answer(self.path)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments: object) -> None:
        """Write nothing."""


def ask(address: str, method: str, path: str, document: object = None) -> tuple[int, http.client.HTTPMessage, bytes]:
    """Return status, headers and body of an answer."""
    body = None if document is None else json.dumps(document, default=float)
    headers = {} if method == "GET" else {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    with closing(http.client.HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE_S)) as connection:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, answer.headers, answer.read()
