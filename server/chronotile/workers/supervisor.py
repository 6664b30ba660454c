"""The process that accepts connections and hands them to its workers in turn (docs/design/workers.md)."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from chronotile.errors import ChronotileError
from chronotile.process import GRACE_S, hang_ups_held, take_hang_ups
from chronotile.workers.channel import CONNECTION, READY, TAKEN

log = logging.getLogger(__name__)

RETRY_S = 5.0
"""After which a worker that could not start is tried again, while others serve."""

SHORTAGE_S = 1.0
"""How long nothing is accepted after the system refused to."""

ENDING_S = 5.0
"""How long a worker may take to end beside the requests it answers."""


@dataclass(eq=False, slots=True)
class Running:
    """A worker as its supervisor sees it."""

    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    is_ready: bool = False
    untaken: deque[socket.socket] = field(default_factory=deque)
    """Connections handed over that it did not say it has: if it ends before, another gets them."""


class Supervisor:
    """Keeps `count` workers serving.

    Args:
        listener: Listens; who connects before all workers are ready waits.
        count: How many workers there are to be.
        environment: The variables from which a worker knows what to serve.
        announce: Called once, when whoever connects is answered.
    """

    def __init__(
        self, listener: socket.socket, *, count: int, environment: Mapping[str, str], announce: Callable[[], None]
    ) -> None:
        self._listener = listener
        self._count = count
        self._environment = dict(environment)
        self._announce: Callable[[], None] | None = announce
        self._running = set[Running]()
        self._turns = deque[Running]()
        """Workers that are ready, the one whose turn it is first."""
        self._waiting = deque[socket.socket]()
        """Connections for the next worker that is ready."""
        self._folder = tempfile.TemporaryDirectory(prefix="chronotile-")
        """Where workers find one another."""
        self._is_stopping = False
        self._failed = False
        self._stop = asyncio.Event()
        self._all_gone = asyncio.Event()

    async def run(self) -> None:
        """Serve until stopped.

        Raises:
            ChronotileError: None could start.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        take_hang_ups()
        self._listener.setblocking(False)
        for number in range(self._count):
            self._start(number)
        await self._stop.wait()
        await self._end()
        self._folder.cleanup()
        if self._failed:
            raise ChronotileError("no worker could start; the log says why")

    def _start(self, number: int) -> None:
        """Start a process anew, never by fork, which tensorstore does not survive."""
        if self._is_stopping:
            return
        ours, theirs = socket.socketpair()
        arguments = (str(theirs.fileno()), self._folder.name, str(number))
        with theirs, hang_ups_held():  # one that comes before the worker can take it waits for it
            process = subprocess.Popen(  # noqa: S603 -- nothing of it comes from outside
                [sys.executable, "-P", "-m", "chronotile.workers.worker", *arguments],
                pass_fds=[theirs.fileno()],
                env=os.environ | self._environment,
            )
        ours.setblocking(False)
        worker = Running(number, process, ours)
        self._running.add(worker)
        asyncio.get_running_loop().add_reader(ours, self._hear, worker)

    def _hear(self, worker: Running) -> None:
        """Hear that a worker is ready, or has taken a connection; the end of its channel is its own."""
        try:
            said = worker.channel.recv(1)
        except ConnectionError:
            said = b""
        if said == READY:
            self._welcome(worker)
        elif said == TAKEN:
            worker.untaken.popleft().close()
            self._hand_over()
        else:
            self._lose(worker)

    def _welcome(self, worker: Running) -> None:
        worker.is_ready = True
        self._turns.append(worker)
        if self._announce is not None and len(self._turns) == self._count:
            self._announce()
            self._announce = None
        self._hand_over()

    def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # it left again
            return
        except OSError as error:  # no descriptor, or no memory, is left; the next try would end alike
            log.warning("no connection can be accepted for %.0f s: %s", SHORTAGE_S, error)
            loop.remove_reader(self._listener)
            loop.call_later(SHORTAGE_S, self._hand_over)
            return
        self._waiting.append(connection)
        self._hand_over()

    def _hand_over(self) -> None:
        """Hand what waits to workers in turn; while none has room for it, who connects waits in the kernel's queue."""
        if self._announce is not None or self._is_stopping:
            return
        while self._waiting and self._is_handed_over(self._waiting[0]):
            self._waiting.popleft()
        loop = asyncio.get_running_loop()
        if self._waiting or not self._turns:
            loop.remove_reader(self._listener)
        else:
            loop.add_reader(self._listener, self._accept)

    def _is_handed_over(self, connection: socket.socket) -> bool:
        for _ in range(len(self._turns)):
            worker = self._turns[0]
            self._turns.rotate(-1)
            with suppress(BlockingIOError, ConnectionError):  # full, or ending
                socket.send_fds(worker.channel, [CONNECTION], [connection.fileno()])
                worker.untaken.append(connection)
                return True
        return False

    def _lose(self, worker: Running) -> None:
        loop = asyncio.get_running_loop()
        loop.remove_reader(worker.channel)
        worker.channel.close()
        status = _ended(worker.process)
        self._running.discard(worker)
        if worker.is_ready:
            self._turns.remove(worker)
        if self._is_stopping:
            if not self._running:
                self._all_gone.set()
            return
        self._waiting.extendleft(reversed(worker.untaken))
        self._hand_over()
        if worker.is_ready:
            log.warning("worker %d ended with %d; another takes its place", worker.number, status)
            self._start_anew(worker.number)
        elif self._announce is None and self._running:
            log.warning("worker %d could not start; it is tried again in %.0f s", worker.number, RETRY_S)
            loop.call_later(RETRY_S, self._start_anew, worker.number)
        else:
            self._failed = True
            self._stop.set()

    def _start_anew(self, number: int) -> None:
        try:
            self._start(number)
        except OSError as error:  # no descriptor, or no memory, is left
            log.warning("worker %d could not be started and is tried again in %.0f s: %s", number, RETRY_S, error)
            asyncio.get_running_loop().call_later(RETRY_S, self._start_anew, number)

    def _hang_up(self) -> None:
        for worker in self._running:
            worker.process.send_signal(signal.SIGHUP)

    async def _end(self) -> None:
        """Let the workers end what they answer, and end them if they do not."""
        self._is_stopping = True
        asyncio.get_running_loop().remove_reader(self._listener)
        self._listener.close()
        if not self._running:
            return
        for worker in self._running:
            worker.process.terminate()
        try:
            await asyncio.wait_for(self._all_gone.wait(), GRACE_S + ENDING_S)
        except TimeoutError:
            for worker in self._running:
                worker.process.kill()


def _ended(process: subprocess.Popen[bytes]) -> int:
    """The status of a process whose channel is closed, so that it is of no more use."""
    try:
        return process.wait(ENDING_S)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()
