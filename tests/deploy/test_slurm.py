"""The recipe for SLURM runs a job as docs/reference/jobs.md describes it."""

import re
import shutil
import sys
import tempfile
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import rasterio
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.certificates import write_certificates
from tests.jobs.runner.deployment import Program
from tests.jobs.test_reference import SLURM
from tests.running import PROGRAM, listening_addresses, until
from tests.scenes import Scene, write_cogs
from tests.slurm import NODE, PROGRAMS, serving_slurm

PARTITION = "normal"
ADDRESS = re.compile(r"CHRONOTILE_DASK_ADDRESS=(\S+)")

pytestmark = [pytest.mark.slow, pytest.mark.client(*PROGRAMS)]


@pytest.fixture
def slurm():
    folder = Path(tempfile.mkdtemp(prefix="slurm-", dir="/tmp"))  # the path of a socket must be short
    try:
        with serving_slurm(folder, partition=PARTITION) as cluster:
            yield cluster
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def recipe(tmp_path):
    """Return the script of the page with paths, port and interface of this machine."""
    write_certificates(tmp_path / "dask-tls")
    text = SLURM
    for shown, here in {
        "/shared/dask-tls": str(tmp_path / "dask-tls"),
        "/shared/chronotile": sys.prefix,
        '"eth0"': '"lo"',
        '"port": 8786': '"port": 0',
    }.items():
        assert shown in text
        text = text.replace(shown, here)
    path = tmp_path / "cluster.py"
    path.write_text(text)
    return path


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    write_cogs(folder, Scene())
    return folder


@pytest.fixture
def jobs(tmp_path, monkeypatch):
    """Return the variables of all programs."""
    pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    return {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs")}


def test_slurm_recipe_runs_a_job_through_tls(slurm, recipe, data, jobs, tmp_path):
    log, certificates = tmp_path / "cluster.log", tmp_path / "dask-tls"
    tls = {"CA_FILE": "ca.crt", "CLIENT__CERT": "tls.crt", "CLIENT__KEY": "tls.key"}
    variables = {f"DASK_DISTRIBUTED__COMM__TLS__{name}": str(certificates / file) for name, file in tls.items()}
    server = TestClient(create_app(Settings(config=data)), base_url="http://localhost")
    inputs, headers = {"layer": "ndvi.NDVI", "reducer": "max"}, {"Prefer": "respond-async"}

    with ExitStack() as stack:
        cluster = Program([sys.executable, recipe], jobs | slurm.environment, log)
        stack.callback(cluster.kill)
        cluster.start()
        address = until(lambda: ADDRESS.search(log.read_text()))[1]
        variables["CHRONOTILE_DASK_ADDRESS"] = address
        worker = Program([PROGRAM, "worker", data], jobs | variables, tmp_path / "worker.log")
        stack.callback(worker.kill)
        worker.start()
        stack.enter_context(server)
        accepted = server.post("/ogcapi/processes/composite/execution", json={"inputs": inputs}, headers=headers)
        job = accepted.headers["Location"]
        until(lambda: server.get(job).json()["status"] in {"successful", "failed"})
        result = server.get(f"{job}/results")
        listening = {address.ip for address in listening_addresses(cluster.pid)}

    assert address.startswith("tls://127.0.0.1:")
    assert listening == {"127.0.0.1"}
    assert any(state.startswith(f"dask-worker {NODE} ") for state in slurm.states())
    with rasterio.open(BytesIO(result.content)) as file:
        np.testing.assert_array_equal(file.read(1), Scene().cube().max(axis=0))
