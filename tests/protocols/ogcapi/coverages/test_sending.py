"""Bodies are let go however their sending ends."""

import asyncio
from dataclasses import dataclass, field

import pytest
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from chronotile.protocols.ogcapi.coverages.sending import BodyResponse


@dataclass
class Held:
    """A body of three pieces."""

    size: int | None = None
    closed: list[bool] = field(default_factory=list)

    def pieces(self):
        yield from (b"one", b"two", b"three")

    def close(self):
        self.closed.append(True)


def answer_of(body: Held) -> BodyResponse:
    return BodyResponse(body, media_type="image/tiff", headers={})


def test_body_that_was_sent_is_let_go():
    body = Held()

    assert TestClient(answer_of(body)).get("/").content == b"onetwothree"
    assert body.closed == [True]


def test_body_that_nobody_takes_any_more_is_let_go():
    body = Held()

    async def receive():
        return {"type": "http.disconnect"}

    async def send(message):
        if message.get("body") == b"two":
            raise OSError("the client left")

    with pytest.raises(ClientDisconnect):
        asyncio.run(answer_of(body)({"type": "http", "asgi": {"spec_version": "2.4"}}, receive, send))
    assert body.closed == [True]
