"""Links to jobs: each leads to one job until it expires, and goes with it."""

from hashlib import sha256

import pytest

from chronotile.core.errors import UnknownPath
from chronotile.core.model.job import Execution
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.shares import DAY_S, SHARES, JobShares
from chronotile.jobs.queue.table import new_id

SUBJECTS = {"public", "group:a"}


@pytest.fixture
def engine(url, tmp_path):
    engine = open_engine(url, tmp_path)
    yield engine
    engine.dispose()


@pytest.fixture
def shares(table, engine, clock):
    return JobShares(engine, clock=clock)


@pytest.fixture
def submit(table):
    return lambda: table.submit(Execution(process="echo", inputs={}), user=None, max_open=9).id


def digest_of(secret):
    return sha256(secret.encode()).digest()


def stored(engine):
    with engine.connect() as connection:
        return [(row.job, bytes(row.digest)) for row in connection.execute(SHARES.select())]


def test_a_link_leads_to_its_job_until_it_expires(table, shares, engine, submit, clock):
    first, second = submit(), submit()
    made = shares.create(first, subjects=SUBJECTS, days=7)
    digest = digest_of(made.secret)

    assert made.expires == clock.now + 7 * DAY_S
    assert stored(engine) == [(first, digest)]
    assert shares.subjects(first, digest) == SUBJECTS
    assert shares.subjects(second, digest) is None
    assert shares.subjects(first, digest_of(made.secret[:-1])) is None
    assert shares.subjects("nul\0", digest) is None
    clock.now = made.expires - 1
    assert shares.subjects(first, digest) == SUBJECTS
    clock.now = made.expires
    assert shares.subjects(first, digest) is None
    shares.create(second, subjects=SUBJECTS, days=1)
    assert [job for job, _ in stored(engine)] == [second]  # the other one was removed
    table.forget([second])
    assert stored(engine) == []


def test_a_new_link_ends_the_one_before(shares, submit):
    job = submit()
    old, new = (shares.create(job, subjects=SUBJECTS, days=1) for _ in range(2))

    assert shares.subjects(job, digest_of(old.secret)) is None
    assert shares.subjects(job, digest_of(new.secret)) == SUBJECTS
    shares.end(job)
    assert shares.subjects(job, digest_of(new.secret)) is None


def test_no_link_leads_to_a_job_that_was_forgotten(table, shares, engine, submit):
    assert shares.subjects(new_id(), digest_of("cts_a")) is None  # before the first link is made
    job = submit()
    table.forget([job])

    with pytest.raises(UnknownPath):
        shares.create(job, subjects=SUBJECTS, days=1)
    assert stored(engine) == []
