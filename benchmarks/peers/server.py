"""A server for the time of a measurement: started, probed, stopped with all its processes."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from benchmarks.load.exchange import Ask, BrokenAnswer
from benchmarks.load.kept_alive import HOST, connected
from benchmarks.soak.archive import quiet_environment
from benchmarks.soak.watch import descendants

STARTS_WITHIN_S = 60.0
STOPS_WITHIN_S = 5.0

Subject = TypeVar("Subject")


class NotStarted(Exception):
    """A server did not come up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """How a server is started."""

    commands: Callable[[int], Sequence[Sequence[str]]]
    """Processes, given the port."""
    probe: str
    """A path that answers once it is up."""
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender(Generic[Subject]):
    """A server with stated settings, and the form of its requests."""

    name: str
    software: str
    """With versions."""
    settings: str
    server: Server
    ask: Callable[[Subject], Ask]


@dataclass(frozen=True, slots=True)
class Absent:
    """A server that is not measured here, and why."""

    name: str
    reason: str


@contextmanager
def running(name: str, server: Server, scratch: Path) -> Iterator[int]:
    """Give the port of a server that answers.

    Raises:
        NotStarted: It does not answer in time.
    """
    port = free_port()
    log_path = scratch / f"{name.replace(' ', '-').replace(',', '').replace('/', '-')}.log"
    # One thread for OpenBLAS and OpenMP serves every contender well: with more than cores small products crawl.
    # Files of a server in its user's folder belong to this run only.
    environment = {**quiet_environment(), "HOME": str(scratch), **server.environment}
    with log_path.open("ab") as log:
        processes = [
            subprocess.Popen(command, env=environment, cwd=scratch, stdout=log, stderr=subprocess.STDOUT)
            for command in server.commands(port)
        ]
        try:
            _wait(name, port, server.probe, processes)
            yield port
        finally:
            _stop(processes)


def _wait(name: str, port: int, probe: str, processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and all(process.poll() is None for process in processes):
        try:
            with connected(port) as connection:
                if connection.ask(Ask(path=probe)).status < 500:
                    return
        except (OSError, BrokenAnswer):
            pass
        time.sleep(0.1)
    raise NotStarted(f"{name} did not start")


def _stop(processes: Sequence["subprocess.Popen[bytes]"]) -> None:
    """End the first processes by a signal, then kill their remaining children."""
    below = [pid for process in processes for pid in descendants(process.pid)]
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(STOPS_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    for pid in below:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])
