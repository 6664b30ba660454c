"""Workers of several archives, as users start them: each job is done on its own data, or waits."""

import json
import os
from contextlib import ExitStack
from io import BytesIO

import numpy as np
import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.archive.archive_ids import archive_id
from tests.jobs.runner.deployment import Program
from tests.running import PROGRAM, until
from tests.scenes import Scene, write_cogs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SCENES = {"a": Scene(shift=0), "b": Scene(shift=100)}
"""By archive: both have the layer ndvi.NDVI, with different numbers everywhere."""


@pytest.fixture
def places(tmp_path):
    """Folders of data, by archive."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    for name, scene in SCENES.items():
        (tmp_path / name / "data").mkdir(parents=True)
        write_cogs(tmp_path / name / "data", scene)
    return {name: tmp_path / name / "data" for name in SCENES}


@pytest.fixture
def environment(monkeypatch, tmp_path):
    """Set the variables that all programs of one Unix user share with the default settings."""
    shared = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name, value in shared.items():
        monkeypatch.setenv(name, value)
    return shared


def submit(server):
    """Order the maximum of all dates, and return the path of the job."""
    inputs, headers = {"layer": "ndvi.NDVI", "reducer": "max"}, {"Prefer": "respond-async"}
    answer = server.post("/ogcapi/processes/composite/execution", json={"inputs": inputs}, headers=headers)
    return f"/ogcapi/jobs/{answer.json()['jobID']}"


def numbers_of(server, job):
    with rasterio.open(BytesIO(server.get(f"{job}/results").content)) as file:
        return file.read(1)


def test_each_job_uses_the_data_of_its_server(places, environment, tmp_path):
    with ExitStack() as stack:
        servers, workers = {}, {}
        for name, place in places.items():
            servers[name] = stack.enter_context(
                TestClient(create_app(Settings(config=place)), base_url="http://localhost")
            )
            command = [PROGRAM, "worker", os.path.relpath(place), "--processes", 1]
            workers[name] = Program(command, environment, tmp_path / f"worker-{name}.log")
        first, second = submit(servers["a"]), submit(servers["b"])

        def told(name, job):
            return servers[name].get(job).json()

        stack.callback(workers["b"].kill)
        workers["b"].start()
        until(lambda: told("b", second)["status"] == "successful")
        last = submit(servers["b"])
        until(lambda: told("b", last)["status"] == "successful")
        waiting = told("a", first)

        assert waiting["status"] == "accepted"
        assert f"no worker of the archive {archive_id(places['a'], None)} is running" in waiting["message"]
        assert str(tmp_path) not in json.dumps(waiting)

        stack.callback(workers["a"].kill)
        workers["a"].start()
        until(lambda: told("a", first)["status"] == "successful")

        for name, job in {"a": first, "b": second}.items():
            np.testing.assert_array_equal(numbers_of(servers[name], job), SCENES[name].cube().max(axis=0))
            (source,) = told(name, job)["metadata"]["sources"]
            assert (source["collection"], source["layers"], source["count"]) == ("ndvi", ["ndvi.NDVI"], 5)
        listed = {name: told(name, "/ogcapi/jobs")["numberMatched"] for name in servers}
        assert listed == {"a": 1, "b": 2}
        assert servers["b"].get(first).status_code == 404
        logs = "".join((tmp_path / f"worker-{name}.log").read_text() for name in places)
        assert "reloaded" not in logs  # nothing changed, however the place is spelled
