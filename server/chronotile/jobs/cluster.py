"""Who does the tasks of jobs: processes of this machine, or a Dask cluster whose workers see the same files."""

import asyncio
import logging
import time
from collections.abc import Callable, Generator, Iterator, Mapping
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager, suppress
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Any, Self

from chronotile.errors import ConfigurationError, ServerBusy
from chronotile.jobs import worker_setup as process_here
from chronotile.jobs.tasks import TaskContext, do_task, finish
from chronotile.model.job import Json, Result
from chronotile.queue.faults import ClusterLost, TemporaryFault, fault_of
from chronotile.queue.temporary import TemporaryFolders

AHEAD = 2
"""Tasks submitted ahead for each thread of the cluster, so that none is idle."""
RETRIES = 2
"""Times a task is begun again that failed: a store may have hung for a moment."""
MOST_ASIDE = 3
"""Tasks of a job with a temporary fault before the others are left too: the cause is the same for all."""
LOOK_S = 0.5
"""So often it is looked whether a job is still wanted."""
CONNECT_S = 10.0
ANSWER_S = 10.0
"""How long a scheduler may take to answer; one that is frozen never does, and no connection to it breaks."""
PROCESSES_S = 2.0
"""So often it is asked whether the cluster has processes, where no task is done meanwhile."""
NO_PROCESSES = "the Dask cluster has no processes; the job goes on when one joins it"
COLLECT_S = 5.0
"""How long to wait for the result of a task that is done before it is looked whether the job is still wanted."""
LOST = "the Dask cluster was lost"
DEADLY = "the processes of the cluster die of what they are asked to do"

PROCESSES_HERE = {
    "distributed.worker.multiprocessing-method": "spawn",  # tensorstore does not survive a fork
    # Only ever a few small answers lie with a worker: nothing is gained by writing them to disk, and a worker that
    # pauses because of what its tasks take would never go on.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.allowed-failures": 1,  # a job is begun again anyway
}
WATCHED = {"distributed.deploy.lost-worker-timeout": "1d"}
"""Whoever watches a process begins it anew when it dies; where that takes 15 s Dask would end both as it is done."""
GIVEN_UP = frozenset({"closed", "failed"})
"""How they are who begin none anew any more."""


