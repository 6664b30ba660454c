"""Servers of two archives share a table of jobs: each shows its own jobs, with the inputs of their results."""

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.queue.job_folder import make_folders
from chronotile.jobs.queue.service import JobService
from tests.protocols import served

HISTOGRAM = "/ogcapi/processes/histogram/execution"
BODY = {"inputs": {"layer": "NDVI", "bins": 4, "range": [0, 1], "bbox": {"bbox": [4.5, 50.8, 4.52, 50.82]}}}


@pytest.fixture
def other(tmp_path):
    """Client of the server of another archive, with the same folder of jobs."""
    desk = JobService(tmp_path / "jobs", archive="other")
    with TestClient(application(served.make_services(), ServerOptions(jobs=desk))) as client:
        yield client


@pytest.fixture
def histogram(client):
    """URL of a job that reads a layer."""
    answer = client.post(HISTOGRAM, json=BODY, headers={"Prefer": "respond-async"})
    assert answer.status_code == 201
    return answer.headers["location"]


@pytest.mark.parametrize(
    ("method", "below"), [("GET", ""), ("DELETE", ""), ("GET", "/results"), ("GET", "/results/histogram")]
)
def test_job_of_another_archive_is_not_found(client, other, histogram, method, below):
    assert other.request(method, f"{histogram}{below}").status_code == 404
    assert client.get(histogram).json()["status"] == "accepted"


def test_jobs_of_another_archive_are_not_listed(client, other, histogram):
    assert client.get("/ogcapi/jobs").json()["numberMatched"] == 1
    assert other.get("/ogcapi/jobs").json()["numberMatched"] == 0


def test_the_message_names_the_archive_whose_worker_is_missing(client, histogram):
    assert client.get(histogram).json()["message"].endswith("no worker of the archive a is running")


def test_job_lists_the_sources_of_its_results(client, histogram, desk, tmp_path, assert_valid):
    job = desk.table.claim("test", lease_s=60)
    make_folders(tmp_path / "jobs" / job.id)
    files = desk.result_files(job).folder
    results = execute(desk.table.execution(job.id), served.make_services(), files)
    desk.table.succeed(job.id, "test", results)

    told = client.get(histogram).json()

    (source,) = told["metadata"]["sources"]
    assert (source["collection"], source["layers"], source["revision"]) == ("s2", ["NDVI"], job.revision)
    assert source["count"] == len(source["times"])
    assert f"of the collection s2, {source['count']} times" in client.get(f"{histogram}?f=html").text
    assert_valid(told, "processes", "statusInfo")
