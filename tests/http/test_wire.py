"""Malformed requests over a real socket."""

import asyncio
import json
import socket
from contextlib import suppress
from threading import Event
from urllib.parse import urlsplit

import pytest
from starlette.responses import PlainTextResponse

from chronotile.app.application import application
from chronotile.http.wire import HeadJoiningTransport
from tests.protocols import served
from tests.protocols.listening import listening
from tests.running import PATIENCE_S


def answer_to(message):
    with listening(application(served.make_services())) as url:
        place = urlsplit(url)
        with socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S) as connection:
            answer = bytearray()
            with suppress(ConnectionError):  # a refusal may arrive, and the connection end, before everything is sent
                connection.sendall(message)
            with suppress(ConnectionError):
                while part := connection.recv(65536):
                    answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode("ascii"), bytes(body)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "status", "detail"),
    [
        (b"what?\r\n\r\n", 400, "not an HTTP request"),
        (b"GET /wms?LAYERS=" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414, "64000 bytes"),
    ],
    ids=["no-http", "100-kB"],
)
def test_invalid_request_is_refused_with_a_problem_document(message, status, detail):
    head, body = answer_to(message)

    assert head.startswith(f"HTTP/1.1 {status}")
    assert "access-control-allow-origin: *" in head.lower()
    assert detail in json.loads(body)["detail"]


@pytest.mark.slow
def test_warning_has_its_capital_letter_on_the_wire():
    """OGC's suite compares the name case-sensitively, and the text from its column 29."""
    query = (
        "REQUEST=GetMap&VERSION=1.3.0&LAYERS=NDVI&STYLES=&CRS=EPSG:4326&BBOX=50.8,4.5,50.9,4.7"
        "&WIDTH=64&HEIGHT=48&FORMAT=image/png"
    )
    request = f"GET /wms?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"

    head, body = answer_to(request.encode())

    assert head.startswith("HTTP/1.1 200")
    assert "\r\nWarning: 99 Default value used: time=2020-06-21 ISO8601\r\n" in f"{head}\r\n"
    assert body.startswith(b"\x89PNG")


GET = b"GET /layers/NDVI HTTP/1.1\r\nHost: a\r\n\r\n"
FORM = b"SERVICE=WMS&REQUEST=GetCapabilities"
POST = (
    b"POST /wms HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(FORM), FORM)
)


def open_to(url):
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port), timeout=PATIENCE_S)


def received_after_shutdown(url, message):
    """Return the answer to a client that closes its sending half with the request."""
    with open_to(url) as connection:
        connection.sendall(message)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("message", "answers"),
    [(GET, 1), (GET * 3, 3), (POST, 1), (GET.replace(b"1.1", b"1.0"), 1), (GET + GET[:20], 1)],
    ids=["get", "pipelined", "post", "http-1.0", "incomplete-second"],
)
def test_half_closed_client_gets_its_answers(message, answers):
    with listening(application(served.make_services())) as url:
        received = received_after_shutdown(url, message)

    assert received.count(b"HTTP/1.1 200 OK\r\n") == answers
    assert received.count(b'"NDVI"') >= 1 or b"</WMS_Capabilities>" in received


@pytest.mark.slow
def test_half_closed_client_without_whole_request_is_closed():
    with listening(application(served.make_services())) as url:
        assert received_after_shutdown(url, POST[:-5]) == b""
        assert received_after_shutdown(url, GET[:-2]) == b""


@pytest.mark.slow
def test_half_closed_client_waits_for_a_slow_answer():
    probed = Event()

    async def slow(scope, receive, send):
        assert scope["type"] == "http"
        await asyncio.to_thread(probed.wait, PATIENCE_S)
        await PlainTextResponse("whole")(scope, receive, send)

    with listening(slow) as url, open_to(url) as connection:
        connection.sendall(GET)
        connection.shutdown(socket.SHUT_WR)
        first = connection.recv(65536)
        probed.set()
        received = b"".join(iter(lambda: connection.recv(65536), b""))

    assert first == b"HTTP/1.1 100 Continue\r\n\r\n"
    assert received.endswith(b"\r\n\r\nwhole")


@pytest.mark.slow
def test_client_that_closed_both_halves_is_noticed():
    has_left = Event()

    async def wait(scope, receive, _send):
        assert scope["type"] == "http"
        while (await receive())["type"] != "http.disconnect":
            pass
        has_left.set()

    with listening(wait) as url:
        with open_to(url) as connection:
            connection.sendall(GET)
        assert has_left.wait(PATIENCE_S)


class Written:
    """Transport that records its calls in order."""

    def __init__(self):
        self.calls = []

    def write(self, part):
        self.calls.append(part)

    def writelines(self, parts):
        self.calls.append(b"".join(parts))

    def close(self):
        self.calls.append("closed")

    def is_closing(self):
        return "closed" in self.calls


def test_head_is_sent_together_with_the_body():
    written = Written()
    joined = HeadJoiningTransport(written, written.close)

    joined.write(b"continue")
    joined.hold()
    joined.write(b"head, ")
    joined.write(b"body")
    joined.flush()
    joined.write(b"more")
    joined.hold()
    joined.write(b"last")
    joined.close()

    assert written.calls == [b"continue", b"head, body", b"more", b"last", "closed"]


def test_messages_waiting_for_a_body_are_dropped_if_the_client_left():
    written = Written()
    joined = HeadJoiningTransport(written, written.close)

    joined.hold()
    joined.write(b"head")
    written.close()
    joined.flush()

    assert written.calls == ["closed"]


@pytest.mark.slow
def test_answer_without_a_body_has_its_head():
    head, body = answer_to(b"HEAD /health/live HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

    assert head.startswith("HTTP/1.1 200")
    assert body == b""
