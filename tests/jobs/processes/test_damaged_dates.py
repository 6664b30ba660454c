"""Jobs over an archive with one damaged date finish without it, and report it."""

import json

import numpy as np
import pytest
import rasterio

from chronotile.core.errors import SourceUnavailable
from chronotile.jobs.processes.registry import process_of
from chronotile.jobs.processes.work.partial_results import add_unreadable, run_task, unreadable_of
from chronotile.readers.kinds import open_source
from tests.jobs.processes.doing import inputs_of, plan_of, reading_processes, work_in
from tests.protocols.served import make_services_of
from tests.scenes import Scene, make_spec, write_cogs

SCENE = Scene(days=("2019-01-01", "2019-07-01", "2020-01-01", "2020-07-01", "2021-01-01"), gap=-1)
DAMAGED = 2
INSTANT = "2020-01-01T00:00:00Z"
PLACE = [3.0015, 51.0005]
AREA = {
    "type": "Polygon",
    "coordinates": [[[3.001, 51.0], [3.003, 51.0], [3.003, 51.002], [3.001, 51.002], [3.001, 51.0]]],
}
FEATURE = {"type": "Feature", "properties": {}, "geometry": AREA}
REQUIRED = {
    "layer": "NDVI",
    "layers": "NDVI",
    "places": {"type": "FeatureCollection", "features": [FEATURE]},
    "points": [PLACE],
    "datetime": "2021",
}
OPTIONAL = {"width": 32, "height": 32, "reference": "2019/2020"}
OWN = {"composite": {"reducer": "mean"}, "export": {"format": "NetCDF"}, "time-series": {"format": "csv"}}


@pytest.fixture
def folder(tmp_path):
    write_cogs(tmp_path, SCENE)
    return tmp_path


@pytest.fixture
def do(folder, tmp_path):
    """Return `do(name)`: the results of a process and the state of its tasks, each through JSON."""
    services = make_services_of(open_source(make_spec("cog", folder / "NDVI_*.tif", time_pattern=r"_(?P<time>\d{8})")))

    def run(name, damage, inputs=None):
        inputs = inputs_of(name, REQUIRED, OPTIONAL) | OWN.get(name, {}) if inputs is None else inputs
        plan, process = plan_of(name, inputs, services), process_of(name)
        damage()
        plan = plan_of(name, inputs, services)
        work = work_in(tmp_path / "job", services, shared=plan.shared)
        done = [json.loads(json.dumps(run_task(process, inputs, task, work))) for task in plan.tasks]
        return process.finish(inputs, done, work), done, work

    return run


@pytest.fixture
def damage(folder):
    """Return `damage()`, which truncates the file of one date."""

    def truncate():
        path = folder / f"NDVI_{SCENE.days[DAMAGED].replace('-', '')}.tif"
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 3])

    return truncate


@pytest.mark.parametrize("name", [each for each in reading_processes() if each != "optimise"])
def test_job_finishes_and_reports_the_date(do, damage, name):
    results, done, _work = do(name, damage)

    assert {name: each.metadata for name, each in add_unreadable(results, done).items()} == {
        name: {"unreadable": [INSTANT]} for name in results
    }
    assert results


@pytest.mark.parametrize("name", ["composite", "time-series"])
def test_nothing_is_reported_if_all_dates_are_readable(do, name):
    _results, done, _work = do(name, lambda: None)

    assert unreadable_of(done) == {}


def test_composite_is_of_the_other_dates(do, damage):
    results, _done, work = do("composite", damage)

    with rasterio.open(work.results / results["composite"].file) as file:
        mean = file.read(1)
    values = np.delete(SCENE.cube(), DAMAGED, axis=0) * SCENE.scale + SCENE.offset
    np.testing.assert_allclose(mean, values.mean(axis=0), atol=1e-6)


def test_time_series_has_the_reason(do, damage):
    results, _done, work = do("time-series", damage)

    lines = (work.results / results["series"].file).read_text().splitlines()
    assert lines[DAMAGED + 1] == f"1,{INSTANT},,unreadable"


def test_job_over_an_unavailable_source_does_not_finish(do, folder):
    with pytest.raises(SourceUnavailable):
        do("composite", lambda: [path.write_bytes(b"") for path in folder.glob("*.tif")])
