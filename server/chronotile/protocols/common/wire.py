"""HTTP as it goes over the wire: answers in one piece, names as spelt, and what is no request refused in words."""

import asyncio
from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from chronotile.protocols.common.problem import MEDIA_TYPE

DETAIL = "this is no HTTP request, or its address is longer than the 64,000 bytes that are accepted"


class SpeltName(bytes):
    """A header's name that uvicorn, which makes names lower-case, leaves as it is written."""

    def lower(self) -> bytes:
        """Return the name as it is."""
        return self


SPELT = {b"warning": SpeltName(b"Warning")}
"""OGC's conformance suite for WMS 1.3.0 looks for this name letter by letter (RFC 9110 §5.1 does not)."""


class Wire(HttpToolsProtocol):
    """uvicorn's protocol, whose own refusal is plain text that scripts of other sites may not read."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 -- as in `_answering`
        joined = Joined(cycle.transport)
        cycle.transport = joined  # type: ignore[assignment]
        super()._start_asgi_task(cycle, _answering(app, joined))

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 -- uvicorn's word for all of them
        """Refuse what the parser did, with a problem document, and hang up."""
        body = orjson.dumps({"type": "about:blank", "title": "Bad Request", "status": 400, "detail": DETAIL})
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            f"content-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            "access-control-allow-origin: *\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode("ascii") + body)
        self.transport.close()


class Joined:
    """A transport that lets the head of an answer wait for the first of its body: one call of the system for both."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held: list[bytes] | None = None

    def hold(self) -> None:
        """Let what is written from now on wait."""
        self._held = []

    def let_go(self) -> None:
        """Write what waits, if anybody is still there, and at once what comes from now on."""
        held, self._held = self._held, None
        if held and not self._transport.is_closing():
            self._transport.writelines(held)

    def write(self, part: bytes) -> None:
        """Write a part, at once or later."""
        if self._held is None:
            self._transport.write(part)
        else:
            self._held.append(part)

    def close(self) -> None:
        """Close when all is written."""
        self.let_go()
        self._transport.close()

    def is_closing(self) -> bool:
        """Whether nothing more can be written."""
        return self._transport.is_closing()


def _answering(app: ASGIApp, joined: Joined) -> Any:  # noqa: ANN401 -- uvicorn has types of its own for what Starlette calls so
    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_joined(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(SPELT.get(name, name), value) for name, value in message.get("headers", ())]
                joined.hold()
                await send({**message, "headers": headers})
            else:
                await send(message)
                joined.let_go()

        await app(scope, receive, send_joined)

    return answer
