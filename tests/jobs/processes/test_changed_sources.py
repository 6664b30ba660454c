"""Files that are replaced while a job is done: no result has parts of two states. Later dates do no harm."""

import pytest

from chronotile.core.errors import SourceUnavailable
from chronotile.jobs.processes.execute import finish_results
from chronotile.jobs.processes.registry import process_of, processes
from tests.jobs.processes.doing import inputs_of, plan_of, reading_processes, with_times, work_in

DAYS = ("2019-05-01", "2019-05-11", "2020-05-01", "2020-05-11")
BOX = {"bbox": {"bbox": [4.5, 50.8, 4.52, 50.82]}}
RING = [[[4.5, 50.8], [4.52, 50.8], [4.52, 50.82], [4.5, 50.82], [4.5, 50.8]]]
FEATURE = {"type": "Feature", "properties": {}, "geometry": {"type": "Polygon", "coordinates": RING}}
REQUIRED = {
    "layer": "NDVI",
    "layers": "NDVI",
    "places": {"type": "FeatureCollection", "features": [FEATURE]},
    "points": [[4.51, 50.81]],
    "datetime": "2018/2020",
}
OPTIONAL = {**BOX, "width": 32, "height": 32, "labels": [], "reference": "2019"}
OWN = {"anomaly": {"datetime": "2020"}, "animation": {"format": "image/gif"}}


@pytest.fixture(params=reading_processes())
def begun(request, tmp_path):
    """Return a job with finished tasks: its process, inputs, state of the tasks, and their work."""
    services, process = with_times(*DAYS), process_of(request.param)
    inputs = inputs_of(request.param, REQUIRED, OPTIONAL) | OWN.get(request.param, {})
    plan = plan_of(request.param, inputs, services)
    work = work_in(tmp_path, services, shared=plan.shared, sources=plan.sources)
    return process, inputs, [process.run(inputs, task, work) for task in plan.tasks], work


def test_every_process_that_reads_layers_is_tested():
    assert set(reading_processes()) == processes().keys() - {"echo"}


@pytest.mark.parametrize("place", [0, 3])
def test_a_date_that_was_replaced_ends_the_job(begun, place):
    process, inputs, done, work = begun
    work.services.readers["s2"].replaced[place] = "another"

    with pytest.raises(SourceUnavailable, match="mix two states"):
        finish_results(process, inputs, done, work)


def test_removed_date_ends_the_job(begun):
    process, inputs, done, work = begun
    later = work_in(work.folder.parent, with_times(*DAYS[1:]), shared=work.shared, sources=work.sources)

    with pytest.raises(SourceUnavailable, match="gone since the job began"):
        finish_results(process, inputs, done, later)


def test_dates_added_during_the_job_are_excluded(begun):
    process, inputs, done, work = begun
    services = with_times("2018-05-01", *DAYS, "2020-06-01")
    later = work_in(work.folder.parent, services, shared=work.shared, sources=work.sources)

    (result,) = finish_results(process, inputs, done, later).values()

    assert result.metadata["sources"][0]["times"] == [f"{day}T00:00:00Z" for day in DAYS]


def test_results_name_collection_revision_and_times(begun):
    process, inputs, done, work = begun

    (result,) = finish_results(process, inputs, done, work).values()

    (source,) = result.metadata["sources"]
    assert (source["collection"], source["layers"]) == ("s2", ["NDVI"])
    assert (source["count"], source["first"], source["last"]) == (4, f"{DAYS[0]}T00:00:00Z", f"{DAYS[-1]}T00:00:00Z")
    assert source["revision"] == work.sources[0].revision != ""


def test_another_state_has_another_revision():
    services = with_times(*DAYS)
    inputs = {"layer": "NDVI", **BOX}
    before = plan_of("histogram", inputs, services).revision
    assert plan_of("histogram", inputs, services).revision == before

    services.readers["s2"].replaced[2] = "another"

    assert plan_of("histogram", inputs, services).revision != before
