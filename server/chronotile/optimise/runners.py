"""Execution of tasks: in threads of this process, or on the workers of a Dask cluster."""

from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import Any, Protocol

from chronotile.core.durable_files import Disk
from chronotile.optimise.tasks import CubeJob, RunSources, Task, TaskResult, run_task, task_name

RETRIES = 3
"""Times that a task of a failed worker is repeated on another one."""


class TaskRunner(AbstractContextManager["TaskRunner"], Protocol):
    """Runs tasks."""

    @property
    def threads(self) -> int:
        """Tasks that share the memory of one process."""

    def run(self, job: CubeJob, tasks: Iterable[Task], *, threads: int) -> Iterator[tuple[Task, TaskResult]]:
        """Yield each task when it is done, in any order.

        Raises:
            Exception: Any error of a task; no other task is started.
        """


class LocalRunner(TaskRunner):
    """Runs tasks in threads of this process.

    Args:
        threads: Maximum number of tasks in parallel.
        disk: Writes files.
    """

    def __init__(self, threads: int, disk: Disk) -> None:
        self._threads = threads
        self._disk = disk
        self._sources = RunSources()

    @property
    def threads(self) -> int:
        """Tasks in parallel, unless memory allows fewer."""
        return self._threads

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the sources."""
        self._sources.close()

    def run(self, job: CubeJob, tasks: Iterable[Task], *, threads: int) -> Iterator[tuple[Task, TaskResult]]:
        """Yield each task when it is done."""
        waiting, job = iter(tasks), replace(job, sources=self._sources)
        with ThreadPoolExecutor(threads, thread_name_prefix="optimise") as pool:
            running: dict[Future[TaskResult], Task] = {}
            try:
                while True:
                    for task in islice(waiting, threads - len(running)):
                        running[pool.submit(run_task, job, task, self._disk)] = task
                    if not running:
                        return
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        yield running.pop(future), future.result()
            finally:
                for future in running:
                    future.cancel()


class DaskRunner(TaskRunner):
    """Runs tasks on a Dask cluster whose workers see the same files. A lost task is repeated.

    Args:
        address: Address of the scheduler.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client

        self._client = Client(address, set_as_default=False)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Disconnect; the cluster continues."""
        self._client.close()

    @property
    def threads(self) -> int:
        """Tasks that one worker runs in parallel."""
        return max(self._client.nthreads().values(), default=1)

    def run(self, job: CubeJob, tasks: Iterable[Task], *, threads: int) -> Iterator[tuple[Task, TaskResult]]:
        """Yield each task when it is done."""
        from distributed import as_completed

        shared = self._client.scatter(job, broadcast=True, hash=False)
        waiting, running = iter(tasks), dict[Any, Task]()

        def submit(task: Task) -> Any:  # noqa: ANN401 -- distributed has no types
            key = f"optimise-{job.run}-{task_name(task, job.plan)}"
            future = self._client.submit(run_task, shared, task, Disk(), key=key, pure=False, retries=RETRIES)
            running[future] = task
            return future

        at_once = threads * max(1, len(self._client.nthreads()))
        first = [submit(task) for task in islice(waiting, at_once)]
        completed = as_completed(first, loop=self._client.loop)
        try:
            for future in completed:
                yield running.pop(future), future.result()
                for task in islice(waiting, 1):
                    completed.add(submit(task))
        finally:
            self._client.cancel(list(running))
