"""A cluster of real processes, which do a process of tests too."""

from contextlib import contextmanager
from functools import partial
from threading import Thread

import pytest

import chronotile.jobs.processes as package
from chronotile.archive.archive_ids import archive_id
from chronotile.archive.live_archive import LiveArchive
from chronotile.core.model.job import Execution
from chronotile.jobs.processes.registry import processes
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.connection import connect
from chronotile.jobs.runner.runner import JobRunner
from tests.jobs.runner.deployment import SITE, noted
from tests.running import PATIENCE_S, until
from tests.scenes import Scene, write_cogs

SQUARES_OF_TEN = 285


@pytest.fixture(scope="module")
def with_steps():
    """Register the process `steps` in this process and in all started ones."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(package, "__path__", [*package.__path__, str(SITE / "made")])
        patch.setenv("PYTHONPATH", str(SITE), prepend=":")
        processes.cache_clear()
        yield
    processes.cache_clear()


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """Return a folder of data that is served."""
    folder = tmp_path_factory.mktemp("data")
    write_cogs(folder, Scene())
    return folder


@pytest.fixture(scope="module")
def cluster(with_steps):
    """Return a cluster of two processes. Dask must wait for one that dies, not remove it before it starts again.

    Work stealing is off, so each does its blocks in order: otherwise two waiting blocks could occupy both processes
    before a block that the test waits for has started.
    """
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    import dask

    with (
        dask.config.set(
            {"distributed.deploy.lost-worker-timeout": "1ms", "distributed.scheduler.work-stealing": False}
        ),
        Cluster(partial(connect, None, processes=2, memory_bytes=1 << 30)) as cluster,
    ):
        yield cluster


@pytest.fixture
def both_there(cluster):
    """Wait until both processes run again after earlier kills."""

    def are_there():
        cluster._connection.replace_dead()
        return len(cluster._connection.client.nthreads()) == 2

    until(are_there)


@pytest.fixture
def archive(data):
    """Its id, as `chronotile worker` finds it."""
    return archive_id(data, None)


@pytest.fixture
def table(tmp_path, archive, closed_at_end):
    """Return the table of jobs in `tmp_path / "jobs"`."""
    return closed_at_end(JobTable(open_engine(None, tmp_path / "jobs"), archive=archive))


@pytest.fixture
def gates(tmp_path):
    """Return the folder whose files let blocks of `steps` through."""
    folder = tmp_path / "gates"
    folder.mkdir()
    return folder


@pytest.fixture
def submit(table, gates):
    """Return `submit(open=4, …)`: ten blocks; four are done immediately, the others wait for the gate."""

    def submit_steps(*, count=10, **inputs):
        inputs = {"open": count, "gates": str(gates)} | inputs
        execution = Execution(process="steps", inputs={"count": count, **inputs})
        return table.submit(execution, user=None, max_open=1000).id

    return submit_steps


@pytest.fixture
def running(table, cluster, data, tmp_path):
    """Return a context manager that runs jobs."""

    @contextmanager
    def run(*, on=cluster, of=table, place=data, timeout_s=600.0, kept_s=1e6, **more):
        folder = tmp_path / "jobs"
        runner = JobRunner(
            of, on, LiveArchive.open(place), place=place, folder=folder, timeout_s=timeout_s, retention_s=kept_s, **more
        )
        thread = Thread(target=runner.run)
        thread.start()
        try:
            yield runner
        finally:
            runner.stop()
            thread.join(PATIENCE_S)
            assert not thread.is_alive()

    return run


@pytest.fixture
def ended(table):
    """Return `ended(id)`, which waits for the end of a job and returns it."""

    def wait(id_):
        until(lambda: table.job(id_).finished is not None)
        return table.job(id_)

    return wait


@pytest.fixture
def notes(gates):
    """Return `notes("began")`: number, process and job of each block that has noted this, in that order."""
    return partial(noted, gates)
