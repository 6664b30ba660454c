"""`python -m benchmarks.soak FOLDER`: serve a growing archive for an hour or more, and report costs and failures.

Two workers of `chronotile serve` get requests in all protocols at a fixed rate; a part of the requests is abandoned.
Every minute `chronotile optimise update` appends a date, and SIGHUP is sent to the server. The driver may be stopped
together with the server (SIGSTOP, SIGCONT to all processes in `--pid-file`): the time of the stop does not count.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO
from urllib.request import urlopen

from benchmarks.soak.archive import Archive, chronotile, quiet_environment
from benchmarks.soak.asks import MAKERS, Known
from benchmarks.soak.bounds import memory_of
from benchmarks.soak.clock import ActiveClock
from benchmarks.soak.drive import HOST, Driver
from benchmarks.soak.keeper import Keeper
from benchmarks.soak.watch import courses
from chronotile.core.machine import this_machine

STARTS_WITHIN_S = 180


def main() -> None:
    """Soak, and end with 1 if anything failed, or went beyond the bounds of `benchmarks.soak.bounds`."""
    given = _arguments()
    given.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="soak-") as place, ExitStack() as stack:
        archive = Archive(Path(place))
        archive.make(given.dates)
        archive.optimise(archive.stack)
        port = _free_port()
        log = stack.enter_context((given.folder / "soak-server.log").open("w"))
        server = serve(archive, port, given.workers, log)
        try:
            _wait_until_ready(port, server)
            summary = asyncio.run(_soak(given, archive, server.pid, port))
            is_alive = server.poll() is None
        finally:
            server.terminate()
            server.wait(30)
    summary["server"] = "ran to the end" if is_alive else "ended before its time"
    (given.folder / "soak.json").write_text(json.dumps(summary, indent=1))
    print(json.dumps(summary, indent=1))
    sys.exit(0 if is_alive and not summary["errors"] and not summary["beyond_bounds"] else 1)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="folder for soak.csv, soak.json and the logs")
    parser.add_argument("--minutes", type=float, default=60, help="of activity")
    parser.add_argument("--rate", type=float, default=30, help="requests a second")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--dates", type=int, default=200, help="at the start: more files than are kept open")
    parser.add_argument("--abandoned", type=float, default=0.2, help="share of requests that are left midway")
    parser.add_argument("--settle-s", type=float, default=15, help="after SIGHUP, until the stack must have the date")
    parser.add_argument("--warm-up", type=float, default=10, help="minutes before slopes count; at most a third")
    parser.add_argument("--pid-file", type=Path, help="lists driver, server, workers and their other processes")
    return parser.parse_args()


async def _soak(given: argparse.Namespace, archive: Archive, server: int, port: int) -> dict[str, object]:
    clock = ActiveClock()
    known = Known(archive, given.dates, given.dates)
    with (given.folder / "soak-errors.log").open("w") as log:
        driver = Driver(port, known, clock, log, given.abandoned)
        makers = await driver.offered()
        keeper = Keeper(given.folder / "soak.csv", driver, server, settle_s=given.settle_s, pid_file=given.pid_file)
        until_s = clock.now() + given.minutes * 60
        asking = asyncio.create_task(driver.run(makers, rate=given.rate, until_s=until_s))
        minding = [asyncio.create_task(each) for each in (clock.keep(), keeper.append_every_minute(), keeper.sample())]
        # A keeper never returns: if one does, it failed, and the soak with it.
        await asyncio.wait([asking, *minding], return_when=asyncio.FIRST_COMPLETED)
        for task in minding:
            if task.done():
                task.result()
            task.cancel()
        await asking
        await asyncio.gather(*minding, return_exceptions=True)
    await keeper.close()
    after_s = min(given.warm_up, given.minutes / 3) * 60
    memory = memory_of(keeper.history, keeper.sizes, after_s=after_s)
    return {
        "minutes": given.minutes,
        "rate": given.rate,
        "stops": clock.stops,
        "kinds": sorted(maker.__name__ for maker in makers),
        "not_offered": sorted(maker.__name__ for maker in set(MAKERS) - set(makers)),
        "asked": dict(keeper.total.asked),
        "abandoned": keeper.total.abandoned,
        "refused": dict(keeper.total.refused),
        "errors": dict(keeper.total.errors),
        "appends": keeper.appends,
        "slowest_append_s": round(keeper.slowest_append_s, 2),
        "memory": asdict(memory),
        "beyond_bounds": memory.broken(memory_bytes=this_machine().memory_bytes),
        "workers": [
            {name: getattr(course, name) for name in course.__slots__}
            for course in courses(keeper.history, after_s=after_s)
        ],
    }


def serve(archive: Archive, port: int, workers: int, log: IO[str]) -> "subprocess.Popen[bytes]":
    """Start the server."""
    command = [*chronotile(), "serve", str(archive.configuration), "--port", str(port), "--workers", str(workers)]
    environment = quiet_environment() | {
        "CHRONOTILE_LOG_LEVEL": "warning",
        "CHRONOTILE_COG_PREFIXES": str(archive.stack),
    }
    return subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)


def _wait_until_ready(port: int, server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + STARTS_WITHIN_S
    while time.monotonic() < until and server.poll() is None:
        try:
            with urlopen(f"http://{HOST}:{port}/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.2)
    raise SystemExit("the server did not start; see soak-server.log")


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        return int(listener.getsockname()[1])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    os.environ.update(quiet_environment())
    main()
