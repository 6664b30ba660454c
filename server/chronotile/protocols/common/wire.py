"""HTTP as it comes over the wire: what no request can be made of is refused in words that programs read."""

import orjson
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chronotile.protocols.common.problem import MEDIA_TYPE

DETAIL = "this is no HTTP request, or its address is longer than the 64,000 bytes that are accepted"


class Wire(HttpToolsProtocol):
    """uvicorn's protocol, whose own refusal is plain text that scripts of other sites may not read."""

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
