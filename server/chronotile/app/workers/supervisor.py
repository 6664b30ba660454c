"""The process that accepts connections and hands them to the least busy of its workers (docs/design/workers.md)."""

import asyncio
import logging
import signal
import socket
import subprocess
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chronotile.app.process_setup import END_S, ENDING, HANG_UP, take_signals, without_hang_ups
from chronotile.app.workers import loads as channel
from chronotile.app.workers.loads import Loads, loads_bytes
from chronotile.archive.finding_log import FindingLog
from chronotile.core.errors import ChronotileError
from chronotile.core.finding import Finding
from chronotile.protocols.site.ops.siblings import LOGGED_FINDINGS, folder_for_sockets
from chronotile.readers.caches.block_cache import shareable_memory
from chronotile.readers.caches.disk import RecordsInFolder

log = logging.getLogger(__name__)

RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
"""After which a worker that could not start is tried again: twice as long after each time, and at most."""

SUSPECT_BEATS, FROZEN_BEATS = 3, 20
"""After this many checks (one per beat) without a beat, a worker is handed no more connections, and is replaced. Checks
are counted, not seconds: a pause of the machine stops the supervisor too."""
FIRST_BEATS = 120
"""Checks after which a worker that never sent a beat is replaced: many workers on few cores import slowly."""

SHORTAGE_S = 1.0
"""How long nothing is accepted after the system refused to."""

FULL_S = 0.02
"""How long nothing is accepted after no worker had room for a connection, or none was there."""

SILENT_S = 10
"""Time after which a connection that has sent no data is passed on nevertheless."""

KILL_S = END_S + 0.5
"""How long a worker may take to end before it is killed; one that is not frozen ends earlier by itself."""


@dataclass(eq=False, slots=True)
class Running:
    """A worker as its supervisor sees it."""

    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    its_end: socket.socket
    """Of the channel: if it ends, connections that it had not taken are found here, and another gets them."""
    is_ready: bool = False
    is_suspect: bool = False
    """Whether its beats stopped, so that other workers get new connections."""
    silent_beats: int = FROZEN_BEATS - FIRST_BEATS
    """Checks since its last beat; before the first beat it starts below zero, which allows `FIRST_BEATS` checks."""