class Cluster:
    """Does tasks, a few ahead at any time; any number of threads may ask it for some.

    Args:
        address: Of the scheduler of a cluster; without one, worker processes are started that only we can connect to.
        processes: How many of them, each with one thread.
        memory_bytes: What each may take; one that takes more is ended, and another begins its task again.
    """

    def __init__(self, address: str | None, *, processes: int, memory_bytes: int) -> None:
        self._address = address
        self._count = processes
        self._memory_bytes = memory_bytes
        self._lock = Lock()
        self._temporary = TemporaryFolders()
        self._processes: Any = None
        self._client: Any = None

    def __enter__(self) -> Self:
        """Begin the processes, or connect.

        Raises:
            ConfigurationError: Dask is not installed.
            ClusterLost: There is no scheduler at the address.
        """
        self._begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the processes, with what they do; or leave the cluster, which goes on without us."""
        self._end()

    def renew(self) -> None:
        """Connect again, or begin new processes, if the cluster was lost; ask it for a word if not.

        Raises:
            ClusterLost: It still is.
        """
        if self._client is None or self._client.status != "running":
            self._end()
            self._begin()
        else:
            self._given().room()

    def run(
        self,
        context: TaskContext,
        tasks: Mapping[int, Json],
        *,
        name: str,
        is_wanted: Callable[[], bool],
        tell: Callable[[str], None],
    ) -> Generator[tuple[int, Json], None, None]:
        """Yield the number of each task when it is done, and what it gave, in any order.

        Ends before all are done once they are not wanted any more; those that are under way are told to stop. A task
        that cannot be done for now is put aside until the others are done.

        Args:
            context: What they all are of.
            tasks: By their numbers.
            name: Of this attempt at the job, that no other has.
            is_wanted: Asked every half a second.
            tell: Told what hinders all tasks, and nothing once they go on.

        Raises:
            ClusterLost: The cluster is gone.
            TemporaryFault: Some tasks cannot be done for now, or processes die of them.
            Exception: What a task raised else; the others are not begun any more.
        """
        given = self._given()
        waiting, numbers, aside = iter(tasks.items()), dict[Any, int](), list[TemporaryFault]()
        try:
            while True:
                for number, task in islice(waiting, max(0, given.room() - len(numbers))):
                    future = given.submit(do_task, context, task, key=f"{name}-{number}", behind=len(numbers))
                    numbers[future] = number
                if not numbers:
                    break
                future = given.next(is_wanted, tell)
                if future is None:
                    return
                number = numbers.pop(future)
                try:
                    result = given.result(future, is_wanted)
                except TemporaryFault as error:
                    aside.append(error)
                    if len(aside) == MOST_ASIDE:
                        break
                else:
                    if result is None:
                        return
                    yield number, result
            if aside:
                raise aside[0]
        finally:
            given.cancel(list(numbers))

    def finish(
        self, context: TaskContext, *, name: str, is_wanted: Callable[[], bool], tell: Callable[[str], None]
    ) -> dict[str, Result] | None:
        """Return the results of a job whose tasks are all done; `None` once they are not wanted any more.

        Raises:
            ClusterLost: As `run`.
            Exception: What was raised.
        """
        given = self._given()
        future = given.submit(finish, context, key=f"{name}-end", behind=0)
        done = given.next(is_wanted, tell)
        results: dict[str, Result] | None = None if done is None else given.result(done, is_wanted)
        if results is None:
            given.cancel([future])
        return results

    def _given(self) -> "_Given":
        """What a job gives to the cluster as it is now; another thread may begin it anew meanwhile."""
        client = self._client
        if client is None:
            raise ClusterLost(LOST)
        return _Given(client, self._look)

    def _begin(self) -> None:
        try:
            from distributed import Client

            logging.getLogger("distributed").setLevel(logging.WARNING)  # which its import has set
            place: Any = self._address
            if place is None:
                place = self._processes = self._started()
            self._client = Client(place, set_as_default=False, timeout=CONNECT_S)
        except ModuleNotFoundError as error:
            raise ConfigurationError(
                [f"jobs need Dask, and {error.name} is not installed: pip install 'chronotile[dask]'"]
            ) from error
        except (OSError, ValueError, RuntimeError) as error:
            where = f"at {place}" if self._address else "on this machine"
            raise ClusterLost(f"no Dask scheduler answers {where}") from error

    def _started(self) -> Any:  # noqa: ANN401 -- distributed has no types
        """Start processes of our own."""
        import cryptography  # noqa: F401, PLC0415 -- otherwise Dask reports it missing only when it makes certificates
        import dask

        from chronotile.jobs.private_cluster import start_private_cluster  # noqa: PLC0415 -- imports Dask

        dask.config.set(WATCHED)  # for as long as they are there
        with dask.config.set(PROCESSES_HERE):
            return start_private_cluster(
                workers=self._count,
                memory_bytes=self._memory_bytes,
                preload=process_here.__name__,
                folder=self._temporary.make(),
            )

    def _end(self) -> None:
        client, processes, self._client, self._processes = self._client, self._processes, None, None
        with ExitStack() as stack:  # the processes go too where the client does not let go of them well
            stack.callback(self._temporary.close)
            for each in (processes, client):
                if each is not None:
                    stack.callback(each.close)

    def _look(self) -> None:
        """Begin processes anew in the place of those that were given up, having died too often or at their start."""
        processes = self._processes
        if processes is not None:
            with self._lock:
                for name, each in list(processes.workers.items()):
                    if each.status.name in GIVEN_UP:
                        processes.workers.pop(name, None)
                if len(processes.workers) < self._count:
                    processes.scale(self._count)


class _Given:
    """What was given to a client to be done, in one thread of ours."""

    def __init__(self, client: Any, look: Callable[[], None]) -> None:  # noqa: ANN401 -- distributed has no types
        self._client = client
        self._look = look
        self._ready: SimpleQueue[Any] = SimpleQueue()

    def room(self) -> int:
        """Return how many tasks of a job may be given out at once."""
        return AHEAD * max(1, self._threads())

    def _threads(self) -> int:
        """How many threads the processes of the cluster have; none where there are no processes."""
        with self._asking():
            threads: dict[str, int] = self._client.nthreads(callback_timeout=ANSWER_S)
        return sum(threads.values())

    def submit(self, function: Callable[..., Any], *arguments: object, key: str, behind: int) -> Any:  # noqa: ANN401 -- as above
        """Submit a task that has `behind` tasks of the same job before it; jobs with fewer waiting tasks come first.

        Without that, the one task of a small job would wait for all that large ones have given out ahead.
        """
        with self._asking():
            future = self._client.submit(function, *arguments, key=key, pure=False, retries=RETRIES, priority=-behind)
        future.add_done_callback(self._ready.put)
        return future

    def next(self, is_wanted: Callable[[], bool], tell: Callable[[str], None]) -> Any:  # noqa: ANN401 -- as above
        """Return the next future that is done; `None` once none is wanted any more.

        Args:
            is_wanted: Whether any still is.
            tell: Told that there are no processes, and nothing once there are.
        """
        asked, is_told = time.monotonic(), False
        while is_wanted():
            with suppress(Empty):
                return self._ready.get(timeout=LOOK_S)
            if self._client.status != "running":
                raise ClusterLost(LOST)
            self._look()
            if time.monotonic() >= asked + PROCESSES_S:
                with suppress(ClusterLost):  # a scheduler that does not answer may only be busy
                    is_empty = self._threads() == 0
                    if is_empty != is_told:
                        is_told = is_empty
                        tell(NO_PROCESSES if is_empty else "")
                asked = time.monotonic()
        return None

    def result(self, future: Any, is_wanted: Callable[[], bool]) -> Any:  # noqa: ANN401 -- as above
        """Return what a future gave that is done; `None` once it is not wanted any more."""
        from distributed import KilledWorker

        try:
            # Not `Future.result(timeout=…)`: what it gives up before it was begun, Dask has all later calls wait for.
            with self._asking():
                found = asyncio.run_coroutine_threadsafe(self._gathered(future), self._client.loop.asyncio_loop)
            while not wait([found], timeout=COLLECT_S).done:  # the process that holds it may be frozen
                if self._client.status != "running":
                    raise ClusterLost(LOST)
                if not is_wanted():
                    found.cancel()
                    return None
            with self._asking():
                if future.status == "error":
                    error = future.exception()
                else:
                    return found.result()
            raise error
        except KilledWorker as killed:
            raise TemporaryFault(fault_of(ServerBusy(DEADLY)), is_deadly=True) from killed

    async def _gathered(self, future: Any) -> Any:  # noqa: ANN401 -- as above
        """What a future gave; if that is lost with the process that had it, it is made again by another."""
        return await self._client.gather(future, asynchronous=True)

    def cancel(self, futures: list[Any]) -> None:
        """Let go of futures; of those that are begun, the tasks see for themselves that they are not wanted."""
        if futures and self._client.status == "running":
            with suppress(ClusterLost), self._asking():
                self._client.cancel(futures, force=True)

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Tell the loss of the cluster from anything else: another thread may close the client at any moment."""
        from distributed import CancelledError

        try:
            yield
        except (OSError, CancelledError) as error:
            raise ClusterLost(LOST) from error
        except Exception as error:
            if self._client.status == "running":
                raise
            raise ClusterLost(LOST) from error
