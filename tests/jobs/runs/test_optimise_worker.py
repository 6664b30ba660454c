"""Serving cubes by real workers: one is killed, and the one that goes on writes the same."""

import json
import time
import zipfile
from contextlib import ExitStack, contextmanager
from urllib.request import Request, urlopen

import numpy as np
import pytest
from sqlalchemy import text

from chronotile.jobs.runner import LEASE_S
from chronotile.model.job import Execution
from chronotile.queue.database import open_engine, write_transaction
from chronotile.queue.schema import FINISHED_TASKS
from chronotile.queue.table import JobTable
from tests.jobs.runs.deployment import Program, working
from tests.optimise.conftest import numbers_of
from tests.running import PATIENCE_S, PROGRAM, serving, until
from tests.scenes import Scene, write_cogs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

DAYS = np.datetime_as_string(np.arange("2020-01-01", "2020-06-01", dtype="datetime64[D]"))
SCENE = Scene(width=540, height=520, days=tuple(DAYS.tolist()))
ALL = 1 + 3 * 2
"""Blocks: one of maps; of series one for 64 days and 512 rows."""


def bytes_of(address):
    with urlopen(address, timeout=PATIENCE_S) as answer:
        return answer.read()


def value_of(address):
    return json.loads(bytes_of(address))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """A file a day."""
    folder = tmp_path_factory.mktemp("days")
    write_cogs(folder, SCENE, overviews=(), blockxsize=256, blockysize=256)
    return folder


def test_a_cube_that_is_asked_for_by_name_is_served_by_the_server_that_was_asked(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_cogs(data, Scene())
    folders = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs"), "CHRONOTILE_JOBS_CUBES_DIR": str(data / "cubes")}
    body = json.dumps({"inputs": {"layer": "ndvi.NDVI", "name": "kept"}}).encode()
    headers = {"Content-Type": "application/json", "Prefer": "respond-async"}
    with (
        serving("serve", data, CHRONOTILE_WATCH_S="0.2", **folders) as (_server, address, _lines),
        working(data, **folders),
    ):
        with urlopen(
            Request(f"{address}/ogcapi/processes/optimise/execution", body, headers), timeout=PATIENCE_S
        ) as answer:
            job = answer.headers["Location"]
        until(lambda: value_of(job)["status"] == "successful")
        until(lambda: b'"kept.NDVI"' in bytes_of(f"{address}/layers"))
        series = [value_of(f"{address}/timeseries/{name}.NDVI/point?lon=3.001&lat=51.001") for name in ("ndvi", "kept")]

    assert len(series[0]["values"]) == 5
    assert series[1]["values"] == series[0]["values"]
    np.testing.assert_array_equal(numbers_of(data / "cubes" / "kept.zarr"), Scene().cube())


FULL = f"""
CREATE TRIGGER full BEFORE INSERT ON {FINISHED_TASKS.name} WHEN (SELECT count(*) FROM {FINISHED_TASKS.name}) = 2
BEGIN SELECT RAISE(ABORT, 'there are two blocks already'); END
"""


@pytest.fixture
def two_blocks_alone(table):
    """`with two_blocks_alone():` the table takes no third one, for which whoever has done it waits half a minute."""

    @contextmanager
    def fill():
        with write_transaction(table._engine) as connection:
            connection.execute(text(FULL))
        yield
        with write_transaction(table._engine) as connection:
            connection.execute(text("DROP TRIGGER full"))

    return fill


def test_a_cube_is_gone_on_with_by_another_worker(cluster, data, table, two_blocks_alone, running, ended, tmp_path):
    id_ = table.submit(Execution(process="optimise", inputs={"layer": "ndvi.NDVI"}), user=None, most_open=10).id
    command, settings = [PROGRAM, "worker", data, "--processes", 1], {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}
    worker = Program(command, settings, tmp_path / "log")
    with two_blocks_alone(), ExitStack() as stack:
        stack.callback(worker.kill)
        worker.start()
        until(lambda: len(table.finished_tasks(id_)) == 2)

    engine = open_engine(None, tmp_path / "jobs")
    later = JobTable(engine, archive=table.archive, clock=lambda _connection: time.time() + LEASE_S + 1)
    with running(of=later):
        job = ended(id_)
    later.close()

    assert (job.status, job.attempts) == ("successful", 2)
    assert f"attempt 2: {ALL - 2} of {ALL} tasks to do" in [line for _at, line in table.log(id_)]
    store = tmp_path / "cube.zarr"
    with zipfile.ZipFile(tmp_path / "jobs" / id_ / "results" / job.results["cube"].file) as archive:
        archive.extractall(store)
    np.testing.assert_array_equal(numbers_of(store), SCENE.cube())
