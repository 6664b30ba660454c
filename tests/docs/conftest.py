"""A demo archive of two years, behind a client and on a socket."""

import pytest
from starlette.testclient import TestClient

from chronotile.app.application import create_app
from chronotile.app.settings import Settings
from chronotile.demo import DemoPlan, make_demo
from tests.protocols.listening import listening

PLAN = DemoPlan(size_px=200, first_day="2022-01-01", dekads=72, levels=2, picture_days=("2024-06-01",))


@pytest.fixture(scope="session")
def settings(tmp_path_factory):
    config = make_demo(tmp_path_factory.mktemp("reader") / "data" / "demo", plan=PLAN)
    return Settings(config=config, jobs_dir=tmp_path_factory.mktemp("jobs"))


@pytest.fixture(scope="session")
def client(settings):
    with TestClient(create_app(settings), base_url="http://localhost", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="session")
def server(settings):
    with listening(create_app(settings)) as url:
        yield url
