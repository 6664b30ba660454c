"""Files of results go to S3 before their job is done, and with it."""

import json
import os
import subprocess
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.model.job import Execution
from chronotile.jobs.queue import attempts
from chronotile.jobs.queue import result_bucket as bucket_module
from chronotile.jobs.queue.result_bucket import Bucket
from chronotile.jobs.queue.service import JobService
from tests.jobs.runner.conftest import SQUARES_OF_TEN
from tests.jobs.runner.deployment import answered, working
from tests.protocols import served
from tests.running import PATIENCE_S, PROGRAM, serving, until
from tests.s3 import Server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.client("moto_server"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]

CONTENT = b"0 1 2 3 4 5 6 7 8 9"


@pytest.fixture
def client_of(archive, tmp_path):
    """Return a context manager that yields a client of the server of the jobs."""

    @contextmanager
    def serve(bucket):
        desk = JobService(tmp_path / "jobs", bucket=bucket, archive=archive)
        with TestClient(
            application(served.make_services(), ServerOptions(jobs=desk)), follow_redirects=False
        ) as client:
            yield client

    return serve


def fetched(url):
    """Return the body of an answer."""
    with answered(urllib.request.Request(url)) as answer:
        return answer.read()


@pytest.fixture
def keys(bucket, s3_server):
    """Return `keys()`, which lists the bucket."""
    return lambda: s3_server.keys(bucket.url.split("/")[2])


def put(bucket, id_, tmp_path):
    """Put an object with a possible name of an earlier attempt at a job."""
    (tmp_path / "pieces.txt").write_bytes(b"half")
    bucket.put(f"{id_}/pieces.txt", tmp_path / "pieces.txt", media_type="text/plain")


def test_results_are_in_the_bucket_until_their_job_is_dismissed(
    bucket, submit, running, ended, client_of, keys, tmp_path, with_steps
):
    id_ = submit()
    with running(bucket=bucket):
        job = ended(id_)
        until(lambda: not (tmp_path / "jobs" / id_).exists())

    assert job.results["sum"].value == SQUARES_OF_TEN
    assert keys() == [f"results/{id_}/pieces.txt"]
    with client_of(bucket) as client:
        answer = client.get(f"/ogcapi/jobs/{id_}/results/pieces")
        assert answer.status_code == 307
        assert fetched(answer.headers["location"]) == CONTENT
        assert client.delete(f"/ogcapi/jobs/{id_}").status_code == 200
        assert client.get(f"/ogcapi/jobs/{id_}").status_code == 404
    assert keys() == []


def test_job_with_an_unavailable_store_restarts_when_it_returns(submit, running, ended, table, client_of, monkeypatch):
    store = Server()
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    id_, bucket = submit(), Bucket("s3://results", patience_s=2)

    try:
        with running(bucket=bucket):
            until(lambda: table.job(id_).message == "waits: the result store is unreachable")
            store.start()
            store.make_bucket("results")
            job = ended(id_)
        with client_of(Bucket("s3://results", patience_s=PATIENCE_S)) as client:
            content = fetched(client.get(f"/ogcapi/jobs/{id_}/results/pieces").headers["location"])
    finally:
        store.stop()

    assert (job.status, content) == ("successful", CONTENT)
    assert job.attempts > 1
    told = [text for _at, text in table.log(id_) if text.startswith("attempt")]
    assert told[1] == "attempt 2: 0 of 10 tasks to do"


def test_a_store_that_stays_away_fails_the_job(submit, running, ended, monkeypatch):
    monkeypatch.setattr(attempts, "AGAIN_S", 0.01)
    monkeypatch.setattr(attempts, "MAX_FRUITLESS", 2)
    for name, value in Server().environment.items():
        monkeypatch.setenv(name, value)
    id_ = submit()

    with running(bucket=Bucket("s3://results", patience_s=0.1)):
        job = ended(id_)

    assert (job.status, job.attempts, job.fault.status) == ("failed", 3, 503)
    assert job.fault.detail == "the result store is unreachable; it was begun 3 times"


