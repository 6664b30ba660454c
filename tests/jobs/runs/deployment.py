"""All that accepts and does jobs, in processes of their own, each of which may be killed and begun again."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.running import PATIENCE_S, PROGRAM, reserved_port, until

SITE = Path(__file__).parent / "site"
"""Where the process `steps` is."""
HOST = "127.0.0.1"
DOES_JOBS = "running jobs of the archive"
"""What a worker says when it has found all that it needs."""


def noted(gates: Path, word: str) -> list[list[str]]:
    """Return the number, process and job of each task of `steps` that has noted a word, in that order."""
    file = gates / "notes"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.split()[1:] for line in lines if line.startswith(word)]


def begun(gates: Path, pid: int | None = None) -> Counter[tuple[str, int]]:
    """Return how often each task was begun, by its job and number; only by one process if it is told."""
    return Counter((job, int(number)) for number, by, job in noted(gates, "began") if pid in {None, int(by)})


class Program:
    """A process that is begun again as whatever keeps it running would.

    Args:
        command: It.
        environment: Beside that of this process.
        log: A file for what it says of itself.
    """

    def __init__(self, command: Sequence[object], environment: Mapping[str, str], log: Path) -> None:
        self._command = list(map(str, command))
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def pid(self) -> int:
        """Of the process that was begun last."""
        assert self._process is not None
        return self._process.pid

    def is_alive(self) -> bool:
        """Return whether it runs."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Begin it."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CHRONOTILE_")}
        with self._log.open("ab") as log:
            self._said_before = log.tell()
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env={**kept, **self._environment})

    def kill(self) -> int:
        """End it as `kill -9` does; return which process it was."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        return self._process.pid

    def has_said(self, text: str) -> bool:
        """Return whether it has said something since it was begun last."""
        return text.encode() in self._log.read_bytes()[self._said_before :]

    def is_up(self, text: str) -> bool:
        """Return whether it has said something; one that has ended by itself, having come too early, is begun again."""
        if not self.is_alive():
            self.start()
        return self.has_said(text)

    def wait(self) -> None:
        """Return once it has ended by itself."""
        until(lambda: not self.is_alive())


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """A server, workers, and the Dask cluster that they give tasks to."""

    server: Program
    scheduler: Program
    processes: list[Program]
    """Of the cluster, with a thread each."""
    workers: list[Program]
    port: int
    """Of the server."""

    def everything(self) -> list[Program]:
        """Return all programs."""
        return [self.server, self.scheduler, *self.processes, *self.workers]

    def kill_server(self) -> None:
        """Kill the server and begin it again; return once it answers."""
        self.server.kill()
        self.server.start()
        until(self.is_served)

    def start_worker(self, worker: Program) -> None:
        """Begin a worker; return once it does jobs."""
        worker.start()
        until(lambda: worker.is_up(DOES_JOBS))

    def kill_scheduler(self) -> None:
        """Kill the scheduler, with which the processes of its cluster end, and begin all again."""
        self.scheduler.kill()
        for process in self.processes:
            process.wait()
        for program in (self.scheduler, *self.processes):
            program.start()

    def submit(self, inputs: Mapping[str, Any]) -> str | None:
        """Ask for the sum of `steps` as a job and return its id; `None` if no answer came."""
        body = json.dumps({"inputs": inputs, "outputs": {"sum": {}}}).encode()
        headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
        try:
            with urlopen(Request(self._url("processes/steps/execution"), body, headers), timeout=PATIENCE_S) as answer:
                return str(json.load(answer)["jobID"])
        except HTTPError:
            raise
        except (OSError, HTTPException):
            return None

    def is_served(self) -> bool:
        """Return whether the server answers."""
        try:
            with urlopen(self._url("jobs?limit=1"), timeout=PATIENCE_S) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def told(self, path: str) -> Any:
        """Return what the server tells at a path below `/ogcapi`."""
        with urlopen(self._url(path), timeout=PATIENCE_S) as answer:
            return json.load(answer)

    def _url(self, path: str) -> str:
        return f"http://{HOST}:{self.port}/ogcapi/{path}"


@contextmanager
def working(data: Path, *, log: Path = Path(os.devnull), **settings: str) -> Iterator[None]:
    """Have one `chronotile worker` with one process, stopped at the end; what it says is in `log`."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            [PROGRAM, "worker", data, "--processes", "1"], env=os.environ | settings, stdout=said, stderr=said
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(PATIENCE_S)


@contextmanager
def deployed(data: Path, jobs: Path, *, workers: int, processes: int, **environment: str) -> Iterator[Deployment]:
    """Give a deployment that runs; all of it is ended at the end.

    Args:
        data: What is served.
        jobs: The folder of jobs.
        workers: How many there are.
        processes: How many the cluster has.
        environment: Of all of them.
    """
    with reserved_port() as held, reserved_port() as scheduler_held:  # as they are begun again at the same ports
        ports = held.getsockname()[1], scheduler_held.getsockname()[1]
        with _deployed_at(ports, data, jobs, workers=workers, processes=processes, **environment) as deployment:
            yield deployment


@contextmanager
def _deployed_at(
    ports: tuple[int, int], data: Path, jobs: Path, *, workers: int, processes: int, **environment: str
) -> Iterator[Deployment]:
    """Give it, with the ports of its server and its scheduler."""
    port, scheduler_port = ports
    address = f"tcp://{HOST}:{scheduler_port}"
    settings = {"CHRONOTILE_JOBS_DIR": str(jobs), "CHRONOTILE_DASK_ADDRESS": address, **environment}
    dask = [sys.executable, "-m", "dask"]
    in_cluster, any_http_port = ["--host", HOST, "--no-dashboard"], ["--dashboard-address", f"{HOST}:0"]

    def program(name: str, *command: object) -> Program:
        return Program(command, settings, jobs.parent / f"{name}.log")

    each = [*dask, "worker", address, *in_cluster, "--nthreads", 1, "--no-nanny", "--memory-limit", "1GiB"]
    deployment = Deployment(
        server=program("server", PROGRAM, "serve", data, "--workers", 1, "--port", port),
        scheduler=program("scheduler", *dask, "scheduler", *in_cluster, *any_http_port, "--port", scheduler_port),
        processes=[program(f"process-{number}", *each) for number in range(processes)],
        workers=[program(f"worker-{number}", PROGRAM, "worker", data) for number in range(workers)],
        port=port,
    )
    with ExitStack() as stack:
        for one in deployment.everything():
            one.start()
            stack.callback(one.kill)
        until(deployment.is_served)
        until(lambda: all(worker.is_up(DOES_JOBS) for worker in deployment.workers))
        yield deployment
