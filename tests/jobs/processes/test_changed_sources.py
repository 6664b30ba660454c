"""Files that are replaced while a job is done: no result has parts of two states. Later dates do no harm."""

import pytest

from chronotile.errors import SourceUnavailable
from chronotile.jobs.processes import process_of
from tests.jobs.processes.doing import plan_of, with_times, work_in

DAYS = ("2019-05-01", "2019-05-11", "2020-05-01", "2020-05-11")
OF_MANY_TIMES = {
    "composite": {},
    "climatology": {},
    "anomaly": {"datetime": "2020", "reference": "2019"},
    "trend": {},
    "export": {},
    "optimise": {},
}


@pytest.fixture(params=OF_MANY_TIMES)
def begun(request, tmp_path):
    """A job whose blocks are all done: its process, inputs, what they remember, and with what they were done."""
    services, process = with_times(*DAYS), process_of(request.param)
    inputs = {"layer": "NDVI", "bbox": {"bbox": [4.5, 50.8, 4.52, 50.82]}, **OF_MANY_TIMES[request.param]}
    plan = plan_of(request.param, inputs, services)
    work = work_in(tmp_path, services, shared=plan.shared)
    return process, inputs, [process.run(inputs, block, work) for block in plan.blocks], work


@pytest.mark.parametrize("place", [0, 3])
def test_a_date_that_was_replaced_ends_the_job(begun, place):
    process, inputs, done, work = begun
    work.services.readers["s2"].replaced[place] = "another"

    with pytest.raises(SourceUnavailable, match="parts of two states; ask for it anew"):
        process.finish(inputs, done, work)


def test_dates_that_came_meanwhile_are_left_out(begun):
    process, inputs, done, work = begun
    later = with_times("2018-05-01", *DAYS, "2020-06-01")

    assert process.finish(inputs, done, work_in(work.folder.parent, later, shared=work.shared))
