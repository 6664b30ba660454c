"""The server of one process, which ends within a time limit even if its threads wait."""

import asyncio
import socket

import uvicorn

from chronotile.app.process_setup import END_S, GRACE_S, end_within, is_told_to_end, only_remember_signals
from chronotile.http.bounded_http import BoundedHttp

FIRST_TURNS, FIRST_TURN_S = 50, 0.01
"""How often, and at which interval, a stopping server checks whether each new connection has sent its request. Checks
are counted, not seconds: after a pause of the machine the requests are there."""


class GracefulServer(uvicorn.Server):
    """uvicorn's server, which answers 503 to what is not answered within `GRACE_S` once it is stopped.

    A process that it runs in ends within `END_S`, though threads wait for a source that hangs.
    """

    _is_process = False

    def run(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve in this process until it is stopped, and return, however it was stopped."""
        self._is_process = True
        only_remember_signals()  # an exception is lost where Python lets none out, and the signal with it
        super().run(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Stop also for a signal that came before uvicorn handled them."""
        return await super().on_tick(counter) or (self._is_process and is_told_to_end())

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish running requests and take no more."""
        if self._is_process:
            end_within(END_S, status=0)
        await self._hear_first_requests()
        refusing = asyncio.get_running_loop().call_later(GRACE_S, self._refuse_unanswered)
        try:
            await super().shutdown(sockets)
        finally:
            refusing.cancel()

    async def _hear_first_requests(self) -> None:
        """Accept connections that wait, and read what lies in new ones: uvicorn would reset or close them."""
        for _turn in range(FIRST_TURNS):
            await asyncio.sleep(FIRST_TURN_S)
            if self._has_heard_all():
                return

    def _has_heard_all(self) -> bool:
        return all(getattr(each, "cycle", None) is not None for each in self.server_state.connections)

    def _refuse_unanswered(self) -> None:
        for connection in list(self.server_state.connections):
            if isinstance(connection, BoundedHttp):
                connection.end_unanswered()
        for task in list(self.server_state.tasks):
            task.cancel()
