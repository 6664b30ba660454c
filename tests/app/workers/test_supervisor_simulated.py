"""The supervisor with workers that are no processes, on an event loop whose clock jumps to the next timer."""

import asyncio
import errno
import os
import selectors
import signal
import socket
from contextlib import suppress

import pytest

from chronotile.app.workers import loads
from chronotile.app.workers.supervisor import FROZEN_BEATS, KILL_S, RETRY_S, SHORTAGE_S, SUSPECT_BEATS, Supervisor
from chronotile.core.errors import ChronotileError


class JumpingSelector(selectors.DefaultSelector):
    """Never waits: if nothing is ready, it advances the clock."""

    now_s = 0.0

    def select(self, timeout=None):
        ready = super().select(0)
        if not ready and timeout:
            self.now_s += timeout
        return ready


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop on the clock of its selector."""

    def __init__(self):
        self._clock = JumpingSelector()
        super().__init__(self._clock)

    def time(self):
        return self._clock.now_s


class Worker:
    """A worker as its supervisor sees one."""

    def __init__(self, arguments, *, pass_fds):
        self.number = int(arguments[6])
        self.channel = socket.socket(fileno=os.dup(pass_fds[0]))
        self.channel.setblocking(False)
        self.began_s = asyncio.get_running_loop().time()
        self.returncode = None
        self.is_frozen = self.hangs_at_its_end = False
        self.taken = 0

    async def live(self):
        """Be ready, and send beats until the end."""
        word = loads.READY
        while self.returncode is None:
            if not self.is_frozen:
                self.channel.send(word)
                self.take()
                word = loads.BEAT
            await asyncio.sleep(loads.BEAT_S / 4)

    def take(self):
        """Take the connections that were handed over."""
        with suppress(BlockingIOError):
            while True:
                _, descriptors, _, _ = socket.recv_fds(self.channel, 1, 1)
                for each in descriptors:
                    os.close(each)
                    self.taken += 1

    def poll(self):
        return self.returncode

    def terminate(self):
        if not self.hangs_at_its_end:
            self.end(0)

    def kill(self):
        self.end(-signal.SIGKILL)

    def end(self, status):
        if self.returncode is None:
            self.returncode = status
            self.channel.close()
            signal.raise_signal(signal.SIGCHLD)


class Listener(socket.socket):
    """A listener whose accept fails for want of descriptors while `is_short` is set."""

    is_short = False

    def accept(self):
        if self.is_short:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().accept()


class Site:
    """Two workers and their recorded orders."""

    def __init__(self, address):
        self.address = address
        self.listener = Listener(socket.AF_UNIX)
        self.listener.bind(address)
        self.listener.listen()
        self.workers = []
        self.statuses_at_start = []
        """Exit statuses of the next workers, at their start; later ones start well."""
        self.refusals = 0
        """How many processes cannot be started."""
        self.is_announced = False
        self.clients = []

    def spawn(self, arguments, **given):
        if self.refusals:
            self.refusals -= 1
            raise OSError(errno.EMFILE, "Too many open files")
        worker = Worker(arguments, **given)
        self.workers.append(worker)
        loop = asyncio.get_running_loop()
        if self.statuses_at_start:
            loop.call_soon(worker.end, self.statuses_at_start.pop(0))
        else:
            worker.life = loop.create_task(worker.live())
        return worker

    def announce(self):
        self.is_announced = True

    async def connect(self, count):
        """Connect a number of clients, and let the workers accept them."""
        for _ in range(count):
            client = socket.socket(socket.AF_UNIX)
            client.connect(self.address)
            self.clients.append(client)
            await asyncio.sleep(0.01)
        await asyncio.sleep(loads.BEAT_S / 2)

    def run(self, scenario, *, count=2):
        """Run the supervisor during the scenario, and stop it."""

        async def both():
            supervisor = Supervisor(
                self.listener, count=count, block_bytes=4096, findings=[], announce=self.announce, spawn=self.spawn
            )
            running = asyncio.create_task(supervisor.run())
            await asyncio.sleep(loads.BEAT_S / 2)
            await scenario()
            signal.raise_signal(signal.SIGTERM)
            await running

        with asyncio.Runner(loop_factory=SimulatedLoop) as runner:
            runner.run(both())


@pytest.fixture
def site(tmp_path):
    site = Site(str(tmp_path / "listener"))
    yield site
    for each in [site.listener, *site.clients]:
        each.close()


def test_connections_are_shared_out(site):
    async def scenario():
        await site.connect(6)

        assert site.is_announced
        assert [each.taken for each in site.workers] == [3, 3]

    site.run(scenario)


def test_a_worker_that_stays_silent_gets_no_connections_and_is_replaced(site):
    async def scenario():
        frozen, other = site.workers
        frozen.is_frozen = True
        await asyncio.sleep((SUSPECT_BEATS + 1) * loads.BEAT_S)
        await site.connect(4)
        assert (other.taken, frozen.returncode) == (4, None)

        await asyncio.sleep(FROZEN_BEATS * loads.BEAT_S)

        assert frozen.returncode == -signal.SIGKILL
        assert [each.number for each in site.workers] == [0, 1, frozen.number]
        assert other.returncode is None
        await site.connect(2)
        assert site.workers[-1].taken > 0

    site.run(scenario)


def test_briefly_silent_worker_continues(site):
    async def scenario():
        frozen, other = site.workers
        frozen.is_frozen = True
        await asyncio.sleep((SUSPECT_BEATS + 1) * loads.BEAT_S)
        await site.connect(2)
        assert (frozen.taken, other.taken) == (0, 2)
        frozen.is_frozen = False
        await asyncio.sleep(loads.BEAT_S)

        await site.connect(2)

        assert frozen.taken > 0
        assert len(site.workers) == 2

    site.run(scenario)


def test_connections_not_accepted_by_a_worker_go_to_another(site):
    async def scenario():
        victim, other = site.workers
        victim.is_frozen = True
        await site.connect(4)
        assert (victim.taken, other.taken) == (0, 2)

        victim.kill()
        await asyncio.sleep(loads.BEAT_S)

        assert sum(each.taken for each in site.workers) == 4

    site.run(scenario)


def test_a_worker_that_takes_no_more_is_handed_nothing_and_killed_if_it_does_not_end(site):
    async def scenario():
        ending, other = site.workers
        ending.is_frozen = True
        ending.channel.send(loads.ENDING)
        await site.connect(4)
        assert (ending.taken, other.taken) == (0, 4)

        await asyncio.sleep(KILL_S)

        assert ending.returncode == -signal.SIGKILL
        assert [each.number for each in site.workers] == [0, 1, ending.number]

    site.run(scenario)


def test_a_worker_that_is_killed_as_it_starts_is_tried_again_after_longer_and_longer_waits(site):
    site.statuses_at_start = [-signal.SIGKILL] * 4

    async def scenario():
        assert not site.is_announced
        await asyncio.sleep(20 * RETRY_S)

        assert site.is_announced
        waits = [1, 2, 4]
        assert [each.began_s for each in site.workers] == pytest.approx(
            [0, *(sum(waits[:n]) for n in (1, 2, 3)), 7 + 8]
        )

    site.run(scenario, count=1)


def test_without_a_worker_that_starts_the_server_ends(site):
    site.statuses_at_start = [1]

    async def scenario():
        await asyncio.sleep(RETRY_S)

    with pytest.raises(ChronotileError, match="no worker could start"):
        site.run(scenario, count=1)


def test_worker_without_a_process_is_started_again(site):
    async def scenario():
        site.refusals = 2
        site.workers[0].kill()
        await asyncio.sleep(RETRY_S)
        assert len(site.workers) == 2
        await asyncio.sleep(2 * RETRY_S)

        assert [each.number for each in site.workers] == [0, 1, 0]

    site.run(scenario)


def test_connections_wait_while_the_system_refuses_to_accept_them(site):
    async def scenario():
        site.listener.is_short = True
        await site.connect(2)
        assert sum(each.taken for each in site.workers) == 0
        site.listener.is_short = False

        await asyncio.sleep(2 * SHORTAGE_S)

        assert sum(each.taken for each in site.workers) == 2

    site.run(scenario)


def test_workers_that_do_not_end_on_request_are_killed(site):
    async def scenario():
        for each in site.workers:
            each.hangs_at_its_end = True

    site.run(scenario)

    assert [each.returncode for each in site.workers] == [-signal.SIGKILL] * 2
