"""Requests to the web and their answers are limited in bytes and in seconds."""

import socket
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from chronotile.core.errors import InvalidParameter, SourceUnavailable
from chronotile.core.web import fetch as web_fetch
from chronotile.core.web.fetch import fetch, fetch_if_changed, post
from chronotile.core.web.inner_hosts import InnerHosts
from tests.listener import Answer, listener
from tests.running import PATIENCE_S, reserved_port

pytestmark = pytest.mark.slow


@pytest.fixture
def web():
    """A server with some documents."""
    with listener() as server:
        server.answers = {
            "/a.json": Answer(body=b"[1]", headers={"Content-Type": "Application/JSON; charset=utf-8"}),
            "/bare": Answer(body=b"a"),
            "/long": Answer(body=b"a" * 300_000),
            "/endless": Answer(drips=True),
            "/elsewhere": Answer(302, headers={"Location": "/a.json"}),
            "/broken": Answer(500),
            "/odd": Answer(599),
            "/half": Answer(body=b"a" * 50, headers={"Content-Length": "100"}),
            "/taken": Answer(204),
            "/dripping": Answer(201, drips=True),
        }
        yield server


@contextmanager
def saying(text):
    """Yield the URL of a server that sends this text repeatedly to any client."""
    is_over = threading.Event()

    def answer(bound):
        connection, _peer = bound.accept()
        with connection, suppress(OSError):  # whoever connected has left
            while not is_over.wait(0.01):
                connection.send(text)

    with socket.create_server(("127.0.0.1", 0)) as bound:
        thread = threading.Thread(target=answer, args=[bound])
        thread.start()
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
        finally:
            is_over.set()
            thread.join()


def test_a_document_comes_with_its_media_type(web):
    found = fetch(f"{web.url}/a.json", max_bytes=100, locator="a")

    assert (found.body, found.media_type) == (b"[1]", "application/json")
    assert fetch(f"{web.url}/bare", max_bytes=100, locator="a").media_type == ""


def test_reading_stops_one_byte_beyond_the_limit(web):
    assert len(fetch(f"{web.url}/long", max_bytes=200_000, locator="a").body) == 200_001
    assert len(fetch(f"{web.url}/endless", max_bytes=10, locator="a").body) == 11


@pytest.mark.parametrize(
    ("path", "fault", "words"),
    [
        ("/absent", InvalidParameter, "returned no document: the answer was 404 Not Found"),
        ("/elsewhere", InvalidParameter, "the answer was 302 Found, and redirects are not followed"),
        ("/broken", SourceUnavailable, "the answer was 500 Internal Server Error"),
        ("/odd", SourceUnavailable, "the answer was 599"),
        ("/half", SourceUnavailable, "the answer was broken off"),
    ],
)
def test_answer_that_is_no_document_is_reported(web, path, fault, words):
    with pytest.raises(fault, match=words) as caught:
        fetch(f"{web.url}{path}", max_bytes=100, locator="a")

    assert caught.value.locator == "a"
    assert web.paths() == [path]


def test_answer_that_takes_too_long_is_ended(web):
    with pytest.raises(SourceUnavailable, match="no answer in time"):
        fetch(f"{web.url}/endless", max_bytes=1 << 30, locator="a", max_s=0.3)


@pytest.mark.parametrize("text", [b"", b"H"], ids=["silent", "slow"])
def test_server_that_hangs_is_a_timeout(text):
    with saying(text) as url, pytest.raises(SourceUnavailable, match="no answer in time"):
        fetch(url, max_bytes=100, locator="a", max_s=0.3)


def test_unreachable_or_wrong_server_is_reported():
    with reserved_port() as nobody, pytest.raises(SourceUnavailable, match="cannot be reached"):
        fetch(f"http://127.0.0.1:{nobody.getsockname()[1]}/", max_bytes=100, locator="a")
    with saying(b"220 mail\r\n") as url, pytest.raises(SourceUnavailable, match="is not an HTTP server"):
        fetch(url, max_bytes=100, locator="a")


