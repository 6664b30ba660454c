"""Why a job fails, whatever it met."""

from chronotile.errors import ClientGone
from chronotile.jobs.faults import fault_of


def test_a_job_that_nobody_waits_for_has_words_for_it_though_http_has_none():
    fault = fault_of(ClientGone("the job was dismissed"))

    assert (fault.status, fault.title, fault.detail) == (499, "Nobody waits", "the job was dismissed")
