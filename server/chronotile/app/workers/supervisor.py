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

from chronotile.app.process_setup import END_S, ENDING, HANG_UP, block_hang_ups, unblock_signals
from chronotile.app.workers import loads as channel
from chronotile.app.workers.loads import Loads, loads_bytes
from chronotile.archive.finding_log import FindingLog
from chronotile.core.errors import ChronotileError
from chronotile.core.finding import Finding
from chronotile.protocols.site.ops.siblings import LOGGED_FINDINGS, folder_for_sockets
from chronotile.readers.caches.block_cache import shareable_memory
from chronotile.readers.caches.records import RecordsInFolder

log = logging.getLogger(__name__)

RETRY_S, LONGEST_RETRY_S = 1.0, 60.0
"""Time before a worker that could not start is started again: doubled after each failure, up to the second value."""

SUSPECT_BEATS, FROZEN_BEATS = 3, 20
"""After this many checks (one per beat) without a beat, a worker gets no more connections, or is replaced. Checks are
counted instead of seconds, because a pause of the machine stops the supervisor too."""
FIRST_BEATS = 120
"""Checks before a worker without any beat is replaced: many workers on few cores import slowly."""

SHORTAGE_S = 1.0
"""Pause of accepting after an error of the system."""

FULL_S = 0.02
"""Pause of accepting if no worker can take a connection."""

SILENT_S = 10
"""Time after which connections without data are accepted."""

KILL_S = END_S + 0.5
"""Time before an ending worker is killed; workers end earlier unless they are frozen."""


@dataclass(eq=False, slots=True)
class RunningWorker:
    """A worker process and its channel."""

    number: int
    process: subprocess.Popen[bytes]
    channel: socket.socket
    worker_end: socket.socket
    """The other end of the channel, from which connections are taken back if the worker ends."""
    is_ready: bool = False
    is_suspect: bool = False
    """Whether its beats stopped, so that it gets no new connections."""
    silent_beats: int = FROZEN_BEATS - FIRST_BEATS
    """Checks since the last beat. It starts below zero, which allows `FIRST_BEATS` checks before the first beat."""


