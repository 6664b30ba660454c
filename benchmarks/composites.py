"""`composite` as a job on Dask: seconds, peak memory of each process, and whether all variants return the same bytes.

`python -m benchmarks.composites [FOLDER] [--dates 365] [--side 4096] [--reducers max mean]`: jobs with one process, two
processes, and one process with four threads make one map of the stack of COGs of `benchmarks.optimise`. Each
`--alike`th COG is a separate file and the next ones are links to it. For comparison, one and two plain processes
decompress the same files: their ratio is the largest possible speed-up on the machine.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GDAL_NUM_THREADS", "1")

import argparse
import hashlib
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import rasterio

from benchmarks.optimise import make_stack
from benchmarks.soak.watch import descendants, memory_of
from chronotile.archive.archive_ids import archive_id
from chronotile.core.model.job import Execution, Job
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.job_folder import RESULTS
from chronotile.jobs.queue.table import JobTable

WORKERS = {"one process": (1, 1), "two processes": (2, 1), "four threads": (1, 4)}
"""Processes, and threads of each."""
LOOK_S = 0.1


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=Path(tempfile.gettempdir()) / "chronotile-bench")
    parser.add_argument("--dates", type=int, default=365)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--alike", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--reducers", nargs="+", default=["max", "mean"])
    parser.add_argument("--inflate", nargs="+", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.inflate:
        _inflate(given.inflate)
        return
    stack = _stack(given.folder, given.dates, given.side, given.alike)
    print(f"{given.dates} dates of {given.side}² uint8, {given.dates * given.side**2 / 1e9:.1f} GB of numbers")
    expected = {reducer: _expected(stack, reducer) for reducer in given.reducers}
    for number in range(given.rounds):
        alone, two = _inflated_s(stack, 1), _inflated_s(stack, 2)
        print(f"round {number + 1}: inflating {alone:.1f} s, by two {two:.1f} s: {alone / two:.2f} times as fast")
        for reducer in given.reducers:
            found: dict[str, str] = {}
            for name, workers in WORKERS.items():
                seconds, peaks, file = _done(stack, given.folder, reducer, *workers)
                found[name] = hashlib.sha256(file.read_bytes()).hexdigest()
                _compare(file, expected[reducer])
                shutil.rmtree(given.folder / "jobs")
                print(f"  {reducer:6} {name:14} {seconds:6.1f} s, at most {max(peaks):.0f} MiB per process")
            print(f"  {reducer:6} {'same bytes' if len(set(found.values())) == 1 else f'BYTES DIFFER: {found}'}")


def _stack(folder: Path, dates: int, side: int, alike: int) -> Path:
    own = make_stack(folder / f"stack-{side}", -(-dates // alike), side)
    files, stack = sorted(own.glob("*.tif")), folder / f"stack-{side}-{dates}"
    stack.mkdir(exist_ok=True)
    for number in range(dates):
        day = np.datetime64("2020-01-01") + number
        link = stack / f"ndvi_{str(day).replace('-', '')}.tif"
        if not link.exists():
            link.hardlink_to(files[number // alike])
    return stack


def _expected(stack: Path, reducer: str) -> np.ndarray:
    """The window in the middle, 64 cells wide, by plain numpy."""
    values = []
    for path in sorted(stack.glob("*.tif")):
        with rasterio.open(path) as file:
            values.append(file.read(1, window=_middle(file)))
    masked = np.ma.masked_equal(np.stack(values), 255)
    return np.asarray(masked.max(0).filled(255) if reducer == "max" else masked.mean(0).filled(np.nan))


def _middle(file: rasterio.DatasetReader) -> rasterio.windows.Window:
    return rasterio.windows.Window(file.width // 2 - 32, file.height // 2 - 32, 64, 64)


def _compare(path: Path, expected: np.ndarray) -> None:
    with rasterio.open(path) as file:
        np.testing.assert_allclose(file.read(1, window=_middle(file)), expected, rtol=1e-6)


def _done(stack: Path, folder: Path, reducer: str, *workers: int) -> tuple[float, list[float], Path]:
    """Seconds that a job ran, the most that each process held in MiB, and the file."""
    jobs = folder / "jobs"
    shutil.rmtree(jobs, ignore_errors=True)
    engine, archive = open_engine(None, jobs), archive_id(stack, None)
    with _dask(*workers) as address, closing(JobTable(engine, archive=archive)) as table:
        environment = os.environ | {"CHRONOTILE_JOBS_DIR": str(jobs), "CHRONOTILE_DASK_ADDRESS": address}
        program = Path(sys.executable).parent / "chronotile"
        with _running([program, "worker", stack], environment) as worker:
            assert worker.stdout is not None
            worker.stdout.readline()
            (collection,) = _layers(stack)
            execution = Execution(process="composite", inputs={"layer": collection, "reducer": reducer})
            job = _ended(table, table.submit(execution, user=None, max_open=1).id)
            peaks = [memory_of(pid, "VmHWM") / 2**20 for pid in descendants(os.getpid())]
    if job.status != "successful" or job.started is None or job.finished is None:
        sys.exit(f"the job is {job.status}: {job.fault}")
    (file,) = (jobs / job.id / RESULTS).iterdir()
    return job.finished - job.started, peaks, file


def _layers(stack: Path) -> list[str]:
    from chronotile.archive.open import open_archive  # noqa: PLC0415
    from chronotile.core.model.time.instants import system_clock  # noqa: PLC0415

    archive = open_archive(stack, environment={}, clock=system_clock)
    return [layer.id for collection in archive.services.catalogue.collections for layer in collection.layers]


@contextmanager
def _dask(processes: int, threads: int) -> Iterator[str]:
    """A cluster, as somebody else would begin it."""
    program = Path(sys.executable).parent / "dask"
    scheduler = [program, "scheduler", "--host", "127.0.0.1", "--port", "8786", "--no-dashboard"]
    address = "tcp://127.0.0.1:8786"
    workers = [program, "worker", address, "--nworkers", processes, "--nthreads", threads, "--no-dashboard"]
    with _running(scheduler, dict(os.environ)), _running([*workers, "--memory-limit", "2GiB"], dict(os.environ)):
        yield address


@contextmanager
def _running(command: list[object], environment: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=environment,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def _ended(table: JobTable, id_: str) -> Job:
    while table.job(id_).finished is None:
        time.sleep(LOOK_S)
    return table.job(id_)


def _inflated_s(stack: Path, processes: int) -> float:
    files = sorted(stack.glob("*.tif"))[::5]
    started = time.perf_counter()
    call = [sys.executable, "-m", "benchmarks.composites", "--inflate"]
    running = [subprocess.Popen([*call, *map(str, files[number::processes])]) for number in range(processes)]
    for each in running:
        each.wait()
    return time.perf_counter() - started


def _inflate(files: list[Path]) -> None:
    for path in files:
        with rasterio.open(path) as file:
            file.read(1)


if __name__ == "__main__":
    main()
