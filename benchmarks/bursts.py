"""Many clients that wait for an answer before the next request: duration of answers, number and duration of refusals.

    python -m benchmarks.bursts FOLDER

Two workers serve NDVI of the demo archive, 180 dates, as `chronotile optimise` writes it (made in FOLDER if it is
missing). Each client has a separate kept connection, and sends the next request as soon as it has an answer. Clients
and server share the cores.

- point series, each of another place. Goal: 200 clients get no 503, and 99 of 100 answers within 2 s;
- means over areas, which take so long that most of 500 clients are refused. Goal: within 0.1 s and with `Retry-After`;
  the clients wait for that time before they repeat the request;
- the same by clients that repeat the request immediately: 500 permanently waiting clients get answers within 0.1 s only
  if the server answers 5,000 per second;
- `/health/live` with the same number of clients: the minimum for clients, connections and event loops without work, as
  a reference for the times above.
"""

import argparse
import os
import platform
import random
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from benchmarks.load.storm import Storm, storm
from benchmarks.peers.server import Server, running
from benchmarks.soak.archive import chronotile
from chronotile.demo.in_subprocess import make_demo_in_subprocess

RESULTS = Path(__file__).parent / "results"
WORKERS = 2
SECONDS = 20.0
PLACES = 1200
WEST, SOUTH, EAST, NORTH = 4.05, 50.75, 4.8, 51.2
"""Inside of the demo archive."""
LAYER = "NDVI"
CONFIGURATION = """
collections:
  series: {source: {kind: zarr, href: series.zarr}, variables: {NDVI: {layer: NDVI}}}
"""
MAX_P99_MS = 2000.0
MAX_REFUSAL_MS = 100.0


@dataclass(frozen=True, slots=True)
class Burst:
    """One row of the table."""

    name: str
    clients: int
    found: Storm

    def row(self) -> str:
        """Return it as text."""
        found = self.found
        others = found.statuses.total() - found.statuses[200] - found.statuses[503]
        return (
            f"| {self.name} | {self.clients} | {found.statuses[200]} | {_share(found.milliseconds, 50):.0f} | "
            f"{_share(found.milliseconds, 99):.0f} | {found.statuses[503]} | {_share(found.refused_ms, 50):.0f} | "
            f"{_share(found.refused_ms, 99):.0f} | {found.without_retry_after} | {others} |"
        )


def points(chance: random.Random) -> list[str]:
    """Return requests for series of points."""
    return [
        f"/timeseries/{LAYER}/point?lon={chance.uniform(WEST, EAST):.5f}&lat={chance.uniform(SOUTH, NORTH):.5f}"
        for _ in range(PLACES)
    ]


def areas(chance: random.Random) -> list[str]:
    """Return requests for means over areas of some 20 km, at all times."""
    side = 0.25
    corners = [(chance.uniform(WEST, EAST - side), chance.uniform(SOUTH, NORTH - side)) for _ in range(PLACES)]
    return [
        f"/timeseries/{LAYER}/area?bbox={west:.5f},{south:.5f},{west + side:.5f},{south + side:.5f}"
        for west, south in corners
    ]


def measured(port: int, name: str, paths: Sequence[str], clients: int, *, heed_refusals: bool = True) -> Burst:
    """Return the results of a load over some seconds."""
    with storm(port, paths, clients=clients, heed_refusals=heed_refusals) as found:
        time.sleep(SECONDS)
    return Burst(name, clients, found)


def main() -> None:
    """Measure, write the table, and end with 1 if a bound is not kept."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="folder of the demo archive, made if missing")
    folder = parser.parse_args().folder
    chance = random.Random(1)
    with serving(folder) as port:
        bursts = [
            measured(port, "point series", points(chance), 200),
            measured(port, "point series", points(chance), 500),
            measured(port, "means over areas", areas(chance), 500),
            measured(port, "means over areas, repeated immediately", areas(chance), 500, heed_refusals=False),
            measured(port, "`/health/live`", ["/health/live"], 500),
        ]
    text = _table(bursts)
    (RESULTS / "bursts.md").write_text(text, encoding="utf-8")
    print(text)
    sys.exit(0 if _is_kept(bursts) else 1)


def make_series(folder: Path) -> Path:
    """Return the serving cube of NDVI of the demo archive; make it if it is missing."""
    cube = folder / "series.zarr"
    if not cube.exists():
        demo = make_demo_in_subprocess(folder / "demo", progress=lambda _what, _share: None).parent / "biopar.zarr"
        made = [*chronotile(), "optimise", "new", str(demo), str(cube), "--variable", "NDVI", "--layout", "both"]
        subprocess.run(made, check=True, stdout=subprocess.DEVNULL)
    return cube


@contextmanager
def serving(folder: Path, environment: Mapping[str, str] = MappingProxyType({})) -> Iterator[int]:
    """Serve the series of the demo archive, made if missing; yield the port.

    Args:
        folder: Folder of the archive.
        environment: Additional variables of the server.
    """
    make_series(folder)
    configuration = folder / "bursts.yaml"
    configuration.write_text(CONFIGURATION)
    command = [*chronotile(), "serve", str(configuration), "--workers", str(WORKERS)]
    server = Server(
        commands=lambda port: [[*command, "--port", str(port)]],
        probe="/health/ready",
        environment={"CHRONOTILE_LOG_LEVEL": "error", **environment},
    )
    with running("chronotile", server, folder) as port:
        yield port


def _is_kept(bursts: Sequence[Burst]) -> bool:
    first, heeding = bursts[0].found, bursts[:3]
    return (
        first.statuses[503] == 0
        and _share(first.milliseconds, 99) < MAX_P99_MS
        and all(_share(each.found.refused_ms, 99) < MAX_REFUSAL_MS for each in heeding if each.found.refused_ms)
        and all(each.found.without_retry_after == 0 for each in bursts)
        and all(set(each.found.statuses) <= {200, 503} for each in bursts)
    )


def _share(milliseconds: Sequence[float], percent: int) -> float:
    """The given percentile; NaN for an empty list."""
    if not milliseconds:
        return float("nan")
    return sorted(milliseconds)[min(len(milliseconds) - 1, len(milliseconds) * percent // 100)]


def _table(bursts: Sequence[Burst]) -> str:
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    head = (
        *("requests", "clients", "answers", "p50 ms", "p99 ms", "refused (503)"),
        *("p50 ms until refused", "p99 ms", "without `Retry-After`", "others"),
    )
    lines = (
        "# Bursts",
        "",
        f"`benchmarks.bursts`, {datetime.now(UTC):%Y-%m-%d}; {machine}; load average {os.getloadavg()[0]:.0f}.",
        f"{WORKERS} workers, {SECONDS:.0f} s each; each client asks again as soon as it is answered, and after a",
        "refusal as soon as `Retry-After` allows it, or at once.",
        "",
        f"| {' | '.join(head)} |",
        f"|{' --- |' * len(head)}",
        *(each.row() for each in bursts),
        "",
    )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
