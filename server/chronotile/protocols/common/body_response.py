"""Files as HTTP answers."""

import logging

import anyio
from anyio.to_thread import run_sync
from starlette.concurrency import iterate_in_threadpool
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from chronotile.encoders.file_parts import Body
from chronotile.errors import ChronotileError

log = logging.getLogger(__name__)


class BodyResponse(StreamingResponse):
    """An answer whose body is let go when it was sent, or nobody takes it any more."""

    def __init__(self, body: Body, *, media_type: str, headers: dict[str, str]) -> None:
        super().__init__(body.pieces(), media_type=media_type, headers=headers)
        self._body = body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it; where it cannot be made to its end the connection is broken off, which tells the client so.

        Of `HEAD` it is not made at all.
        """
        if scope["method"] == "HEAD":
            self.body_iterator = iterate_in_threadpool(())
        try:
            await super().__call__(scope, receive, send)
        except ChronotileError as error:
            log.warning("%s: broken off, %s", scope["path"], error.message)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(self._body.close)
