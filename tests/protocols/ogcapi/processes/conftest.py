"""Fixtures of process tests: a server with a table of jobs, and a worker."""

from collections.abc import Callable

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.model.job import Job, JobFault
from tests.protocols import served

ECHO = "/ogcapi/processes/echo/execution"


@pytest.fixture
def services():
    """Services of a single layer."""
    return served.make_services()


@pytest.fixture
def client(desk, services):
    """Client of a single layer that may request jobs."""
    with TestClient(application(services, ServerOptions(jobs=desk)), raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def ask(client) -> Callable:
    """Return a function: `ask({"inputs": …}, prefer="respond-async")` returns the answer of echo."""

    def post(body, *, prefer=None):
        return client.post(ECHO, json=body, headers={} if prefer is None else {"Prefer": prefer})

    return post


@pytest.fixture
def submitted(ask) -> Callable[..., str]:
    """Return a function: `submitted({"inputs": …})` returns the URL of an accepted job."""
    return lambda body: ask(body, prefer="respond-async").headers["location"]


@pytest.fixture
def fail_next(desk) -> Callable[[], Job]:
    """Return a function that makes the oldest job fail and returns it."""

    def fail() -> Job:
        job = desk.table.claim("test", lease_s=60)
        fault = JobFault(type="about:blank", title="Service Unavailable", detail="the file is gone", status=503)
        desk.table.fail(job.id, "test", fault)
        return desk.table.job(job.id)

    return fail


@pytest.fixture
def end_with(desk) -> Callable[..., Job]:
    """Return a function: `end_with({"string": Result(…)}, files={"a.csv": b"…"})` ends and returns the oldest job."""

    def end(results, *, files) -> Job:
        job = desk.table.claim("test", lease_s=60)
        folder = desk.result_files(job).folder
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        desk.table.succeed(job.id, "test", results)
        return desk.table.job(job.id)

    return end
