"""Simulated Dask scheduler, workers and clients, with the documented behaviour of `distributed` that we use.

Functions and results pass through pickles; a task that raises is retried; if its worker dies during its processing, it
goes to another worker until more than `allowed_failures` died of it; a result that is lost with its worker is computed
again; a client that lost its scheduler cancels its futures and connects again. A worker processes one task at a time,
by priority, and its nanny starts it again.
"""

import asyncio
import itertools
import pickle
import selectors
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from types import SimpleNamespace

from distributed import KilledWorker
from distributed.client import FutureCancelledError

from chronotile.jobs.queue.faults import ClusterLost
from chronotile.jobs.runner.connection import Connection

START_S = 2.0
"""How long a worker takes to start."""


class _Selector(selectors.DefaultSelector):
    """Passes the turn on instead of waiting."""

    def __init__(self, simulation):
        super().__init__()
        self.simulation = simulation
        self.woken = threading.Event()

    def select(self, timeout=None):
        if timeout != 0:
            self.simulation.wait(self.woken, 1e9 if timeout is None else timeout)
        self.woken.clear()
        return super().select(0)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop in a thread of a simulation."""

    def __init__(self, simulation):
        self._simulation = simulation
        self._turns = _Selector(simulation)
        super().__init__(self._turns)

    def time(self):
        return self._simulation.now_s

    def call_soon_threadsafe(self, callback, *arguments, context=None):
        handle = super().call_soon_threadsafe(callback, *arguments, context=context)
        self._turns.woken.set()
        return handle


@dataclass(eq=False)
class Task:
    """A task as its scheduler has it."""

    key: str
    call: bytes
    retries: int
    rank: tuple[int, int]
    client: object
    status: str = "pending"
    deaths: int = 0
    answer: bytes = b""
    error: BaseException | None = None
    worker: object = None
    """That processes it or has its result."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    def end(self, status, *, answer=b"", error=None):
        self.status, self.answer, self.error = status, answer, error
        self.changed.set()


@dataclass(eq=False)
class Worker:
    """A worker process with one thread."""

    life: asyncio.Task | None = None
    is_frozen: bool = False

    def end(self):
        """End it immediately."""
        if self.life is not None:
            self.life.cancel()


class FakeProcesses:
    """Nannies in given states, as in `distributed.SpecCluster`: `scale` starts the missing ones."""

    def __init__(self, states, *, start):
        self.workers = {name: SimpleNamespace(status=SimpleNamespace(name=state)) for name, state in enumerate(states)}
        self._start = start

    def scale(self, count):
        for name in range(count):
            if name not in self.workers:
                self.workers[name] = SimpleNamespace(status=SimpleNamespace(name="running"))
                self._start()


