"""Servers and workers of several archives, as users start them: each job is done on its own data, or waits."""

import json
from contextlib import ExitStack
from io import BytesIO
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import numpy as np
import pytest
import rasterio

from chronotile.archive.archive_id import archive_id
from tests.jobs.runs.deployment import Program
from tests.running import PATIENCE_S, PROGRAM, serving, until
from tests.scenes import Scene, write_cogs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

SCENES = {"a": Scene(shift=0), "b": Scene(shift=100)}
"""By archive: both have the layer ndvi.NDVI, whose numbers differ everywhere."""


@pytest.fixture
def places(tmp_path):
    """Folders of data, by archive."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    for name, scene in SCENES.items():
        (tmp_path / name / "data").mkdir(parents=True)
        write_cogs(tmp_path / name / "data", scene)
    return {name: tmp_path / name / "data" for name in SCENES}


@pytest.fixture(params=["default", pytest.param("postgresql", marks=pytest.mark.client("initdb", "postgres"))])
def environment(request, tmp_path):
    """What all programs of one Unix user have: the default settings, or one database."""
    shared = {"XDG_STATE_HOME": str(tmp_path / "state"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    if request.param == "default":
        return shared
    return shared | {"CHRONOTILE_DATABASE_URL": request.getfixturevalue("postgresql").make_database()}


def answer_of(address, body=None):
    headers = {} if body is None else {"Content-Type": "application/json", "Prefer": "respond-async"}
    with urlopen(Request(address, body, headers), timeout=PATIENCE_S) as answer:
        return answer.read()


def told(address):
    return json.loads(answer_of(address))


def submit(address):
    """Ask for the greatest values of all dates, and return the address of the job."""
    body = json.dumps({"inputs": {"layer": "ndvi.NDVI", "reducer": "max"}}).encode()
    job = json.loads(answer_of(f"{address}/ogcapi/processes/composite/execution", body))
    return f"{address}/ogcapi/jobs/{job['jobID']}"


def numbers_of(job):
    with rasterio.open(BytesIO(answer_of(f"{job}/results"))) as file:
        return file.read(1)


def test_each_job_is_done_on_the_data_of_the_server_that_was_asked(places, environment, tmp_path):
    with ExitStack() as stack:
        addresses, workers = {}, {}
        for name, place in places.items():
            _process, addresses[name], _lines = stack.enter_context(serving("serve", place, **environment))
            command = [PROGRAM, "worker", place, "--processes", 1]
            workers[name] = Program(command, environment, tmp_path / f"worker-{name}.log")
        first, second = submit(addresses["a"]), submit(addresses["b"])

        stack.callback(workers["b"].kill)
        workers["b"].start()
        until(lambda: told(second)["status"] == "successful")
        last = submit(addresses["b"])
        until(lambda: told(last)["status"] == "successful")
        waiting = told(first)

        assert waiting["status"] == "accepted"
        assert f"no worker of the archive {archive_id(places['a'], None)} is running" in waiting["message"]
        assert str(tmp_path) not in json.dumps(waiting)

        stack.callback(workers["a"].kill)
        workers["a"].start()
        until(lambda: told(first)["status"] == "successful")

        for name, job in {"a": first, "b": second}.items():
            np.testing.assert_array_equal(numbers_of(job), SCENES[name].cube().max(axis=0))
            (source,) = told(job)["metadata"]["sources"]
            assert (source["collection"], source["layers"], source["count"]) == ("ndvi", ["ndvi.NDVI"], 5)
        listed = {name: told(f"{address}/ogcapi/jobs")["numberMatched"] for name, address in addresses.items()}
        assert listed == {"a": 1, "b": 2}
        with pytest.raises(HTTPError, match="404"):
            answer_of(first.replace(addresses["a"], addresses["b"]))
