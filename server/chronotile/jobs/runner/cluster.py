"""Runs the tasks of jobs on a Dask cluster: local worker processes, or remote ones that see the same files."""

import asyncio
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from itertools import islice
from queue import SimpleQueue
from threading import Event
from types import TracebackType
from typing import Any, Self

from chronotile.core.errors import ServerBusy
from chronotile.core.model.job import Result
from chronotile.core.model.types import Json
from chronotile.jobs.queue.faults import ClusterLost, TemporaryFault, fault_of
from chronotile.jobs.queue.runtime import SYSTEM, Runtime
from chronotile.jobs.runner.connection import Connection
from chronotile.jobs.runner.tasks import TaskContext, do_task, finish

AHEAD = 2
"""Tasks submitted per thread of the cluster, so that no thread is idle."""
RETRIES = 2
"""Times that a failed task is repeated: a store may have hung for a moment."""
MAX_ASIDE = 3
"""Tasks of a job with a temporary fault before the attempt ends: the cause is the same for all."""
LOOK_S = 0.5
"""Interval between checks whether a job is still active."""
ANSWER_S = 10.0
"""Timeout of an answer of the scheduler: a frozen scheduler never answers, and its connections do not break."""
PROCESSES_S = 2.0
"""Interval between counts of worker processes while no task ends."""
NO_PROCESSES = "the Dask cluster has no workers; the job continues when one joins"
COLLECT_S = 5.0
"""Interval between checks whether a job is still active during the transfer of a task result."""
LOST = "the Dask cluster was lost"
DEADLY = "the worker processes of the cluster die while they run the job's tasks"


