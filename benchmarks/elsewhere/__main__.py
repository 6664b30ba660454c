"""`python -m benchmarks.elsewhere FOLDER`: ten remote sources that fail, together with local layers under load.

Two servers have the same local layers; one of them also has ten remote sources, each with a separate host and
a different failure. Measured, alternating between the two: duration of a start; duration of a SIGTERM; the
latency of local tiles under load while clients request the remote layers. Every picture is compared with the picture of
the same file read locally. At the end the sources are repaired, their files replaced, and each must recover
automatically.
"""

import argparse
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from itertools import cycle
from pathlib import Path
from typing import Any

from benchmarks.elsewhere.clients import (
    ask,
    asking,
    load_local,
    local_paths,
    pixels_of,
    tile_path,
    wait_until_right,
)
from benchmarks.elsewhere.result import Result, Seen
from benchmarks.elsewhere.sources import REPLACED, Elsewhere, ten_sources, write_configurations, write_local
from benchmarks.figures import percentile
from benchmarks.peers.server import free_port
from benchmarks.soak.archive import chronotile, quiet_environment
from benchmarks.soak.watch import descendants

STARTS_WITHIN_S, BACK_WITHIN_S, ENDS_WITHIN_S = 90.0, 180.0, 30.0
"""Maximum wait for a server that starts or ends, and for a source that recovers."""
EVERY_S = 1.0
"""Between two replacements of a file."""

Pixels = Mapping[str, Sequence[Sequence[bytes]]]
"""The pixels of the tiles by layer and version."""


