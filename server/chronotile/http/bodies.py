"""Bodies as HTTP answers: files, the part that `Range` requests (RFC 9110 §14), and which leave compressed."""

import logging
import re
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from functools import partial

import anyio
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from chronotile.core.errors import ChronotileError, RangeNotSatisfiable
from chronotile.core.turns import FairThreads
from chronotile.http.endpoint import problem_response
from chronotile.http.respond import has_range, is_compressible, join_values, leaves_compressed
from chronotile.pipeline.encoders.file_parts import Body, SizedBody

log = logging.getLogger(__name__)

THREADS = 8
"""Threads in which parts of answers are made while they are sent."""
_OF_PARTS = RunVar[FairThreads | None]("chronotile_parts", None)


async def iterate_in_turns(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield parts that are made in threads, in which clients take turns."""
    threads = _OF_PARTS.get()
    if threads is None:
        threads = FairThreads(THREADS)
        _OF_PARTS.set(threads)
    made = partial(next, iter(parts), None)
    while (part := await threads.run(made)) is not None:
        yield part


class BodyResponse(StreamingResponse):
    """An answer whose body is released when it was sent, or when the client has left.

    Args:
        body: Is sent once.
        media_type: Of the body.
        headers: Further ones.
        in_parts: Whether clients may request a part of it, if its size is known.
    """

    def __init__(self, body: Body, *, media_type: str, headers: dict[str, str], in_parts: bool = False) -> None:
        super().__init__((), media_type=media_type, headers=headers)
        self._body = body
        self._sized = body if in_parts and isinstance(body, SizedBody) else None
        if self._sized is not None:
            self.headers.update({"Content-Length": str(self._sized.size), **ACCEPT_RANGES})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; where it cannot be made to its end the connection is broken off, so that the client notices.

        Of `HEAD` it is not made at all.
        """
        try:
            self._prepare(scope)
            await super().__call__(scope, receive, send)
        except RangeNotSatisfiable as error:
            await not_satisfiable(error, scope)(scope, receive, send)
        except ChronotileError as error:
            log.warning("%s: broken off, %s", scope["path"], error.message)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._body.close)

    def _prepare(self, scope: Scope) -> None:
        """Choose what is sent.

        Raises:
            RangeNotSatisfiable: A part is requested that is not there.
        """
        if scope["method"] == "HEAD":
            if self._sized is not None and leaves_compressed(scope, self.headers.get("content-type", "")):
                del self.headers["Content-Length"]  # GET would send fewer bytes
            return
        part = None
        if self._sized is not None:
            part = requested_part(scope, size=self._sized.size, etag=self.headers.get("etag", ""))
        if self._sized is None or part is None:
            self.body_iterator = iterate_in_turns(self._body.iter_bytes())
            return
        self.status_code = 206
        self.headers.update(part.headers)
        self.body_iterator = iterate_in_turns(self._sized.part(part.start, part.stop))


# Parts of answers, as `Range` requests them (RFC 9110 §14): one part of bytes, of the answer as it is uncompressed.
#
# Several parts in one request are not offered: such a request gets the whole, as the RFC allows.

ACCEPT_RANGES = {"Accept-Ranges": "bytes"}
_RANGE = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class BytePart:
    """Bytes of an answer from `start` up to but not including `stop`."""

    start: int
    stop: int
    size: int
    """Of the whole."""

    @property
    def headers(self) -> dict[str, str]:
        """The headers of an answer that has this part alone."""
        return {
            "Content-Length": str(self.stop - self.start),
            "Content-Range": f"bytes {self.start}-{self.stop - 1}/{self.size}",
        }


def is_made_for_parts(request: Request) -> bool:
    """Return whether further requests for parts of the same answer are to be expected.

    A client that reads a file by parts first requests its size, by HEAD, or for its first part.
    """
    return request.method == "HEAD" or has_range(request.scope)


def requested_part(scope: Scope, *, size: int, etag: str) -> BytePart | None:
    """Return the part that is requested; `None` if the whole answer is to be sent.

    That is so without `Range`, with one that names no single part of bytes, and where `If-Range` names another ETag.

    Args:
        scope: Of the request.
        size: Of the whole answer, in bytes.
        etag: The header of the answer.

    Raises:
        RangeNotSatisfiable: The answer has no such bytes.
    """
    found = _RANGE.fullmatch(join_values(scope["headers"], b"range")) if has_range(scope) else None
    condition = join_values(scope["headers"], b"if-range").decode("latin-1")
    if found is None or found.group(1) == found.group(2) == b"" or (condition and condition != etag):
        return None
    first, last = (int(text) if text else None for text in found.groups())
    if first is None:
        start, stop = max(0, size - (last or 0)), size
    else:
        start, stop = first, size if last is None else min(size, last + 1)
        if last is not None and last < first:
            return None
    if start >= stop:
        raise RangeNotSatisfiable(f"the answer has {size} bytes: Range must begin below that", size=size)
    return BytePart(start, stop, size)


def not_satisfiable(error: RangeNotSatisfiable, scope: Scope) -> Response:
    """Return the answer to a range beyond its end, with its size."""
    response = problem_response(error, Request(scope))
    response.headers.update({"Content-Range": f"bytes */{error.size}", "Cache-Control": "no-store"})
    return response


class RangedResponse(Response):
    """An answer that lies in memory, of which clients may request a part."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, or the requested part."""
        try:
            part = requested_part(scope, size=len(self.body), etag=self.headers.get("etag", ""))
        except RangeNotSatisfiable as error:
            await not_satisfiable(error, scope)(scope, receive, send)
            return
        if part is not None:
            self.status_code = 206
            self.headers.update(part.headers)
            self.body = bytes(self.body)[part.start : part.stop]
        await super().__call__(scope, receive, send)


def in_parts(response: Response) -> Response:
    """Return an answer such that clients may request a part of it; one that carries no body as it is."""
    if response.status_code != 200:
        return response
    ranged = RangedResponse(response.body)
    ranged.raw_headers = response.raw_headers
    ranged.headers.update(ACCEPT_RANGES)
    if is_compressible(ranged.headers.get("content-type", "")):
        ranged.headers.add_vary_header("Accept-Encoding")  # of parts and HEAD too, which nobody compresses
    return ranged
