"""The HTTP server of one process, which ends within a time limit even if its threads wait."""

import asyncio
import socket

import uvicorn

from chronotile.app.process_setup import END_S, GRACE_S, end_within, is_told_to_end, only_remember_signals
from chronotile.http.bounded_http import BoundedHttp

FIRST_TURNS, FIRST_TURN_S = 50, 0.01
"""Number and interval of the checks of a stopping server whether all new connections have sent their requests. Checks
are counted instead of seconds, because requests arrive even during a pause of the machine."""


class GracefulServer(uvicorn.Server):
    """Server of uvicorn that, when stopped, answers 503 to requests that are not answered within `GRACE_S`.

    If it runs the process, the process ends within `END_S`, even if threads wait for a source that hangs.
    """

    _is_process = False

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in this process until it is stopped by a signal."""
        self._is_process = True
        only_remember_signals()  # Python may discard exceptions of signal handlers
        super().run(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Stop also for signals that arrived before uvicorn handled them."""
        return await super().on_tick(counter) or (self._is_process and is_told_to_end())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish running requests and accept no more."""
        if self._is_process:
            end_within(END_S, status=0)
        await self._read_first_requests()
        refusing = asyncio.get_running_loop().call_later(GRACE_S, self._refuse_unanswered)
        try:
            await super().shutdown(sockets)
        finally:
            refusing.cancel()

    async def _read_first_requests(self) -> None:
        """Accept waiting connections and read their first requests: uvicorn would reset or close them."""
        for _turn in range(FIRST_TURNS):
            await asyncio.sleep(FIRST_TURN_S)
            if self._has_read_all():
                return

    def _has_read_all(self) -> bool:
        return all(getattr(connection, "cycle", None) is not None for connection in self.server_state.connections)

    def _refuse_unanswered(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHttp):
                connection.end_unanswered()
        for task in list(self.server_state.tasks):
            task.cancel()