def main() -> None:
    """Measure, and end with 1 if a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder for elsewhere.json and the logs")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=10, help="of load on each server in each round")
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="elsewhere-") as place, ExitStack() as stack:
        folder = Path(place)
        write_local(folder)
        sources = stack.enter_context(ten_sources(folder / "hosts"))
        without, beside = write_configurations(folder, sources)
        run = Run(sources, {"without": without, "with": beside}, given.folder)
        run.start_in_turn(given.rounds)
        run.load_in_turn(given.rounds, given.seconds)
    result = run.result
    summary: dict[str, Any] = {
        **asdict(replace(result, elsewhere={})),  # which turns a Counter into another
        "elsewhere": {
            each.layer: {"source": each.told, **vars(result.elsewhere.get(each.layer, Seen()))} for each in sources
        },
        "goals": result.goals(),
    }
    (given.folder / "elsewhere.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary, indent=1))
    sys.exit(0 if all(summary["goals"].values()) else 1)


class Run:
    """One measurement."""

    def __init__(self, sources: Sequence[Elsewhere], configurations: Mapping[str, Path], logs: Path) -> None:
        self.sources = sources
        self.configurations = configurations
        self.logs = logs
        self.result = Result()

    def start_in_turn(self, rounds: int) -> None:
        """Start both servers with failing sources, send requests that hang, and end the servers by SIGTERM."""
        self._fail()
        for number in range(rounds):
            names = ["without", "with"]
            for name in names if number % 2 == 0 else reversed(names):
                with self._server(name) as server:
                    self.result.start_s[name].append(server.ready_s("/health/ready"))
                    self.result.first_tile_s[name].append(server.ready_s(local_paths()[0]))
                    self._ask_all(server.port)
                    self.result.term_s[name].append(server.end())

    def load_in_turn(self, rounds: int, seconds: float) -> None:
        """Have the sources come back, fail again under load, and come back with other files."""
        with self._server("without") as alone, ExitStack() as stack:
            alone.ready_s("/health/ready")
            expected = {
                each.layer: [pixels_of(alone.port, f"{each.layer}_{version}") for version in range(len(each.versions))]
                for each in self.sources
            }
            beside = stack.enter_context(self._server("with"))
            is_ready = beside.ready_s("/health/ready") is not None
            self._heal()
            if not is_ready:  # the goal is missed, but the rest can be measured
                beside.end()
                beside = stack.enter_context(self._server("with"))
                beside.ready_s("/health/ready")
            self.result.first_back_s = self._back(beside.port, expected, newest=False)
            self._fail()
            self._load({"without": alone.port, "with": beside.port}, expected, rounds, seconds)
            for each in self.sources:
                if len(each.versions) > 1:
                    each.replace(1)
            self._heal()
            self.result.back_s = self._back(beside.port, expected, newest=True)

    def _load(self, ports: Mapping[str, int], expected: Pixels, rounds: int, seconds: float) -> None:
        with self._replacing(), ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            for number in range(rounds):
                for name in ["without", "with"] if number % 2 == 0 else ["with", "without"]:
                    with asking(ports["with"], expected if name == "with" else {}) as seen:
                        milliseconds, statuses = pool.submit(load_local, ports[name], seconds).result()
                    self._note(name, milliseconds, statuses, seen)

    def _note(
        self, name: str, milliseconds: list[float], statuses: Mapping[int, int], seen: Mapping[str, Seen]
    ) -> None:
        self.result.p95_ms[name].append(percentile(milliseconds, 95))
        self.result.p50_ms[name].append(percentile(milliseconds, 50))
        counts = self.result.local_statuses[name]
        for status, count in statuses.items():
            counts[status] = counts.get(status, 0) + count
        for layer, found in seen.items():
            whole = self.result.elsewhere.setdefault(layer, Seen())
            whole.outcomes += found.outcomes
            whole.wrong += found.wrong
            whole.slowest_s = max(whole.slowest_s, found.slowest_s)

    def _fail(self) -> None:
        for each in self.sources:
            each.fail()

    def _heal(self) -> None:
        for each in self.sources:
            each.host.heal()

    @contextmanager
    def _replacing(self) -> Iterator[None]:
        """Replace the file of the source that does so, again and again, until the block ends."""
        ends = threading.Event()
        (source,) = (each for each in self.sources if each.wrong == REPLACED)

        def replace() -> None:
            for version in cycle([1, 0]):
                if ends.wait(EVERY_S):
                    return
                source.replace(version)

        thread = threading.Thread(target=replace, daemon=True)
        thread.start()
        try:
            yield
        finally:
            ends.set()
            thread.join()

    def _back(self, port: int, expected: Pixels, *, newest: bool) -> dict[str, float | None]:
        """Return the seconds until each source recovers; all are waited for concurrently."""
        found: dict[str, float | None] = {}

        def wait(layer: str) -> None:
            version = expected[layer][-1 if newest else 0]
            found[layer] = wait_until_right(port, layer, version, within_s=BACK_WITHIN_S)

        threads = [threading.Thread(target=wait, args=(each.layer,), daemon=True) for each in self.sources]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    @contextmanager
    def _server(self, name: str) -> Iterator["Server"]:
        port = free_port()
        command = [*chronotile(), "serve", str(self.configurations[name]), "--port", str(port), "--workers", "2"]
        environment = {
            **quiet_environment(),
            "CHRONOTILE_PAYLOAD_BYTES": "0",
            "CHRONOTILE_DISK_CACHE_BYTES": "0",
            "CHRONOTILE_WATCH_S": "5",
            "CHRONOTILE_LOG_LEVEL": "warning",
            "HOME": str(self.logs),
        }
        with (self.logs / f"elsewhere-{name}.log").open("ab") as log:
            server = Server(subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT), port)
            try:
                yield server
            finally:
                server.end()

    def _ask_all(self, port: int) -> None:
        """Request each remote layer without waiting for the answer."""
        for each in self.sources:
            threading.Thread(target=ask, args=(port, tile_path(each.layer, 0, 0)), daemon=True).start()
        time.sleep(1)


@dataclass
class Server:
    """A server that was just started."""

    process: "subprocess.Popen[bytes]"
    port: int
    started: float = field(default_factory=time.monotonic)

    def ready_s(self, path: str) -> float | None:
        """Return the seconds from the start until a path has 200; `None` if it has not in time."""
        while time.monotonic() - self.started < STARTS_WITHIN_S and self.process.poll() is None:
            if ask(self.port, path).status == 200:
                return time.monotonic() - self.started
            time.sleep(0.05)
        return None

    def end(self) -> float | None:
        """Return the seconds from SIGTERM to the end; `None` if it had to be killed."""
        below, asked = descendants(self.process.pid), time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(ENDS_WITHIN_S)
        except subprocess.TimeoutExpired:
            for pid in (self.process.pid, *below):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait()
            return None
        return time.monotonic() - asked


if __name__ == "__main__":
    main()
