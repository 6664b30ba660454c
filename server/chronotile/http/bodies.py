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
from chronotile.pipeline.encoders.file_parts import Body, SizedBody

log = logging.getLogger(__name__)

BODY_THREADS = 8
"""Threads in which parts of answers are made while they are sent."""

_BODY_THREADS = RunVar[FairThreads | None]("chronotile_parts", None)


async def iterate_in_turns(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Yield parts that are made in threads, in which clients take turns."""
    threads = _BODY_THREADS.get()
    if threads is None:
        threads = FairThreads(BODY_THREADS)
        _BODY_THREADS.set(threads)
    made = partial(next, iter(parts), None)
    while (part := await threads.run(made)) is not None:
        yield part


class BodyResponse(StreamingResponse):
    """An answer whose body is released when it was sent, or when the client has left.

    Args:
        body: Is sent once.
        media_type: Of the body.
        headers: Further ones.
        has_ranges: Whether clients may request a part of it, if its size is known.
    """

    def __init__(self, body: Body, *, media_type: str, headers: dict[str, str], has_ranges: bool = False) -> None:
        super().__init__((), media_type=media_type, headers=headers)
        self._body = body
        self._sized = body if has_ranges and isinstance(body, SizedBody) else None
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
            await refuse_range(error, scope)(scope, receive, send)
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
            if self._sized is not None and is_compressed_for(scope, self.headers.get("content-type", "")):
                del self.headers["Content-Length"]  # GET would send fewer bytes
            return
        part = None
        if self._sized is not None:
            part = requested_range(scope, size=self._sized.size, etag=self.headers.get("etag", ""))
        if self._sized is None or part is None:
            self.body_iterator = iterate_in_turns(self._body.iter_bytes())
            return
        self.status_code = 206
        self.headers.update(part.headers)
        self.body_iterator = iterate_in_turns(self._sized.part(part.start, part.stop))
