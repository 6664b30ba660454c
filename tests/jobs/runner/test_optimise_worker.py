"""A serving cube made by a real worker is served by the server that got the request."""

import numpy as np
import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from tests.jobs.runner.deployment import working
from tests.optimise.conftest import numbers_of
from tests.running import until
from tests.scenes import Scene, write_cogs

pytestmark = pytest.mark.slow


def test_cube_submitted_with_a_name_is_served_by_its_server(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    write_cogs(data, Scene())
    folders = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs"), "CHRONOTILE_JOBS_CUBES_DIR": str(data / "cubes")}
    request = {"inputs": {"layer": "ndvi.NDVI", "name": "kept"}}
    settings = Settings(config=data, watch_s=0.2, jobs_dir=tmp_path / "jobs", jobs_cubes_dir=data / "cubes")
    with TestClient(create_app(settings), base_url="http://localhost") as client, working(data, **folders):
        headers = {"Prefer": "respond-async"}
        job = client.post("/ogcapi/processes/optimise/execution", json=request, headers=headers).headers["Location"]
        until(lambda: client.get(job).json()["status"] == "successful")
        until(lambda: '"kept.NDVI"' in client.get("/layers").text)
        paths = [f"/timeseries/{name}.NDVI/point?lon=3.001&lat=51.001" for name in ("ndvi", "kept")]
        series = [client.get(path).json() for path in paths]

    assert len(series[0]["values"]) == 5
    assert series[1]["values"] == series[0]["values"]
    np.testing.assert_array_equal(numbers_of(data / "cubes" / "kept.zarr"), Scene().cube())
