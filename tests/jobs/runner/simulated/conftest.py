"""A table of jobs and a Dask cluster on one simulated clock."""

import pytest

from chronotile.archive.live_archive import LiveArchive
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.table import JobTable
from chronotile.jobs.runner.cluster import Cluster
from chronotile.jobs.runner.runner import JobRunner


@pytest.fixture
def table(simulation, tmp_path, closed_at_end):
    return closed_at_end(JobTable(open_engine(None, tmp_path / "jobs"), clock=simulation.clock, archive="a"))


@pytest.fixture
def ended(table, simulation):
    """Return `ended(id)`, which waits for the end of a job and returns it."""

    def wait(id_):
        simulation.run(lambda: table.job(id_).finished is not None)
        return table.job(id_)

    return wait


@pytest.fixture
def dask(simulation, closed_at_end):
    """Return a scheduler with two workers."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    from tests.jobs.runner.simulated.fake_dask import FakeScheduler

    return closed_at_end(FakeScheduler(simulation))


@pytest.fixture
def dask_cluster(dask, simulation):
    """Return the cluster that submits tasks."""
    with Cluster(dask.connect, runtime=simulation.runtime("one")) as cluster:
        yield cluster


@pytest.fixture
def doing(simulation, dask_cluster, with_steps, table, data, tmp_path):
    """Return `doing("one")`: a process that runs jobs of the table's archive."""

    def start(process="one"):
        archive, folder = LiveArchive.open(data), tmp_path / "jobs"
        made = JobRunner(
            *(table, dask_cluster, archive),
            place=data,
            folder=folder,
            timeout_s=1e6,
            retention_s=1e6,
            runtime=simulation.runtime(process),
        )
        simulation.start(process, made.run)

    return start
