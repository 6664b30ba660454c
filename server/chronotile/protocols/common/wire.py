"""HTTP as it goes over the wire: a refusal of what is no request in words that programs read, and names as spelt."""

from typing import Any

import orjson
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

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

    def __init__(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 -- whatever uvicorn gives it
        super().__init__(*args, **kwargs)
        self.app = _spelling(self.app)

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


def _spelling(app: ASGIApp) -> Any:  # noqa: ANN401 -- uvicorn has types of its own for what Starlette calls so
    async def spelt(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_spelt(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = [(SPELT.get(name, name), value) for name, value in message.get("headers", ())]
                message = {**message, "headers": headers}
            await send(message)

        await app(scope, receive, send_spelt)

    return spelt
