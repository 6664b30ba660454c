"""A local Dask cluster that no other user of the machine can connect to.

Any program that can connect to a Dask scheduler or worker can run code as its user. So connections are encrypted, and
each end must present a certificate that is made at the start and stays in memory. The HTTP servers that Dask always
starts, with or without a dashboard, would accept connections of all users and are disabled.
"""

import logging
from pathlib import Path

from distributed import Nanny, Scheduler, Security, SpecCluster, Worker  # noqa: TID253 -- imported where a cluster is started

HOST = "127.0.0.1"


class _NoHttp:
    def start_http_server(self, *_arguments: object, **_options: object) -> None:
        """Do nothing instead of listening for HTTP."""


class PrivateScheduler(_NoHttp, Scheduler):
    """A scheduler without an HTTP server."""


class PrivateWorker(_NoHttp, Worker):
    """A worker without an HTTP server."""


def start_private_cluster(*, workers: int, memory_bytes: int, preload: str, folder: Path) -> SpecCluster:
    """Start a scheduler in this process, and worker processes with one thread each that are restarted when they die.

    Args:
        workers: Number of worker processes.
        memory_bytes: Memory that each may use before it is killed.
        preload: Module that each worker process imports first.
        folder: Folder of temporary files; only the user may read it.

    Raises:
        ImportError: `cryptography` is not installed.
    """
    shared = {"host": HOST, "protocol": "tls://", "security": Security.temporary()}
    worker = {
        "cls": Nanny,
        "options": {
            **shared,
            "worker_class": PrivateWorker,
            "nthreads": 1,
            "memory_limit": memory_bytes,
            "preload": [preload],
            "local_directory": str(folder),
            "dashboard": False,
            "silence_logs": logging.WARNING,
        },
    }
    return SpecCluster(
        scheduler={"cls": PrivateScheduler, "options": {**shared, "port": 0, "dashboard": False}},
        worker=worker,
        workers=dict.fromkeys(range(workers), worker),
        security=shared["security"],
        silence_logs=logging.WARNING,
    )
