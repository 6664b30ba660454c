"""The closed loop: wrk with a list of requests, in C, so that the generator is not the limit."""

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.exchange import Ask

SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Throughput:
    """Results of a server in one round."""

    per_s: float
    failed: int
    """Answers that were not 2xx or 3xx, and connections that broke."""
    p50_ms: float
    p95_ms: float


def is_installed() -> bool:
    """Return whether wrk can be run."""
    return shutil.which("wrk") is not None


def throughput(
    port: int, asks: Sequence[Ask], *, connections: int, seconds: float, keep_alive: bool = False
) -> Throughput:
    """Return the number of requests that a server answers, sent alternately over some connections.

    Args:
        port: Port on this machine.
        asks: Requests, which are repeated.
        connections: Number of concurrent connections.
        seconds: Duration in whole seconds.
        keep_alive: Keep each connection. Otherwise each request has a separate one, because kept connections may all
            reach one of several workers.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for ask in asks:
            fields = (ask.method, ask.path, ask.headers.get("If-None-Match", ""), ask.body.decode())
            file.write("\t".join(fields) + "\n")
        file.flush()
        command = [
            "wrk", "--threads", "1", "--connections", str(connections), "--duration", f"{max(1, round(seconds))}s",
            "--timeout", "30s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}",
            file.name, "kept" if keep_alive else "fresh",
        ]  # fmt: skip
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return parse(said)


def parse(said: str) -> Throughput:
    """Return the values that the script printed at the end of wrk's report."""
    line = next(line for line in reversed(said.splitlines()) if line.startswith("RESULT "))
    requests, duration_us, statuses, broken, p50_us, p95_us = map(float, line.split()[1:])
    failed = int(statuses + broken)
    answered = max(0.0, requests - statuses)
    return Throughput(answered / duration_us * 1e6, failed, p50_us / 1000, p95_us / 1000)
