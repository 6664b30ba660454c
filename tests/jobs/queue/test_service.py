"""Jobs requested from a server: each user sees only their jobs, and no files remain."""

import sqlite3
from contextlib import closing

import pytest

from chronotile.core.errors import ServerBusy, SourceUnavailable, UnknownPath
from chronotile.core.model.job import Execution
from chronotile.jobs.queue import database as engine
from chronotile.jobs.queue.job_folder import make_folders
from chronotile.jobs.queue.running_workers import no_worker_message
from chronotile.jobs.queue.service import JobService

ECHO = Execution(process="echo", inputs={"string": "a"})


@pytest.fixture
def desk(tmp_path, closed_at_end):
    return closed_at_end(JobService(tmp_path / "jobs", max_open=2, archive="a"))


@pytest.fixture
def made(tmp_path):
    """Return a folder with a result that must not be deleted."""
    folder = tmp_path / "made"
    folder.mkdir()
    (folder / "a.csv").write_bytes(b"time,value\n")
    return folder


def test_jobs_of_other_users_are_unknown(desk):
    job = desk.submit(ECHO, user="a")

    with pytest.raises(UnknownPath) as unknown:
        desk.job(job.id, user="b")
    with pytest.raises(UnknownPath):
        desk.job(job.id, user=None)

    desk.forget(desk.cancel(job))
    with pytest.raises(UnknownPath) as forgotten:
        desk.job(job.id, user="b")
    assert (unknown.value.message, unknown.value.locator) == (forgotten.value.message, forgotten.value.locator)


def test_users_see_their_own_jobs(desk):
    jobs = {user: desk.submit(ECHO, user=user) for user in ("a", "b", None)}

    assert {user: desk.job(job.id, user=user) for user, job in jobs.items()} == jobs
    assert {user: desk.jobs(user=user) for user in jobs} == {user: ((job,), 1) for user, job in jobs.items()}


def test_submitter_is_informed_if_no_worker_exists(desk):
    job = desk.submit(ECHO, user="a")
    assert job.message == f"queued; {no_worker_message('a')}"

    desk.table.heartbeat.report_alive("worker")
    assert desk.job(job.id, user="a").message == "queued"
    assert [each.message for each in desk.jobs(user="a")[0]] == ["queued"]
    assert desk.submit(ECHO, user="a").message == "queued"


def test_job_is_accepted_although_its_worker_cannot_be_determined(desk, tmp_path):
    assert desk.jobs(user="a") == ((), 0)
    with closing(sqlite3.connect(tmp_path / "jobs" / engine.JOBS_FILE)) as database:
        database.execute("DROP TABLE chronotile_archive_workers")

    job = desk.submit(ECHO, user="a")
    assert desk.table.job(job.id) == job


def test_each_user_may_have_so_many_jobs_that_have_not_ended(desk):
    for user in ("a", "a", "b"):
        desk.submit(ECHO, user=user)

    with pytest.raises(ServerBusy):
        desk.submit(ECHO, user="a")
    desk.submit(ECHO, user="b")


def test_stored_job_of_one_user_is_not_seen_by_others(desk, made):
    job, _files = desk.store_execution(ECHO, {}, made, user="a")

    assert desk.job(job.id, user="a") == job
    with pytest.raises(UnknownPath):
        desk.job(job.id, user=None)


def test_results_that_cannot_be_moved_are_reported_and_leave_nothing(desk, made, tmp_path):
    assert desk.jobs(user=None)[1] == 0  # the table is open
    (tmp_path / "jobs").rename(tmp_path / "away")
    (tmp_path / "jobs").touch()

    with pytest.raises(SourceUnavailable, match="files of results cannot be written now"):
        desk.store_execution(ECHO, {}, made, user=None)

    assert [path for path in (tmp_path / "away").iterdir() if path.is_dir()] == []


def test_results_that_the_table_does_not_take_leave_no_files(tmp_path, made, monkeypatch):
    monkeypatch.setattr(engine, "BUSY_S", 0)
    desk = JobService(tmp_path / "jobs", archive="a")
    assert desk.jobs(user=None)[1] == 0
    with closing(sqlite3.connect(tmp_path / "jobs" / engine.JOBS_FILE, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(SourceUnavailable, match="locked"):
            desk.store_execution(ECHO, {}, made, user=None)

    assert [path for path in (tmp_path / "jobs").iterdir() if path.is_dir()] == []
    desk.close()


def test_a_job_whose_files_stay_is_not_forgotten(desk, made, tmp_path, caplog):
    job, _files = desk.store_execution(ECHO, {}, made, user=None)
    folder = desk.result_files(job).folder.parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")  # which is not followed, lest the files of others go

    with pytest.raises(SourceUnavailable, match="files of the job cannot be deleted now"):
        desk.forget(job)

    assert desk.job(job.id, user=None) == job
    assert f"the files of the job {job.id} cannot be deleted" in caplog.text


def test_files_of_a_cancelled_job_are_removed_immediately(desk, tmp_path):
    job = desk.submit(ECHO, user=None)
    desk.table.claim("one", lease_s=30)
    make_folders(tmp_path / "jobs" / job.id)

    desk.remove_files(desk.cancel(job))

    assert not (tmp_path / "jobs" / job.id).exists()
    assert desk.job(job.id, user=None).status == "dismissed"
