"""Collections of scenes written by the process `optimise`, compared with the command and the same options."""

from zipfile import ZipFile

import numpy as np
import pytest
import xarray
from pyproj import Transformer
from starlette.testclient import TestClient

from chronotile.app.application import application
from chronotile.core.model.source import TargetGrid
from chronotile.core.model.space.boxes import BBox
from chronotile.core.model.time.instants import TimeSpan
from chronotile.jobs.processes.work.mosaic_view import view_of
from chronotile.optimise.collections import optimise_collection
from chronotile.optimise.mosaics import MosaicRequest
from chronotile.optimise.options import Options
from tests.catalog.items.conftest import make_item
from tests.jobs.processes.doing import do_oddly
from tests.protocols import served
from tests.scenes_archive.indexed import LATTICE, indexed
from tests.scenes_archive.plan import TINY

pytestmark = pytest.mark.slow

DAY = np.timedelta64(1, "D")
TWO_DAYS = tuple(TimeSpan(np.datetime64(day, "ns"), np.datetime64(day, "ns") + DAY) for day in TINY.days[1:3])
BOTH_ZONES = 5.99, 50.497, 6.005, 50.503
"""Across the edge of the two zones."""


@pytest.fixture
def opened(tmp_path):
    """Return `opened(more)`: the archive with additional configuration of its collection, and its index."""
    archives = []

    def opened(more=LATTICE):
        scenes = indexed(TINY, tmp_path, more=more)
        archives.append(scenes.opened())
        return archives[-1], scenes.open_index

    yield opened
    for archive in archives:
        archive.close()
        archive.services.reader_caches.items.close()


def written(archive, open_index, folder, **request):
    """Return the cube that the command writes of it."""
    made = MosaicRequest(collection="scenes", **request)
    optimise_collection(archive, made, folder / "command.zarr", Options(threads=1), open_index=open_index)
    return xarray.open_zarr(folder / "command.zarr", chunks=None)


def executed(archive, **inputs):
    """Return the server's answer to an execution."""
    with TestClient(application(archive.services), raise_server_exceptions=False) as client:
        return client.post("/ogcapi/processes/optimise/execution", json={"inputs": inputs})


def unpacked(answer, folder):
    """Return the cube of an answer."""
    assert answer.status_code == 200, answer.text[:300]
    (folder / "cube.zip").write_bytes(answer.content)
    with ZipFile(folder / "cube.zip") as file:
        file.extractall(folder / "job.zarr")
    return xarray.open_zarr(folder / "job.zarr", chunks=None)


@pytest.mark.parametrize(
    ("variable", "inputs", "options"),
    [
        ("CELL", {"crs": "EPSG:32632", "resolution": 40}, {"target": TargetGrid(crs="EPSG:32632", resolution=40.0)}),
        (
            "RED",
            {"crs": "http://www.opengis.net/def/crs/EPSG/0/3857", "resolution": 37.5, "mosaic": "mean"},
            {"target": TargetGrid(crs="EPSG:3857", resolution=37.5), "rule": "mean"},
        ),
        (
            "CELL",
            {"crs": "CRS:84", "resolution": 0.0002, "bbox": {"bbox": list(BOTH_ZONES)}},
            {"target": TargetGrid(crs="OGC:CRS84", resolution=0.0002), "bbox": BBox(*BOTH_ZONES)},
        ),
        ("RED", {"mosaic": "max"}, {"rule": "max"}),
        ("SCL", {"mosaic": "mean"}, {"rule": "mean"}),
        (
            "NDVI",
            {"crs": "EPSG:32631", "resolution": 20, "datetime": ",".join(TINY.days[1:3]), "mosaic": "median"},
            {"target": TargetGrid(crs="EPSG:32631", resolution=20.0), "spans": TWO_DAYS, "rule": "median"},
        ),
    ],
    ids=["grid", "rule and grid", "box", "rule", "classes", "times"],
)
def test_process_writes_the_same_as_the_command(tmp_path, opened, variable, inputs, options):
    archive, open_index = opened()

    job = unpacked(executed(archive, layer=f"scenes.{variable}", **inputs), tmp_path)

    command = written(archive, open_index, tmp_path, variables=(variable,), **options)
    assert np.isfinite(command[variable].values).any()
    for name in ("time", "y", "x", variable):
        np.testing.assert_array_equal(job[name].values, command[name].values)
    assert job[variable].encoding["dtype"] == command[variable].encoding["dtype"]


def test_tasks_in_an_odd_order_write_the_same(tmp_path, opened):
    archive, open_index = opened()
    inputs = {"layer": ["scenes.RED", "scenes.SCL"], "crs": "EPSG:32632", "resolution": 30, "mosaic": "max"}

    results = do_oddly("optimise", inputs, archive.services, tmp_path / "job")

    with ZipFile(tmp_path / "job" / "results" / results["cube"].file) as file:
        file.extractall(tmp_path / "job.zarr")
    target = TargetGrid(crs="EPSG:32632", resolution=30.0)
    command = written(archive, open_index, tmp_path, variables=("RED", "SCL"), target=target, rule="max")
    for group in ("", "series"):
        job = xarray.open_zarr(tmp_path / "job.zarr" / group, chunks=None)
        for name in ("RED", "SCL"):
            np.testing.assert_array_equal(job[name].values, command[name].values)


