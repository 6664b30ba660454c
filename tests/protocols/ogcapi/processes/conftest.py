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
    """A client of one layer, which may request jobs."""
    with TestClient(application(services, ServerOptions(jobs=desk)), raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def ask(client) -> Callable:
    """`ask({"inputs": …}, prefer="respond-async")`: the answer of echo."""

    def post(body, *, prefer=None):
        return client.post(ECHO, json=body, headers={} if prefer is None else {"Prefer": prefer})

    return post


@pytest.fixture
def submitted(ask) -> Callable[..., str]:
    """`submitted({"inputs": …})`: the address of a job that was accepted."""
    return lambda body: ask(body, prefer="respond-async").headers["location"]


@pytest.fixture
def fail_next(desk) -> Callable[[], Job]:
    """`fail_next()`: the oldest job, which failed."""

    def fail() -> Job:
        job = desk.table.claim("test", lease_s=60)
        fault = JobFault(type="about:blank", title="Service Unavailable", detail="the file is gone", status=503)
        desk.table.fail(job.id, "test", fault)
        return desk.table.job(job.id)

    return fail


@pytest.fixture
def end_with(desk) -> Callable[..., Job]:
    """`end_with({"string": Result(…)}, files={"a.csv": b"…"})`: the oldest job, which ended so."""

    def end(results, *, files) -> Job:
        job = desk.table.claim("test", lease_s=60)
        folder = desk.result_files(job).folder
        folder.mkdir(parents=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
        desk.table.succeed(job.id, "test", results)
        return desk.table.job(job.id)

    return end
