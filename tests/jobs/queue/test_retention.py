"""Jobs that ended long ago are forgotten with their files, and no others."""

import os

import pytest

from chronotile.core.errors import SourceUnavailable, UnknownPath
from chronotile.core.model.job import Execution
from chronotile.jobs.queue import removal
from chronotile.jobs.queue.job_folder import ASIDE, PARTIAL_RESULTS, RESULTS, clear, make_folders
from chronotile.jobs.queue.removal import forget_ended
from chronotile.jobs.queue.result_bucket import Bucket
from chronotile.jobs.queue.table import new_id
from tests.running import PATIENCE_S
from tests.s3 import Server

DAY_S = 86_400


@pytest.fixture
def make_job(table, tmp_path):
    """Return `make_job()`: a job with a file among its results."""

    def make():
        job = table.submit(Execution(process="echo", inputs={}), user=None, max_open=10_000)
        make_folders(tmp_path / job.id)
        (tmp_path / job.id / RESULTS / "mean.tif").write_text("pixels")
        return job

    return make


def test_jobs_that_ended_long_ago_go_with_their_files(table, clock, make_job, tmp_path):
    old, new, waiting = make_job(), make_job(), make_job()
    table.dismiss(old.id)
    clock.now += 30 * DAY_S
    table.dismiss(new.id)

    assert forget_ended(table, tmp_path, before=clock.now - DAY_S) == 1

    with pytest.raises(UnknownPath, match="or it has expired"):
        table.job(old.id)
    assert {job.id for job in table.jobs()[0]} == {new.id, waiting.id}
    assert [(tmp_path / job.id).exists() for job in (old, new, waiting)] == [False, True, True]


@pytest.mark.client("moto_server")
def test_jobs_with_results_in_an_unreachable_bucket_are_not_removed(
    table, clock, make_job, tmp_path, bucket, monkeypatch
):
    job = make_job()
    table.dismiss(job.id)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", Server().address)

    with pytest.raises(SourceUnavailable, match="the result store is unreachable"):
        forget_ended(table, tmp_path, before=clock.now + 1, bucket=Bucket(bucket.url, patience_s=0.1))

    assert table.job(job.id).status == "dismissed"
    assert forget_ended(table, tmp_path, before=clock.now + 1, bucket=bucket) == 1


@pytest.mark.client("moto_server")
def test_a_job_whose_results_the_bucket_does_not_let_go_keeps_no_other(
    table, clock, make_job, tmp_path, bucket, caplog
):
    held, other = make_job(), make_job()
    for job in (held, other):
        table.dismiss(job.id)

    class HoldingBucket(Bucket):
        """A bucket with a legal hold on an object."""

        def remove(self, folder):
            if folder == held.id:
                raise SourceUnavailable("the result store is unreachable")
            super().remove(folder)

    holding = HoldingBucket(bucket.url, patience_s=PATIENCE_S)
    assert forget_ended(table, tmp_path, before=clock.now + 1, bucket=holding) == 1

    assert [job.id for job in table.jobs()[0]] == [held.id]
    assert [(tmp_path / job.id).exists() for job in (held, other)] == [True, False]
    assert f"the job {held.id} is kept" in caplog.text


def test_all_rows_of_a_forgotten_job_are_removed(table, clock, make_job, tmp_path):
    job = make_job()
    table.claim("one", lease_s=30)
    table.add_log_line(job.id, "begun")
    table.store_task_result(job.id, "one", 0, {})
    table.dismiss(job.id)

    forget_ended(table, tmp_path, before=clock.now + 1)

    assert (table.log(job.id), table.finished_tasks(job.id)) == ((), {})


def test_jobs_without_files_are_forgotten_some_at_a_time(table, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(removal, "AT_ONCE", 2)
    for _ in range(5):
        table.dismiss(table.submit(Execution(process="echo", inputs={}), user=None, max_open=10).id)

    assert forget_ended(table, tmp_path, before=clock.now + 1) == 5

    assert table.jobs() == ((), 0)


def test_job_with_undeletable_files_stays_and_is_reported(table, clock, make_job, tmp_path, caplog):
    job = make_job()
    table.dismiss(job.id)
    (tmp_path / job.id).rename(tmp_path / "elsewhere")
    (tmp_path / job.id).symlink_to("elsewhere")  # which is not followed, lest the files of others go

    assert forget_ended(table, tmp_path, before=clock.now + 1) == 0

    assert table.job(job.id).status == "dismissed"
    assert f"the files of the job {job.id} cannot be deleted" in caplog.text
    assert (tmp_path / "elsewhere" / RESULTS / "mean.tif").exists()


@pytest.fixture
def make_folder(tmp_path):
    """Return `make_folder(name, changed=0)`, which makes a folder among those of jobs."""

    def make(name, *, changed):
        make_folders(tmp_path / name)
        os.utime(tmp_path / name, (changed, changed))
        return name

    return make


def test_folders_of_no_job_go_once_they_are_old(table, clock, make_job, make_folder, tmp_path):
    job = make_job()
    os.utime(tmp_path / job.id, (0, 0))
    old, new = make_folder(new_id(), changed=0), make_folder(new_id(), changed=clock.now)
    other = make_folder("of an operator", changed=0)

    assert forget_ended(table, tmp_path, before=clock.now - DAY_S) == 0

    assert [(tmp_path / name).exists() for name in (job.id, old, new, other)] == [True, False, True, True]


def test_folder_without_finished_jobs_has_nothing_to_remove(table, clock, tmp_path):
    assert forget_ended(table, tmp_path / "absent", before=clock.now) == 0


def test_unreadable_folder_of_jobs_is_reported(table, clock, tmp_path):
    (tmp_path / "file").touch()

    with pytest.raises(SourceUnavailable, match="cannot be read"):
        forget_ended(table, tmp_path / "file", before=clock.now)


def test_partial_results_are_removed_despite_earlier_remains(tmp_path):
    make_folders(tmp_path)
    (tmp_path / f"{ASIDE}1").mkdir()
    (tmp_path / f"{ASIDE}1" / "0.npz").touch()
    (tmp_path / PARTIAL_RESULTS / "1.npz").touch()

    clear(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == [RESULTS]
