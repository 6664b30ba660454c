"""Requests at a fixed rate by wrk, each timed from its scheduled start.

A closed loop waits for a slow answer before the next request, and so omits the requests that would have suffered
(coordinated omission). Here the start of each request is scheduled, and every delay of its start counts as
latency. A script of wrk can delay a request, but it can only match answers to requests with one connection per
thread. A generator in Python took so much of two cores that it was late by half a second (p99).
"""

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load.exchange import Ask

SCRIPT = Path(__file__).with_name("open_loop.lua")
CONNECTIONS = 64
"""Maximum number of concurrent requests; more are late, which counts as latency."""


@dataclass(frozen=True, slots=True)
class OpenLoop:
    """Results of a run."""

    rate: float
    """Scheduled requests per second."""
    counts: Mapping[int, int]
    """Answers by tenths of milliseconds from the intended moment to the end of the answer."""
    failed: int

    @property
    def answered(self) -> int:
        """How many were answered."""
        return sum(self.counts.values())

    def percentile_ms(self, share: float) -> float:
        """Return the milliseconds that `share` per cent of the answers did not exceed."""
        left = share / 100 * self.answered
        for tenths in sorted(self.counts):
            left -= self.counts[tenths]
            if left <= 0:
                return (tenths + 1) / 10
        return float("nan")


def open_loop(port: int, asks: Sequence[Ask], *, rate: float, seconds: float) -> OpenLoop:
    """Send requests at a fixed rate, each over a separate connection that is opened a moment before."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.writelines(f"{ask.path}\n" for ask in asks)
        file.flush()
        command = [
            "wrk", "--threads", str(CONNECTIONS), "--connections", str(CONNECTIONS), "--duration",
            f"{max(1, round(seconds))}s", "--timeout", "30s", "--script", str(SCRIPT), f"http://127.0.0.1:{port}",
            file.name, f"{rate:.3f}", str(CONNECTIONS),
        ]  # fmt: skip
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return parse(said, rate)


def parse(said: str, rate: float) -> OpenLoop:
    """Return the values that the script printed at the end of wrk's report."""
    words = [line.split() for line in said.splitlines()]
    counts = {int(line[1]): int(line[2]) for line in words if line[:1] == ["TENTHS"]}
    (failed,) = (int(line[1]) for line in words if line[:1] == ["FAILED"])
    return OpenLoop(rate, counts, failed)
