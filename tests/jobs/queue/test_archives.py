"""Jobs of several archives in one table: each job is seen, done and notified only by its archive."""

import time

import pytest

from chronotile.core.errors import UnknownPath
from chronotile.core.model.job import Execution, Result, Subscriber
from chronotile.jobs.queue.database import open_engine
from chronotile.jobs.queue.outbox import CallbackQueue
from chronotile.jobs.queue.removal import forget_ended
from chronotile.jobs.queue.running_workers import no_worker_message
from chronotile.jobs.queue.table import JobTable

ECHO = Execution(process="echo", inputs={"string": "a"})
SUBSCRIBER = Subscriber(urls={"successful": "https://example.test/done"}, base="https://example.test")


@pytest.fixture
def open_archive_table(url, tmp_path, closed_at_end):
    """Return `open_archive_table("a")`: the table of the jobs of an archive, by the clock of the database."""
    return lambda archive: closed_at_end(JobTable(open_engine(url, tmp_path), archive=archive))


@pytest.fixture
def ours(open_archive_table):
    return open_archive_table("ours")


@pytest.fixture
def theirs(open_archive_table):
    return open_archive_table("theirs")


def submit(table, **more):
    return table.submit(ECHO, **{"user": None, "max_open": 100} | more)


def test_worker_claims_jobs_of_its_archive_only(ours, theirs):
    job = submit(theirs)

    assert ours.claim("one", lease_s=30) is None
    assert theirs.claim("two", lease_s=30).id == job.id


def test_abandoned_job_is_taken_over_within_its_archive_only(ours, theirs):
    job = submit(theirs)
    theirs.claim("killed", lease_s=-1)

    assert ours.claim("one", lease_s=30) is None
    assert theirs.claim("two", lease_s=30).id == job.id


def test_job_names_its_archive_and_its_layers(ours):
    job = submit(ours, revision="1f")

    assert (ours.job(job.id).archive, ours.job(job.id).revision) == ("ours", "1f")


@pytest.mark.parametrize("ask", ["job", "dismiss", "execution", "execution_without_inputs"])
def test_job_of_another_archive_is_unknown(ours, theirs, ask):
    job = submit(theirs)

    with pytest.raises(UnknownPath, match="there is no job"):
        getattr(ours, ask)(job.id)
    assert theirs.job(job.id).status == "accepted"


def test_lists_and_quotas_are_each_archives(ours, theirs):
    mine, other = submit(ours, max_open=1), submit(theirs, max_open=1)

    assert ours.jobs() == ((mine,), 1)
    assert theirs.jobs() == ((other,), 1)


def test_a_job_names_the_archive_whose_worker_it_waits_for(ours, theirs):
    job = submit(ours)
    theirs.heartbeat.report_alive("their worker")

    (told,) = ours.heartbeat.mark_unattended([job])

    assert told.message == f"queued; {no_worker_message('ours')}"
    assert "the archive ours" in told.message
    assert theirs.heartbeat.has_workers()


def test_subscribers_are_notified_by_workers_of_the_archive_only(ours, theirs, url, tmp_path):
    job = submit(theirs, subscriber=SUBSCRIBER)
    theirs.claim("one", lease_s=30)
    theirs.succeed(job.id, "one", {"string": Result(value="a")})
    engine = open_engine(url, tmp_path)

    assert CallbackQueue(engine, archive="ours").take(lease_s=60) is None
    assert CallbackQueue(engine, archive="theirs").take(lease_s=60).job == job.id
    engine.dispose()


def test_only_jobs_of_the_archive_expire_in_a_shared_folder(ours, theirs, tmp_path):
    gone, kept = submit(ours), submit(theirs)
    for table, job in ((ours, gone), (theirs, kept)):
        table.dismiss(job.id)
        (tmp_path / "jobs" / job.id).mkdir(parents=True)

    assert forget_ended(ours, tmp_path / "jobs", before=time.time() + 3600) == 1

    assert [path.name for path in (tmp_path / "jobs").iterdir()] == [kept.id]
    assert theirs.job(kept.id).status == "dismissed"


@pytest.mark.client("initdb", "postgres")
@pytest.mark.parametrize("ahead_s", [300, -300], ids=["ahead", "behind"])
def test_hosts_with_different_clocks_neither_steal_nor_abandon_jobs(postgresql, tmp_path, monkeypatch, ahead_s):
    engine = open_engine(postgresql.make_database(), tmp_path)
    here, there = JobTable(engine, archive="a"), JobTable(engine, archive="a")
    running, waiting = submit(here), submit(here)
    here.claim("here", lease_s=30)
    here.release(running.id, "here", message="waits", wait_s=0)
    here.claim("here", lease_s=30)

    now = time.time
    monkeypatch.setattr(time, "time", lambda: now() + ahead_s)
    claimed = there.claim("there", lease_s=30)

    assert claimed.id == waiting.id
    assert there.claim("there", lease_s=30) is None
    assert abs(claimed.started - running.created) < 120
    there.heartbeat.report_alive("there")
    monkeypatch.undo()
    assert here.heartbeat.has_workers()
    assert here.renew(running.id, "here", lease_s=30)
    engine.dispose()
