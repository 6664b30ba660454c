"""A worker: a process that answers requests of connections that its supervisor hands over."""

import asyncio
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from chronotile.app import create_app_from_environment
from chronotile.app.process_setup import (
    end_well_when_stopped,
    exit_on_signal,
    run_process,
    server_options,
    share_one_heap,
)
from chronotile.app.workers.loads import BEAT, BEAT_S, ENDING, READY, CountedTasks, Loads
from chronotile.app.workers.server import GracefulServer
from chronotile.core.errors import ConfigurationError
from chronotile.protocols.site.ops.siblings import Siblings

log = logging.getLogger(__name__)

TICKS_PER_S = 10
"""Calls of `on_tick` by uvicorn."""

MAX_TAKEN = 64
"""Connections that are taken in one turn of the event loop."""


class Worker(GracefulServer):
    """A server without a listening socket: it receives connections over a channel."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket, number: int, loads: Loads | None) -> None:
        super().__init__(config)
        self._channel = channel
        self._number = number
        self._loads = loads
        if loads is not None:
            self.server_state.tasks = CountedTasks(loads, number)
        self._opening = set[asyncio.Task[object]]()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 -- no listening sockets
        """Start the server and report to the supervisor."""
        await super().startup(sockets=[])
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._take)
        self._channel.send(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish running requests and take no more connections."""
        asyncio.get_running_loop().remove_reader(self._channel)
        with suppress(ConnectionError):  # the supervisor may have ended
            self._channel.send(ENDING)
        await super().shutdown(sockets=sockets)

    async def on_tick(self, counter: int) -> bool:
        """Send a beat to the supervisor: the event loop runs."""
        if counter % round(BEAT_S * TICKS_PER_S) == 0:
            _beat(self._channel)
        return await super().on_tick(counter)

    def _has_read_all(self) -> bool:
        return not self._opening and super()._has_read_all()

    def _take(self) -> None:
        """Take several waiting connections: with one per turn of a busy event loop, others would wait for seconds."""
        for _ in range(MAX_TAKEN):
            if not self._take_next():
                return

    def _take_next(self) -> bool:
        """Take the next connection; return whether there may be more. Without a supervisor, stop the server."""
        try:
            message, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return False
        except ConnectionError:
            message, descriptors = b"", []
        if not message:
            asyncio.get_running_loop().remove_reader(self._channel)
            self.should_exit = True
            return False
        if self._loads is not None:
            self._loads.take(self._number)
        for descriptor in descriptors:  # empty if the limit of open files is reached
            opening = asyncio.create_task(self._open(socket.socket(fileno=descriptor)))
            self._opening.add(opening)
            opening.add_done_callback(self._opening.discard)
        return True

    async def _open(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await asyncio.get_running_loop().connect_accepted_socket(self._protocol, connection)
        except OSError as error:
            log.debug("a client disconnected at once: %s", error)
            connection.close()

    def _protocol(self) -> asyncio.Protocol:
        protocol: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # a class of uvicorn
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return protocol


def _beat(channel: socket.socket) -> None:
    with suppress(BlockingIOError, ConnectionError):
        channel.send(BEAT)


@contextmanager
def send_beats(channel: socket.socket) -> Iterator[None]:
    """Send beats to the supervisor from a thread, while no event loop runs."""
    is_over = threading.Event()

    def beat() -> None:
        while not is_over.wait(BEAT_S):
            _beat(channel)

    thread = threading.Thread(target=beat, name="beat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def main() -> None:
    """Run a worker with the settings of the `CHRONOTILE_*` variables.

    Arguments: descriptor of the channel, folder of the workers, number of this worker, number of workers, and, if
    memory is shared, descriptors of the memory for blocks and for loads.
    """
    end_well_when_stopped()
    share_one_heap()  # before the thread of the beats starts
    run_process(_serve)


def _serve() -> None:
    _, descriptor, folder, number, count, *shared = sys.argv
    siblings = Siblings(Path(folder), int(number))
    blocks, loads = (int(shared[0]), Loads(int(shared[1]), int(count))) if shared else (None, None)
    with socket.socket(fileno=int(descriptor)) as channel:
        try:
            with send_beats(channel):
                application = create_app_from_environment(siblings=siblings, memory=blocks)
        except ConfigurationError as error:
            log.error("%s", "; ".join(error.mistakes))  # noqa: TRY400 -- the mistakes are enough
            sys.exit(1)
        exit_on_signal()
        Worker(uvicorn.Config(application, **server_options()), channel, int(number), loads).run()


if __name__ == "__main__":
    main()
