"""Servers, workers and a Dask cluster in separate processes that tests kill and start again."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tests.running import PATIENCE_S, PROGRAM, reserved_port, until

SITE = Path(__file__).parent / "site"
"""Folder with the process `steps`."""
HOST = "127.0.0.1"
DOES_JOBS = "running jobs of the archive"
"""Log line of a worker that is ready."""
HAS_JOINED = "Registered to"
"""Log line of a process of the Dask cluster that has joined the scheduler."""


def noted(gates: Path, word: str) -> list[list[str]]:
    """Return the number, process and job of each task of `steps` that has noted a word, in that order."""
    file = gates / "notes"
    lines = file.read_text().splitlines() if file.exists() else []
    return [line.split()[1:] for line in lines if line.startswith(word)]


def begun(gates: Path, pid: int | None = None) -> Counter[tuple[str, int]]:
    """Return how often each task was started, by job and number; `pid` limits it to one process."""
    return Counter((job, int(number)) for number, by, job in noted(gates, "began") if pid in {None, int(by)})


def signal_all(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process and its children."""
    os.kill(pid, number)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        signal_all(int(child), number)


class Program:
    """A process that can be started again, as a supervisor would.

    Args:
        command: Program and arguments.
        environment: Variables in addition to those of this process.
        log: File for its output.
    """

    def __init__(self, command: Sequence[object], environment: Mapping[str, str], log: Path) -> None:
        self._command = list(map(str, command))
        self._environment = environment
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None
        self._said_before = 0

    @property
    def pid(self) -> int:
        """Id of the last started process."""
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

    def freeze(self) -> None:
        """Stop it like a host that hangs: its locks stay and its connections stay open."""
        signal_all(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        signal_all(self.pid, signal.SIGCONT)

    def has_said(self, text: str) -> bool:
        """Return whether its output since the last start contains a text."""
        return text.encode() in self._log.read_bytes()[self._said_before :]

    def is_up(self, text: str) -> bool:
        """Return whether its output contains a text; start it again if it ended, having come too early."""
        if not self.is_alive():
            self.start()
        return self.has_said(text)

    def wait(self) -> None:
        """Return once it has ended by itself."""
        until(lambda: not self.is_alive())


def answered(request: Request) -> HTTPResponse:
    """Return the answer of a server, retrying while it answers 503, as after a lost database connection."""

    def answer() -> HTTPResponse | None:
        try:
            return urlopen(request, timeout=PATIENCE_S)
        except HTTPError as error:
            if error.code != HTTPStatus.SERVICE_UNAVAILABLE or error.headers["Retry-After"] is None:
                raise
            return None

    return until(answer)


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """Servers, workers, and the Dask cluster that they give tasks to."""

    servers: list[Program]
    scheduler: Program
    processes: list[Program]
    """Processes of the cluster, one thread each."""
    workers: list[Program]
    ports: list[int]
    """Ports of the servers."""

    @property
    def port(self) -> int:
        """Port of the first server."""
        return self.ports[0]

    def everything(self) -> list[Program]:
        """Return all programs."""
        return [*self.servers, self.scheduler, *self.processes, *self.workers]

    def kill_server(self) -> None:
        """Kill the first server and begin it again; return once it answers."""
        self.servers[0].kill()
        self.servers[0].start()
        until(self.is_served)

    def start_worker(self, worker: Program) -> None:
        """Begin a worker; return once it does jobs."""
        worker.start()
        until(lambda: worker.is_up(DOES_JOBS))

    def kill_scheduler(self) -> None:
        """Kill the scheduler, which ends the processes of its cluster, and start all of them again."""
        for process in self.processes:  # a process that has not joined yet does not end: it waits for a scheduler
            until(lambda process=process: process.has_said(HAS_JOINED) or not process.is_alive())
        self.scheduler.kill()
        for process in self.processes:
            process.wait()
        for program in (self.scheduler, *self.processes):
            program.start()

    def submit(self, inputs: Mapping[str, Any]) -> str | None:
        """Order the sum of `steps` as a job and return its id; `None` without an answer."""
        try:
            return self.ordered("steps", inputs, outputs={"sum": {}})
        except HTTPError:
            raise
        except (OSError, HTTPException):
            return None

    def ordered(self, process: str, inputs: Mapping[str, Any], *, server: int = 0, **more: Any) -> str:
        """Order a job at a server and return its id."""
        body = json.dumps({"inputs": inputs, **more}).encode()
        headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
        url = self._url(f"processes/{process}/execution", server)
        with answered(Request(url, body, headers)) as answer:
            return str(json.load(answer)["jobID"])

    def ended(self, id_: str) -> dict[str, Any]:
        """Return the status document of a job once it has ended."""
        until(lambda: self.told(f"jobs/{id_}")["status"] in {"successful", "failed", "dismissed"})
        return dict(self.told(f"jobs/{id_}"))

    def is_served(self) -> bool:
        """Return whether all servers answer."""
        try:
            for number in range(len(self.servers)):
                self.fetched("jobs?limit=1", server=number)
        except OSError:
            return False
        return True

    def told(self, path: str) -> Any:
        """Return the JSON document of the first server at a path below `/ogcapi`."""
        return json.loads(self.fetched(path))

    def fetched(self, path: str, *, server: int = 0) -> bytes:
        """Return the body of a server's answer at a path below `/ogcapi`."""
        with answered(Request(self._url(path, server))) as answer:
            return bytes(answer.read())

    def _url(self, path: str, server: int = 0) -> str:
        return f"http://{HOST}:{self.ports[server]}/ogcapi/{path}"


@contextmanager
def working(data: Path, *, log: Path = Path(os.devnull), **settings: str) -> Iterator[None]:
    """Run one `chronotile worker` with one process in the block; its output goes to `log`."""
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
def deployed(
    data: Path, jobs: Path, *, workers: int, processes: int, servers: int = 1, **environment: str
) -> Iterator[Deployment]:
    """Run a deployment and end all its programs at the end.

    Args:
        data: Folder or configuration to serve.
        jobs: The folder of jobs.
        workers: Number of workers.
        processes: Number of processes of the cluster.
        servers: Number of servers.
        environment: Variables of all programs.
    """
    with ExitStack() as stack:  # of ports, as programs are begun again at the same ones
        ports = [stack.enter_context(reserved_port()).getsockname()[1] for _ in range(servers + 1)]
        with _deployed_at(ports, data, jobs, workers=workers, processes=processes, **environment) as deployment:
            yield deployment


@contextmanager
def _deployed_at(
    ports: list[int], data: Path, jobs: Path, *, workers: int, processes: int, **environment: str
) -> Iterator[Deployment]:
    """Run a deployment on the ports of its servers and, last, of its scheduler."""
    *served, scheduler_port = ports
    address = f"tcp://{HOST}:{scheduler_port}"
    settings = {"CHRONOTILE_JOBS_DIR": str(jobs), "CHRONOTILE_DASK_ADDRESS": address, **environment}
    dask = [sys.executable, "-m", "dask"]
    in_cluster, any_http_port = ["--host", HOST, "--no-dashboard"], ["--dashboard-address", f"{HOST}:0"]

    def program(name: str, *command: object) -> Program:
        return Program(command, settings, jobs.parent / f"{name}.log")

    each = [*dask, "worker", address, *in_cluster, "--nthreads", 1, "--no-nanny", "--memory-limit", "1GiB"]
    serve = [PROGRAM, "serve", data, "--workers", 1, "--port"]
    deployment = Deployment(
        servers=[program(f"server-{number}", *serve, port) for number, port in enumerate(served)],
        scheduler=program("scheduler", *dask, "scheduler", *in_cluster, *any_http_port, "--port", scheduler_port),
        processes=[program(f"process-{number}", *each) for number in range(processes)],
        workers=[program(f"worker-{number}", PROGRAM, "worker", data) for number in range(workers)],
        ports=served,
    )
    with ExitStack() as stack:
        for one in deployment.everything():
            one.start()
            stack.callback(one.kill)
        until(deployment.is_served)
        until(lambda: all(worker.is_up(DOES_JOBS) for worker in deployment.workers))
        yield deployment
