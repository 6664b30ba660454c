"""Bodies are closed whether their sending succeeds or fails."""

import asyncio
from dataclasses import dataclass, field
from http.client import IncompleteRead
from urllib.request import urlopen

import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Route
from starlette.testclient import TestClient

from chronotile.core.errors import SourceUnavailable
from chronotile.http.bodies import BodyResponse
from tests.protocols.listening import listening


@dataclass
class Held:
    """A body of three parts."""

    size: int | None = None
    is_broken: bool = False
    closed: list[bool] = field(default_factory=list)

    def iter_bytes(self):
        yield from (b"one", b"two")
        if self.is_broken:
            raise SourceUnavailable("the file is gone")
        yield b"three"

    def close(self):
        self.closed.append(True)


def answer_of(body: Held) -> BodyResponse:
    return BodyResponse(body, media_type="image/tiff", headers={})


def test_body_that_was_sent_is_let_go():
    body = Held()

    assert TestClient(answer_of(body)).get("/").content == b"onetwothree"
    assert body.closed == [True]


def test_body_without_a_reader_is_released():
    body = Held()

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        if message.get("body") == b"two":
            raise OSError("the client disconnected")

    with pytest.raises(ClientDisconnect):
        asyncio.run(answer_of(body)({"type": "http", "method": "GET", "asgi": {"spec_version": "2.4"}}, receive, send))
    assert body.closed == [True]


@pytest.mark.slow
def test_body_that_cannot_be_made_to_its_end_is_broken_off(caplog):
    body = Held(is_broken=True)
    app = Starlette(routes=[Route("/coverage", lambda _request: answer_of(body))])

    with listening(app) as url, urlopen(f"{url}/coverage") as answer, pytest.raises(IncompleteRead):
        answer.read()
    assert body.closed == [True]
    assert "/coverage: broken off, the file is gone" in caplog.text


def test_head_request_makes_no_body():
    body = Held(is_broken=True)

    answer = TestClient(answer_of(body)).head("/")

    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "image/tiff", b"")
    assert body.closed == [True]
