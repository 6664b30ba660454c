"""Jobs over scenes whose tasks are done by the processes of an external Dask cluster, on both databases.

Each process over each kind of source, with an index in SQLite and processes of the worker's own, is in
`tests/agreement/doors`.
"""

import io
import os
import subprocess

import numpy as np
import pytest
import rasterio

from tests.agreement.doors import kinds
from tests.agreement.doors.asking import at_cells, close
from tests.jobs.runner.deployment import deployed
from tests.running import PROGRAM

CONFIGURATION = """
service: {id: shared}
collections:
  c-scenes:
    source: {kind: stac, href: 'DATA/catalogue.json'}
    variables: {NDVI: {asset: NDVI, layer: scenes}}
  c-one:
    source: {kind: zarr, href: 'DATA/made.zarr'}
    variables: {NDVI: {layer: one}}
"""
pytestmark = [pytest.mark.slow, pytest.mark.client("initdb", "postgres")]


@pytest.fixture(params=["sqlite", "postgresql"])
def site(request, tmp_path):
    """A deployment over scenes in a static catalogue, and over files."""
    pytest.importorskip("distributed", reason="the extra dask is not installed")
    data, jobs = tmp_path / "data", tmp_path / "jobs"
    data.mkdir()
    kinds.write_files(data)
    kinds.write_catalogues(data, kinds.Places(files=str, api="", bucket="s3://none"))
    (data / "chronotile.yaml").write_text(CONFIGURATION.replace("DATA", str(data)))
    environment = {"CHRONOTILE_JOBS_DIR": str(jobs)}
    if request.param == "postgresql":
        environment["CHRONOTILE_DATABASE_URL"] = request.getfixturevalue("postgresql").make_database()
    command = [PROGRAM, "index", data / "chronotile.yaml"]
    subprocess.run(command, check=True, capture_output=True, env=os.environ | environment)
    with deployed(data / "chronotile.yaml", jobs, workers=1, processes=2, **environment) as one:
        yield one


def result(site, job, output):
    """Return the content of an output, once the job has ended."""
    status = site.ended(job)
    assert status["status"] == "successful", status["message"]
    return site.fetched(f"jobs/{job}/results/{output}")


def test_processes_of_an_external_cluster_read_scenes_and_files(site):
    jobs = {
        layer: (site.ordered("composite", {"layer": layer, "reducer": "max"}), site.ordered("export", {"layer": layer}))
        for layer in ("scenes", "one")
    }
    cube = site.ordered("optimise", {"layer": "scenes"})

    values = kinds.values_of("static")
    for composite, export in jobs.values():
        with rasterio.open(io.BytesIO(result(site, composite, "composite"))) as file:
            close(at_cells(file)[0], np.fmax.reduce(values, axis=0))
        with rasterio.open(io.BytesIO(result(site, export, "export"))) as file:
            close(at_cells(file), values)
    assert result(site, cube, "cube").startswith(b"PK")
