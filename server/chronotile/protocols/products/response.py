"""Files of products as HTTP answers: any part, bounded, broken off where the file changes."""

import base64
import logging
from collections.abc import Iterator, Mapping
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chronotile.errors import ChronotileError, RangeNotSatisfiable, SourceUnavailable
from chronotile.pipeline.products.deliver import Download
from chronotile.protocols.common.endpoint import with_error_caching
from chronotile.protocols.common.job_access import client_of
from chronotile.protocols.common.limits.download_slots import DownloadSlots
from chronotile.protocols.common.responses.ranges import ACCEPT_RANGES, not_satisfiable, requested_part
from chronotile.protocols.common.responses.respond import known_etags
from chronotile.protocols.products.faults import product_problem
from chronotile.protocols.products.turns import Turns

log = logging.getLogger(__name__)

AS_FOUND = "public, max-age=0, must-revalidate"
"""Of files, which may be replaced at any time; with an ETag a client looks again for nothing."""
HARMLESS = "default-src 'none'; sandbox"
"""Of what strangers wrote, if a browser shows it."""
_IN_HEADERS = ("sha-256", "sha-512")
"""Digests that RFC 9530 recommends."""


class DownloadResponse(Response):
    """An answer that is read in parts, each in a thread that is given back while the client takes it.

    Args:
        download: What is sent.
        turns: Run parts of the work in threads.
        slots: Of which it takes one while it is sent.
    """

    def __init__(self, download: Download, turns: Turns, slots: DownloadSlots) -> None:
        super().__init__(media_type=download.media_type, headers=headers_of(download))
        self._download = download
        self._turns = turns
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or the part that is requested; where it cannot be sent to its end the connection is broken off."""
        request, body = Request(scope, receive), self._download.body
        if body.etag is not None and body.etag in known_etags(request):
            self.status_code = HTTPStatus.NOT_MODIFIED
            for name in ("Content-Length", "Content-Type"):
                del self.headers[name]
            await self._start(send)
            await send({"type": "http.response.body"})
            return
        try:
            part = None if body.etag is None else requested_part(scope, size=body.size, etag=self.headers["ETag"])
        except RangeNotSatisfiable as error:
            await not_satisfiable(error, scope)(scope, receive, send)
            return
        if part is not None:
            self.status_code = HTTPStatus.PARTIAL_CONTENT
            self.headers.update(part.headers)
        if scope["method"] == "HEAD":
            await self._start(send)
            await send({"type": "http.response.body"})
            return
        start, stop = (0, body.size) if part is None else (part.start, part.stop)
        await self._send_part(request, send, start, stop)

    async def _send_part(self, request: Request, send: Send, start: int, stop: int) -> None:
        is_started = False
        try:
            with self._slots.one(client_of(request) or ""):
                parts = self._download.body.part(start, stop)
                # What fails at once is answered by a problem document.
                data = await self._next(parts, request) if start < stop else None
                await self._start(send)
                is_started = True
                while data is not None:
                    await send({"type": "http.response.body", "body": data, "more_body": True})
                    data = await self._next(parts, request)
                await send({"type": "http.response.body"})
        except ChronotileError as error:
            if is_started:
                log.warning("%s: broken off, %s", request.scope["path"], error.message)
                return
            if isinstance(error, SourceUnavailable):
                log.warning("%s: %s", request.scope["path"], error.message)
            await with_error_caching(product_problem(error, request))(request.scope, request.receive, send)

    async def _next(self, parts: Iterator[bytes], request: Request) -> bytes | None:
        """The next bytes, `None` at the end and once the client has left."""
        data: bytes | None = b""
        while data == b"":
            if await request.is_disconnected():
                return None
            data = await self._turns.run(partial(next, parts, None))
        return data

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


def headers_of(download: Download) -> dict[str, str]:
    """Return the headers of a download as a whole."""
    body = download.body
    headers = {
        "Content-Length": str(body.size),
        "Content-Encoding": "identity",
        "Content-Disposition": disposition(download.file_name),
        "Content-Security-Policy": HARMLESS,
        "Cache-Control": AS_FOUND,
    }
    if body.etag is not None:
        headers |= {"ETag": f'"{body.etag}"', **ACCEPT_RANGES}
    if body.modified_ns:
        headers["Last-Modified"] = formatdate(body.modified_ns // 10**9, usegmt=True)
    digest = repr_digest(download.checksums)
    return headers | ({"Repr-Digest": digest} if digest else {})


def disposition(name: str) -> str:
    """Return the header by which a file is saved under a name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    plain = plain.replace("%", "_")  # which some browsers decode
    return (
        f'attachment; filename="{plain}"'
        if plain == name
        else (f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}")
    )


def repr_digest(checksums: Mapping[str, str]) -> str:
    """Return checksums as the header Repr-Digest has them (RFC 9530 §3); empty without any."""
    found = {
        name: base64.b64encode(bytes.fromhex(checksums[name])).decode() for name in _IN_HEADERS if name in checksums
    }
    return ", ".join(f"{name}=:{value}:" for name, value in found.items())
