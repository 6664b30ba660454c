"""Parts of answers for `Range` requests (RFC 9110 §14): one range of bytes of the uncompressed answer."""

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


def expects_ranges(request: Request) -> bool:
    """Return whether further requests for parts of the same answer are to be expected.

    A client that reads a file by parts first requests its size, by HEAD, or for its first part.
    """
    return request.method == "HEAD" or has_range(request.scope)


def requested_range(scope: Scope, *, size: int, etag: str) -> AnswerRange | None:
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
    return AnswerRange(start, stop, size)


def refuse_range(error: RangeNotSatisfiable, scope: Scope) -> Response:
    """Return the answer to a range beyond its end, with its size."""
    response = problem_response(error, Request(scope))
    response.headers.update({"Content-Range": f"bytes */{error.size}", "Cache-Control": "no-store"})
    return response


class RangedResponse(Response):
    """An answer that lies in memory, of which clients may request a part."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, or the requested part."""
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
    """Return an answer such that clients may request a part of it; one that carries no body as it is."""
    if response.status_code != 200:
        return response
    ranged = RangedResponse(response.body)
    ranged.raw_headers = response.raw_headers
    ranged.headers.update(ACCEPT_RANGES)
    if is_compressible(ranged.headers.get("content-type", "")):
        ranged.headers.add_vary_header("Accept-Encoding")  # of parts and HEAD too, which nobody compresses
    return ranged
