"""Fixtures of protocol tests: services over a formula, and a client that speaks HTTP to them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from lxml import etree
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application
from chronotile.core.model.job import Job
from chronotile.jobs.processes.execute import execute
from chronotile.jobs.queue.service import JobService
from chronotile.pipeline.services import Services
from tests.listener import listener
from tests.protocols import served
from tests.protocols.gml import place_info_schema
from tests.protocols.listening import listening


@pytest.fixture
def make_services() -> Callable[..., Services]:
    """Return a function: `make_services(*collections, crs=…, limits=…, now=…, broken=…)` is `served.make_services`."""
    return served.make_services


@pytest.fixture
def make_client(tmp_path, at_end) -> Callable[..., TestClient]:
    """Return a function that makes a client of services; the default is a single layer NDVI."""

    def make(services: Services | None = None) -> TestClient:
        app = application(
            services or served.make_services(), ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a"))
        )
        return at_end.enter_context(TestClient(app, raise_server_exceptions=False))

    return make


@pytest.fixture
def viewer_client(tmp_path) -> Iterator[TestClient]:
    """Client of the layers of `client`, on a server with the files of a built viewer."""
    viewer = tmp_path / "viewer"
    viewer.mkdir()
    (viewer / "index.html").write_text("<!doctype html>", encoding="utf-8")
    services = served.make_services(*served.varied_collections(), broken=["GONE"])
    with TestClient(application(services, ServerOptions(viewer=viewer)), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def client(make_client) -> TestClient:
    """Client of one layer of each kind (`served.varied_collections`); the source of GONE is missing."""
    return make_client(served.make_services(*served.varied_collections(), broken=["GONE"]))


@pytest.fixture(scope="session")
def session_client() -> Iterator[TestClient]:
    """Client like `client`, shared by all examples of a property; server faults become status 500."""
    services = served.make_services(*served.varied_collections(), broken=["GONE"])
    with TestClient(application(services), raise_server_exceptions=False) as one:
        yield one


@pytest.fixture
def make_url(tmp_path) -> Iterator[Callable[..., str]]:
    """Return a function: `make_url(services)` returns the base URL of a socket for other programs."""
    with ExitStack() as servers:

        def make(services: Services | None = None) -> str:
            app = application(
                services or served.make_services(), ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a"))
            )
            return servers.enter_context(listening(app))

        yield make


@pytest.fixture
def gml_schema(shared) -> Callable[[str], etree.XMLSchema]:
    """Return a function: `gml_schema("3.1.1")` returns the schema of GML with the feature type of our feature info."""

    def compile_schema(version: str) -> etree.XMLSchema:
        return place_info_schema(shared / "ogc" / "schemas", version)

    return compile_schema


@pytest.fixture
def web():
    """A remote server (`tests.listener`)."""
    with listener() as server:
        yield server


@pytest.fixture
def desk(tmp_path) -> JobService:
    """Service of the jobs that `client` requests."""
    return JobService(tmp_path / "jobs", archive="a")


@pytest.fixture
def do_next(desk, services) -> Callable[[], Job]:
    """Return a function: `do_next()` runs the oldest job over `services`, like a worker, and returns it."""

    def do() -> Job:
        job = desk.table.claim("test", lease_s=60)
        folder = desk.result_files(job).folder
        folder.mkdir(parents=True)
        desk.table.succeed(job.id, "test", execute(desk.table.execution(job.id), services, folder))
        return desk.table.job(job.id)

    return do