class FakeScheduler:
    """A scheduler that runs in one thread of the simulation.

    Args:
        simulation: The clock.
        workers: Number of workers.
    """

    def __init__(self, simulation, *, workers=2):
        self.simulation = simulation
        self.loop = SimulatedLoop(simulation)
        self.takes_s = 1.0
        self.allowed_failures = 1
        self.is_deadly: Callable[[Task], bool] = lambda _task: False
        """Whether a worker dies of a task."""
        self.is_frozen = self.is_away = False
        self.begun: list[str] = []
        """Keys of tasks, in the order in which workers started them."""
        self.tasks: dict[str, Task] = {}
        self.workers: list[Worker] = []
        self.clients: list[FakeClient] = []
        self._orders = itertools.count()
        self._is_news = asyncio.Event()
        simulation.start("dask", self._run)
        self.processes = FakeProcesses(["running"] * workers, start=self.add_worker)
        for _ in range(workers):
            self.add_worker()

    def connect(self):
        """Return a connection to it."""
        if self.is_away:
            raise ClusterLost("no scheduler answers")
        client = FakeClient(self)
        return Connection(client, self.processes, count=len(self.processes.workers), close=client.close)

    def add_worker(self):
        """Start a worker."""
        worker = Worker()
        self.workers.append(worker)
        self.loop.call_soon_threadsafe(self._start, worker)

    def kill(self, worker):
        """End a worker immediately; its nanny starts another."""
        self.end(worker)
        self.loop.call_soon_threadsafe(self.loop.call_later, START_S, self._replace)

    def end(self, worker):
        """End a worker immediately and permanently."""
        self.workers.remove(worker)
        worker.end()
        for task in list(self.tasks.values()):
            if task.worker is worker:
                self._lose(task)

    def give_up(self, worker):
        """End a worker whose nanny starts no other, as after many deaths."""
        self.end(worker)
        nanny = next(each for each in self.processes.workers.values() if each.status.name == "running")
        nanny.status.name = "failed"

    def die(self):
        """End the scheduler and its workers immediately."""
        self.is_away = True
        for worker in self.workers:
            worker.end()
        self.workers.clear()
        for client in self.clients:
            client.status = "connecting"
            self.forget(client)

    def forget(self, client):
        """Cancel all tasks of a client."""
        for key in [key for key, task in self.tasks.items() if task.client is client]:
            self.tasks.pop(key).end("cancelled", error=FutureCancelledError(key, "lost"))
        self.wake()

    def come_back(self):
        """Start it again, with a worker, for its clients that try to connect again."""
        self.is_away = False
        for client in self.clients:
            client.status = "running"
        self.add_worker()

    def wake(self):
        """Wake the workers to take tasks."""
        self.loop.call_soon_threadsafe(self._is_news.set)

    def close(self):
        """End the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.simulation.run(self.loop.is_closed)

    def submit(self, client, key, call, *, retries, priority):
        """Take a task; tasks start by descending priority, then in order of arrival."""
        self.tasks[key] = Task(key, call, retries, (-priority, next(self._orders)), client)
        self.wake()
        return self.tasks[key]

    def _run(self):
        try:
            self.loop.run_forever()
            self.loop.run_until_complete(self._end_all())
        finally:
            self.loop.close()

    async def _end_all(self):
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for each in others:
            each.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def _replace(self):
        if not self.is_away:
            self.add_worker()

    def _start(self, worker):
        if worker in self.workers:
            worker.life = self.loop.create_task(self._work(worker))

    async def _work(self, worker):
        while True:
            waiting = [each for each in self.tasks.values() if each.status == "pending" and each.worker is None]
            if not waiting:
                self._is_news.clear()
                await self._is_news.wait()
                continue
            task = min(waiting, key=lambda each: each.rank)
            task.worker = worker
            self.begun.append(task.key)
            await asyncio.sleep(self.takes_s)
            if self.is_deadly(task):
                self.kill(worker)
                return
            if task.status == "pending":
                self._do(task)

    def _do(self, task):
        function, arguments = pickle.loads(task.call)
        try:
            task.end("finished", answer=pickle.dumps(function(*arguments)))
        except Exception as error:  # noqa: BLE001 -- whatever a task raises
            if task.retries:
                task.retries, task.worker = task.retries - 1, None
            else:
                task.end("error", error=pickle.loads(pickle.dumps(error)))

    def _lose(self, task):
        if task.status == "pending":
            task.deaths += 1
        task.worker = None
        if task.deaths > self.allowed_failures:
            last = SimpleNamespace(address="tcp://worker")
            task.end("error", error=KilledWorker(task.key, last, self.allowed_failures))
        elif task.status in {"pending", "finished"}:
            task.status = "pending"
            task.changed.clear()
            self.wake()


class FakeFuture:
    """A future of a client; its scheduler forgets the task when nobody holds it any more."""

    def __init__(self, task, scheduler):
        self.task = task
        self.key = task.key
        self._scheduler = scheduler

    def __del__(self):
        self._scheduler.tasks.pop(self.key, None)

    @property
    def status(self):
        return self.task.status

    def exception(self):
        return self.task.error

    def add_done_callback(self, callback):
        """Call back when it ends, in any way."""
        asyncio.run_coroutine_threadsafe(self._call(callback), self._scheduler.loop)

    async def _call(self, callback):
        await self.task.changed.wait()
        callback(self)


class FakeClient:
    """A client with the methods that we use."""

    def __init__(self, scheduler):
        self.status = "running"
        self.loop = SimpleNamespace(asyncio_loop=scheduler.loop)
        self._scheduler = scheduler
        scheduler.clients.append(self)

    def nthreads(self, *, callback_timeout):
        self._see_that_it_answers(callback_timeout)
        return {f"tcp://{id(each)}": 1 for each in self._scheduler.workers}

    def submit(self, function, *arguments, key, pure, retries, priority):
        assert not pure
        self._see_that_it_runs()
        assert key not in self._scheduler.tasks, "Dask would give the result of the other task of this key"
        task = self._scheduler.submit(
            self, key, pickle.dumps((function, arguments)), retries=retries, priority=priority
        )
        return FakeFuture(task, self._scheduler)

    async def gather(self, future, *, asynchronous):
        assert asynchronous
        while True:
            await future.task.changed.wait()
            if self.status == "closed":
                await asyncio.Event().wait()  # the loop of a closed client runs no more
            if future.task.error is not None:
                raise future.task.error
            if future.task.status == "finished" and not future.task.worker.is_frozen:
                return pickle.loads(future.task.answer)
            await asyncio.sleep(0.1)

    def cancel(self, futures, *, force):
        assert force
        self._see_that_it_runs()
        for future in futures:
            if self._scheduler.tasks.pop(future.key, None) is not None:
                future.task.end("cancelled", error=FutureCancelledError(future.key, "cancelled"))
        self._scheduler.wake()

    def close(self):
        self.status = "closed"
        self._scheduler.clients.remove(self)
        self._scheduler.forget(self)

    def _see_that_it_runs(self):
        if self.status != "running":
            raise RuntimeError("Trying to use a client that is not running")

    def _see_that_it_answers(self, timeout_s):
        self._see_that_it_runs()
        if self._scheduler.is_frozen:
            self._scheduler.simulation.sleep(timeout_s)
            raise TimeoutError
