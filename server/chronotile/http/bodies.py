"""Answers whose body is made in threads while it is sent."""

import logging
from collections.abc import AsyncIterator, Iterable
from functools import partial

import anyio
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chronotile.core.errors import ChronotileError, RangeNotSatisfiable
from chronotile.core.turns import FairThreads
from chronotile.http.byte_ranges import ACCEPT_RANGES, refuse_range, requested_range
from chronotile.http.compression import is_compressed_for
from chronotile.pipeline.encoders.bodies import Body, SizedBody

log = logging.getLogger(__name__)

BODY_THREADS = 8
"""Threads of a process that make parts of bodies."""
_THREADS = RunVar[FairThreads | None]("chronotile_parts", None)
"""The threads of the current event loop."""


async def iterate_in_turns(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield parts that threads make; clients take turns for the threads."""
    threads = _THREADS.get()
    if threads is None:
        threads = FairThreads(BODY_THREADS)
        _THREADS.set(threads)
    make_next = partial(next, iter(parts), None)
    while (part := await threads.run(make_next)) is not None:
        yield part


class BodyResponse(StreamingResponse):
    """An answer that closes its body after it was sent or the client has left.

    Args:
        body: The body, which can be sent once.
        media_type: Media type of the body.
        headers: All headers except the media type.
        has_ranges: Whether to support `Range` requests if the size of the body is known.
    """

    def __init__(self, body: Body, *, media_type: str, headers: dict[str, str], has_ranges: bool = False) -> None:
        super().__init__((), media_type=media_type, headers=headers)
        self._body = body
        self._sized_body = body if has_ranges and isinstance(body, SizedBody) else None
        if self._sized_body is not None:
            self.headers.update({"Content-Length": str(self._sized_body.size), **ACCEPT_RANGES})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the answer; `HEAD` makes no body.

        If a part cannot be made, the connection is closed, so that the client notices that the answer is incomplete.
        """
        try:
            self._prepare(scope)
            await super().__call__(scope, receive, send)
        except RangeNotSatisfiable as error:
            await refuse_range(error, scope)(scope, receive, send)
        except ChronotileError as error:
            log.warning("%s: broken off, %s", scope["path"], error.message)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._body.close)

    def _prepare(self, scope: Scope) -> None:
        """Set status, headers and iterator for the whole body or the requested range.

        Raises:
            RangeNotSatisfiable: The requested range is outside the body.
        """
        if scope["method"] == "HEAD":
            if self._sized_body is not None and is_compressed_for(scope, self.headers.get("content-type", "")):
                del self.headers["Content-Length"]  # GET would send fewer bytes
            return
        part = None
        if self._sized_body is not None:
            part = requested_range(scope, size=self._sized_body.size, etag=self.headers.get("etag", ""))
        if self._sized_body is None or part is None:
            self.body_iterator = iterate_in_turns(self._body.iter_bytes())
            return
        self.status_code = 206
        self.headers.update(part.headers)
        self.body_iterator = iterate_in_turns(self._sized_body.part(part.start, part.stop))
