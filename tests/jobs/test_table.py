"""The table of jobs: what was accepted is there, whoever owns it writes, and only one ends it."""

import pytest

from chronotile.errors import ServerBusy, UnknownPath
from chronotile.jobs.engine import open_engine
from chronotile.jobs.job import Execution, Result
from chronotile.jobs.table import JobTable, new_id

ECHO = Execution(process="echo", inputs={"string": "a"}, outputs={"string": {}}, response="document")


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def table(tmp_path, clock):
    table = JobTable(open_engine(None, tmp_path), clock=clock)
    yield table
    table.close()


def submit(table, **more):
    return table.submit(ECHO, **{"user": None, "most_open": 100} | more)


def test_an_accepted_job_is_as_it_was_asked_for(table):
    job = submit(table)

    assert (job.status, job.execution, job.progress, job.attempts) == ("accepted", ECHO, 0, 0)
    assert table.job(job.id) == job


def test_the_oldest_job_is_done_first_and_by_one(table):
    first, second = submit(table), submit(table)

    assert table.claim("one", lease_s=30).id == first.id
    assert table.claim("two", lease_s=30).id == second.id
    assert table.claim("three", lease_s=30) is None


def test_a_job_whose_owner_is_not_heard_of_is_taken_over_with_its_finished_blocks(table, clock):
    job = submit(table)
    table.claim("one", lease_s=30)
    assert table.remember(job.id, "one", 3, {"sum": 7})
    clock.now += 31

    assert table.claim("two", lease_s=30).attempts == 2

    assert table.finished_blocks(job.id) == {3: {"sum": 7}}
    assert not table.remember(job.id, "one", 4, {})
    assert not table.succeed(job.id, "one", {})
    assert table.succeed(job.id, "two", {"string": Result(value="a")})
    assert table.job(job.id).results == {"string": Result(value="a")}


def test_a_dismissed_job_is_nobodys(table):
    job = submit(table)
    table.claim("one", lease_s=30)

    assert table.dismiss(job.id).status == "dismissed"

    assert not table.renew(job.id, "one", lease_s=30)
    assert not table.tell(job.id, "one", progress=50, message="half")
    assert table.claim("two", lease_s=30) is None


def test_a_user_may_not_have_more_open_jobs_than_allowed(table):
    submit(table, user="a", most_open=1)

    with pytest.raises(ServerBusy):
        submit(table, user="a", most_open=1)
    submit(table, user="b", most_open=1)


def test_forgotten_jobs_are_gone(table, clock):
    job = submit(table)
    table.dismiss(job.id)
    clock.now += 100

    assert table.ended_before(clock.now) == (job.id,)
    table.forget([job.id])

    with pytest.raises(UnknownPath):
        table.job(job.id)


def test_a_job_that_was_done_already_is_kept_with_its_results(table):
    results = {"string": Result(value="a")}

    job = table.keep(new_id(), ECHO, results, user="me")

    assert (job.status, job.results, job.user, job.execution) == ("successful", results, "me", ECHO)
    assert table.claim("one", lease_s=30) is None


def test_jobs_are_selected_by_when_they_came(table, clock):
    first = submit(table)
    clock.now += 10
    second = submit(table)

    assert table.jobs(created=(clock.now, None)) == ((second,), 1)
    assert table.jobs(created=(None, clock.now)) == ((first,), 1)


def test_jobs_are_selected_by_how_long_they_ran(table, clock):
    ended, running, _waiting = submit(table), submit(table), submit(table)
    table.claim("one", lease_s=30)
    clock.now += 5
    table.succeed(ended.id, "one", {})
    table.claim("one", lease_s=30)
    clock.now += 20

    assert [job.id for job in table.jobs(seconds=(None, 5.0))[0]] == [ended.id]
    assert [job.id for job in table.jobs(seconds=(6.0, None))[0]] == [running.id]
    assert [job.id for job in table.jobs(seconds=(0.0, None))[0]] == [running.id, ended.id]
