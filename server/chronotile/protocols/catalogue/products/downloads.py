"""Answers with files, sent in parts that are read in threads."""

import base64
import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from email.utils import formatdate
from functools import partial
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import quote

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chronotile.core.errors import ChronotileError, NoFiles, RangeNotSatisfiable, SourceUnavailable
from chronotile.http.base_urls import base_url
from chronotile.http.byte_ranges import ACCEPT_RANGES, refuse_range, requested_range
from chronotile.http.cache_headers import format_skipped_warning
from chronotile.http.client_addresses import client_of
from chronotile.http.download_slots import DownloadSlots
from chronotile.http.error_headers import add_error_headers, add_limit_headers
from chronotile.http.if_none_match import client_etags
from chronotile.http.problems import problem_response
from chronotile.http.server_state import ServerState
from chronotile.pipeline.products import Download
from chronotile.protocols.catalogue.products.documents import coverage_url

Result = TypeVar("Result")


class DownloadTurns:
    """Runs the parts of one request's work in threads.

    Args:
        state: State of the application.
        hosts: Hosts that the work sends requests to; each host has a quota of the threads. Empty for local files.
    """

    def __init__(self, state: ServerState, hosts: Collection[str]) -> None:
        here = state.limiters.downloads
        self._limiter = state.remote_limiters.get(here.name, here) if hosts else here
        self._hosts = hosts

    async def run(self, work: Callable[[], Result]) -> Result:
        """Run a short function in a thread and return its result.

        Raises:
            ServerBusy: Too many functions are queued already.
        """
        return await self._limiter.run(work, sources=self._hosts)


def product_problem(error: ChronotileError, request: Request) -> Response:
    """Return the problem document of an error; for an item without files it has the URL of the coverage."""
    response = problem_response(error, request)
    add_limit_headers(response, error)
    if isinstance(error, NoFiles) and response.body:
        members = orjson.loads(response.body)
        url = coverage_url(base_url(request), error.collection, error.when)
        response = Response(
            orjson.dumps({**members, "alternative": url}),
            status_code=response.status_code,
            media_type=response.media_type,
        )
    return response


log = logging.getLogger(__name__)

AS_FOUND = "public, max-age=0, must-revalidate"
"""Cache-Control of files: they may be replaced at any time, and revalidation with an ETag is cheap."""
HARMLESS = "default-src 'none'; sandbox"
"""Content-Security-Policy of files: their authors are unknown, and browsers may display them."""
_IN_HEADERS = ("sha-256", "sha-512")
"""Digest algorithms that RFC 9530 recommends."""


class DownloadResponse(Response):
    """An answer that is read in parts, each in a thread that is free again while the client receives the part.

    Args:
        download: The file to send.
        turns: Runs the reads in threads.
        slots: Limits concurrent downloads per client; one slot is occupied while the file is sent.
    """

    def __init__(self, download: Download, turns: DownloadTurns, slots: DownloadSlots) -> None:
        super().__init__(media_type=download.media_type, headers=headers_of(download))
        self._download = download
        self._turns = turns
        self._slots = slots

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file or the requested range; an error after the start cuts the connection."""
        request, body = Request(scope, receive), self._download.body
        if body.etag is not None and body.etag in client_etags(request):
            self.status_code = HTTPStatus.NOT_MODIFIED
            for name in ("Content-Length", "Content-Type"):
                del self.headers[name]
            await self._send_head(send)
            return
        try:
            part = None if body.etag is None else requested_range(scope, size=body.size, etag=self.headers["ETag"])
        except RangeNotSatisfiable as error:
            await refuse_range(error, scope)(scope, receive, send)
            return
        if part is not None:
            self.status_code = HTTPStatus.PARTIAL_CONTENT
            self.headers.update(part.headers)
        if scope["method"] == "HEAD":
            await self._send_head(send)
            return
        start, stop = (0, body.size) if part is None else (part.start, part.stop)
        await self._send_part(request, send, start, stop)

    async def _send_part(self, request: Request, send: Send, start: int, stop: int) -> None:
        is_started = False
        try:
            with self._slots.occupy(client_of(request) or ""):
                parts = self._download.body.part(start, stop)
                # An error before the first part is answered by a problem document.
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
            await add_error_headers(product_problem(error, request))(request.scope, request.receive, send)

    async def _next(self, parts: Iterator[bytes], request: Request) -> bytes | None:
        """Return the next bytes, or `None` at the end and after the client has disconnected."""
        data: bytes | None = b""
        while data == b"":
            if await request.is_disconnected():
                return None
            data = await self._turns.run(partial(next, parts, None))
        return data

    async def _send_head(self, send: Send) -> None:
        await self._start(send)
        await send({"type": "http.response.body"})

    async def _start(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})


def headers_of(download: Download) -> dict[str, str]:
    """Return the headers of an answer with the whole file."""
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
    return headers | ({"Repr-Digest": digest} if digest else {}) | warning_of(download.left_out)


def warning_of(left_out: Sequence[str]) -> dict[str, str]:
    """Return the Warning header that lists missing assets of a product; empty if none is missing."""
    return {"Warning": format_skipped_warning(left_out)} if left_out else {}


def disposition(name: str) -> str:
    """Return the header Content-Disposition with a file name (RFC 6266)."""
    plain = name.encode("ascii", "replace").decode().replace("?", "_").replace('"', "_").replace("\\", "_")
    plain = plain.replace("%", "_")  # some browsers decode percent-encoding in `filename`
    header = f'attachment; filename="{plain}"'
    return header if plain == name else f"{header}; filename*=UTF-8''{quote(name, safe='')}"


def repr_digest(checksums: Mapping[str, str]) -> str:
    """Return the value of the header Repr-Digest (RFC 9530 §3); empty without a recommended algorithm."""
    digests = {
        name: base64.b64encode(bytes.fromhex(checksums[name])).decode() for name in _IN_HEADERS if name in checksums
    }
    return ", ".join(f"{name}=:{value}:" for name, value in digests.items())