class Supervisor:
    """Starts `count` workers, replaces ended ones, and hands each connection to the least busy worker.

    Args:
        listener: Listening socket; clients that connect before all workers are ready wait.
        count: The number of workers.
        spawn: Starts the process of a worker.
        block_bytes: Size of the memory in which all workers store decoded blocks.
        findings: Findings that are already printed; workers do not log them again.
        announce: Called once, when all workers are ready.
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
        self._running = set[RunningWorker]()
        self._turns = deque[RunningWorker]()
        """Workers that take connections; of equally busy ones the first gets the next."""
        self._waiting = deque[socket.socket]()
        """Accepted connections that no worker has yet."""
        self._folder = tempfile.TemporaryDirectory(prefix="chronotile-", dir=folder_for_sockets(tempfile.gettempdir()))
        """Folder of the sockets between workers."""
        FindingLog(RecordsInFolder(Path(self._folder.name) / LOGGED_FINDINGS)).skip(findings)
        blocks, loads = shareable_memory(block_bytes), shareable_memory(loads_bytes(count))
        self._shared = () if blocks is None or loads is None else (blocks, loads)
        """Descriptors of shared memory, which outlives the workers."""
        self._loads = None if loads is None else Loads(loads, count)
        self._failures = Counter[int]()
        """Consecutive failed starts by worker."""
        self._is_accepting = False
        self._is_stopping = False
        self._failed = False
        self._stop = asyncio.Event()
        self._all_gone = asyncio.Event()

    async def run(self) -> None:
        """Run until stopped.

        Raises:
            ChronotileError: No worker could start.
        """
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGINT, self._stop.set)
        loop.add_signal_handler(signal.SIGTERM, self._stop.set)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        loop.add_signal_handler(signal.SIGCHLD, self._check_ended)
        unblock_signals(HANG_UP | ENDING)
        self._listener.setblocking(False)
        _accept_with_requests(self._listener)
        for number in range(self._count):
            self._start(number)
        loop.call_later(channel.BEAT_S, self._check_silent)
        await self._stop.wait()
        await self._end()
        self._folder.cleanup()
        if self._failed:
            raise ChronotileError("no worker could start; see the log")

    def _start(self, number: int) -> None:
        """Start a worker as a new process, not as a fork, which breaks tensorstore."""
        if self._is_stopping:
            return
        ours, theirs = socket.socketpair()
        arguments = (str(theirs.fileno()), self._folder.name, str(number), str(self._count), *map(str, self._shared))
        if self._loads is not None:
            self._loads.reset(number)
        try:
            with block_hang_ups():  # a signal before the worker handles it must not end the worker
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
        worker = RunningWorker(number, process, ours, theirs)
        self._running.add(worker)
        asyncio.get_running_loop().add_reader(ours, self._hear, worker)

    def _hear(self, worker: RunningWorker) -> None:
        """Read a message of a worker."""
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

    def _check_silent(self) -> None:
        """Hand no connections to workers without beats, and kill workers that stay silent."""
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
        asyncio.get_running_loop().call_later(channel.BEAT_S, self._check_silent)

    def _give_turns(self, worker: RunningWorker) -> None:
        """Start handing connections to a worker; announce when all workers are ready."""
        self._turns.append(worker)
        if self._announce is not None and len(self._turns) == self._count:
            self._announce()
            self._announce = None
        self._hand_over()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):  # the client has closed the connection
            return
        except OSError as error:  # no descriptors or no memory; the next attempt would fail too
            log.warning("no connection can be accepted for %.0f s: %s", SHORTAGE_S, error)
            self._rest(SHORTAGE_S)
            return
        self._waiting.append(connection)
        self._hand_over()

    def _rest(self, seconds: float) -> None:
        """Pause accepting; new connections wait in the queue of the kernel."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._listener)
        self._is_accepting = False
        loop.call_later(seconds, self._hand_over)

    def _hand_over(self) -> None:
        """Hand accepted connections to workers, and accept more while workers take them."""
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
            with suppress(BlockingIOError, ConnectionError):  # the worker's channel is full, or the worker is ending
                socket.send_fds(worker.channel, [channel.CONNECTION], [connection.fileno()])
                self._turns.remove(worker)
                self._turns.append(worker)
                if self._loads is not None:
                    self._loads.hand(worker.number)
                return True
        return False

    def _load(self, worker: RunningWorker) -> int:
        return 0 if self._loads is None else self._loads.load_of(worker.number)

    def _check_ended(self) -> None:
        for worker in [running for running in self._running if running.process.poll() is not None]:
            self._lose(worker)

    def _dismiss(self, worker: RunningWorker) -> None:
        """Hand no more connections to a worker, and take back the ones that it has not taken."""
        if worker in self._turns:
            self._turns.remove(worker)
        untaken = list(_untaken(worker))
        if self._loads is not None:
            self._loads.take_back(worker.number, len(untaken))
        self._waiting.extendleft(reversed(untaken))
        self._hand_over()

    def _lose(self, worker: RunningWorker) -> None:
        asyncio.get_running_loop().remove_reader(worker.channel)
        self._dismiss(worker)
        worker.channel.close()
        worker.worker_end.close()
        status = worker.process.returncode
        self._running.discard(worker)
        if self._is_stopping:
            if not self._running:
                self._all_gone.set()
            return
        if worker.is_ready:
            log.warning("worker %d exited with %d; starting another", worker.number, status)
            self._restart(worker.number)
        elif status < 0 or (self._announce is None and self._running):  # killed, or other workers serve
            self._failures[worker.number] += 1
            wait_s = min(RETRY_S * 2 ** (self._failures[worker.number] - 1), LONGEST_RETRY_S)
            log.warning("worker %d exited with %d at start; trying again in %g s", worker.number, status, wait_s)
            asyncio.get_running_loop().call_later(wait_s, self._restart, worker.number)
        else:
            self._failed = True
            self._stop.set()

    def _restart(self, number: int) -> None:
        try:
            self._start(number)
        except OSError as error:  # no descriptors or no memory
            log.warning("worker %d could not be started; trying again in %.0f s: %s", number, RETRY_S, error)
            asyncio.get_running_loop().call_later(RETRY_S, self._restart, number)

    def _hang_up(self) -> None:
        for worker in self._running:
            worker.process.send_signal(signal.SIGHUP)

    async def _end(self) -> None:
        """Stop the workers, and kill them after `KILL_S`."""
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
    # Accept connections only when they send data, so that the worker that is least busy then gets them. Browsers and
    # load balancers open connections in advance.
    if sys.platform == "linux" and listener.family != socket.AF_UNIX:
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, SILENT_S)


def _untaken(worker: RunningWorker) -> Iterator[socket.socket]:
    """Yield the connections in the channel of a worker that takes no more."""
    with suppress(BlockingIOError):
        while True:
            _, descriptors, _, _ = socket.recv_fds(worker.worker_end, 1, 1)
            yield from (socket.socket(fileno=descriptor) for descriptor in descriptors)
