"""Fixtures of the Python client's tests: archives over the formula and over a demo, in this process and on a socket."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import httpx2
import numpy as np
import pytest
import xarray
from starlette.testclient import TestClient

from chronotile.app.application import ServerOptions, application, create_app
from chronotile.app.settings import Settings
from chronotile.catalog.limits import Limits
from chronotile.core.model.collection import TimeRules
from chronotile.demo import DemoPlan, make_demo
from chronotile.jobs.queue.service import JobService
from chronotile_client import Archive, AsyncArchive, Layer, Retries
from tests.protocols import served
from tests.running import CLIENT, PATIENCE_S

PLAN = DemoPlan(size_px=200, first_day="2023-01-01", dekads=36, levels=2, picture_days=("2024-06-01",))


class Recorded:
    """A server application that records all requests."""

    def __init__(self, app, client: TestClient) -> None:
        self.app = app
        self.client = client
        self.requests: list[httpx2.Request] = []
        transport = client._transport
        send = transport.handle_request

        def handle_request(request: httpx2.Request) -> httpx2.Response:
            self.requests.append(request)
            return send(request)

        transport.handle_request = handle_request
        self.archive = Archive("http://testserver", transport=transport, retries=Retries(count=0))

    def paths(self) -> list[str]:
        """Return the requested paths in order."""
        return [request.url.path for request in self.requests]

    def document(self, path: str, body: object = None, **params: str):
        """Return the server's answer to a request that the client library does not make."""
        content = None if body is None else json.dumps(body).encode()
        answer = self.client.request("GET" if body is None else "POST", path, content=content, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def async_archive(self) -> AsyncArchive:
        """The same archive, with `await`."""
        return AsyncArchive("http://localhost", transport=httpx2.ASGITransport(app=self.app))


@pytest.fixture
def make_recorded(tmp_path) -> Iterator[Callable[..., Recorded]]:
    """Return a function of limits that makes an archive of NDVI over the formula and of layers of each kind."""
    with ExitStack() as clients:

        def make(**limits: int) -> Recorded:
            services = served.make_services(*served.varied_collections(), limits=Limits(**limits), broken=["GONE"])
            app = application(services, ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a")))
            return Recorded(app, clients.enter_context(TestClient(app, raise_server_exceptions=False)))

        yield make


@pytest.fixture
def recorded(make_recorded) -> Recorded:
    """An archive over the formula."""
    return make_recorded()


@pytest.fixture
def archive(recorded) -> Archive:
    """An archive over the formula."""
    return recorded.archive


@pytest.fixture
def substituting(tmp_path) -> Iterator[Layer]:
    """Layer that answers with the nearest time if the requested one is missing."""
    rules = TimeRules(match="nearest", tolerance=np.timedelta64(5, "D"))
    services = served.make_services(served.make_collection(served.make_layer(time_rules=rules)))
    app = application(services, ServerOptions(jobs=JobService(tmp_path / "jobs", archive="a")))
    with TestClient(app, raise_server_exceptions=False) as client:
        yield Recorded(app, client).archive.layers["NDVI"]


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory) -> Path:
    """The folder of a small demo archive."""
    folder = tmp_path_factory.mktemp("client") / "demo"
    make_demo(folder, plan=PLAN)
    return folder


@pytest.fixture(scope="session")
def five_years(tmp_path_factory) -> Path:
    """Folder of a demo archive with its full number of times, in a smaller area."""
    folder = tmp_path_factory.mktemp("client") / "demo"
    make_demo(folder, plan=replace(PLAN, first_day="2020-01-01", dekads=180))
    return folder


@pytest.fixture(scope="session")
def demo(demo_folder, tmp_path_factory) -> Iterator[Recorded]:
    """A small demo archive, in this process."""
    app = create_app(Settings(config=demo_folder / "demo.yaml", jobs_dir=tmp_path_factory.mktemp("jobs")))
    with TestClient(app, base_url="http://localhost", raise_server_exceptions=False) as client:
        recorded = Recorded(app, client)
        recorded.archive = Archive("http://localhost", transport=client._transport)
        yield recorded


@pytest.fixture(scope="session")
def ndvi_of_files(demo_folder) -> xarray.DataArray:
    """NDVI of the demo's files in xarray, without the codes above 0.92, which are clouds and snow."""
    store = xarray.open_zarr(demo_folder / "biopar.zarr", decode_coords="all", chunks=None)
    return store.NDVI.where(store.NDVI < 0.921).load()


@pytest.fixture(scope="session")
def client_with_map(tmp_path_factory) -> Path:
    """Folder of the client with the map's JavaScript, as in its wheel."""
    folder = tmp_path_factory.mktemp("client")
    package = shutil.copytree(CLIENT / "chronotile_client", folder / "chronotile_client")
    subprocess.run(["node", CLIENT.parent / "build.mjs", package / "widget"], check=True, timeout=PATIENCE_S)
    return folder
