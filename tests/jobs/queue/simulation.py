"""Threads that run alternately, on a clock that jumps to the end of the shortest wait."""

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field

from chronotile.jobs.queue.runtime import Runtime


class Killed(BaseException):
    """The thread is let go of at the end of the test."""


@dataclass(eq=False)
class _Task:
    process: str
    until: float
    event: threading.Event = field(default_factory=threading.Event)
    go: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    is_killed: bool = False


class Simulation:
    """Processes with threads that pass on the turn at each wait; the clock is also that of the database."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.5
        self._tasks: list[_Task] = []
        self._gone: list[_Task] = []
        self._is_back = threading.Semaphore(0)
        self._own = threading.local()

    def clock(self, _connection: object = None) -> float:
        """Return the seconds."""
        return self.now_s

    def wait(self, event: threading.Event, seconds: float) -> bool:
        """Pass on the turn until the event has happened or so many seconds have passed."""
        task = self._own.task
        if task.is_killed:
            raise Killed
        task.event, task.until = event, self.now_s + seconds
        self._tasks.append(self._tasks.pop(self._tasks.index(task)))  # of several that are due, the others come first
        self._is_back.release()
        task.go.acquire()
        if task.is_killed:
            raise Killed
        return event.is_set()

    def sleep(self, seconds: float) -> None:
        """Pass on the turn until so many seconds have passed."""
        self.wait(threading.Event(), seconds)

    def runtime(self, process: str) -> Runtime:
        """Return the runtime of a process."""
        return Runtime(clock=self.clock, wait=self.wait, threads=lambda _count, _name: _Pool(self, process))

    def start(self, process: str, work: Callable[..., object], *arguments: object) -> Future[object]:
        """Start a thread of a process."""
        task, future = _Task(process, self.now_s), Future[object]()

        def run() -> None:
            task.go.acquire()
            self._own.task = task
            try:
                future.set_result(None if task.is_killed else work(*arguments))
            except BaseException as error:  # noqa: BLE001 -- as an executor does
                future.set_exception(error)
            finally:
                if task in self._tasks:
                    self._tasks.remove(task)
                self._is_back.release()

        self._tasks.append(task)
        threading.Thread(target=run, daemon=True).start()
        return future

    def run(self, until: Callable[[], object], *, within_s: float = 600.0) -> None:
        """Give the turn to the threads in sequence until a condition holds; fail after `within_s`."""
        end = self.now_s + within_s
        while not until():
            assert self._tasks, "all threads have ended"
            assert self.now_s < end, f"it was not so within {within_s:g} simulated seconds"
            task = next((each for each in self._tasks if each.event.is_set()), None)
            if task is None:
                task = min(self._tasks, key=lambda each: each.until)
                self.now_s = max(self.now_s, task.until)
            self._resume(task)

    def pass_s(self, seconds: float) -> None:
        """Let so many seconds pass."""
        end = self.now_s + seconds
        self.start("clock", self.sleep, seconds)
        self.run(lambda: self.now_s >= end)

    def kill(self, process: str) -> None:
        """Never give the turn to the threads of a process again."""
        self._gone += [each for each in self._tasks if each.process == process]
        self._tasks = [each for each in self._tasks if each.process != process]

    def close(self) -> None:
        """End all threads."""
        for task in [*self._tasks, *self._gone]:
            task.is_killed = True
            self._resume(task)

    def _resume(self, task: _Task) -> None:
        task.go.release()
        self._is_back.acquire()


class _Pool(Executor):
    """Threads of a simulated process."""

    def __init__(self, simulation: Simulation, process: str) -> None:
        self._simulation = simulation
        self._process = process
        self._futures: list[Future[object]] = []

    def submit(self, work, /, *arguments, **named):
        """Start a thread."""
        self._futures.append(self._simulation.start(self._process, lambda: work(*arguments, **named)))
        return self._futures[-1]

    def shutdown(self, wait=True, *, cancel_futures=False) -> None:
        """Wait until all have ended."""
        while not all(each.done() for each in self._futures):
            self._simulation.sleep(0.1)
