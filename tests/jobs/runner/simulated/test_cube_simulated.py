"""A serving cube whose worker is killed: its successor writes the same cube."""

import zipfile

import numpy as np
import pytest

from chronotile.core.model.job import Execution
from tests.optimise.conftest import numbers_of
from tests.scenes import Scene, write_cogs

DAYS = np.datetime_as_string(np.arange("2020-01-01", "2020-03-06", dtype="datetime64[D]"))
SCENE = Scene(width=40, height=520, days=tuple(DAYS.tolist()))
ALL = 1 + 2 * 2
"""Number of tasks: one of maps; of series one for 64 days and 512 rows."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Return one file per day."""
    folder = tmp_path_factory.mktemp("days")
    write_cogs(folder, SCENE, overviews=(), blockxsize=256, blockysize=256)
    return folder


@pytest.mark.slow
def test_cube_is_continued_by_another_worker(doing, dask, simulation, table, ended, tmp_path):
    id_ = table.submit(Execution(process="optimise", inputs={"layer": "ndvi.NDVI"}), user=None, max_open=10).id
    doing("one")
    simulation.run(lambda: len(table.finished_tasks(id_)) == 2)
    simulation.kill("one")
    dask.forget(dask.clients[0])

    doing("two")
    job = ended(id_)

    assert (job.status, job.attempts) == ("successful", 2)
    assert f"attempt 2: {ALL - 2} of {ALL} tasks to do" in [line for _at, line in table.log(id_)]
    store = tmp_path / "cube.zarr"
    with zipfile.ZipFile(tmp_path / "jobs" / id_ / "results" / job.results["cube"].file) as archive:
        archive.extractall(store)
    np.testing.assert_array_equal(numbers_of(store), SCENE.cube())
