"""Clients that send without end, send nothing, or read nothing, over real sockets."""

import json
import socket
import threading
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from urllib.parse import urlsplit

import anyio.lowlevel
import anyio.to_thread
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from chronotile.app.application import application
from chronotile.http.bounded_http import MAX_HEAD_BYTES, MAX_HEADERS, MAX_PIPELINED, BoundedHttp, required_rate
from chronotile.http.unsent_answers import UNSENT_KEY as UNSENT
from chronotile.http.unsent_answers import UnsentAnswers
from chronotile.pipeline.caches.answer_memory import AnswerMemory
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import PATIENCE_S

BOUNDS = "chronotile.http.bounded_http"
ALIVE = b"GET /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
ENDLESS_BYTES = 64 << 20
"""Length of endless messages, unless the server ends them."""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def url():
    with listening(application(served.make_services())) as found:
        yield found


@contextmanager
def connected(url, **options):
    place = urlsplit(url)
    with socket.socket() as connection:
        for name, value in options.items():
            connection.setsockopt(socket.SOL_SOCKET, getattr(socket, name), value)
        connection.settimeout(PATIENCE_S)
        connection.connect((place.hostname, place.port))
        yield connection


def rest_of(connection):
    """Return the bytes received until the connection ends, even by an error."""
    received = bytearray()
    with suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return bytes(received)


def answer_to(url, message, endless=b""):
    """Return the answer to a message followed by endless repetitions of some bytes."""
    with connected(url) as connection:
        with suppress(ConnectionError):
            connection.sendall(message)
            for _ in range(ENDLESS_BYTES // len(endless) if endless else 0):
                connection.sendall(endless)
        return rest_of(connection)


def status_of(answer):
    return int(answer.split(b" ", 2)[1])


def head(*headers, line=b"GET /health/live HTTP/1.1"):
    return b"\r\n".join([line, b"Host: a", b"Connection: close", *headers, b"", b""])


def head_of(size):
    return head(b"X: " + b"a" * (size - len(head(b"X: "))))


@pytest.mark.parametrize(
    ("message", "endless", "status"),
    [
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nX-Long: ", b"a" * 1000, 431),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n" * 100, 431),
        (b"GET /health/live HTTP/1.1\r\nHost: a\r\nX", b"x" * 1000, 431),
        (b"GET /wms?LAYERS=", b"a" * 1000, 414),
        (b"", b"\r\n" * 500, 431),
        (b"POST /timeseries/points HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x=", b"a" * 1000, 400),
        (
            b"POST /timeseries/points HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: ",
            b"a" * 1000,
            400,
        ),
        (
            b"POST /timeseries/points HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n",
            b"X: a\r\n" * 100,
            431,
        ),
    ],
    ids=["header", "headers", "name", "url", "empty-lines", "chunk-extension", "trailer", "trailers"],
)
def test_endless_request_is_refused(url, message, endless, status):
    answer = answer_to(url, message, endless)

    assert status_of(answer) == status
    assert b"access-control-allow-origin: *" in answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == status


@pytest.mark.parametrize(
    "path", [b"/ogcapi/jobs", b"/ogcapi/jobs/a/results", b"/veg/ogcapi/jobs/a", b"/ogcapi/%6Aobs/"]
)
@pytest.mark.parametrize(
    ("rest", "endless", "status"),
    [(b" HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n" * 100, 431), (b"?f=", b"a" * 1000, 414)],
    ids=["headers", "url"],
)
def test_refusals_about_jobs_are_not_for_pages_of_all_origins(url, path, rest, endless, status):
    answer = answer_to(url, b"POST " + path + rest, endless)

    assert status_of(answer) == status
    assert b"access-control-" not in answer


def test_refusals_of_bodies_about_jobs_are_not_for_pages_of_all_origins():
    async def read(request: Request) -> Response:
        return JSONResponse(len(await request.body()))

    message = b"POST /ogcapi/jobs HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;x="
    with listening(Starlette(routes=[Route("/ogcapi/jobs", read, methods=["POST"])])) as url:
        answer = answer_to(url, message, b"a" * 1000)

    assert status_of(answer) == 400
    assert b"access-control-" not in answer


@pytest.mark.parametrize("path", [b"/ogcapi/jobsx", b"/ogcapi/processes/echo/execution", b"/wms?X=/ogcapi/jobs"])
def test_other_refusals_are_readable_by_pages_of_all_origins(url, path):
    answer = answer_to(url, b"POST " + path + b" HTTP/1.1\r\nHost: a\r\n", b"X: a\r\n" * 100)

    assert status_of(answer) == 431
    assert b"access-control-allow-origin: *" in answer


