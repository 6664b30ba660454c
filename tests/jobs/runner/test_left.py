"""Jobs without a suitable worker wait and report why: a layer is not configured, or a cluster is empty."""

from functools import partial

import pytest

from chronotile.core.model.job import Execution
from chronotile.jobs.queue import attempts
from chronotile.jobs.runner.cluster import NO_PROCESSES, Cluster
from chronotile.jobs.runner.connection import connect
from tests.jobs.runner.conftest import SQUARES_OF_TEN
from tests.running import ANY_HTTP_PORT, until
from tests.scenes import Scene, write_cogs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

WAITS = "waits for a worker whose configuration has its layers: "


def ask(table, process, **inputs):
    return table.submit(Execution(process=process, inputs=inputs), user=None, max_open=10).id


def texts(table, id_):
    return [text for _at, text in table.log(id_)]


@pytest.mark.parametrize(
    ("process", "inputs"),
    [
        pytest.param("composite", {"layer": "later.NDVI"}, id="layer"),
        pytest.param("later", {}, id="process"),
        pytest.param("composite", {"layer": "ndvi.NDVI", "later": 1}, id="input"),
        pytest.param("animation", {"layer": "ndvi.NDVI", "style": "later"}, id="style"),
        pytest.param("zonal-statistics", {"layer": "ndvi.NDVI", "places": "later"}, id="places"),
    ],
)
def test_job_unknown_to_the_configuration_is_not_claimed(process, inputs, table, running, ended, monkeypatch):
    monkeypatch.setattr(attempts, "DECLINED_S", 0.0)
    id_, other = ask(table, process, **inputs), ask(table, "echo", string="a")

    with running():
        assert ended(other).status == "successful"
        until(lambda: table.job(id_).message.startswith(WAITS))
        until(lambda: len(texts(table, id_)) == 1)
        again = ask(table, "echo", string="b")
        assert ended(again).status == "successful"

    job = table.job(id_)
    assert (job.status, job.attempts, job.started, job.fault) == ("accepted", 0, None, None)
    assert [text for text in texts(table, id_) if text.startswith("is left to another worker: ")] == texts(table, id_)


def test_job_is_run_by_a_worker_with_a_matching_configuration(table, running, ended, tmp_path):
    older, newer = tmp_path / "older", tmp_path / "newer"
    for folder in (older, newer):
        folder.mkdir()
        write_cogs(folder, Scene())
    for file in newer.iterdir():
        file.rename(file.with_name(file.name.replace("NDVI", "LAI")))
    id_ = ask(table, "composite", layer="lai.LAI")

    with running(place=older):
        until(lambda: table.job(id_).message.startswith(WAITS))
        with running(place=newer):
            job = ended(id_)

    assert (job.status, job.attempts) == ("successful", 1)


def test_data_replaced_before_the_start_of_a_job_are_logged(table, running, ended):
    execution = Execution(process="composite", inputs={"layer": "ndvi.NDVI"})
    id_ = table.submit(execution, user=None, max_open=1, revision="another").id

    with running():
        job = ended(id_)

    assert "its data changed after it was submitted; it uses the current state" in texts(table, id_)
    assert job.revision == job.results["composite"].metadata["sources"][0]["revision"] != "another"


def test_cluster_without_processes_is_reported_until_one_joins(with_steps, submit, running, ended, table):
    distributed = pytest.importorskip("distributed", reason="the extra dask is not installed")
    id_ = submit()
    with (
        distributed.LocalCluster(n_workers=0, threads_per_worker=1, scheduler_kwargs=ANY_HTTP_PORT) as empty,
        Cluster(partial(connect, empty.scheduler_address, processes=0, memory_bytes=0)) as cluster,
        running(on=cluster),
    ):
        until(lambda: table.job(id_).message == f"0 of 10 tasks; {NO_PROCESSES}")
        assert table.job(id_).status == "running"
        empty.scale(1)
        job = ended(id_)

    assert (job.status, job.attempts, job.results["sum"].value) == ("successful", 1, SQUARES_OF_TEN)
