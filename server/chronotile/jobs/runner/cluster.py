"""Gives tasks of jobs to a Dask cluster: worker processes of this machine, or others that see the same files."""

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
from chronotile.jobs.queue.notifier import SYSTEM, Runtime
from chronotile.jobs.runner.connection import Connection
from chronotile.jobs.runner.tasks import TaskContext, do_task, finish

AHEAD = 2
"""Tasks submitted ahead for each thread of the cluster, so that none is idle."""
RETRIES = 2
"""Times a task is begun again that failed: a store may have hung for a moment."""
MOST_ASIDE = 3
"""Tasks of a job with a temporary fault before the others are left too: the cause is the same for all."""
LOOK_S = 0.5
"""How often to check whether a job is still active."""
ANSWER_S = 10.0
"""How long a scheduler may take to answer; one that is frozen never does, and no connection to it breaks."""
PROCESSES_S = 2.0
"""Interval at which the number of worker processes is read while no task is done."""
NO_PROCESSES = "the Dask cluster has no workers; the job continues when one joins"
COLLECT_S = 5.0
"""How long to wait for the result of a task that is done before checking whether the job is still active."""
LOST = "the Dask cluster was lost"
DEADLY = "the worker processes of the cluster die while they run the job's tasks"


class Cluster:
    """Does tasks, a few ahead at any time; any number of threads may use it.

    Args:
        connect: Connects to Dask; used again when the cluster was lost.
        runtime: The clock, and how to wait.
    """

    def __init__(self, connect: Callable[[], Connection], *, runtime: Runtime = SYSTEM) -> None:
        self._connect = connect
        self._runtime = runtime
        self._connection: Connection | None = None

    def __enter__(self) -> Self:
        """Start the processes, or connect.

        Raises:
            ConfigurationError: Dask is not installed.
            ClusterLost: There is no scheduler at the address.
        """
        self._connection = self._connect()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes, with what they do; or leave the cluster, which goes on without us."""
        self._close()

    def renew(self) -> None:
        """Connect again, or start new processes, if the cluster was lost; otherwise see that it answers.

        Raises:
            ClusterLost: It still is.
        """
        if self._connection is None or not self._connection.is_running:
            self._close()
            self._connection = self._connect()
        else:
            self._submitted().room()

    def run(
        self,
        context: TaskContext,
        tasks: Mapping[int, Json],
        *,
        name: str,
        is_active: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> Generator[tuple[int, Json], None, None]:
        """Yield the number of each task when it is done, and its result, in any order.

        Ends early when the job is no longer active; the running tasks are signalled to stop. A task
        that cannot be done for now is put aside until the others are done.

        Args:
            context: What they all are of.
            tasks: By their numbers.
            name: Of this attempt at the job, that no other has.
            is_active: Called every half a second.
            tell: Called with what hinders all tasks, and with nothing once they go on.

        Raises:
            ClusterLost: The cluster is gone.
            TemporaryFault: Some tasks cannot be done for now, or processes die of them.
            Exception: What a task raised else; the others are not begun any more.
        """
        submitted, waiting, aside = self._submitted(), iter(tasks.items()), list[TemporaryFault]()
        try:
            while len(aside) < MOST_ASIDE:
                for number, task in islice(waiting, submitted.room()):
                    submitted.add(number, f"{name}-{number}", do_task, context, task)
                if not submitted.numbers:
                    break
                try:
                    done = submitted.next(is_active, tell)
                except TemporaryFault as error:
                    aside.append(error)
                    continue
                if done is None:
                    return
                yield done
            if aside:
                raise aside[0]
        finally:
            submitted.cancel()

    def finish(
        self, context: TaskContext, *, name: str, is_active: Callable[[], bool], tell: Callable[[str], None]
    ) -> dict[str, Result] | None:
        """Return the results of a job whose tasks are all done; `None` once the job is no longer active.

        Raises:
            ClusterLost: As `run`.
            Exception: What was raised.
        """
        submitted = self._submitted()
        submitted.add(0, f"{name}-end", finish, context)
        done = submitted.next(is_active, tell)
        submitted.cancel()
        return None if done is None else done[1]

    def _submitted(self) -> "_Submitted":
        """What one job submits to the cluster as it is now; another thread may renew it meanwhile."""
        if self._connection is None:
            raise ClusterLost(LOST)
        return _Submitted(self._connection, self._runtime)

    def _close(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class _Submitted:
    """The tasks that one thread of ours has submitted."""

    def __init__(self, connection: Connection, runtime: Runtime) -> None:
        self._connection = connection
        self._client = connection.client
        self._clock, self._wait = runtime.clock, runtime.wait
        self._ended: SimpleQueue[Any] = SimpleQueue()
        self._has_ended = Event()
        self.numbers: dict[Any, int] = {}
        """Of tasks whose results are still to come, by their futures."""

    def room(self) -> int:
        """Return how many more tasks may be submitted."""
        return max(0, AHEAD * max(1, self._threads()) - len(self.numbers))

    def _threads(self) -> int:
        """How many threads the worker processes have; none where there are no processes."""
        with self._answering():
            threads: dict[str, int] = self._client.nthreads(callback_timeout=ANSWER_S)
        return sum(threads.values())

    def add(self, number: int, key: str, function: Callable[..., Any], *arguments: object) -> None:
        """Submit a task, with less priority the more tasks of the job are before it.

        Without that, the one task of a small job would wait for all that large ones have submitted ahead.
        """
        how = {"key": key, "pure": False, "retries": RETRIES, "priority": -len(self.numbers)}
        with self._answering():
            future = self._client.submit(function, *arguments, **how)
        self.numbers[future] = number
        future.add_done_callback(self._end)

    def _end(self, future: Any) -> None:  # noqa: ANN401 -- distributed has no types
        self._ended.put(future)
        self._has_ended.set()

    def next(self, is_active: Callable[[], bool], tell: Callable[[str], None]) -> tuple[int, Any] | None:
        """Return the number and the result of the next task that ends; `None` once the job is no longer active.

        Args:
            is_active: Whether any still is.
            tell: Called when there are no processes, and with nothing once there are.
        """
        read_s, is_told = self._clock(), False
        while is_active():
            self._has_ended.clear()
            if not self._ended.empty():  # nobody else takes from it
                future = self._ended.get()
                number = self.numbers.pop(future)
                found = self._gathered(future, is_active)
                return None if found is None else (number, self._result(future, found))
            if self._wait(self._has_ended, LOOK_S):
                continue
            if not self._connection.is_running:
                raise ClusterLost(LOST)
            self._connection.replace_dead()
            if self._clock() >= read_s + PROCESSES_S:
                with suppress(ClusterLost):  # a scheduler that does not answer may only be busy
                    is_empty = self._threads() == 0
                    if is_empty != is_told:
                        is_told = is_empty
                        tell(NO_PROCESSES if is_empty else "")
                read_s = self._clock()
        return None

    def _gathered(self, future: Any, is_active: Callable[[], bool]) -> Future[Any] | None:  # noqa: ANN401 -- as above
        """Wait for the result of a task that has ended, which another process makes again if its own is gone.

        Not by `Future.result(timeout=…)`: what it gives up before it was begun, Dask has all later calls wait for.
        """

        async def gather() -> Any:  # noqa: ANN401 -- as above
            return await self._client.gather(future, asynchronous=True)

        is_found = Event()
        with self._answering():
            found = asyncio.run_coroutine_threadsafe(gather(), self._client.loop.asyncio_loop)
        found.add_done_callback(lambda _found: is_found.set())
        while not self._wait(is_found, COLLECT_S):  # the process that holds it may be frozen
            if not self._connection.is_running:
                raise ClusterLost(LOST)
            if not is_active():
                found.cancel()
                return None
        return found

    def _result(self, future: Any, found: Future[Any]) -> Any:  # noqa: ANN401 -- as above
        from distributed import KilledWorker

        try:
            with self._answering():
                if future.status != "error":
                    return found.result()
                error = future.exception()
            raise error
        except KilledWorker as killed:
            raise TemporaryFault(fault_of(ServerBusy(DEADLY)), is_deadly=True) from killed

    def cancel(self) -> None:
        """Cancel what has not ended; a task that has begun finds out by itself that its job is no longer active."""
        if self.numbers and self._connection.is_running:
            with suppress(ClusterLost), self._answering():
                self._client.cancel(list(self.numbers), force=True)

    @contextmanager
    def _answering(self) -> Iterator[None]:
        """Tell the loss of the cluster from anything else: another thread may close the client at any moment."""
        from distributed import CancelledError

        try:
            yield
        except (OSError, CancelledError) as error:
            raise ClusterLost(LOST) from error
        except Exception as error:
            if self._connection.is_running:
                raise
            raise ClusterLost(LOST) from error