@pytest.mark.parametrize(
    ("lines", "status"),
    [
        (b"GET /health/live HTTP/1.1\r\nConnection: close", 400),
        (b"GET /health/live HTTP/1.1\r\nConnection: close\r\nHost: a\r\nhost: b", 400),
        (b"GET /health/live HTTP/1.1\r\nConnection: close\r\nHost: a\r\nHost: a", 400),
        (b"GET /health/live HTTP/1.0\r\nHost: a\r\nHost: b", 400),
        (b"GET /health/live HTTP/1.1\r\nConnection: close\r\nHost:", 200),
        (b"GET /health/live HTTP/1.0", 200),
    ],
    ids=["none", "two", "twice the same", "two in HTTP/1.0", "an empty one", "none in HTTP/1.0"],
)
def test_requests_have_one_host(url, lines, status):
    answer = answer_to(url, lines + b"\r\n\r\n")

    assert status_of(answer) == status
    assert (b"RFC 9112" in answer) == (status == 400)


def test_endless_heads_block_nobody(url):
    """Regression: eight connections like these blocked all clients for 25 s."""
    answers = []

    def attack():
        answers.append(answer_to(url, b"GET / HTTP/1.1\r\nHost: a\r\nX-Long: ", b"a" * 100_000))

    threads = [threading.Thread(target=attack) for _ in range(8)]
    for thread in threads:
        thread.start()
    alive = [status_of(answer_to(url, ALIVE)) for _ in range(5)]
    for thread in threads:
        thread.join()

    assert alive == [200] * 5
    assert [status_of(answer) for answer in answers] == [431] * 8


@pytest.mark.parametrize(("count", "status"), [(MAX_HEADERS - 2, 200), (MAX_HEADERS - 1, 431)])
def test_a_hundred_headers_are_accepted(url, count, status):
    assert status_of(answer_to(url, head(*[b"X: a"] * count))) == status


@pytest.mark.parametrize(("more", "status"), [(-1, 200), (0, 200), (1, 431)])
def test_heads_of_64_kb_are_accepted(url, more, status):
    assert status_of(answer_to(url, head_of(MAX_HEAD_BYTES + more))) == status


@pytest.mark.parametrize(("more", "status"), [(0, 200), (1, 431)])
def test_heads_that_arrive_in_pieces_are_measured_as_a_whole(url, monkeypatch, more, status):
    receive, received = BoundedHttp.data_received, threading.Event()

    def receive_and_tell(self, data):
        receive(self, data)
        received.set()

    monkeypatch.setattr(BoundedHttp, "data_received", receive_and_tell)
    message = head_of(MAX_HEAD_BYTES + more)
    with connected(url) as connection:
        connection.sendall(message[:40_000])
        assert received.wait(PATIENCE_S)
        connection.sendall(message[40_000:])

        assert status_of(rest_of(connection)) == status


def test_large_bodies_follow_small_heads(url):
    body = b'{"layers": ["NDVI"], "points": [' + b" " * 300_000 + b"]}"
    request = b"POST /timeseries/points HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)

    with connected(url) as connection:
        connection.sendall((request + body) * 3 + ALIVE)
        answers = rest_of(connection)

    assert answers.count(b"HTTP/1.1 200") == 4


def test_more_than_some_requests_ahead_of_their_answers_end_the_connection(url):
    request = b"GET /layers HTTP/1.1\r\nHost: a\r\n\r\n"

    with connected(url) as connection:
        with suppress(ConnectionError):
            connection.sendall(request * (MAX_PIPELINED + 1000))
        answers = rest_of(connection)

    assert answers.count(b"HTTP/1.1 200") <= MAX_PIPELINED + 1
    assert status_of(answer_to(url, ALIVE)) == 200


def test_a_head_is_waited_for_no_longer_than_its_time(url, monkeypatch):
    end_head = BoundedHttp._end_head

    def end_head_that_has_begun(self):
        if self._is_in_head:
            end_head(self)
        else:  # its first bytes are still to come
            self._receiving = self.loop.call_later(0.1, self._end_head)

    monkeypatch.setattr(BoundedHttp, "_end_head", end_head_that_has_begun)
    monkeypatch.setattr(f"{BOUNDS}.HEAD_S", 0.1)

    assert status_of(answer_to(url, b"GET / HTTP/1.1\r\nHost: ")) == 408


def test_idle_connection_is_closed_after_its_time_limit(url, monkeypatch):
    monkeypatch.setattr(f"{BOUNDS}.HEAD_S", 0.1)

    assert answer_to(url, b"") == b""


