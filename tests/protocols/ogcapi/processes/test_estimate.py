"""Estimates before execution, for every process and for scenes."""

import os
import subprocess
from pathlib import Path

import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application, create_app
from chronotile.app.settings import Settings
from chronotile.catalog.limits import Limits
from chronotile.jobs.processes.process import MAX_TASKS
from tests.agreement.doors import kinds
from tests.protocols.fuzzing.site import made_services
from tests.protocols.fuzzing.valid_bodies import INPUTS
from tests.running import PROGRAM

FILES = {"anomaly", "climatology", "composite", "export", "trend"}
"""Processes with a predictable file size."""
SCENES = "collections: {scenes: {source: {kind: stac, href: catalogue.json}, variables: {NDVI: {asset: NDVI}}}}\n"


def told_and_done(client: TestClient, process: str, inputs: object) -> tuple[dict, bytes]:
    """The estimate of an execution, and its result."""
    base = f"/ogcapi/processes/{process}"
    told, done = (client.post(f"{base}/{each}", json={"inputs": inputs}) for each in ("estimate", "execution"))
    assert (told.status_code, done.status_code) == (200, 200), (told.text, done.content[:500])
    assert told.headers["cache-control"] == "no-store"
    return told.json(), done.content


@pytest.fixture(scope="module")
def client():
    with TestClient(application(made_services(), ServerOptions())) as one:
        yield one


@pytest.mark.slow
@pytest.mark.parametrize("process", list(INPUTS))
def test_estimate_is_an_upper_bound_of_an_execution(client: TestClient, process: str) -> None:
    told, result = told_and_done(client, process, INPUTS[process])

    assert told["processID"] == process
    assert told["limits"] == {"seconds": Limits().max_seconds, "tasks": MAX_TASKS, "openJobs": 1000}
    assert told["jobControlOptions"] == ["sync-execute"]  # this server has no folder of jobs
    assert told["tasks"] >= 1
    assert (told["resultBytes"] is not None) is (process in FILES)
    assert len(result) <= (told["resultBytes"] or len(result))
    if process == "echo":
        assert (told["layers"], told["times"], told["pixels"], told["readBytes"]) == ([], 0, 0, 0)
    else:
        (layer,) = told["layers"]
        assert layer["times"] == told["times"] or process == "anomaly"
        assert 0 < told["pixels"] <= told["readBytes"] * (2 if process == "anomaly" else 1)


@pytest.mark.slow
def test_execution_too_long_for_a_waiting_client_is_not_offered(client: TestClient) -> None:
    told = client.post("/ogcapi/processes/echo/estimate", json={"inputs": {"pause": Limits().max_seconds + 1}}).json()

    assert told["seconds"] == Limits().max_seconds + 1
    assert told["jobControlOptions"] == []


@pytest.mark.slow
def test_estimates_over_scenes(tmp_path: Path) -> None:
    kinds.write_files(tmp_path)
    kinds.write_catalogues(tmp_path, kinds.Places(files=str, api="", bucket="s3://none"))
    (tmp_path / "scenes.yaml").write_text(SCENES)
    environment = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}
    command = [PROGRAM, "index", tmp_path / "scenes.yaml"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
    settings = Settings(config=tmp_path / "scenes.yaml", jobs_dir=tmp_path / "jobs")
    with TestClient(create_app(settings)) as client:
        layer = client.get("/layers").json()["layers"][0]["id"]
        exported, file = told_and_done(client, "export", {"layer": layer})
        composed, picture = told_and_done(client, "composite", {"layer": layer, "reducer": "max"})
    with rasterio.MemoryFile(file) as memory, memory.open() as opened:
        pixels = opened.width * opened.height * opened.count

    assert exported["times"] == composed["times"] == len(kinds.SCENE.days)
    assert exported["pixels"] == composed["pixels"] == pixels
    assert exported["readBytes"] is composed["readBytes"] is None  # pieces may overlap
    assert len(file) <= exported["resultBytes"]
    assert len(picture) <= composed["resultBytes"]
    assert exported["jobControlOptions"] == ["sync-execute", "async-execute"]