class Cluster:
    """Runs tasks, a few submitted ahead. Thread-safe.

    Args:
        connect: Connects to Dask; called again when the cluster was lost.
        runtime: Clock and waiting.
    """

    def __init__(self, connect: Callable[[], Connection], *, runtime: Runtime = SYSTEM) -> None:
        self._connect = connect
        self._runtime = runtime
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Start the worker processes, or connect to the scheduler.

        Raises:
            ConfigurationError: Dask is not installed.
            ClusterLost: No scheduler answers at the address.
        """
        self._connection = self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End local worker processes with their tasks, or disconnect from a remote cluster."""
        self._close()

    def renew(self) -> None:
        """Connect again, or start new processes, if the cluster was lost; otherwise check that it answers.

        Raises:
            ClusterLost: The cluster is still lost.
        """
        if self._connection is None or not self._connection.is_running:
            self._close()
            self._connection = self._connect()
        else:
            self._open_batch().count_free_slots()

    def run(
        self,
        context: TaskContext,
        tasks: Mapping[int, Json],
        *,
        name: str,
        is_active: Callable[[], bool],
        report: Callable[[str], None],
    ) -> Generator[tuple[int, Json], None, None]:
        """Yield number and result of each task when it ends, in any order.

        Ends early when the job is no longer active; its running tasks notice it and stop. A task with a temporary fault
        is put aside until the others are done.

        Args:
            context: Context of all tasks.
            tasks: Tasks by number.
            name: Unique name of this attempt at the job.
            is_active: Called every `LOOK_S` seconds.
            report: Called with a message if the cluster has no workers, and with an empty one when it has workers
                again.

        Raises:
            ClusterLost: The cluster is lost.
            TemporaryFault: Some tasks cannot be done for now, or processes die of them.
            Exception: Any other error of a task; no other task is started.
        """
        batch, waiting, aside = self._open_batch(), iter(tasks.items()), list[TemporaryFault]()
        try:
            while len(aside) < MAX_ASIDE:
                for number, task in islice(waiting, batch.count_free_slots()):
                    batch.add(number, f"{name}-{number}", do_task, context, task)
                if not batch.numbers:
                    break
                try:
                    done = batch.next(is_active, report)
                except TemporaryFault as error:
                    aside.append(error)
                    continue
                if done is None:
                    return
                yield done
            if aside:
                raise aside[0]
        finally:
            batch.cancel()

    def finish(
        self, context: TaskContext, *, name: str, is_active: Callable[[], bool], report: Callable[[str], None]
    ) -> dict[str, Result] | None:
        """Return the results of a job whose tasks are all done; `None` once the job is no longer active.

        Raises:
            ClusterLost: The cluster is lost.
            Exception: Any error raised while results are made.
        """
        batch = self._open_batch()
        batch.add(0, f"{name}-end", finish, context)
        done = batch.next(is_active, report)
        batch.cancel()
        return None if done is None else done[1]

    def _open_batch(self) -> "_TaskBatch":
        """Return a batch on the current connection, which another thread may replace during the batch."""
        if self._connection is None:
            raise ClusterLost(LOST)
        return _TaskBatch(self._connection, self._runtime)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _TaskBatch:
    """The tasks submitted by one thread of the worker."""

    def __init__(self, connection: Connection, runtime: Runtime) -> None:
        self._connection = connection
        self._client = connection.client
        self._clock, self._wait = runtime.clock, runtime.wait
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._has_ended = Event()
        self.numbers: dict[Any, int] = {}
        """Numbers of unfinished tasks by their futures."""

    def count_free_slots(self) -> int:
        """Return the number of tasks that may be submitted now."""
        return max(0, AHEAD * max(1, self._threads()) - len(self.numbers))

    def _threads(self) -> int:
        """Return the number of threads of the worker processes; 0 without processes."""
        with self._detect_loss():
            threads: dict[str, int] = self._client.nthreads(callback_timeout=ANSWER_S)
        return sum(threads.values())

    def add(self, number: int, key: str, function: Callable[..., Any], *arguments: object) -> None:
        """Submit a task. Its priority falls with the number of submitted tasks of the job.

        With equal priorities the single task of a small job would wait for all submitted tasks of large jobs.
        """
        how = {"key": key, "pure": False, "retries": RETRIES, "priority": -len(self.numbers)}
        with self._detect_loss():
            future = self._client.submit(function, *arguments, **how)
        self.numbers[future] = number
        future.add_done_callback(self._end)

    def _end(self, future: Any) -> None:  # noqa: ANN401 -- distributed has no types
        self._ended.put(future)
        self._has_ended.set()

    def next(self, is_active: Callable[[], bool], report: Callable[[str], None]) -> tuple[int, Any] | None:
        """Return number and result of the next task that ends; `None` once the job is no longer active.

        Args:
            is_active: Whether the job is still active.
            report: Called with a message if the cluster has no workers, and with an empty one when it has workers
                again.
        """
        read_s, is_reported = self._clock(), False
        while is_active():
            self._has_ended.clear()
            if not self._ended.empty():  # this thread is the only reader
                future = self._ended.get()
                number = self.numbers.pop(future)
                answer = self._gather_result(future, is_active)
                return None if answer is None else (number, self._result(future, answer))
            if self._wait(self._has_ended, LOOK_S):
                continue
            if not self._connection.is_running:
                raise ClusterLost(LOST)
            self._connection.replace_dead()
            if self._clock() >= read_s + PROCESSES_S:
                with suppress(ClusterLost):  # a scheduler without an answer may only be busy
                    is_empty = self._threads() == 0
                    if is_empty != is_reported:
                        is_reported = is_empty
                        report(NO_PROCESSES if is_empty else "")
                read_s = self._clock()
        return None

    def _gather_result(self, future: Any, is_active: Callable[[], bool]) -> Future[Any] | None:  # noqa: ANN401 -- as above
        """Wait for the result of a task that has ended. If the process with the result died, another repeats the task.

        `Future.result(timeout=…)` is no alternative: after a timeout, Dask makes all later calls wait for the same
        result.
        """

        async def gather() -> Any:  # noqa: ANN401 -- as above
            return await self._client.gather(future, asynchronous=True)

        has_answer = Event()
        with self._detect_loss():
            answer = asyncio.run_coroutine_threadsafe(gather(), self._client.loop.asyncio_loop)
        answer.add_done_callback(lambda _answer: has_answer.set())
        while not self._wait(has_answer, COLLECT_S):  # not without limit: the process with the result may be frozen
            if not self._connection.is_running:
                raise ClusterLost(LOST)
            if not is_active():
                answer.cancel()
                return None
        return answer

    def _result(self, future: Any, answer: Future[Any]) -> Any:  # noqa: ANN401 -- as above
        from distributed import KilledWorker

        try:
            with self._detect_loss():
                if future.status != "error":
                    return answer.result()
                error = future.exception()
            raise error
        except KilledWorker as killed:
            raise TemporaryFault(fault_of(ServerBusy(DEADLY)), is_deadly=True) from killed

    def cancel(self) -> None:
        """Cancel unfinished tasks; a running task notices that its job is no longer active."""
        if self.numbers and self._connection.is_running:
            with suppress(ClusterLost), self._detect_loss():
                self._client.cancel(list(self.numbers), force=True)

    @contextmanager
    def _detect_loss(self) -> Iterator[None]:
        """Convert errors of a lost cluster; another thread may close the client at any moment."""
        from distributed import CancelledError

        try:
            yield
        except (OSError, CancelledError) as error:
            raise ClusterLost(LOST) from error
        except Exception as error:
            if self._connection.is_running:
                raise
            raise ClusterLost(LOST) from error