class Supervisor:
    """Keeps `count` workers serving.

    Args:
        listener: Listens; who connects before all workers are ready waits.
        count: How many workers there are to be.
        spawn: Starts the process of a worker, which knows from its environment what to serve.
        block_bytes: Of the memory in which all workers keep decoded blocks.
        findings: What was found of the archive and is printed; workers log what they find besides.
        announce: Called once, when connections are answered.
    """

    def __init__(
        self,
        listener: socket.socket,
        *,
        count: int,
        spawn: Callable[..., subprocess.Popen[Any]],
        block_bytes: int,
        findings: Sequence[Finding],
        announce: Callable[[], None],
    ) -> None:
        self._listener = listener
        self._count = count
        self._spawn = spawn
        self._announce: Callable[[], None] | None = announce
        self._running = set[Running]()
        self._turns = deque[Running]()
        """Workers that are ready; of those that are as busy the first has its turn."""
        self._waiting = deque[socket.socket]()
        """Connections for the next worker that is ready."""
        self._folder = tempfile.TemporaryDirectory(prefix="chronotile-", dir=folder_for_sockets(tempfile.gettempdir()))
        """Where workers find one another."""
        FindingLog(RecordsInFolder(Path(self._folder.name) / LOGGED_FINDINGS)).skip(findings)
        blocks, loads = shareable_memory(block_bytes), shareable_memory(loads_bytes(count))
        self._shared = () if blocks is None or loads is None else (blocks, loads)
        """Descriptors of the memory, which outlives the workers."""
        self._loads = None if loads is None else Loads(loads, count)
        self._failures = Counter[int]()
        """How often each worker could not start since it last could."""
        self._is_accepting = False
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
        loop.add_signal_handler(signal.SIGCHLD, self._look_who_ended)
        take_signals(HANG_UP | ENDING)
        self._listener.setblocking(False)
        _accept_with_requests(self._listener)
        for number in range(self._count):
            self._start(number)
        loop.call_later(channel.BEAT_S, self._look_who_is_silent)
        await self._stop.wait()
        await self._end()
        self._folder.cleanup()
        if self._failed:
            raise ChronotileError("no worker could start; see the log")

    def _start(self, number: int) -> None:
        """Start a fresh process, never by fork, which tensorstore does not survive."""
        if self._is_stopping:
            return
        ours, theirs = socket.socketpair()
        arguments = (str(theirs.fileno()), self._folder.name, str(number), str(self._count), *map(str, self._shared))
        if self._loads is not None:
            self._loads.begin(number)
        try:
            with without_hang_ups():  # one that comes before the worker can take it waits for it
                process = self._spawn(
                    [sys.executable, "-P", "-m", "chronotile.app.workers.worker", *arguments],
                    pass_fds=[theirs.fileno(), *self._shared],
                )
        except OSError:
            ours.close()
            theirs.close()
            raise
        ours.setblocking(False)
        theirs.setblocking(False)
        worker = Running(number, process, ours, theirs)
        self._running.add(worker)
        asyncio.get_running_loop().add_reader(ours, self._hear, worker)

    def _hear(self, worker: Running) -> None:
        """Receive from a worker that it is ready, alive, or takes no more."""
        worker.silent_beats = 0
        if worker.is_suspect:
            worker.is_suspect = False
            log.info("worker %d responds again", worker.number)
            self._give_turns(worker)
        match worker.channel.recv(1):
            case channel.READY:
                worker.is_ready = True
                del self._failures[worker.number]
                self._give_turns(worker)
            case channel.ENDING:
                self._dismiss(worker)
                asyncio.get_running_loop().call_later(KILL_S, worker.process.kill)

    def _look_who_is_silent(self) -> None:
        """Hand no connections to workers whose beats stopped, and replace those that stay silent."""
        for worker in self._running:
            worker.silent_beats += 1
            if worker.silent_beats == FROZEN_BEATS:
                log.warning("worker %d does not respond and is killed", worker.number)
                worker.process.kill()
            elif worker.silent_beats >= SUSPECT_BEATS and worker in self._turns:
                worker.is_suspect = True
                silence_s = SUSPECT_BEATS * channel.BEAT_S
                log.info("worker %d has not responded for %d s; it gets no new connections", worker.number, silence_s)
                self._dismiss(worker)
        asyncio.get_running_loop().call_later(channel.BEAT_S, self._look_who_is_silent)

    def _give_turns(self, worker: Running) -> None:
        """Hand connections to a worker from now on, and begin to serve once all have turns."""
        self._turns.append(worker)
        if self._announce is not None and len(self._turns) == self._count:
            self._announce()
            self._announce = None
        self._hand_over()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # it left again
            return
        except OSError as error:  # no descriptor, or no memory, is left; the next try would end alike
            log.warning("no connection can be accepted for %.0f s: %s", SHORTAGE_S, error)
            self._rest(SHORTAGE_S)
            return
        self._waiting.append(connection)
        self._hand_over()

    def _rest(self, seconds: float) -> None:
        """Accept nothing for a while, in which who connects waits in the kernel's queue."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        self._is_accepting = False
        loop.call_later(seconds, self._hand_over)

    def _hand_over(self) -> None:
        """Hand what waits to workers, and accept more as long as they take it."""
        if self._announce is not None or self._is_stopping:
            return
        while self._waiting and self._is_handed_over(self._waiting[0]):
            self._waiting.popleft().close()
        if self._waiting or not self._turns:
            self._rest(FULL_S)
        elif not self._is_accepting:
            asyncio.get_running_loop().add_reader(self._listener, self._accept)
            self._is_accepting = True

    def _is_handed_over(self, connection: socket.socket) -> bool:
        for worker in sorted(self._turns, key=self._load):
            with suppress(BlockingIOError, ConnectionError):  # full, or ending
                socket.send_fds(worker.channel, [channel.CONNECTION], [connection.fileno()])
                self._turns.remove(worker)
                self._turns.append(worker)
                if self._loads is not None:
                    self._loads.hand(worker.number)
                return True
        return False

    def _load(self, worker: Running) -> int:
        return 0 if self._loads is None else self._loads.of(worker.number)

    def _look_who_ended(self) -> None:
        for worker in [each for each in self._running if each.process.poll() is not None]:
            self._lose(worker)

    def _dismiss(self, worker: Running) -> None:
        """Hand nothing more to a worker, and what it has not taken to others."""
        if worker in self._turns:
            self._turns.remove(worker)
        untaken = list(_untaken(worker))
        if self._loads is not None:
            self._loads.take_back(worker.number, len(untaken))
        self._waiting.extendleft(reversed(untaken))
        self._hand_over()

    def _lose(self, worker: Running) -> None:
        asyncio.get_running_loop().remove_reader(worker.channel)
        self._dismiss(worker)
        worker.channel.close()
        worker.its_end.close()
        status = worker.process.returncode
        self._running.discard(worker)
        if self._is_stopping:
            if not self._running:
                self._all_gone.set()
            return
        if worker.is_ready:
            log.warning("worker %d exited with %d; starting another", worker.number, status)
            self._start_anew(worker.number)
        elif status < 0 or (self._announce is None and self._running):  # killed, or others serve
            self._failures[worker.number] += 1
            wait_s = min(RETRY_S * 2 ** (self._failures[worker.number] - 1), LONGEST_RETRY_S)
            log.warning("worker %d exited with %d at start; trying again in %g s", worker.number, status, wait_s)
            asyncio.get_running_loop().call_later(wait_s, self._start_anew, worker.number)
        else:
            self._failed = True
            self._stop.set()

    def _start_anew(self, number: int) -> None:
        try:
            self._start(number)
        except OSError as error:  # no descriptor, or no memory, is left
            log.warning("worker %d could not be started; trying again in %.0f s: %s", number, RETRY_S, error)
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
            await asyncio.wait_for(self._all_gone.wait(), KILL_S)
        except TimeoutError:
            for worker in self._running:
                worker.process.kill()


def _accept_with_requests(listener: socket.socket) -> None:
    # Let the system keep connections back until they request something: who is the least busy then gets them.
    # Browsers and load balancers open some in advance, and who was free at that time may be busy when they are used.
    if sys.platform == "linux" and listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_S)


def _untaken(worker: Running) -> Iterator[socket.socket]:
    """The connections handed to a worker that takes no more."""
    with suppress(BlockingIOError):
        while True:
            _, descriptors, _, _ = socket.recv_fds(worker.its_end, 1, 1)
            yield from (socket.socket(fileno=descriptor) for descriptor in descriptors)