def test_a_document_is_sent_once_with_its_headers(web):
    post(f"{web.url}/taken", b"[1]", headers={"Content-Type": "application/json"})

    (asked,) = web.asked
    assert (asked.method, asked.path, asked.body) == ("POST", "/taken", b"[1]")
    assert (asked.headers["content-type"], asked.headers["user-agent"]) == ("application/json", "chronotile")


def test_accepted_message_counts_as_sent_with_any_answer(web):
    post(f"{web.url}/dripping", b"", max_s=PATIENCE_S)

    assert web.paths() == ["/dripping"]


@pytest.mark.parametrize(("path", "words"), [("/absent", "404"), ("/elsewhere", "302 Found"), ("/broken", "500")])
def test_refused_message_is_reported(web, path, words):
    with pytest.raises(SourceUnavailable, match=f"the answer was {words}"):
        post(f"{web.url}{path}", b"[1]")

    assert web.paths() == [path]


def test_slow_receiver_is_a_timeout():
    with saying(b"") as url, pytest.raises(SourceUnavailable, match="no answer in time"):
        post(url, b"[1]", max_s=0.3)


def test_a_document_of_a_name_that_leads_inside_is_not_requested(web, monkeypatch):
    monkeypatch.setattr("chronotile.core.web.fetch.system_resolve", lambda _host, _port: ["127.0.0.1"])
    url = f"http://data.example.org:{urlsplit(web.url).port}/a.json"
    hosts = InnerHosts()
    monkeypatch.setattr("chronotile.core.web.fetch.inner_hosts", hosts)

    with pytest.raises(InvalidParameter, match="network inside"):
        fetch_if_changed(url, max_bytes=100, locator="a")
    hosts.trust("http://data.example.org/catalog.json")

    assert fetch_if_changed(url, max_bytes=100, locator="a").body == b"[1]"
    assert len(web.asked) == 1


def test_another_address_of_a_name_is_tried(web, monkeypatch):
    monkeypatch.setattr("chronotile.core.web.fetch.system_resolve", lambda _host, _port: ["::1", "127.0.0.1"])
    hosts = InnerHosts()
    hosts.allow_addresses(["127.0.0.1", "::1"])
    monkeypatch.setattr("chronotile.core.web.fetch.inner_hosts", hosts)

    found = fetch_if_changed(f"http://data.example.org:{urlsplit(web.url).port}/a.json", max_bytes=9, locator="a")

    assert found.body == b"[1]"


@pytest.mark.parametrize("send", [
    lambda url: fetch(url, max_bytes=9, locator="a", max_s=0.05),
    lambda url: fetch_if_changed(url, max_bytes=9, locator="a", max_s=0.05),
    lambda url: post(url, b"{}", max_s=0.05),
], ids=["fetch", "ask", "post"])  # fmt: skip
def test_a_resolver_that_hangs_is_not_waited_for(send, web, monkeypatch):
    is_free = threading.Event()

    def resolve(_host, _port):
        assert is_free.wait(PATIENCE_S)
        return ["127.0.0.1"]

    monkeypatch.setattr(web_fetch, "system_resolve", resolve)
    try:
        with pytest.raises(SourceUnavailable, match="there was no answer in time"):
            send(f"{web.url}/bare")
    finally:
        is_free.set()
    assert not web.asked


def test_concurrent_lookups_of_names_are_bounded(web, monkeypatch):
    monkeypatch.setattr(web_fetch, "_looking_up", threading.BoundedSemaphore(1))
    is_free, looked_up = threading.Event(), []

    def resolve(host, _port):
        looked_up.append(host)
        assert is_free.wait(PATIENCE_S)
        return ["127.0.0.1"]

    monkeypatch.setattr(web_fetch, "system_resolve", resolve)
    for _ in range(3):
        with pytest.raises(SourceUnavailable, match="there was no answer in time"):
            fetch(f"{web.url}/bare", max_bytes=9, locator="a", max_s=0.05)
    assert len(looked_up) == 1
    is_free.set()

    assert fetch(f"{web.url}/bare", max_bytes=9, locator="a", max_s=PATIENCE_S).body == b"a"