def test_failed_job_leaves_nothing_in_the_bucket(bucket, submit, running, ended, keys, tmp_path):
    id_ = submit(at=3, act="break")
    put(bucket, id_, tmp_path)

    with running(bucket=bucket):
        assert ended(id_).status == "failed"
        until(lambda: keys() == [])


def test_job_dismissed_while_running_leaves_nothing_in_the_bucket(
    bucket, submit, running, table, client_of, keys, tmp_path
):
    id_ = submit(open=4)

    with running(bucket=bucket), client_of(bucket) as client:
        until(lambda: len(table.finished_tasks(id_)) == 4)
        put(bucket, id_, tmp_path)
        assert client.delete(f"/ogcapi/jobs/{id_}").json()["status"] == "dismissed"

    assert keys() == []


def test_a_job_that_is_dismissed_while_it_is_sent_is_not_sent_to_its_end(
    bucket, submit, running, table, keys, tmp_path, monkeypatch
):
    monkeypatch.setattr(bucket_module, "PART_BYTES", 1)  # or else the file would be too small for parts
    id_, sent = submit(), []

    class Dismissed(Bucket):
        def put(self, key, file, *, media_type, is_active):
            table.dismiss(id_)
            until(lambda: not is_active())
            sent.append(key)
            super().put(key, file, media_type=media_type, is_active=is_active)

    with running(bucket=Dismissed(bucket.url, patience_s=PATIENCE_S)):
        until(lambda: sent and not (tmp_path / "jobs" / id_).exists())

    assert (table.job(id_).status, keys()) == ("dismissed", [])


def test_forgotten_jobs_leave_nothing_in_the_bucket(bucket, submit, running, ended, table, keys):
    id_ = submit()
    with running(bucket=bucket):
        ended(id_)
    assert keys() != []

    with running(bucket=bucket, kept_s=-1.0):
        until(lambda: table.jobs() == ((), 0))

    assert keys() == []


def test_values_that_are_no_files_stay_in_the_table(bucket, table, running, ended, keys, with_steps):
    id_ = table.submit(Execution(process="echo", inputs={"string": "a"}), user=None, max_open=10).id

    with running(bucket=bucket):
        job = ended(id_)

    assert (job.results["string"].value, keys()) == ("a", [])


def test_server_and_worker_store_results_in_the_bucket_of_the_environment(
    with_steps, bucket, s3_server, data, gates, keys, tmp_path
):
    settings = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs"), "CHRONOTILE_JOBS_RESULTS_URL": bucket.url}
    settings |= s3_server.environment
    inputs = {"count": 10, "open": 10, "gates": str(gates)}

    with serving("serve", data, **settings) as (_process, address, _lines), working(data, **settings):
        asked = urllib.request.Request(
            f"{address}/ogcapi/processes/steps/execution",
            json.dumps({"inputs": inputs}).encode(),
            {"Content-Type": "application/json", "Prefer": "respond-async"},
        )
        with urllib.request.urlopen(asked) as answer:
            job = answer.headers["location"]
        until(lambda: json.loads(fetched(job))["status"] == "successful")

        assert fetched(f"{job}/results/pieces") == CONTENT

    assert keys() == [f"results/{job.rpartition('/')[2]}/pieces.txt"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        pytest.param("s3://no-such-bucket", "the result store is unreachable", id="no bucket"),
        pytest.param(
            "s3://Bucket!",
            "CHRONOTILE_JOBS_RESULTS_URL must be like s3://bucket/prefix, got 's3://Bucket!': a bucket has 3 to 63 "
            "lowercase letters, digits, dots and hyphens, a prefix letters, digits and _ . = - between slashes",
            id="no URL",
        ),
    ],
)
def test_a_worker_that_may_not_keep_results_ends_before_it_does_anything(s3_server, data, tmp_path, url, words):
    settings = {"CHRONOTILE_JOBS_DIR": str(tmp_path / "jobs"), "CHRONOTILE_JOBS_RESULTS_URL": url}
    environment = os.environ | s3_server.environment | settings

    ended = subprocess.run([PROGRAM, "worker", data], capture_output=True, text=True, env=environment, check=False)

    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1] == f"chronotile: {words}"
