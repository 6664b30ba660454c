"""Who does the blocks of jobs: processes of this machine, or a Dask cluster whose workers see the same files."""

import logging
from collections.abc import Callable, Generator, Mapping
from contextlib import suppress
from itertools import islice
from queue import Empty, SimpleQueue
from threading import Lock
from types import TracebackType
from typing import Any, Self

from chronotile.errors import ConfigurationError
from chronotile.jobs.blocks import Task, do_block, finish
from chronotile.jobs.faults import ClusterLost
from chronotile.jobs.job import Json, Result

AHEAD = 2
"""Blocks that are given out for each thread of the cluster, so that none waits for us."""
RETRIES = 2
"""Times a block is begun again that failed: a store may have hung for a moment."""
LOOK_S = 0.5
"""So often it is looked whether a job is still wanted."""
CONNECT_S = 10.0
GONE = "the Dask cluster was lost"

PROCESSES_HERE = {
    "distributed.worker.multiprocessing-method": "spawn",  # tensorstore does not survive a fork
    # Only ever a few small answers lie with a worker: nothing is gained by writing them to disk, and a worker that
    # pauses because of what its blocks take would never go on.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.allowed-failures": 1,  # a job is begun again five times anyway
}


class Cluster:
    """Does blocks, a few ahead at any time; any number of threads may ask it for some.

    Args:
        address: Of the scheduler of a cluster; without one, there are processes of our own.
        processes: How many of them, each with one thread.
        memory_bytes: What each may take; one that takes more is ended, and another begins its block again.
    """

    def __init__(self, address: str | None, *, processes: int, memory_bytes: int) -> None:
        self._address = address
        self._count = processes
        self._memory_bytes = memory_bytes
        self._lock = Lock()
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
        """Connect again, or begin new processes, if the cluster was lost.

        Raises:
            ClusterLost: It still is.
        """
        if self._client is None or self._client.status != "running":
            self._end()
            self._begin()

    def run(
        self, task: Task, blocks: Mapping[int, Json], *, name: str, is_wanted: Callable[[], bool]
    ) -> Generator[tuple[int, Json], None, None]:
        """Yield the number of each block when it is done, and what it gave, in any order.

        Ends before all are done once they are not wanted any more; those that are under way are told to stop.

        Args:
            task: What they all are of.
            blocks: By their numbers.
            name: Of this attempt at the job, that no other has.
            is_wanted: Asked every half a second.

        Raises:
            ClusterLost: The cluster is gone, or its processes die of a block.
            Exception: What a block raised; the others are not begun any more.
        """
        given = self._given()
        waiting, numbers = iter(blocks.items()), dict[Any, int]()
        try:
            while True:
                for number, block in islice(waiting, max(0, self._room() - len(numbers))):
                    numbers[given.submit(do_block, task, block, key=f"{name}-{number}")] = number
                future = given.next(is_wanted) if numbers else None
                if future is None:
                    return
                yield numbers.pop(future), given.result(future)
        finally:
            given.cancel(list(numbers))

    def finish(self, task: Task, *, name: str, is_wanted: Callable[[], bool]) -> dict[str, Result] | None:
        """Return the results of a job whose blocks are all done; `None` once they are not wanted any more.

        Raises:
            ClusterLost: As `run`.
            Exception: What was raised.
        """
        given = self._given()
        future = given.submit(finish, task, key=f"{name}-end")
        if given.next(is_wanted) is None:
            given.cancel([future])
            return None
        results: dict[str, Result] = given.result(future)
        return results

    def _given(self) -> "_Given":
        """What a job gives to the cluster as it is now; another thread may begin it anew meanwhile."""
        client = self._client
        if client is None:
            raise ClusterLost(GONE)
        return _Given(client, self._look)

    def _begin(self) -> None:
        try:
            import dask
            from distributed import Client, LocalCluster
        except ModuleNotFoundError as error:
            raise ConfigurationError(["jobs are done by Dask: pip install 'chronotile[dask]'"]) from error
        logging.getLogger("distributed").setLevel(logging.WARNING)
        place: Any = self._address
        try:
            if place is None:
                with dask.config.set(PROCESSES_HERE):
                    place = self._processes = LocalCluster(
                        n_workers=self._count,
                        threads_per_worker=1,
                        processes=True,
                        host="127.0.0.1",
                        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},  # its own is 8787
                        memory_limit=self._memory_bytes,
                    )
            self._client = Client(place, set_as_default=False, timeout=CONNECT_S)
        except (OSError, ValueError, RuntimeError) as error:
            where = f"at {place}" if self._address else "on this machine"
            raise ClusterLost(f"no Dask scheduler answers {where}") from error

    def _end(self) -> None:
        for each in (self._client, self._processes):
            if each is not None:
                each.close()
        self._client = self._processes = None

    def _look(self) -> None:
        """Begin processes anew in the place of those that were given up, having died too often or at their start."""
        if self._client is None or self._client.status != "running":
            raise ClusterLost(GONE)
        if self._processes is not None:
            with self._lock:
                if len(self._processes.workers) < self._count:
                    self._processes.scale(self._count)

    def _room(self) -> int:
        """How many blocks may be given out at once."""
        client = self._client
        if client is None:
            raise ClusterLost(GONE)
        try:
            threads: dict[str, int] = client.nthreads()
        except OSError as error:
            raise ClusterLost(GONE) from error
        return AHEAD * max(1, sum(threads.values()))


class _Given:
    """What was given to a client to be done, in one thread of ours."""

    def __init__(self, client: Any, look: Callable[[], None]) -> None:  # noqa: ANN401 -- distributed has no types
        self._client = client
        self._look = look
        self._ready: SimpleQueue[Any] = SimpleQueue()

    def submit(self, function: Callable[..., Any], *arguments: object, key: str) -> Any:  # noqa: ANN401 -- as above
        from distributed.client import ClosedClientError

        try:
            future = self._client.submit(function, *arguments, key=key, pure=False, retries=RETRIES)
        except (OSError, ClosedClientError) as error:
            raise ClusterLost(GONE) from error
        future.add_done_callback(self._ready.put)
        return future

    def next(self, is_wanted: Callable[[], bool]) -> Any:  # noqa: ANN401 -- as above
        """Return the next future that is done; `None` once none is wanted any more."""
        while is_wanted():
            with suppress(Empty):
                return self._ready.get(timeout=LOOK_S)
            self._look()
        return None

    def result(self, future: Any) -> Any:  # noqa: ANN401 -- as above
        from distributed import CancelledError, KilledWorker

        if future.status == "error":
            error = future.exception()
            if isinstance(error, KilledWorker):
                raise ClusterLost("the processes of the cluster die of what they are asked to do") from error
            raise error
        try:
            return future.result()
        except (OSError, CancelledError) as error:
            raise ClusterLost(GONE) from error

    def cancel(self, futures: list[Any]) -> None:
        """Let go of futures; of those that are begun, the blocks see for themselves that they are not wanted."""
        if futures and self._client.status == "running":
            with suppress(OSError):
                self._client.cancel(futures, force=True)
