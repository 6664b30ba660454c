"""Jobs that ended long ago are forgotten with their files, and no others."""

import pytest

from chronotile.errors import UnknownPath
from chronotile.jobs import retention
from chronotile.jobs.blocks import RESULTS, make_folders
from chronotile.jobs.job import Execution
from chronotile.jobs.retention import forget_ended

DAY_S = 86_400


@pytest.fixture
def make_job(table, tmp_path):
    """`make_job()`: a job with a file among its results."""

    def make():
        job = table.submit(Execution(process="echo", inputs={}), user=None, most_open=10_000)
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

    with pytest.raises(UnknownPath, match="or it was forgotten"):
        table.job(old.id)
    assert {job.id for job in table.jobs()[0]} == {new.id, waiting.id}
    assert [(tmp_path / job.id).exists() for job in (old, new, waiting)] == [False, True, True]


def test_what_is_known_of_a_forgotten_job_goes_with_it(table, clock, make_job, tmp_path):
    job = make_job()
    table.claim("one", lease_s=30)
    table.say(job.id, "begun")
    table.remember(job.id, "one", 0, {})
    table.dismiss(job.id)

    forget_ended(table, tmp_path, before=clock.now + 1)

    assert (table.log(job.id), table.finished_blocks(job.id)) == ((), {})


def test_jobs_without_files_are_forgotten_some_at_a_time(table, clock, tmp_path, monkeypatch):
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for _ in range(5):
        table.dismiss(table.submit(Execution(process="echo", inputs={}), user=None, most_open=10).id)

    assert forget_ended(table, tmp_path, before=clock.now + 1) == 5

    assert table.jobs() == ((), 0)


def test_a_job_whose_files_stay_is_kept_and_told_of(table, clock, make_job, tmp_path, caplog):
    job = make_job()
    table.dismiss(job.id)
    (tmp_path / job.id).rename(tmp_path / "elsewhere")
    (tmp_path / job.id).symlink_to("elsewhere")  # which is not followed, lest the files of others go

    assert forget_ended(table, tmp_path, before=clock.now + 1) == 0

    assert table.job(job.id).status == "dismissed"
    assert f"the job {job.id} is not forgotten" in caplog.text
    assert (tmp_path / "elsewhere" / RESULTS / "mean.tif").exists()
