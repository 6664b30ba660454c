"""Parts of answers for `Range` requests (RFC 9110 §14): one range of bytes of the uncompressed answer.

A request for several ranges gets the whole answer, as the RFC allows.
"""

import re
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from chronotile.core.errors import RangeNotSatisfiable
from chronotile.http.asgi_headers import has_range, join_values
from chronotile.http.compression import is_compressible
from chronotile.http.problems import problem_response

ACCEPT_RANGES = {"Accept-Ranges": "bytes"}
_RANGE = re.compile(rb"bytes=[ \t]*(\d{0,18})-(\d{0,18})[ \t]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class AnswerRange:
    """Bytes of an answer from `start` up to, but without, `stop`."""

    start: int
    stop: int
    size: int
    """Bytes of the whole answer."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of an answer with this range only."""
        return {
            "Content-Length": str(self.stop - self.start),
            "Content-Range": f"bytes {self.start}-{self.stop - 1}/{self.size}",
        }


def expects_ranges(request: Request) -> bool:
    """Return whether the client probably reads a file by ranges: its first request is HEAD or for the first range."""
    return request.method == "HEAD" or has_range(request.scope)


def requested_range(scope: Scope, *, size: int, etag: str) -> AnswerRange | None:
    """Return the requested range; `None` without a valid single range, or if `If-Range` does not match.

    Args:
        scope: The ASGI scope of the request.
        size: Bytes of the whole answer.
        etag: The ETag header of the answer, with quotes.

    Raises:
        RangeNotSatisfiable: The range starts after the end of the answer.
    """
    match = _RANGE.fullmatch(join_values(scope["headers"], b"range")) if has_range(scope) else None
    condition = join_values(scope["headers"], b"if-range").decode("latin-1")
    if match is None or match.group(1) == match.group(2) == b"" or (condition and condition != etag):
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is None:
        start, stop = max(0, size - (last or 0)), size
    else:
        start, stop = first, size if last is None else min(size, last + 1)
        if last is not None and last < first:
            return None
    if start >= stop:
        raise RangeNotSatisfiable(f"the answer has {size} bytes: Range must begin below that", size=size)
    return AnswerRange(start, stop, size)


def refuse_range(error: RangeNotSatisfiable, scope: Scope) -> Response:
    """Return the answer to a range after the end (416), with the size."""
    response = problem_response(error, Request(scope))
    response.headers.update({"Content-Range": f"bytes */{error.size}", "Cache-Control": "no-store"})
    return response


class RangedResponse(Response):
    """An answer in memory that supports `Range` requests."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the whole answer or the requested range."""
        try:
            part = requested_range(scope, size=len(self.body), etag=self.headers.get("etag", ""))
        except RangeNotSatisfiable as error:
            await refuse_range(error, scope)(scope, receive, send)
            return
        if part is not None:
            self.status_code = 206
            self.headers.update(part.headers)
            self.body = bytes(self.body)[part.start : part.stop]
        await super().__call__(scope, receive, send)


def accept_ranges(response: Response) -> Response:
    """Return the answer with support for `Range` requests; unchanged unless its status is 200."""
    if response.status_code != 200:
        return response
    ranged = RangedResponse(response.body)
    ranged.raw_headers = response.raw_headers
    ranged.headers.update(ACCEPT_RANGES)
    if is_compressible(ranged.headers.get("content-type", "")):
        ranged.headers.add_vary_header("Accept-Encoding")  # ranges and HEAD are not compressed, so nothing else adds it
    return ranged