def test_next_head_on_an_open_connection_has_a_time_limit_too(url, monkeypatch):
    with connected(url) as connection:
        connection.sendall(b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200")
        monkeypatch.setattr(f"{BOUNDS}.HEAD_S", 0.1)
        connection.sendall(b"GET / HT")

        assert status_of(rest_of(connection)) == 408


def test_the_next_head_may_come_late_while_an_answer_is_waited_for(monkeypatch):
    end_head, looks = BoundedHttp._end_head, []
    asked, looked, ready = (threading.Event() for _ in range(3))

    def end_head_and_count(self):
        looks.append(self)
        if len(looks) == 3:  # a long timeout from now on: the answer is being made
            monkeypatch.setattr(f"{BOUNDS}.HEAD_S", PATIENCE_S)
        end_head(self)
        if len(looks) == 3:
            looked.set()

    monkeypatch.setattr(BoundedHttp, "_end_head", end_head_and_count)

    async def answer_later(_request: Request) -> Response:
        asked.set()
        await anyio.to_thread.run_sync(ready.wait)
        return Response(b"answer")

    with listening(Starlette(routes=[Route("/", answer_later)])) as url, connected(url) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert asked.wait(PATIENCE_S)
        monkeypatch.setattr(f"{BOUNDS}.HEAD_S", 0.05)
        connection.sendall(b"GET / HTTP/1.1\r\nHo")
        assert looked.wait(PATIENCE_S)
        ready.set()
        connection.sendall(b"st: a\r\nConnection: close\r\n\r\n")

        assert rest_of(connection).count(b"HTTP/1.1 200") == 2


@pytest.mark.parametrize("path", ["/wms", "/timeseries/points", "/ogcapi/processes/echo/execution"])
def test_a_body_that_does_not_come_is_waited_for_no_longer_than_its_time(url, monkeypatch, path):
    monkeypatch.setattr(f"{BOUNDS}.WINDOW_S", 0.1)

    answer = answer_to(url, f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\na".encode())

    assert status_of(answer) == 408


def test_a_body_that_comes_after_its_answer_has_a_time_too(url, monkeypatch):
    look = BoundedHttp._check_upload

    def look_when_answered(self):
        if self.cycle.response_started:
            look(self)
        else:
            self._receiving = self.loop.call_later(0.1, self._check_upload)

    monkeypatch.setattr(BoundedHttp, "_check_upload", look_when_answered)
    monkeypatch.setattr(f"{BOUNDS}.WINDOW_S", 0.1)

    answer = answer_to(url, b"POST /nothing HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\na")

    assert status_of(answer) == 404


def test_a_body_that_comes_fast_enough_is_waited_for(monkeypatch):
    monkeypatch.setattr(f"{BOUNDS}.WINDOW_S", 0.05)
    monkeypatch.setattr(f"{BOUNDS}.MIN_UPLOAD_BYTES_PER_S", 0)
    look, looks = BoundedHttp._check_upload, threading.Semaphore(0)

    def look_and_tell(self):
        look(self)
        looks.release()

    monkeypatch.setattr(BoundedHttp, "_check_upload", look_and_tell)

    async def size(request: Request) -> Response:
        return JSONResponse(len(await request.body()))

    with listening(Starlette(routes=[Route("/", size, methods=["POST"])])) as url, connected(url) as connection:
        connection.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 3\r\n\r\n")
        for _ in range(3):
            assert looks.acquire(timeout=PATIENCE_S)
            connection.sendall(b"a")

        assert rest_of(connection).endswith(b"3")


def test_answer_that_is_not_received_is_aborted(monkeypatch):
    monkeypatch.setattr(f"{BOUNDS}.WINDOW_S", 0.1)
    ended = threading.Event()

    async def pieces():
        try:
            while True:
                yield b"a" * 65536
                await anyio.lowlevel.checkpoint()
        finally:
            ended.set()

    async def endless(_request: Request) -> Response:
        return StreamingResponse(pieces())

    with listening(Starlette(routes=[Route("/", endless)])) as url, connected(url, SO_RCVBUF=4096) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")

        assert ended.wait(PATIENCE_S)


def test_the_longest_idle_connections_give_way_to_new_ones(url, monkeypatch):
    monkeypatch.setattr(f"{BOUNDS}.MAX_CONNECTIONS", 4)
    request = b"GET /health/live HTTP/1.1\r\nHost: a\r\n\r\n"
    with ExitStack() as opened:
        connections = []
        for _ in range(5):
            connections.append(opened.enter_context(connected(url)))
            connections[-1].sendall(request)
            assert connections[-1].recv(65536).startswith(b"HTTP/1.1 200")

        assert rest_of(connections[0]) == b""
        connections[4].sendall(request)
        assert connections[4].recv(65536).startswith(b"HTTP/1.1 200")


def test_past_all_connections_new_ones_are_refused(monkeypatch):
    monkeypatch.setattr(f"{BOUNDS}.MAX_ACCEPTED_CONNECTIONS", 1)
    with listening(application(served.make_services())) as url, connected(url) as first:
        first.sendall(b"POST /wms HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert first.recv(65536).startswith(b"HTTP/1.1 100")

        with connected(url) as second:
            answer = rest_of(second)

    assert status_of(answer) == 503
    assert b"retry-after: 5\r\n" in answer


MAX_BODY_BYTES = 33_554_432
LARGE = (
    b"POST /timeseries/NDVI/area HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
    % MAX_BODY_BYTES
)


def test_bodies_that_find_no_memory_are_refused_before_they_are_read():
    """Regression: 50 clients that sent 33 MB each and then almost nothing took 2 GB."""
    app = application(served.make_services())
    with listening(app) as url, connected(url) as first:
        first.sendall(LARGE.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
        assert first.recv(65536).startswith(b"HTTP/1.1 100")  # its body is being read

        refused = answer_to(url, LARGE + b" " * MAX_BODY_BYTES)
        first.sendall(b" " * MAX_BODY_BYTES)
        accepted = rest_of(first)

    assert status_of(refused) == 503
    assert b"retry-after: 5\r\n" in refused.lower()
    assert b"cache-control: no-store\r\n" in refused.lower()
    assert status_of(accepted) == 400  # spaces are no GeoJSON
    assert app.state.chronotile.bodies.taken_bytes == 0


def test_a_body_that_is_refused_before_it_is_sent_is_not_waited_for(monkeypatch):
    """Regression: after the answer, the connection waited 30 s for a body that the client correctly did not send."""
    lost, connection_lost = threading.Event(), BoundedHttp.connection_lost

    def note_lost(self, error):
        connection_lost(self, error)
        lost.set()

    monkeypatch.setattr(BoundedHttp, "connection_lost", note_lost)
    monkeypatch.setattr(f"{BOUNDS}.WINDOW_S", 10 * PATIENCE_S)
    with listening(application(served.make_services())) as url, connected(url) as connection:
        connection.sendall(LARGE.replace(b"\r\n\r\n", b"0\r\nExpect: 100-continue\r\n\r\n"))  # ten times too large
        answer = rest_of(connection)
        assert lost.wait(PATIENCE_S)

    assert status_of(answer) == 413


def test_a_large_body_must_arrive_faster_than_a_small_one():
    assert required_rate(1_000_000, 4096) == 4096
    assert 30_000 < required_rate(10_000_000, 4096) < 60_000


def test_half_of_a_megabit_per_second_is_enough_for_the_largest_body():
    assert 8 * required_rate(MAX_BODY_BYTES, 4096) < 500_000


@pytest.mark.parametrize("following", [0, 1, 2])
def test_answers_that_are_not_fetched_are_counted_and_the_next_are_not_made(following):
    """Regression: 90 clients that requested 16 MB each and fetched nothing took 1.4 GB."""
    asked, counted, released = [], threading.Event(), threading.Event()
    memory = AnswerMemory(1 << 40)
    unsent = UnsentAnswers(memory)
    add, remove = unsent.add, unsent.remove

    def add_and_tell(transport):
        add(transport)
        if unsent.taken_bytes > 1 << 24:
            counted.set()

    def remove_and_tell(transport):
        remove(transport)
        if counted.is_set() and unsent.taken_bytes == 0:
            released.set()

    unsent.add, unsent.remove = add_and_tell, remove_and_tell

    @asynccontextmanager
    async def lifespan(_app):
        yield {UNSENT: unsent}

    async def large(_request: Request) -> Response:
        asked.append(1)
        return Response(b"a" * (1 << 25))

    app = Starlette(routes=[Route("/", large)], lifespan=lifespan)
    with listening(app) as url, connected(url, SO_RCVBUF=4096) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * (1 + following))
        assert counted.wait(PATIENCE_S)
        assert memory.taken_bytes > 0
        assert status_of(answer_to(url, b"GET /nothing HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")) == 404
        assert len(asked) == 1
        connection.close()
        assert released.wait(PATIENCE_S)
    assert len(asked) == 1  # the server has ended, too: no client waits for the next answers
    assert memory.taken_bytes == 0
