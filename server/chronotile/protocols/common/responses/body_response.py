"""Files as HTTP answers."""

import logging

import anyio
from anyio.to_thread import run_sync
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chronotile.encoders.file_parts import Body, SizedBody
from chronotile.errors import ChronotileError, RangeNotSatisfiable
from chronotile.protocols.common.responses.compression import leaves_compressed
from chronotile.protocols.common.responses.ranges import ACCEPT_RANGES, not_satisfiable, requested_part

log = logging.getLogger(__name__)


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
            self.body_iterator = iterate_in_threadpool(self._body.iter_bytes())
            return
        self.status_code = 206
        self.headers.update(part.headers)
        self.body_iterator = iterate_in_threadpool(self._sized.part(part.start, part.stop))
