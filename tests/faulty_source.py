"""A server of files over HTTP/1.1 on 127.0.0.1 whose faults a test switches on and off while it runs."""

import os
import re
import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import formatdate
from enum import Enum, auto
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tests.running import PATIENCE_S, reserved_port

RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Fault(Enum):
    """Fault of the answers for a path."""

    HANG = auto()
    """Nothing is sent."""
    HOLD = auto()
    """Nothing is sent until `release`, then the answer is well."""
    HANG_IN_BODY = auto()
    """The head and half of the body are sent, then nothing more."""
    DRIP = auto()
    """The head is sent, then a byte of the body every 50 ms."""
    UNAVAILABLE = auto()
    """503."""
    SERVER_ERROR = auto()
    """500."""
    FORBIDDEN = auto()
    """403."""
    MISSING = auto()
    """404."""
    NO_CONTENT = auto()
    """204."""
    NOT_MODIFIED = auto()
    """304, though the request has no condition."""
    FAILED_CONDITION = auto()
    """412, though the request has no condition."""
    EMPTY = auto()
    """200, with a body of no bytes."""
    CUT = auto()
    """The head and half of the body are sent, then the connection is closed."""
    CUT_AT_ONCE = auto()
    """The connection is closed when the request has come."""
    IGNORE_RANGE = auto()
    """The whole file is sent with 200 to requests for a part too; `Accept-Ranges` is not sent."""
    CUT_CHUNKED = auto()
    """The body is sent in chunks, without its length; after half of it the connection is closed."""
    CUT_WITHOUT_LENGTH = auto()
    """Half of the body is sent without its length, and the connection is closed: as if that were the end."""
    SHORT = auto()
    """Half of the body is sent, with its length as `Content-Length`; `Content-Range` is that of the request."""
    OTHER_RANGE = auto()
    """A part one byte later is sent instead, with its own `Content-Range`."""
    NEW_TAG = auto()
    """Each answer has a new `ETag`, and `ETag`s of requests are ignored."""


STATUS_OF = {
    Fault.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    Fault.SERVER_ERROR: HTTPStatus.INTERNAL_SERVER_ERROR,
    Fault.FORBIDDEN: HTTPStatus.FORBIDDEN,
    Fault.MISSING: HTTPStatus.NOT_FOUND,
    Fault.NO_CONTENT: HTTPStatus.NO_CONTENT,
    Fault.NOT_MODIFIED: HTTPStatus.NOT_MODIFIED,
    Fault.FAILED_CONDITION: HTTPStatus.PRECONDITION_FAILED,
    Fault.EMPTY: HTTPStatus.OK,
}
CUTS = {Fault.CUT, Fault.CUT_CHUNKED, Fault.CUT_WITHOUT_LENGTH, Fault.HANG_IN_BODY}
"""Half of the body is sent."""
BODILESS = {HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED}


@dataclass(frozen=True)
class Request:
    """A request that came."""

    method: str
    path: str
    """Without the slash at its start, decoded."""
    query: str
    range: str | None
    """The header `Range`."""
    fault: Fault | None
    """How it is answered."""
    headers: Mapping[str, str]
    """Looked up without regard to case."""


@dataclass
class _Switched:
    """A fault that is on."""

    fault: Fault
    left: int | None
    """Number of remaining requests; `None` without an end."""
    well: int
    """So many requests are answered well first."""


