"""One worker: a process that answers on the connections that its supervisor hands to it."""

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
"""How often uvicorn calls `on_tick`."""

MOST_TAKEN = 64
"""Connections that are accepted in one turn of the event loop, before requests are handled."""


class Worker(GracefulServer):
    """A server that listens nowhere: connections come over a channel."""

    def __init__(self, config: uvicorn.Config, channel: socket.socket, number: int, loads: Loads | None) -> None:
        super().__init__(config)
        self._channel = channel
        self._number = number
        self._loads = loads
        if loads is not None:
            self.server_state.tasks = CountedTasks(loads, number)
        self._opening = set[asyncio.Task[object]]()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 -- it has none
        """Start to answer, and report it."""
        await super().startup(sockets=[])
        self._channel.setblocking(False)
        asyncio.get_running_loop().add_reader(self._channel, self._take)
        self._channel.send(READY)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End what is being answered, and take no more."""
        asyncio.get_running_loop().remove_reader(self._channel)
        with suppress(ConnectionError):  # there may be no supervisor any more
            self._channel.send(ENDING)
        await super().shutdown(sockets=sockets)

    async def on_tick(self, counter: int) -> bool:
        """Send the supervisor a beat: the event loop runs."""
        if counter % round(BEAT_S * TICKS_PER_S) == 0:
            _beat(self._channel)
        return await super().on_tick(counter)

    def _has_heard_all(self) -> bool:
        return not self._opening and super()._has_heard_all()

    def _take(self) -> None:
        """Open connections that wait, several at once: one in each turn of a busy event loop would wait for seconds."""
        for _ in range(MOST_TAKEN):
            if not self._take_next():
                return

    def _take_next(self) -> bool:
        """Open the next connection; without a supervisor there will be none, nor anybody who would stop this.

        Returns:
            Whether there may be another.
        """
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
        for descriptor in descriptors:  # none, where this process may have no more
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
        made: asyncio.Protocol = self.config.http_protocol_class(  # type: ignore[call-arg]  # one of uvicorn's
            config=self.config, server_state=self.server_state, app_state=self.lifespan.state
        )
        return made


def _beat(channel: socket.socket) -> None:
    with suppress(BlockingIOError, ConnectionError):
        channel.send(BEAT)


@contextmanager
def beating(channel: socket.socket) -> Iterator[None]:
    """Send the supervisor beats from a thread, as no event loop runs in the block yet."""
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
    """Serve what `CHRONOTILE_*` variables say.

    Arguments: the channel, the workers' folder, the number of this one and of all, and what they share if they share
    any: the memory of blocks and that of loads.
    """
    end_well_when_stopped()
    share_one_heap()  # before the thread of the beats begins
    run_process(_serve)


def _serve() -> None:
    _, descriptor, folder, number, count, *shared = sys.argv
    siblings = Siblings(Path(folder), int(number))
    blocks, loads = (int(shared[0]), Loads(int(shared[1]), int(count))) if shared else (None, None)
    with socket.socket(fileno=int(descriptor)) as channel:
        try:
            with beating(channel):
                application = create_app_from_environment(siblings=siblings, memory=blocks)
        except ConfigurationError as error:
            log.error("%s", "; ".join(error.mistakes))  # noqa: TRY400 -- the mistakes say it all
            sys.exit(1)
        exit_on_signal()
        Worker(uvicorn.Config(application, **server_options()), channel, int(number), loads).run()


if __name__ == "__main__":
    main()