def test_scenes_of_several_grids_are_written_on_a_requested_one(tmp_path, opened):
    archive, open_index = opened(more="")
    refused = executed(archive, layer="scenes.CELL")

    job = unpacked(executed(archive, layer="scenes.CELL", crs="EPSG:3035", resolution=20), tmp_path)

    target = TargetGrid(crs="EPSG:3035", resolution=20.0)
    command = written(archive, open_index, tmp_path, variables=("CELL",), target=target)
    np.testing.assert_array_equal(job["CELL"].values, command["CELL"].values)
    assert refused.status_code == 400
    assert "inputs.crs" in refused.text


def test_a_box_in_the_crs_of_the_cube_has_its_cells(tmp_path, opened):
    archive, _open_index = opened()
    box = {"bbox": [712_410, 5_598_390, 712_810, 5_598_610], "crs": "http://www.opengis.net/def/crs/EPSG/0/32631"}

    job = unpacked(executed(archive, layer="scenes.CELL", crs="EPSG:32631", resolution=20, bbox=box), tmp_path)

    assert (job["x"].values.min(), job["x"].values.max()) == (712_410, 712_810)
    assert (job["y"].values.min(), job["y"].values.max()) == (5_598_390, 5_598_610)


def test_requested_grid_covers_the_whole_wide_collection(opened):
    archive, _open_index = opened()
    services = archive.services
    wide = BBox(-9.3, 40.0, 30.1, 60.0)
    services.reader_caches.items.put("scenes", [make_item("wide", wide)])

    _inputs, own = view_of({"layer": "scenes.CELL", "crs": "EPSG:3035", "resolution": 10}, services)

    box = own.readers["scenes"].info.variables["CELL"].grid.bbox
    longitudes = np.linspace(wide.xmin, wide.xmax, 100_001)
    x, y = Transformer.from_crs(4326, 3035, always_xy=True).transform(longitudes, np.full_like(longitudes, wide.ymin))
    assert box.ymin <= y.min()
    assert box.xmin <= x.min()


@pytest.mark.parametrize(
    ("inputs", "place", "reason"),
    [
        ({"crs": "EPSG:3035"}, "inputs.resolution", "belong together"),
        ({"resolution": 10}, "inputs.crs", "belong together"),
        ({"crs": "EPSG:3035", "resolution": 0}, "inputs.resolution", "above 0"),
        ({"crs": "EPSG:3035", "resolution": -1}, "inputs.resolution", "least 0"),
        ({"crs": "EPSG:3035", "resolution": "ten"}, "inputs.resolution", "number"),
        ({"crs": "EPSG:9", "resolution": 10}, "inputs.crs", "not known"),
        ({"crs": "nowhere", "resolution": 10}, "inputs.crs", "not known"),
        ({"mosaic": "best"}, "inputs.mosaic", "one of"),
        ({"mosaic": "latest"}, "inputs.mosaic", "another order"),
        ({"crs": "EPSG:3035", "resolution": 1e-9}, "inputs.resolution", "cells per side"),
        ({"crs": "EPSG:3035", "resolution": 1e-320}, "inputs.resolution", "cells per side"),
        ({"crs": "EPSG:3035", "resolution": 0.01}, "inputs.bbox", "bytes of a cube"),
        (
            {"crs": "EPSG:3035", "resolution": 10, "bbox": {"bbox": [20, 10, 21, 11]}},
            "inputs.bbox",
            "none of the items",
        ),
    ],
    ids=lambda each: "" if isinstance(each, str) else "-".join(map(str, each)),
)
def test_inputs_that_make_no_cube_are_refused(opened, inputs, place, reason):
    archive, _open_index = opened()

    answer = executed(archive, layer="scenes.CELL", **inputs)

    assert answer.status_code == 400
    assert place in answer.text
    assert reason in answer.text


def test_other_layers_have_no_such_inputs():
    services = served.make_services()

    with TestClient(application(services)) as client:
        body = {"inputs": {"layer": "NDVI", "mosaic": "max"}}
        answer = client.post("/ogcapi/processes/optimise/execution", json=body)

    assert answer.status_code == 400
    assert "mosaic is accepted for layers of scenes and tiles alone" in answer.text


def test_process_without_crs_names_the_input_for_several_zones(opened):
    archive, _open_index = opened("")
    inputs = {"layer": "scenes.RED"}
    with TestClient(application(archive.services), raise_server_exceptions=False) as client:
        answer = client.post("/ogcapi/processes/composite/execution", json={"inputs": inputs})
        accepted = client.get("/ogcapi/processes/composite").json()["inputs"]

    assert answer.status_code == 400
    assert "in several CRSs (EPSG:32631, EPSG:32632); set grid in its configuration" in answer.json()["detail"]
    assert "crs" not in accepted
    assert all("crs" in client.get(f"/ogcapi/processes/{name}").json()["inputs"] for name in ("export", "optimise"))
