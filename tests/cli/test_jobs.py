"""`chronotile jobs`: its output and exit statuses."""

import os
import re

import pytest
from typer.testing import CliRunner

from chronotile.cli.main import app
from chronotile.core.model.job import Execution, JobFault, Result
from chronotile.jobs.queue.database import JOBS_FILE, open_engine
from chronotile.jobs.queue.job_folder import make_folders
from chronotile.jobs.queue.running_workers import Heartbeat
from chronotile.jobs.queue.table import JobTable


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Return `run(*arguments)`: the result of a command on the jobs in a folder."""
    for name in [name for name in os.environ if name.startswith("CHRONOTILE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHRONOTILE_JOBS_DIR", str(tmp_path / "jobs"))
    monkeypatch.setenv("CHRONOTILE_CONFIG", str(tmp_path / "archive.yaml"))
    (tmp_path / "archive.yaml").write_text("service: {id: mine}\n")
    return lambda *arguments: CliRunner().invoke(app, ["jobs", *map(str, arguments)])


@pytest.fixture
def table(tmp_path, closed_at_end):
    return closed_at_end(
        JobTable(open_engine(None, tmp_path / "jobs"), clock=lambda _connection: 1_777_627_800.5, archive="mine")
    )


@pytest.fixture
def submit(table):
    """Return `submit(process, **inputs)`: the id of a job."""
    return lambda process="echo", **inputs: (
        table.submit(Execution(process=process, inputs=inputs), user=None, max_open=100).id
    )


def test_jobs_are_listed_from_the_newest(run, table, submit):
    first, second = submit(), submit("composite")
    table.claim("me", lease_s=30)
    table.report_progress(first, "me", progress=40, message="2 of 5 tasks")

    assert run("list").stdout.splitlines() == [
        "id                                process    status    progress  created",
        f"{second}  composite  accepted  0%        2026-05-01T09:30:00Z",
        f"{first}  echo       running   40%       2026-05-01T09:30:00Z",
        "2 of 2 jobs",
        "no worker of the archive mine is running: start one with chronotile worker",
    ]


def test_missing_worker_is_reported_if_one_is_needed(run, table, submit, tmp_path):
    told = "no worker of the archive mine is running: start one with chronotile worker"
    table.dismiss(submit())
    assert told not in run("list").stdout

    job = submit()
    assert told in run("list").stdout
    assert "queued; no worker of the archive mine is running\n" in run("show", job).stdout

    engine = open_engine(None, tmp_path / "jobs")  # by the clock of the command, not that of `table`
    Heartbeat(engine, archive="mine").report_alive("worker")
    engine.dispose()
    assert told not in run("list").stdout
    assert "queued\n" in run("show", job).stdout


def test_damaged_table_is_reported_with_the_cause(run, tmp_path):
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / JOBS_FILE).write_bytes(b"no database" * 1000)

    ended = run("list")

    assert ended.exit_code == 1
    assert ended.stderr.endswith("chronotile: the job table is unreachable or damaged; see the messages above\n")


def test_show_without_tables_fails_and_creates_nothing(run, tmp_path):
    ended = run("show", "1")

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        f"archive mine ({tmp_path / 'archive.yaml'}), state in SQLite in {tmp_path / 'jobs'}",
        f"chronotile: the archive mine has no jobs in SQLite in {tmp_path / 'jobs'}; if a service serves it, run the "
        "command with the user and the environment of the service (deploy/systemd/chronotile-admin)",
    ]
    assert not (tmp_path / "jobs").exists()


@pytest.mark.parametrize("jobs", [0, 1])
def test_unknown_status_is_refused_with_the_existing_ones(run, submit, jobs):
    for _job in range(jobs):
        submit()

    ended = run("list", "--status", "running,done")

    assert ended.exit_code == 2
    assert "'done' is not one of accepted, running, successful, failed, dismissed" in ended.stderr


@pytest.mark.parametrize(
    ("options", "count"),
    [
        ((), "3 of 3"),
        (("--limit", 1), "1 of 3"),
        (("--process", "composite"), "1 of 1"),
        (("--process", "composite", "--process", "echo"), "3 of 3"),
        (("--status", "dismissed"), "1 of 1"),
        (("--status", "dismissed", "--status", "accepted"), "3 of 3"),
        (("--status", "dismissed,accepted"), "3 of 3"),
        (("--status", "dismissed, failed", "--status", "running"), "1 of 1"),
        (("--process", "composite,echo"), "3 of 3"),
        (("--status", "failed"), "0 of 0"),
    ],
    ids=str,
)
def test_some_jobs_are_listed(run, table, submit, options, count):
    submit(), submit("composite")
    table.dismiss(submit())

    assert f"{count} jobs" in run("list", *options).stdout.splitlines()


def test_job_is_shown_with_its_log_and_the_paths_of_its_files(run, table, submit, tmp_path):
    job = submit(string="naïve", array=[1, 2])
    table.claim("me", lease_s=30)
    table.add_log_line(job, "begun")
    table.add_log_line(job, "\x1b[31mended\nall")
    table.succeed(job, "me", {"mean": Result(value=7), "map": Result(file="a.tif", media_type="image/tiff")})

    assert run("show", job).stdout.splitlines() == [
        f"id        {job}",
        "archive   mine",
        "process   echo",
        "status    successful",
        "progress  100%",
        "message   is done",
        "attempts  1",
        "created   2026-05-01T09:30:00Z",
        "started   2026-05-01T09:30:00Z",
        "finished  2026-05-01T09:30:00Z",
        "inputs",
        '  string  "naïve"',
        "  array   [1, 2]",
        "log",
        "  2026-05-01T09:30:00Z  begun",
        "  2026-05-01T09:30:00Z   [31mended all",
        "results",
        "  mean  7",
        f"  map   {tmp_path}/jobs/{job}/results/a.tif (image/tiff)",
    ]


def test_reason_of_a_failed_job_is_shown(run, table, submit):
    job = submit()
    table.claim("me", lease_s=30)
    table.fail(job, "me", JobFault(type="about:blank", title="", detail="the disk is full", status=503))

    assert re.search(r"status +failed\n.*\nmessage +the disk is full\n", run("show", job).stdout)


def test_long_inputs_are_cut_short(run, submit):
    line = run("show", submit(string="a" * 10_000)).stdout.splitlines()[-1]

    assert line.endswith("aaa… (10002 characters)")
    assert len(line) < 300


def test_results_in_a_bucket_are_shown_with_their_urls(run, table, submit, monkeypatch, tmp_path):
    monkeypatch.setenv("CHRONOTILE_JOBS_RESULTS_URL", "s3://bucket/results")
    job = submit()
    table.claim("me", lease_s=30)
    results = {name: Result(file=f"{name}.tif", media_type="image/tiff") for name in ("stored", "local")}
    table.succeed(job, "me", results)
    (folder := tmp_path / "jobs" / job / "results").mkdir(parents=True)
    (folder / "local.tif").touch()

    lines = run("show", job).stdout.splitlines()[-2:]

    assert [line.split()[1] for line in lines] == [f"s3://bucket/results/{job}/stored.tif", f"{folder}/local.tif"]


def test_a_job_is_cancelled(run, table, submit):
    job = submit()

    assert run("cancel", job).stdout == f"the job {job} was dismissed\n"
    assert table.job(job).status == "dismissed"


def test_files_of_a_cancelled_job_are_removed_immediately(run, submit, tmp_path):
    job = submit()
    make_folders(tmp_path / "jobs" / job)

    run("cancel", job)

    assert not (tmp_path / "jobs" / job).exists()


@pytest.mark.client("moto_server")
def test_cancelled_job_leaves_nothing_in_the_bucket(run, table, submit, monkeypatch, bucket, s3_server, tmp_path):
    monkeypatch.setenv("CHRONOTILE_JOBS_RESULTS_URL", bucket.url)
    job, file = submit(), tmp_path / "a.tif"
    file.touch()
    bucket.put(f"{job}/a.tif", file, media_type="image/tiff")

    assert run("cancel", job).exit_code == 0

    assert s3_server.keys(bucket.url.split("/")[2]) == []


def test_a_job_that_has_ended_is_not_cancelled(run, table, submit):
    job = submit()
    table.claim("me", lease_s=30)
    table.succeed(job, "me", {})

    refused = run("cancel", job)

    assert refused.exit_code == 1
    assert refused.stderr.endswith(f"chronotile: the job {job} has already ended: successful\n")


@pytest.mark.parametrize("command", ["show", "cancel"])
def test_unknown_job_is_reported(run, submit, command):
    submit()

    failed = run(command, "nonsense")

    assert failed.exit_code == 1
    assert failed.stderr.endswith("chronotile: there is no job 'nonsense', or it has expired\n")


def test_table_that_cannot_be_opened_is_reported_in_one_line(run, monkeypatch):
    monkeypatch.setenv("CHRONOTILE_DATABASE_URL", "mysql://host/name")

    failed = run("list")

    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[1].startswith("chronotile: CHRONOTILE_DATABASE_URL begins with mysql://")
    assert failed.stderr.count("\n") == 2


def test_jobs_of_another_archive_are_not_seen(run, table, submit, tmp_path):
    job = submit()
    (tmp_path / "other.yaml").write_text("service: {id: other}\n")

    assert run("list", tmp_path / "other.yaml").stdout == "0 of 0 jobs\n"
    for command in ("show", "cancel"):
        ended = run(command, job, tmp_path / "other.yaml")
        assert (ended.exit_code, ended.stdout) == (1, "")
        assert ended.stderr.endswith(f"chronotile: there is no job '{job}', or it has expired\n")
    assert table.job(job).status == "accepted"
    assert run("list", tmp_path / "archive.yaml").stdout.splitlines()[-2] == "1 of 1 jobs"


def test_missing_archive_is_reported(run, tmp_path):
    ended = run("list", tmp_path / "absent.yaml")

    assert ended.exit_code == 1
    assert "absent.yaml cannot be read: there is no such file; name the configuration" in ended.stderr


def test_sources_of_results_are_shown(run, table, submit):
    job = submit()
    table.claim("me", lease_s=30)
    source = {"collection": "s2", "layers": ["NDVI"], "revision": "1f", "count": 2, "first": "A", "last": "B"}
    table.succeed(job, "me", {"map": Result(file="a.tif", media_type="image/tiff", metadata={"sources": [source]})})

    assert run("show", job).stdout.splitlines()[-2:] == ["made of", "  s2  NDVI, revision 1f, 2 times from A to B"]
