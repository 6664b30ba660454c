"""A server over HTTP on this machine that sends files, and leads elsewhere for some of its paths."""

import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class RedirectingServer(ThreadingHTTPServer):
    """Sends `files`, in parts on request; `leads` has the redirects: status and URL by path."""

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], address: str = "127.0.0.1", port: int = 0) -> None:
        super().__init__((address, port), _Handler)
        self.files = dict(files)
        self.leads: dict[str, tuple[int, str]] = {}
        self.whole: set[str] = set()
        """Paths whose header `Range` it ignores."""
        self.requests: list[tuple[str, str]] = []
        """The header `Host` and the path of each request, in order of arrival."""
        self.url = f"http://{address}:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: RedirectingServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        self.server.requests.append((self.headers["Host"], self.path))
        if path in self.server.leads:
            status, url = self.server.leads[path]
            self._send(status, b"", {"Location": url})
        elif path not in self.server.files:
            self._send(HTTPStatus.NOT_FOUND, b"")
        else:
            self._send_file(self.server.files[path])

    def do_HEAD(self) -> None:
        self.do_GET()

    def log_message(self, *_args: object) -> None:
        """Write nothing."""

    def _send_file(self, content: bytes) -> None:
        requested = self.headers.get("Range")
        if requested is None or self.path.partition("?")[0] in self.server.whole:
            self._send(HTTPStatus.OK, content)
            return
        first, _, last = requested.removeprefix("bytes=").partition("-")
        stop = min(int(last or len(content)) + 1, len(content))
        part = content[int(first) : stop]
        self._send(HTTPStatus.PARTIAL_CONTENT, part, {"Content-Range": f"bytes {first}-{stop - 1}/{len(content)}"})

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"1"')
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)


@contextmanager
def redirecting_server(
    files: Mapping[str, bytes] | None = None,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    tls: ssl.SSLContext | None = None,
) -> Iterator[RedirectingServer]:
    """Give a server until the block ends; over TLS if there is a context."""
    server = RedirectingServer(files or {}, address, port)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