class FaultySource:
    """The files of a folder at `url`; all are served well until a fault is switched on.

    A file that is replaced (by `replace`, or by a test that renames another onto it) is served with another `ETag`.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sends_etags = True
        """Whether answers have an `ETag`."""
        self.sends_times = True
        """Whether answers have a `Last-Modified`."""
        self.payer: str | None = None
        """Requests whose header `x-amz-request-payer` is not this are answered 403, as S3 does; `None`: none is."""
        self.honours_if_match = True
        """Whether a request with the ETag of another file in `If-Match` is answered 412."""
        self.delay_s = 0.0
        """How much later each answer begins: the round trip to a store far away."""
        self.redirects: dict[str, str] = {}
        """URLs of moved paths, for `Location`."""
        self.requests: list[Request] = []
        """In order of arrival; `changed` is notified of each."""
        self.changed = threading.Condition()
        """Notified when a request came, or when one begins to hang or ends."""
        self.hanging: Counter[str] = Counter()
        """How many requests hang now, by path."""
        self._faults: dict[str | None, _Switched] = {}
        self._released = threading.Event()
        self._connections: set[socket.socket] = set()
        self._server: _Server | None = None
        self._held = reserved_port()
        self.port: int = self._held.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def url_of(self, path: str) -> str:
        """Return the URL of a file of the folder."""
        return f"{self.url}/{path}"

    def switch(self, fault: Fault | None, path: str | None = None, *, times: int | None = None, after: int = 0) -> None:
        """Switch a fault on (`None`: off) for one path, or without a path for all without a separate fault.

        It applies to `times` requests (`None`: all) after `after` requests without a fault. Hanging answers hang until
        their client leaves.
        """
        with self.changed:
            if fault is None:
                self._faults.pop(path, None)
            else:
                self._faults[path] = _Switched(fault, times, after)
            if fault is Fault.HOLD:
                self._released.clear()

    def release(self) -> None:
        """Answer all requests that are held, and hold none any more."""
        with self.changed:
            for path in [path for path, switched in self._faults.items() if switched.fault is Fault.HOLD]:
                del self._faults[path]
        self._released.set()

    def wait_for_release(self, path: str) -> None:
        """Hold a request."""
        with self.noting_hang(path):
            assert self._released.wait(PATIENCE_S), f"{path} was held and not released within {PATIENCE_S} s"

    def heal(self) -> None:
        """Serve all paths well, and listen if connections were refused."""
        with self.changed:
            self._faults.clear()
        self.listen()

    def listen(self) -> None:
        """Take connections."""
        with self.changed:
            if self._server is None:
                self._server = _Server(self)
                threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def refuse(self) -> None:
        """Refuse connections from now on, and cut the open ones; the port stays reserved."""
        with self.changed:
            server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()
        self.cut_all()

    def cut_all(self) -> None:
        """Cut all connections that are open."""
        with self.changed:
            for connection in self._connections:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Release hanging answers and end the server."""
        self.release()
        self.refuse()
        self._held.close()

    def replace(self, path: str, content: bytes) -> None:
        """Replace a file atomically."""
        beside = self.folder / f"{path}.new"
        beside.write_bytes(content)
        beside.replace(self.folder / path)

    def count(self, path: str | None = None) -> int:
        """How many requests came for a path, or in all."""
        with self.changed:
            return self._count(path)

    def wait_for(self, path: str | None = None, *, count: int = 1) -> None:
        """Wait until so many requests came for a path, or in all."""
        self._wait(lambda: self._count(path) >= count)

    def wait_until_hanging(self, path: str | None = None, *, count: int = 1) -> None:
        """Wait until so many requests hang for a path, or in all."""
        self._wait(lambda: self._hanging(path) >= count)

    def wait_until_left(self, path: str | None = None) -> None:
        """Wait until no request hangs for a path, or at all: the clients have gone."""
        self._wait(lambda: self._hanging(path) == 0)

    def begin(self, connection: socket.socket, server: object) -> bool:
        """Note that a connection is open; return whether its server still listens."""
        with self.changed:
            self._connections.add(connection)
            return server is self._server

    def end(self, connection: socket.socket) -> None:
        """Note that a connection is at its end."""
        with self.changed:
            self._connections.discard(connection)

    def take(self, method: str, path: str, query: str, headers: Mapping[str, str]) -> Fault | None:
        """Record a request and return its fault."""
        with self.changed:
            fault = self._next_fault(path) or self._next_fault(None)
            self.requests.append(Request(method, path, query, headers.get("Range"), fault, headers))
            self.changed.notify_all()
        return fault

    @contextmanager
    def noting_hang(self, path: str) -> Iterator[None]:
        """Note that a request hangs, and that it does not any more."""
        with self.changed:
            self.hanging[path] += 1
            self.changed.notify_all()
        try:
            yield
        finally:
            with self.changed:
                self.hanging[path] -= 1
                self.changed.notify_all()

    def _next_fault(self, path: str | None) -> Fault | None:
        switched = self._faults.get(path)
        if switched is None:
            return None
        if switched.well:
            switched.well -= 1
            return None
        if switched.left is not None:
            switched.left -= 1
            if not switched.left:
                del self._faults[path]
        return switched.fault

    def _count(self, path: str | None) -> int:
        return sum(path in {None, request.path} for request in self.requests)

    def _hanging(self, path: str | None) -> int:
        return self.hanging.total() if path is None else self.hanging[path]

    def _wait(self, look: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(look, PATIENCE_S), (
                f"not within {PATIENCE_S} s; {len(self.requests)} requests came"
            )


class _Server(ThreadingHTTPServer):
    """Accepts connections, each in a separate thread."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, source: FaultySource) -> None:
        self.source = source
        super().__init__(("127.0.0.1", source.port), _Handler)

    def handle_error(self, *_args: object) -> None:
        """Ignore clients that have left."""


class _Handler(BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server
    connection: socket.socket

    def setup(self) -> None:
        super().setup()
        if not self.server.source.begin(self.connection, self.server):
            self.connection.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        self.server.source.end(self.connection)
        with suppress(OSError):
            super().finish()

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *_args: object) -> None:
        """Write nothing."""

    def _answer(self) -> None:
        source = self.server.source
        address = urlsplit(self.path)
        path = unquote(address.path).removeprefix("/")
        fault = source.take(self.command, path, address.query, self.headers)
        if source.payer not in {None, self.headers.get("x-amz-request-payer")}:
            fault = Fault.FORBIDDEN
        if source.delay_s:
            threading.Event().wait(source.delay_s)
        if fault is Fault.HOLD:
            source.wait_for_release(path)
        if fault is Fault.HANG:
            self._hang(path)
        elif path in source.redirects:
            self._send(HTTPStatus.TEMPORARY_REDIRECT, b"", {"Location": source.redirects[path]})
        elif fault is Fault.CUT_AT_ONCE:
            self.close_connection = True
        elif fault in STATUS_OF:
            status = STATUS_OF[fault]
            self._send(status, b"" if status in BODILESS | {HTTPStatus.OK} else b"it does not work")
        else:
            self._send_file(path, fault)

    def _send_file(self, path: str, fault: Fault | None) -> None:
        try:
            with (self.server.source.folder / path).open("rb") as file:
                content, status = file.read(), os.fstat(file.fileno())
        except OSError:
            self._send(HTTPStatus.NOT_FOUND, b"there is no such file")
            return
        etag = f'"{status.st_ino:x}-{status.st_size:x}-{status.st_mtime_ns:x}"'
        if fault is Fault.NEW_TAG:
            etag = f'"{len(self.server.source.requests)}"'
        headers = {"Content-Type": "application/octet-stream"}
        headers |= {"Last-Modified": formatdate(status.st_mtime, usegmt=True)} if self.server.source.sends_times else {}
        headers |= {"ETag": etag} if self.server.source.sends_etags else {}
        headers |= {} if fault is Fault.IGNORE_RANGE else {"Accept-Ranges": "bytes"}
        if self.server.source.sends_etags and etag in self.headers.get("If-None-Match", ""):
            self._send(HTTPStatus.NOT_MODIFIED, b"", headers)
            return
        is_compared = self.server.source.honours_if_match and fault is not Fault.NEW_TAG
        if is_compared and etag not in self.headers.get("If-Match", etag):
            self._send(HTTPStatus.PRECONDITION_FAILED, b"", headers)
            return
        part = None if fault is Fault.IGNORE_RANGE else self._part(len(content), etag)
        if part is None:
            self._send(HTTPStatus.OK, content, headers, fault, path)
        elif not part:
            headers["Content-Range"] = f"bytes */{len(content)}"
            self._send(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b"", headers)
        else:
            if fault is Fault.OTHER_RANGE:
                part = range(min(part.start + 1, part.stop - 1), min(part.stop + 1, len(content)))
            headers["Content-Range"] = f"bytes {part.start}-{part.stop - 1}/{len(content)}"
            self._send(HTTPStatus.PARTIAL_CONTENT, content[part.start : part.stop], headers, fault, path)

    def _part(self, size: int, etag: str) -> range | None:
        """Return the requested bytes; `None` for all of them, an empty range if there are no bytes."""
        asked = RANGE.fullmatch(self.headers.get("Range", ""))
        if asked is None or self.headers.get("If-Range", etag) != etag:
            return None
        first, last = asked.groups()
        if not first:
            return range(max(0, size - int(last)), size) if last else None
        return range(int(first), min(size, int(last) + 1 if last else size))

    def _send(
        self,
        status: HTTPStatus,
        content: bytes,
        headers: dict[str, str] | None = None,
        fault: Fault | None = None,
        path: str = "",
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if fault is Fault.SHORT:
            content = content[: len(content) // 2]
        if fault is Fault.CUT_CHUNKED:
            self.send_header("Transfer-Encoding", "chunked")
        elif status not in BODILESS and fault is not Fault.CUT_WITHOUT_LENGTH:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault is Fault.DRIP:
            self._drip(path, content)
        elif fault in CUTS:
            half = content[: len(content) // 2]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(half), half) if fault is Fault.CUT_CHUNKED else half)
            self.wfile.flush()
            self.close_connection = True
            if fault is Fault.HANG_IN_BODY:
                self._hang(path)
        else:
            self.wfile.write(content)

    def _drip(self, path: str, content: bytes) -> None:
        """Send single bytes until the client leaves."""
        self.connection.settimeout(0.05)
        with self.server.source.noting_hang(path):
            for at in range(len(content)):
                self.wfile.write(content[at : at + 1])
                with suppress(TimeoutError):
                    if not self.connection.recv(1):
                        break
        self.close_connection = True

    def _hang(self, path: str) -> None:
        """Do nothing until the client leaves, or all ends."""
        with self.server.source.noting_hang(path), suppress(OSError):
            while self.connection.recv(1 << 16):
                pass
        self.close_connection = True


@contextmanager
def faulty_source(folder: Path) -> Iterator[FaultySource]:
    """Serve the files of a folder, well at first."""
    source = FaultySource(folder)
    source.listen()
    try:
        yield source
    finally:
        source.close()
