"""Connections to Dask: to a scheduler at an address, or to worker processes of this machine."""

import logging
from collections.abc import Callable
from contextlib import ExitStack
from threading import Lock
from typing import Any

from chronotile.core.extras import require_configured
from chronotile.jobs.queue.faults import ClusterLost
from chronotile.jobs.queue.job_folder import TemporaryFolders
from chronotile.jobs.runner import worker_setup

CONNECT_S = 10.0

OWN_PROCESSES = {
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
"""A nanny starts its worker again when it dies; where that takes 15 s Dask would end both."""
GIVEN_UP = frozenset({"closed", "failed"})
"""States of a nanny that starts no worker any more."""


class Connection:
    """A client of a Dask scheduler, and its worker processes where they are our own; any thread may use it.

    Args:
        client: A `distributed.Client`.
        processes: A `distributed.SpecCluster`.
        count: How many worker processes it shall have.
        close: Disconnects, and ends worker processes of our own, with what they do.
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
        """Whether the scheduler is there."""
        return bool(self.client.status == "running")

    def replace_dead(self) -> None:
        """Start worker processes in the place of those whose nannies gave up, after many deaths or at the start."""
        if self.processes is not None:
            with self._lock:
                nannies = self.processes.workers
                for name, each in list(nannies.items()):
                    if each.status.name in GIVEN_UP:
                        nannies.pop(name, None)
                if len(nannies) < self._count:
                    self.processes.scale(self._count)


def connect(address: str | None, *, processes: int, memory_bytes: int) -> Connection:
    """Connect to Dask.

    Args:
        address: Of a scheduler; without one, worker processes are started that only we can connect to.
        processes: How many of them, each with one thread.
        memory_bytes: What each may take; one that takes more is ended, and another begins its task again.

    Raises:
        ConfigurationError: Dask is not installed.
        ClusterLost: There is no scheduler at the address.
    """
    require_configured("dask", "a worker")
    try:
        from distributed import Client

        logging.getLogger("distributed").setLevel(logging.WARNING)  # which its import has set
        with ExitStack() as stack:  # all of it is closed, even where something fails to close
            temporary, own = TemporaryFolders(), None
            stack.callback(temporary.close)
            if address is None:
                own = _start(processes, memory_bytes, temporary)
                stack.callback(own.close)
            client = Client(address if own is None else own, set_as_default=False, timeout=CONNECT_S)
            stack.callback(client.close)
            return Connection(client, own, count=processes, close=stack.pop_all().close)
    except (OSError, ValueError, RuntimeError) as error:
        where = f"at {address}" if address else "on this machine"
        raise ClusterLost(f"no Dask scheduler answers {where}") from error


def _start(processes: int, memory_bytes: int, temporary: TemporaryFolders) -> Any:  # noqa: ANN401 -- distributed has no types
    import dask

    from chronotile.jobs.runner.private_cluster import start_private_cluster  # noqa: PLC0415 -- imports Dask

    dask.config.set(WATCHED)  # for as long as they are there
    with dask.config.set(OWN_PROCESSES):
        return start_private_cluster(
            workers=processes, memory_bytes=memory_bytes, preload=worker_setup.__name__, folder=temporary.make()
        )
