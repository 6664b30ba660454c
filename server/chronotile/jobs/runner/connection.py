"""Connections to Dask: to a scheduler at an address, or to local worker processes."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import Any

from chronotile.core.extras import require_configured
from chronotile.jobs.queue.faults import ClusterLost
from chronotile.jobs.queue.temporary_folders import TemporaryFolders
from chronotile.jobs.runner import worker_setup

CONNECT_S = 10.0

OWN_PROCESSES = {
    "distributed.worker.multiprocessing-method": "spawn",  # tensorstore does not survive a fork
    # Workers store only a few small results: writing them to disk saves nothing, and a worker that pauses because of
    # the memory of its tasks would never resume.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.profile.enabled": False,
    "distributed.scheduler.allowed-failures": 1,  # the queue repeats the job anyway
}
WATCHED = {"distributed.deploy.lost-worker-timeout": "1d"}
"""A nanny restarts its worker when it dies; by default Dask ends both if that takes 15 s."""
GIVEN_UP = frozenset({"closed", "failed"})
"""States of a nanny that does not restart its worker any more."""


class Connection:
    """A client of a Dask scheduler, with the local worker processes if there are any. Thread-safe.

    Args:
        client: A `distributed.Client`.
        processes: A `distributed.SpecCluster` of local worker processes; `None` with a remote scheduler.
        count: Number of worker processes to maintain.
        close: Disconnects, and ends local worker processes with their tasks.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 -- distributed has no types
        processes: Any = None,  # noqa: ANN401 -- as above
        *,
        count: int,
        close: Callable[[], None],
    ) -> None:
        self.client = client
        self.processes = processes
        self.close = close
        self._count = count
        self._lock = Lock()

    @property
    def is_running(self) -> bool:
        """Whether the client is connected to the scheduler."""
        return bool(self.client.status == "running")

    def replace_dead(self) -> None:
        """Start new worker processes for those that Dask gave up: they did not start, or died too often."""
        if self.processes is not None:
            with self._lock:
                nannies = self.processes.workers
                for name, nanny in list(nannies.items()):
                    if nanny.status.name in GIVEN_UP:
                        nannies.pop(name, None)
                if len(nannies) < self._count:
                    self.processes.scale(self._count)


def connect(address: str | None, *, processes: int, memory_bytes: int) -> Connection:
    """Connect to Dask.

    Args:
        address: Address of a scheduler; `None` starts local worker processes that no other program can connect to.
        processes: Number of local worker processes, each with one thread.
        memory_bytes: Memory of each; a process that exceeds it is killed, and its task is repeated in another.

    Raises:
        ConfigurationError: Dask is not installed.
        ClusterLost: No scheduler answers at the address.
    """
    require_configured("dask", "a worker")
    try:
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.WARNING)  # after the import, which sets another level
        with ExitStack() as stack:  # closes everything, even if a part fails to close
            temporary, cluster = TemporaryFolders(), None
            stack.callback(temporary.close)
            if address is None:
                cluster = _start(processes, memory_bytes, temporary)
                stack.callback(cluster.close)
            client = Client(address if cluster is None else cluster, set_as_default=False, timeout=CONNECT_S)
            stack.callback(client.close)
            return Connection(client, cluster, count=processes, close=stack.pop_all().close)
    except (OSError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "on this machine"
        raise ClusterLost(f"no Dask scheduler answers {where}") from error


def _start(processes: int, memory_bytes: int, temporary: TemporaryFolders) -> Any:  # noqa: ANN401 -- distributed has no types
    import dask

    from chronotile.jobs.runner.private_cluster import start_private_cluster  # noqa: PLC0415 -- imports Dask

    dask.config.set(WATCHED)  # not only below: nannies read this value when a worker dies
    with dask.config.set(OWN_PROCESSES):
        return start_private_cluster(
            workers=processes, memory_bytes=memory_bytes, preload=worker_setup.__name__, folder=temporary.make()
        )
