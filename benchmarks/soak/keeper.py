"""Events of every minute of a soak: an append and a reload, and the samples for the table."""

import asyncio
import csv
import os
import signal
from collections import defaultdict
from pathlib import Path

from benchmarks.figures import percentile
from benchmarks.load.exchange import Ask, exchange
from benchmarks.soak.archive import quiet_environment
from benchmarks.soak.bounds import CacheSizes, cache_sizes
from benchmarks.soak.drive import HOST, Counts, Driver
from benchmarks.soak.watch import Sample, descendants, samples, workers_of

MINUTE_S = 60.0
LISTED_EVERY_S = 5.0
COLUMNS = (
    "active_s", "process", "pid", "pss_mb", "descriptors", "threads",
    "asked", "abandoned", "refused", "errors", "p50_ms", "p99_ms", "dates", "caches_mb",
)  # fmt: skip


class Keeper:
    """Grows the archive, reloads the server and keeps the books."""

    def __init__(self, table: Path, driver: Driver, server: int, *, settle_s: float, pid_file: Path | None) -> None:
        self.driver = driver
        self.server = server
        self.settle_s = settle_s
        self.pid_file = pid_file
        self.total = Counts()
        self.history: dict[int, list[tuple[float, Sample]]] = defaultdict(list)
        """Samples by worker."""
        self.sizes: dict[float, CacheSizes] = {}
        """Sizes by the moments of `history`."""
        self.appends = 0
        self.slowest_append_s = 0.0
        self._file = table.open("w", newline="")
        self._rows = csv.writer(self._file)
        self._rows.writerow(COLUMNS)

    async def close(self) -> None:
        """Count the last minute, and close the table."""
        await self._write()
        self._file.close()
        if self.pid_file is not None:
            self.pid_file.write_text("")

    async def append_every_minute(self) -> None:
        """Append a date, reload the server, and expect the date after the time to settle."""
        clock, known = self.driver.clock, self.driver.known
        due, date = clock.now() + MINUTE_S / 2, known.dates
        while True:
            await clock.sleep_until(due)
            source = await asyncio.to_thread(known.archive.write_date, date)
            started = clock.now()
            await self._run(*known.archive.optimising(source))
            self.slowest_append_s = max(self.slowest_append_s, clock.now() - started)
            known.cube_dates = date + 1
            os.kill(self.server, signal.SIGHUP)
            await clock.sleep_until(clock.now() + self.settle_s)
            date += 1
            known.dates = date
            self.appends += 1
            due = max(due + MINUTE_S, clock.now())

    async def sample(self) -> None:
        """Write a row per process and minute, and list the processes every few seconds."""
        clock = self.driver.clock
        due = clock.now() + MINUTE_S
        while True:
            while clock.now() < due:
                self._list_processes()
                await clock.sleep_until(min(due, clock.now() + LISTED_EVERY_S))
            due += MINUTE_S
            await self._write()

    async def _write(self) -> None:
        metrics = await exchange(Ask(path="/metrics"), HOST, self.driver.port)
        now, counts = self.driver.clock.now(), self.driver.counts
        size = self.sizes[now] = cache_sizes(metrics.body.decode())
        self.driver.counts = Counts()
        self.total.add(counts)
        load = (
            counts.asked.total(), counts.abandoned, counts.refused.total(), counts.errors.total(),
            round(percentile(counts.latencies_ms, 50), 2), round(percentile(counts.latencies_ms, 99), 2),
            self.driver.known.dates, round(size.held, 1),
        )  # fmt: skip
        for found in samples([self.server, *workers_of(self.server)]):
            name = "server" if found.pid == self.server else "worker"
            if name == "worker":
                self.history[found.pid].append((now, found))
            row = (round(now, 1), name, found.pid, round(found.pss_mb, 1), found.descriptors, found.threads)
            self._rows.writerow((*row, *load))
        self._file.flush()

    async def _run(self, *command: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *command, env=quiet_environment(), stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
        )
        self._list_processes()
        _, said = await process.communicate()
        if process.returncode:
            self.driver.counts.errors[f"append: {said.decode()[-200:]}"] += 1

    def _list_processes(self) -> None:
        """The driver first: it must not time requests of processes that are stopped a moment before it."""
        if self.pid_file is not None:
            unfinished = self.pid_file.with_suffix(".unfinished")
            unfinished.write_text("\n".join(map(str, [os.getpid(), *descendants(os.getpid())])) + "\n")
            unfinished.replace(self.pid_file)
