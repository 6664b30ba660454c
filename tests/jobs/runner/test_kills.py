"""A worker is killed, stopped, or hangs; no job is lost. The rest in `simulated/`, and in `test_all_killed.py`."""

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.faults import ClusterLost
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.connection import connect
from chronotile.jobs.runner.runner import LEASE_S
from tests.jobs.runner.conftest import SQUARES_OF_TEN
from tests.running import ANY_HTTP_PORT, reserved_port, until, workers_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SCHEDULER = f"""
import sys
from distributed import LocalCluster
if __name__ == "__main__":
    with LocalCluster(n_workers=0, host="127.0.0.1", scheduler_kwargs={ANY_HTTP_PORT}) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


ENDING_S = 120
"""How long to wait for a process that ends; a busy machine needs some seconds for it."""
PATIENT = f"""
from chronotile.cli.main import app
from chronotile.cli import worker
worker.STOP_S = {ENDING_S}
app()
"""
"""`chronotile`, whose workers have more time to end well."""


@contextmanager
def started(command, log=None, **environment):
    """Run a program in a separate process group and kill it at the end; yields its first output and the process.

    Without a log, its errors go to those of the test.
    """
    process = subprocess.Popen(
        list(map(str, command)),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
        env=os.environ | environment,
        start_new_session=True,
    )
    try:
        yield process.stdout.readline().strip(), process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def worker(with_steps, data, tmp_path):
    """Return a context manager that runs `chronotile worker` and yields its first line and the process."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")

    def start(log=None, program=PATIENT, **environment):
        settings = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")} | environment
        return started([sys.executable, "-c", program, "worker", data, "--processes", 1], log, **settings)

    return start


@pytest.fixture
def table_later(table, archive, tmp_path, closed_at_end):
    """Return the table after the expiry of the current leases."""
    engine = open_engine(None, tmp_path / "jobs")
    return closed_at_end(JobTable(engine, archive=archive, clock=lambda _connection: time.time() + LEASE_S + 1))


def is_gone(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except FileNotFoundError:
        return True


def test_a_worker_that_is_killed_costs_the_blocks_in_flight(
    worker, submit, table, table_later, running, ended, notes, gates
):
    id_ = submit(open=4)
    with worker() as (_line, process):
        until(lambda: len(table.finished_tasks(id_)) == 4)
        pids = {int(pid) for _number, pid, _job in notes("began")}
        process.send_signal(signal.SIGKILL)
        until(lambda: all(is_gone(pid) for pid in pids))
    began = len(notes("began"))

    (gates / "open").touch()
    with running(of=table_later):
        job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 2, SQUARES_OF_TEN)
    assert [text for _at, text in table.log(id_)] == [
        "attempt 1: 10 of 10 tasks to do",
        "attempt 2: 6 of 10 tasks to do",
        "is done",
    ]
    assert began <= 5
    assert len(notes("began")) == began + 6


UNWOKEN = f"""
import signal
from threading import Event, Thread
Thread(target=Event().wait, daemon=True).start()
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])  # in the main thread, which it does not wake then
{PATIENT}
"""


@pytest.fixture
def stopped_worker(worker, submit, table, tmp_path):
    """Return a function that stops a worker amid a job and returns its log; its processes have ended."""

    def stop(program, kill):
        path = tmp_path / "log"
        lost, broken = submit(at=0, act="lose"), submit(at=0, act="break")
        with path.open("w") as log, worker(log=log, program=program) as (line, process):
            assert line.endswith("jobs with 1 processes")
            until(lambda: table.job(lost).message == "waits: the store is out of reach")
            until(lambda: table.job(broken).status == "failed")
            waiting = submit(open=4)
            until(lambda: len(table.finished_tasks(waiting)) == 4)
            children = workers_of(process)
            kill(process.pid)
            assert process.wait(ENDING_S) == 0
            until(lambda: all(is_gone(pid) for pid in children))
        return path.read_text()

    return stop


def test_worker_with_a_signal_that_does_not_wake_it_returns_its_jobs_and_leaves_no_process(stopped_worker, table):
    log = stopped_worker(UNWOKEN, lambda pid: os.kill(pid, signal.SIGTERM))

    given_back = {(job.message, job.attempts) for job in table.jobs(statuses=["accepted", "running"])[0]}
    assert ("waits: its worker was stopped", 0) in given_back
    assert "ZeroDivisionError" in log
    assert "TemporaryFault" not in log  # which is foreseen, and worth no stack


def test_ctrl_c_in_a_terminal_which_interrupts_all_processes_leaves_no_traceback(worker, submit, table, tmp_path):
    path, id_ = tmp_path / "log", submit(open=4)

    with path.open("w") as log, worker(log=log) as (_line, process):
        until(lambda: len(table.finished_tasks(id_)) == 4)
        children = workers_of(process)
        os.killpg(process.pid, signal.SIGINT)
        status = process.wait(ENDING_S)
        until(lambda: all(is_gone(pid) for pid in children))

    # Lines of the worker about its job, of Dask about the task in flight, and, on a busy machine, about a slow end.
    foreseen = (" INFO chronotile.jobs.runner.runner: job ", "ended with CancelledError", "still alive after")
    complaints = [line for line in path.read_text().splitlines() if not any(words in line for words in foreseen)]
    assert (status, complaints) == (0, [])
    job = table.job(id_)
    assert (job.status, job.message, job.attempts) == ("accepted", "waits: its worker was stopped", 0)


def test_no_job_is_begun_on_a_scheduler_that_is_frozen(with_steps, monkeypatch):
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    monkeypatch.setattr("chronotile.jobs.runner.cluster.ANSWER_S", 0.5)

    def is_there():
        with suppress(ClusterLost):
            cluster.renew()
            return True
        return False

    with (
        started([sys.executable, "-c", SCHEDULER]) as (address, process),
        Cluster(partial(connect, address, processes=0, memory_bytes=0)) as cluster,
    ):
        process.send_signal(signal.SIGSTOP)
        until(lambda: Path(f"/proc/{process.pid}/stat").read_text().split()[2] == "T")
        was_there = is_there()
        process.send_signal(signal.SIGCONT)
        until(is_there)

    assert not was_there


HURRIED = """
from chronotile.cli.main import app
from chronotile.cli import worker
from chronotile.jobs.runner import runner
runner.HANG_S, worker.STOP_S = 0.2, 10.0
app()
"""


def test_a_worker_that_hangs_gives_back_its_job_and_ends_when_it_is_stopped(
    with_steps, data, submit, table, gates, tmp_path
):
    os.mkfifo(gates / "word")  # whoever plans the job waits for its text
    id_ = submit()

    command = [sys.executable, "-c", HURRIED, "worker", data, "--processes", 1]
    with started(command, CHRONOTILE_JOBS_DIR=str(tmp_path / "jobs")) as (_line, process):
        until(lambda: table.job(id_).status == "running")
        children = workers_of(process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(ENDING_S) == 1
        until(lambda: all(is_gone(pid) for pid in children))

    job = table.job(id_)
    assert (job.status, job.message, job.attempts) == ("accepted", "waits: its worker was stopped", 0)


def test_worker_without_a_scheduler_reports_it(monkeypatch):
    monkeypatch.setattr("chronotile.jobs.runner.connection.CONNECT_S", 0.5)
    with reserved_port() as nobody:
        address = f"tcp://127.0.0.1:{nobody.getsockname()[1]}"
        with pytest.raises(ClusterLost, match=f"no Dask scheduler answers at {address}"):
            connect(address, processes=0, memory_bytes=0)
