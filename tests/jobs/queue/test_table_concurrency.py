"""Concurrent users of the table of jobs: each job is done by one, and ended by one."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest

from chronotile.core.errors import ServerBusy
from chronotile.core.model.job import Execution, Result

THREADS = 8
JOBS = 50
ECHO = Execution(process="echo", inputs={"string": "a"})


@pytest.fixture
def at_once(open_table):
    """Return `at_once(do)`: the results of `do(table, number)` in threads with separate tables, started together."""
    tables = [open_table() for _ in range(THREADS)]
    limiter = threading.Barrier(THREADS)

    def run(do):
        def wait_and_do(number):
            limiter.wait()
            return do(tables[number], number)

        with ThreadPoolExecutor(THREADS) as threads:
            return list(threads.map(wait_and_do, range(THREADS)))

    return run


def submit(table, *, max_open=1000):
    return table.submit(ECHO, user="me", max_open=max_open)


def claim_all(table, number):
    claimed = []
    while (job := table.claim(f"owner {number}", lease_s=30)) is not None:
        claimed.append(job.id)
    return claimed


def test_each_of_many_jobs_is_claimed_once(table, at_once):
    submitted = [submit(table).id for _ in range(JOBS)]

    claimed = at_once(claim_all)

    assert Counter(id_ for each in claimed for id_ in each) == Counter(submitted)


def test_each_of_many_abandoned_jobs_is_taken_over_once(table, at_once, clock):
    left = [submit(table).id for _ in range(JOBS)]
    claim_all(table, "gone")
    clock.now += 31

    claimed = at_once(claim_all)

    assert Counter(id_ for each in claimed for id_ in each) == Counter(left)
    assert {job.attempts for job in table.jobs()[0]} == {2}


def test_concurrent_submissions_are_all_stored(table, at_once):
    submitted = at_once(lambda table, _number: [submit(table).id for _ in range(6)])

    jobs, count = table.jobs()
    assert count == 6 * THREADS
    assert {job.id for job in jobs} == {id_ for each in submitted for id_ in each}


def test_limit_of_jobs_per_user_holds_for_concurrent_submissions(table, at_once):
    def try_to_submit(table, _number):
        try:
            return submit(table, max_open=3).status
        except ServerBusy:
            return "refused"

    assert Counter(at_once(try_to_submit)) == {"accepted": 3, "refused": THREADS - 3}


def test_only_the_owner_of_a_job_ends_it(table, at_once):
    job = submit(table)
    table.claim("owner 5", lease_s=30)

    ended = at_once(lambda table, number: table.succeed(job.id, f"owner {number}", {"who": Result(value=number)}))

    assert ended == [number == 5 for number in range(THREADS)]
    assert table.job(job.id).results == {"who": Result(value=5)}


def test_job_ended_and_dismissed_concurrently_has_one_end(table, at_once):
    job = submit(table)
    table.claim("me", lease_s=30)

    def end(table, number):
        return table.dismiss(job.id) if number else table.succeed(job.id, "me", {"string": Result(value="a")})

    has_succeeded, *dismissed = at_once(end)

    end = "successful" if has_succeeded else "dismissed"
    assert {each.status for each in dismissed} == {end}
    assert table.job(job.id).status == end
